"""From a request to a service, a protocol and an operation: routing over the models that are installed.

The services that Mayfly has are asked first; the index of all of botocore's is made only when none of them fits, and
never for requests without a signature: strangers cannot make Mayfly load models.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from mayfly.services.contract import HttpResponse, ServiceError
from mayfly.wire import denials
from mayfly.wire.exchange import parse_query
from mayfly.wire.former_query import FORMER
from mayfly.wire.models import ServiceFacts, ServiceIndex
from mayfly.wire.operations import Catalogue, ServiceWire
from mayfly.wire.rpc_cbor import PROTOCOL as CBOR

FORM = "application/x-www-form-urlencoded"
MOST_KNOWN = 2048  # paths whose meaning is remembered
LONGEST_KNOWN = 256  # characters of one


class Target(Struct, frozen=True):
    """What a request is for. `operation` is None when the service has none that fits: `refusal` then says so."""

    service: ServiceWire
    protocol: str
    operation: str | None = None
    labels: Mapping[str, str] = {}
    refusal: ServiceError | None = None
    alone: bool = False  # the service and operation of every request with the same scope, method and path

    def error(self, failure: ServiceError, request_id: str) -> HttpResponse:
        return self.service.codec(self.protocol).error(failure, request_id)


class UnknownServiceError(ServiceError):
    """The request names a service that does not exist, or none at all."""

    def __init__(self, message: str) -> None:
        super().__init__("UnknownOperationException", message, status=404)


class Resolver:
    """`mounted` are the names of the services that have handlers."""

    def __init__(self, catalogue: Catalogue, mounted: Iterable[str]) -> None:
        self._catalogue = catalogue
        self._near = ServiceIndex.of(catalogue.models.facts(name) for name in mounted)
        self._known: dict[tuple[str, str, str], Target] = {}  # by scope, method and path

    def resolve(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        scope: str | None,
        form: bytes,
    ) -> Target:
        """The target; `UnknownServiceError` when there is none. `form` is the body of a form, else empty.

        `scope` is the service of the signature's credential scope, None for anonymous requests.
        """
        target = headers.get("x-amz-target")
        if target is not None:
            return self._by_target(target, scope, "json")
        if path.startswith("/service/") and "smithy-protocol" in headers:
            return self._by_rpc_path(path, scope)
        if scope is None:
            return self._anonymous(method, path, query, headers, form)
        known = self._known.get((scope, method, path))
        if known is not None:
            return known
        candidates = self._scoped(scope)
        if not candidates:
            raise UnknownServiceError(f"The credential is scoped to {scope!r}, which is not a service known to Mayfly.")
        found = self._among(candidates, method, path, query, headers, form)
        if found.alone and len(candidates) == 1 and len(path) <= LONGEST_KNOWN and scope in self._near.by_scope:
            while len(self._known) >= MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[scope, method, path] = found
        return found

    def _by_target(self, target: str, scope: str | None, protocol: str) -> Target:
        prefix, _, name = target.rpartition(".")
        candidates = self._near.by_target.get(prefix, ())
        if not candidates and scope is None:
            raise denials.missing("json")
        if not candidates:
            candidates = self._catalogue.index().by_target.get(prefix, ())
        if not candidates and scope is not None:
            candidates = tuple(facts for facts in self._scoped(scope) if facts.target_prefix)
        if not candidates:
            raise UnknownServiceError(f"{target!r} names no service known to Mayfly.")
        for facts in candidates:
            service = self._catalogue.service(facts.name)
            if facts.target_prefix == prefix and service.has(name):
                return Target(service, protocol, name)
        service = self._catalogue.service(candidates[0].name)
        refusal = ServiceError("UnknownOperationException", f"{service.name} has no operation {target!r}.", status=400)
        return Target(service, protocol, refusal=refusal)

    def _by_rpc_path(self, path: str, scope: str | None) -> Target:
        parts = path.split("/")
        if len(parts) == 5 and parts[3] == "operation":
            return self._by_target(f"{parts[2]}.{parts[4]}", scope, CBOR)
        raise UnknownServiceError(f"{path!r} is not the path of an operation.")

    def _scoped(self, scope: str) -> tuple[ServiceFacts, ...]:
        near = self._near.by_scope.get(scope, ())
        if near:
            return near
        return self._catalogue.index().by_scope.get(scope, ())

    def _among(
        self,
        candidates: Sequence[ServiceFacts],
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        form: bytes,
    ) -> Target:
        refusals = []
        # S3's paths fit everything, so that the others of its scope come first.
        for facts in sorted(candidates, key=lambda each: each.name == "s3"):
            service = self._catalogue.service(facts.name)
            if service.protocol in {"query", "ec2"}:
                found = self._by_action(service, query, form)
            elif service.protocol in {"rest-json", "rest-xml"}:
                found = _by_path(service, method, path, query, headers)
            elif "query" in service.protocols:
                found = self._by_action(service, query, form, path)
            else:
                refusal = ServiceError(
                    "UnknownOperationException", f"{service.name} needs the header X-Amz-Target.", status=400
                )
                found = Target(service, service.protocol, refusal=refusal)
            if found.operation is not None:
                return found
            refusals.append(found)
        return refusals[-1]

    def _by_action(
        self, service: ServiceWire, query: Sequence[tuple[str, str]], form: bytes, path: str = "/"
    ) -> Target:
        protocol = "ec2" if service.protocol == "ec2" else "query"
        action, _ = _action(query, form)
        if action is None:
            refusal = ServiceError("MissingAction", "The request must contain the parameter Action.", status=400)
            return Target(service, protocol, refusal=refusal)
        if not service.has(action):
            refusal = ServiceError(
                "InvalidAction", f"Could not find operation {action} for version {service.api_version}.", status=400
            )
            return Target(service, protocol, refusal=refusal)
        former = FORMER.get(service.name)
        labels = {former.path_member: path} if former is not None and path.count("/") > 1 else {}
        return Target(service, protocol, action, labels)

    def _anonymous(
        self, method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], form: bytes
    ) -> Target:
        action, version = _action(query, form)
        if action is not None:
            for facts in self._near.by_name.values():
                if version in {None, facts.api_version} and {"query", "ec2"} & set(facts.protocols):
                    service = self._catalogue.service(facts.name)
                    if service.has(action):
                        return Target(service, service.protocol, action)
        for facts in self._near.by_name.values():
            if facts.name != "s3" and "rest-json" in facts.protocols:
                service = self._catalogue.service(facts.name)
                if service.paths.knows(path):
                    return _by_path(service, method, path, query, headers)
        if "s3" not in self._near.by_name:
            raise UnknownServiceError("The request is not signed and names no service.")
        return _by_path(self._catalogue.service("s3"), method, path, query, headers)


def _action(query: Sequence[tuple[str, str]], form: bytes) -> tuple[str | None, str | None]:
    try:
        pairs = [*query, *parse_query(form.decode())]
    except ValueError:
        return None, None
    found = dict(reversed(pairs))
    return found.get("Action"), found.get("Version")


def _by_path(
    service: ServiceWire, method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str]
) -> Target:
    try:
        match = service.paths.find(method, path, query, headers)
    except ValueError:
        refusal = ServiceError("InvalidURI", "Couldn't parse the specified URI.", status=400)
        return Target(service, service.protocol, refusal=refusal)
    if match is not None:
        return Target(service, service.protocol, match.operation, match.labels, alone=match.alone)
    if service.name == "s3":
        if method == "OPTIONS":
            refusal = ServiceError("AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.", status=403)
        else:
            refusal = ServiceError(
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
                status=405,
                members={"Method": method},
            )
    else:
        refusal = ServiceError(
            "UnknownOperationException", f"{service.name} has no operation for {method} {path}.", status=404
        )
    return Target(service, service.protocol, refusal=refusal)
