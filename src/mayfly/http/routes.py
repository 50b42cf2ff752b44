"""Who answers a request: function URLs and APIs by host, Mayfly's own pages by path, everything else the AWS gateway.

Pure apart from calling the chosen handler. `app.py` fills the table.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from mayfly.http.api import Answer
from mayfly.services.contract import HttpRequest, HttpResponse

OWN = "/_mayfly/"
URL_PATH = f"{OWN}url/"  # /_mayfly/url/<id>/path: a function URL that needs no DNS
API_PATH = f"{OWN}api/"  # /_mayfly/api/<id>/stage/path: an API that needs no DNS
API_HOST = re.compile(r"^([a-z0-9]{1,64})\.execute-api\.", re.IGNORECASE)
_URL_HOST = re.compile(r"^([a-z0-9]{1,64})\.lambda-url\.", re.IGNORECASE)

UrlAnswer = Callable[[str, HttpRequest], Awaitable[HttpResponse]]


class Apis(Protocol):
    """Answers requests to APIs."""

    def by_id(self, api_id: str, request: HttpRequest) -> Awaitable[HttpResponse]: ...

    def knows(self, host: str) -> bool:
        """Whether `host`, in lower case and without a port, is a domain name of an API."""

    def by_domain(self, host: str, request: HttpRequest) -> Awaitable[HttpResponse]: ...


@dataclass(frozen=True, slots=True)
class Routes:
    """The table. `own` maps the first path segment below `/_mayfly/` to its handler."""

    gateway: Answer
    function_url: UrlAnswer
    own: Mapping[str, Answer]
    apis: Apis | None = None  # None: they are answered elsewhere

    def answer(self, request: HttpRequest) -> Awaitable[HttpResponse]:
        """Hand `request` to whoever it is for."""
        if match := _URL_HOST.match(request.host):
            return self.function_url(match[1].lower(), request)
        if self.apis is not None and (answer := self._api(self.apis, request)):
            return answer
        if not request.path.startswith(OWN):
            return self.gateway(request)
        if request.path.startswith(URL_PATH):
            url_id, _, rest = request.path[len(URL_PATH) :].partition("/")
            mounted = replace(request, path=f"/{rest}", mount=f"{URL_PATH}{url_id}")
            return self.function_url(url_id, mounted)
        return self._own(request)

    def _api(self, apis: Apis, request: HttpRequest) -> Awaitable[HttpResponse] | None:
        """The answer of an API; None: the request is for none."""
        if match := API_HOST.match(request.host):
            return apis.by_id(match[1].lower(), request)
        if request.path.startswith(API_PATH):
            api_id, _, rest = request.path[len(API_PATH) :].partition("/")
            return apis.by_id(api_id, replace(request, path=f"/{rest}", mount=f"{API_PATH}{api_id}"))
        host = request.host.partition(":")[0].lower()
        return apis.by_domain(host, request) if apis.knows(host) else None

    async def _own(self, request: HttpRequest) -> HttpResponse:
        """A page of Mayfly's own."""
        segment = request.path[len(OWN) :].partition("/")[0]
        handler = self.own.get(segment)
        if handler is None:
            names = ", ".join(sorted(self.own))
            text = f"Nothing is at {request.path}. Below {OWN} there are: url, api, {names}.\n"
            return HttpResponse(404, [("content-type", "text/plain; charset=utf-8")], text.encode())
        return await handler(request)
