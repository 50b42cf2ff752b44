"""Who answers a request to an API: found by the id that stands in its host or its path, or by its domain name."""

import json
from collections.abc import Iterable

from mayfly.services.apis.directory import Directory
from mayfly.services.apis.parts import Answering, DomainAnswering, Kind
from mayfly.services.contract import HttpRequest, HttpResponse


class ApiDoor:
    """The handler of all requests to APIs."""

    def __init__(self, directory: Directory, kinds: Iterable[Kind]) -> None:
        self._directory = directory
        self._answers: dict[str, Answering] = {}
        self._domains: list[DomainAnswering] = []
        for kind in kinds:
            self._answers.update(kind.answers)
            if kind.domains is not None:
                self._domains.append(kind.domains)

    async def by_id(self, api_id: str, request: HttpRequest) -> HttpResponse:
        """The response to a request for the API of that id."""
        kind = self._directory.kind(api_id)
        answering = self._answers.get(kind) if kind is not None else None
        if answering is None:
            return forbidden()
        return await answering.answer(api_id, request)

    def has(self, api_id: str) -> bool:
        """Whether there is an API of that id."""
        return self._directory.kind(api_id) is not None

    def knows(self, host: str) -> bool:
        """Whether `host` is a domain name of an API."""
        return any(domains.knows(host) for domains in self._domains)

    async def by_domain(self, host: str, request: HttpRequest) -> HttpResponse:
        """The response to a request for a domain name that is known."""
        for domains in self._domains:
            if domains.knows(host):
                return await domains.answer(host, request)
        return forbidden()


def forbidden() -> HttpResponse:
    """What nobody's API answers, as on AWS: it does not tell what there is."""
    body = json.dumps({"message": "Forbidden"}).encode()
    return HttpResponse(403, [("content-type", "application/json"), ("x-amzn-errortype", "ForbiddenException")], body)
