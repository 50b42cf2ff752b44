"""`ports.ServiceRequests`: requests to services as they stand on the wire, sent by the platform itself in process.

Such a request is not signed: whoever sends it has made sure who makes it. All else is as from outside, and answers of
the `query` protocol are JSON, unless XML is asked for.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from mayfly.services.contract import HttpRequest, HttpResponse, Principal, ServiceError
from mayfly.wire.exchange import parse_query
from mayfly.wire.gateway import Caller, Gateway
from mayfly.wire.models import Models, ServiceFacts
from mayfly.wire.resolver import FORM


class ServiceRequests:
    """Sends to what `gateway` answers."""

    def __init__(self, gateway: Gateway, services: Iterable[str], models: Models) -> None:
        self._gateway = gateway
        self._facts: dict[str, ServiceFacts] = {}
        found = [models.facts(name) for name in services]
        for facts in found:
            self._facts.setdefault(facts.endpoint_prefix, facts)
        for facts in found:
            self._facts.setdefault(facts.signing_name, facts)
        for facts in found:
            self._facts.setdefault(facts.name, facts)

    def knows(self, service: str) -> bool:
        """See `ports.ServiceRequests`."""
        return service in self._facts

    async def send(
        self, request: HttpRequest, principal: Principal, service: str, region: str, action: str | None = None
    ) -> HttpResponse:
        """See `ports.ServiceRequests`."""
        facts = self._facts.get(service)
        if facts is None:
            raise ServiceError("UnknownService", f"Mayfly has no service {service!r}.", status=501)
        if action is not None:
            request = _with_action(request, facts, action)
        as_json = "xml" not in (request.header("accept") or "")
        return await self._gateway.handle_for(request, Caller(principal, facts.signing_name, region, as_json))


def _with_action(request: HttpRequest, facts: ServiceFacts, action: str) -> HttpRequest:
    """The request with its operation where the protocol of the service has it."""
    if request.header("x-amz-target") is not None:
        return request
    is_form = (request.header("content-type") or "").startswith(FORM)
    speaks_forms = facts.name == "sqs" or "query" in facts.protocols
    if speaks_forms and (is_form or facts.target_prefix is None or not request.content):
        if _names_action(request.query) or (
            is_form and _names_action((request.content or b"").decode("utf-8", "replace"))
        ):
            return request
        added = f"Action={action}"
        return replace(request, query=f"{request.query}&{added}" if request.query else added)
    if facts.target_prefix is None:
        raise ServiceError(
            "UnknownAction", f"{facts.name} has no actions: its operations are paths, as in :path/…", status=501
        )
    headers = [pair for pair in request.headers if pair[0] != "content-type"]
    headers += [("x-amz-target", f"{facts.target_prefix}.{action}"), ("content-type", "application/x-amz-json-1.0")]
    return replace(request, headers=headers, fields=None)


def _names_action(form: str) -> bool:
    try:
        return any(name == "Action" for name, _ in parse_query(form))
    except ValueError:
        return False
