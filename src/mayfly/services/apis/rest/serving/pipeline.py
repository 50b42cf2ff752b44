"""What happens to a request, in order: method, validation, authorization, integration, response.

Each step is a module of its own; whatever goes wrong is a `RefusedError`, which becomes a gateway response at the end.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from mayfly.clock import Clock
from mayfly.services.apis.rest.model import STREAM
from mayfly.services.apis.rest.serving import compression, refusals, tree
from mayfly.services.apis.rest.serving.arrival import Arrival, Home, arrived
from mayfly.services.apis.rest.serving.authorizing import Authorizing
from mayfly.services.apis.rest.serving.caching import Caches, cached_by, invalidates
from mayfly.services.apis.rest.serving.integrating import Integrating
from mayfly.services.apis.rest.serving.metered import Metered
from mayfly.services.apis.rest.serving.noting import Noting
from mayfly.services.apis.rest.serving.refusals import RefusedError, internal, missing_token
from mayfly.services.apis.rest.serving.validating import validate
from mayfly.services.apis.rest.serving.views import Stand, View, Views
from mayfly.services.contract import HttpRequest, HttpResponse

_log = logging.getLogger(__name__)

MOST_BODY = 10 * 1024 * 1024


@dataclass(frozen=True)
class Steps:
    """What a request goes through."""

    authorizing: Authorizing
    metered: Metered
    caches: Caches
    integrating: Integrating
    noting: Noting


class Pipeline:
    """`Answering` of REST APIs."""

    def __init__(
        self, views: Views, steps: Steps, clock: Clock, home: Home, draw: Callable[[], float] = random.random
    ) -> None:
        self._views = views
        self._steps = steps
        self._clock = clock
        self._home = home
        self._draw = draw

    async def answer(self, api_id: str, request: HttpRequest) -> HttpResponse:
        """See `parts.Answering`."""
        name, path = split(request.path)
        stand = await self._views.find(api_id, name) if name else None
        if stand is None or stand.usual.api.head.disable_execute_api_endpoint:
            return plain(403, "Forbidden", "ForbiddenException")
        return await self.serve(self.chosen(stand), request, path)

    async def answer_below(
        self, api_id: str, stage_name: str, request: HttpRequest, base_path: str, rest: str
    ) -> HttpResponse:
        """The response to a request for a custom domain name, whose base path a mapping took off before `rest`."""
        stand = await self._views.find(api_id, stage_name)
        if stand is None:
            return plain(403, "Forbidden", "ForbiddenException")
        return await self.serve(self.chosen(stand), request, rest, f"/{base_path}{rest}" if base_path else rest)

    def chosen(self, stand: Stand) -> View:
        """Which deployment a request meets."""
        if stand.canary is not None and self._draw() * 100.0 < stand.percent:
            return stand.canary
        return stand.usual

    async def serve(self, view: View, request: HttpRequest, path: str, shown: str | None = None) -> HttpResponse:
        """The response to a request for a path below a stage. `shown`: what functions are told of it, where that is
        something else."""
        body = request.content if request.content is not None else await _read(request)
        now, monotonic = self._clock.now(), self._clock.monotonic()
        arrival = arrived(request, body or b"", view, path, self._home, now, monotonic)
        if shown is not None:
            arrival.shown = arrival.context["path"] = shown
        if view.stage.canary_settings is not None:
            arrival.context["isCanaryRequest"] = view.is_canary
        try:
            if body is None or len(body) > MOST_BODY:
                raise RefusedError("REQUEST_TOO_LARGE", f"HTTP content length exceeded {MOST_BODY} bytes.")
            arrival.body = compression.unpacked(arrival, MOST_BODY)
            response = await self._through(arrival)
        except RefusedError as refusal:
            if refusal.status >= 500:  # the client is not told why, and the stage may have no execution log
                _log.info("request %s to API %s: %s", request.request_id, view.api.head.id, refusal.why)
            response = refused(arrival, refusal)
        finished = compression.packed(arrival, _finished(arrival, response))
        return self._steps.noting.noted(arrival, finished)

    async def _through(self, arrival: Arrival) -> HttpResponse:
        steps = self._steps
        find_method(arrival)
        await steps.authorizing.authorize(arrival)
        await steps.metered.admit(arrival)
        validate(arrival)
        cached = cached_by(arrival)
        if cached is None or arrival.integration().response_transfer_mode == STREAM:
            return await steps.integrating.answer(arrival)
        setting, key = cached
        anew, headers = invalidates(arrival, setting)
        if not anew and (found := steps.caches.find(key)) is not None:
            return HttpResponse(found.status, [*found.headers, *headers], found.body)
        response = await steps.integrating.answer(arrival)
        steps.caches.keep(key, response, setting.cache_ttl_in_seconds)
        return HttpResponse(response.status, [*response.headers, *headers], response.body)


def _finished(arrival: Arrival, response: HttpResponse) -> HttpResponse:
    own = [
        ("x-amzn-requestid", arrival.request.request_id),
        ("x-amz-apigw-id", arrival.context["extendedRequestId"]),
    ]
    if arrival.trace_id is not None:
        own.append(("x-amzn-trace-id", arrival.trace_id))
    names = {name for name, _ in own}
    kept = [(f"x-amzn-remapped-{name}" if name in names else name, value) for name, value in response.headers]
    return HttpResponse(response.status, [*kept, *own], response.body, response.close)


def find_method(arrival: Arrival) -> None:
    """Find the method that the request is for; `RefusedError`."""
    found = tree.match(arrival.view.tree, arrival.path)
    if found is None:
        raise missing_token()
    methods = found.resource.methods
    method = methods.get(arrival.request.method) or methods.get("ANY")
    if method is None:
        raise missing_token()
    arrival.resource, arrival.method, arrival.variables = found.resource, method, found.variables
    arrival.context["resourceId"], arrival.context["resourcePath"] = found.resource.id, found.resource.path
    if method.method_integration is None:
        raise internal("No integration defined for method", "API_CONFIGURATION_ERROR")


def refused(arrival: Arrival, refusal: RefusedError) -> HttpResponse:
    """The gateway response."""
    arrival.why = refusal.why
    return refusals.render(
        refusal,
        arrival.view.api.parts.gateway_responses,
        arrival.context,
        arrival.view.variables,
        arrival.parameter,
        arrival.header("accept") or "",
    )


def split(path: str) -> tuple[str, str]:
    """The stage, and the path below it. Slashes before the stage are one."""
    stage, slash, rest = path.lstrip("/").partition("/")
    return stage, slash + rest


async def _read(request: HttpRequest) -> bytes | None:
    """The body; None when it is larger than allowed."""
    body = bytearray()
    async for chunk in request.body:
        body += chunk
        if len(body) > MOST_BODY:
            return None
    return bytes(body)


def plain(status: int, message: str, error: str) -> HttpResponse:
    """What is said where there is no stage whose gateway responses would count."""
    headers = [("content-type", "application/json"), ("x-amzn-errortype", error)]
    return HttpResponse(status, headers, f'{{"message":"{message}"}}'.encode())
