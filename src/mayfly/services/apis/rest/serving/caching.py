"""Responses that are kept for a while, by stage: which, for how long, and who may have them made anew."""

from collections import OrderedDict

from mayfly.clock import Clock
from mayfly.services.apis.rest.model import MethodSetting
from mayfly.services.apis.rest.serving.arrival import Arrival
from mayfly.services.apis.rest.serving.refusals import RefusedError
from mayfly.services.contract import HttpResponse

MOST_BYTES = 64 * 1024 * 1024  # of all caches together, whatever the size of a cache cluster on AWS
MOST_RESPONSE = 1024 * 1024
_WARNING = ("warning", "199 Invalid Cache-Control header: the request may not invalidate the cache")
Key = tuple[str, ...]


class Caches:
    """All of them; the response that was used longest ago goes first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[float, HttpResponse, int]] = OrderedDict()
        self._bytes = 0

    def flush(self, api_id: str, stage: str | None = None) -> None:
        """Forget what is kept for an API, or one stage of it."""
        for key in [key for key in self._kept if key[0] == api_id and stage in (None, key[1])]:
            self._drop(key)

    def find(self, key: Key) -> HttpResponse | None:
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0] <= self._clock.monotonic():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return found[1]

    def keep(self, key: Key, response: HttpResponse, ttl_s: float) -> None:
        """Keep a response, if it is one to be kept."""
        body = response.body
        if not isinstance(body, bytes) or len(body) > MOST_RESPONSE or ttl_s <= 0 or not 200 <= response.status < 300:
            return
        if key in self._kept:
            self._drop(key)
        size = len(body) + 1024
        while self._bytes + size > MOST_BYTES and self._kept:
            self._drop(next(iter(self._kept)))
        self._kept[key] = (self._clock.monotonic() + ttl_s, response, size)
        self._bytes += size

    def _drop(self, key: Key) -> None:
        self._bytes -= self._kept.pop(key)[2]


def cached_by(arrival: Arrival) -> tuple[MethodSetting, Key] | None:
    """How a request is cached, and under which key; None: it is not."""
    method, resource = arrival.method, arrival.resource
    if method is None or resource is None or not arrival.view.stage.cache_cluster_enabled:
        return None
    setting = arrival.view.setting(resource.path, method.http_method)
    if setting is None or not setting.caching_enabled:
        return None
    own = any(name.endswith(f"/{method.http_method}") for name in arrival.view.stage.method_settings)
    if arrival.request.method not in ("GET", "HEAD") and not own:
        return None
    integration = arrival.integration()
    values = [f"{name}={arrival.parameter(name)}" for name in integration.cache_key_parameters]
    version = "canary" if arrival.view.is_canary and not _shared(arrival) else "stage"
    space = (arrival.view.api.head.id, arrival.stage, version, integration.cache_namespace)
    return setting, (*space, arrival.request.method, resource.id, *values)


def invalidates(arrival: Arrival, setting: MethodSetting) -> tuple[bool, list[tuple[str, str]]]:
    """Whether a request asks for a response that is made anew, and may; and headers to say so; `RefusedError`."""
    if "max-age=0" not in (arrival.header("cache-control") or "").replace(" ", ""):
        return False, []
    if not setting.require_authorization_for_cache_control or arrival.principal is not None:
        return True, []
    strategy = setting.unauthorized_cache_control_header_strategy
    if strategy == "FAIL_WITH_403":
        raise RefusedError("ACCESS_DENIED", "User is not authorized to invalidate the cache")
    return False, [_WARNING] if strategy == "SUCCEED_WITH_RESPONSE_HEADER" else []


def _shared(arrival: Arrival) -> bool:
    canary = arrival.view.stage.canary_settings
    return canary is not None and canary.use_stage_cache
