"""How a web server in a sandbox is reached, by its environment: `PORT`, and what the AWS Lambda Web Adapter reads.

Pure. A variable that makes no sense is an error with its name in it, before anything is started.
"""

from collections.abc import Mapping
from dataclasses import dataclass

PORT = 8080
SWITCH = "MAYFLY_WEB"  # auto, on or off: whether this is a web server
_PREFIX = "AWS_LWA_"
# Before it had a prefix, the adapter read these; the prefixed ones win.
_OLD_NAMES = frozenset(
    {"READINESS_CHECK_PORT", "READINESS_CHECK_PATH", "READINESS_CHECK_PROTOCOL", "REMOVE_BASE_PATH", "ASYNC_INIT"}
)
_HEALTHY = frozenset(range(100, 500))


class BadSettingError(ValueError):
    """A variable has a value that nothing can be made of; the message names it."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """One server."""

    port: int = PORT
    ready_port: int = PORT
    ready_path: str = "/"
    ready_by_tcp: bool = False  # it is ready as soon as it accepts connections
    healthy: frozenset[int] = _HEALTHY  # by these answers it is ready
    slow_start: bool = False  # init does not wait for it; calls do
    base_path: str = ""  # taken off the front of every path
    events_path: str = "/events"  # where events that are no requests are posted
    compresses: bool = False  # answers that are not sent on as they come
    authorization: str = ""  # the header whose value becomes that of `authorization`
    failing: frozenset[int] = frozenset()  # answers with these are failures of the call
    demanded: bool = False  # it says that it is a web server
    excluded: bool = False  # it says that it is none; without either, that is found out


def settings_of(environment: Mapping[str, str]) -> WebSettings:
    """The settings that an environment describes; `BadSettingError`."""

    def get(name: str, default: str = "") -> str:
        value = environment.get(_PREFIX + name)
        if value is None and name in _OLD_NAMES:
            value = environment.get(name)
        return default if value is None else value.strip()

    said = environment.get(SWITCH, "").lower()
    if said not in ("", "auto", "on", "off"):
        raise BadSettingError(f"{SWITCH} is {said!r}, and not auto, on or off")
    port = _port("AWS_LWA_PORT" if _PREFIX + "PORT" in environment else "PORT", get("PORT") or environment.get("PORT"))
    path = get("READINESS_CHECK_PATH", "/")
    unhealthy_from = get("READINESS_CHECK_MIN_UNHEALTHY_STATUS")
    healthy = _HEALTHY
    if text := get("READINESS_CHECK_HEALTHY_STATUS"):
        healthy = _statuses("READINESS_CHECK_HEALTHY_STATUS", text)
    elif unhealthy_from.isdecimal():
        healthy = frozenset(range(100, int(unhealthy_from)))
    return WebSettings(
        port=port,
        ready_port=_port("AWS_LWA_READINESS_CHECK_PORT", get("READINESS_CHECK_PORT") or str(port)),
        ready_path=path if path.startswith("/") else f"/{path}",
        ready_by_tcp=get("READINESS_CHECK_PROTOCOL", "http").lower() == "tcp",
        healthy=healthy,
        slow_start=_flag(get("ASYNC_INIT")),
        base_path=get("REMOVE_BASE_PATH").rstrip("/"),
        events_path=get("PASS_THROUGH_PATH") or "/events",
        compresses=_flag(get("ENABLE_COMPRESSION")) and get("INVOKE_MODE").lower() != "response_stream",
        authorization=get("AUTHORIZATION_SOURCE").lower(),
        failing=_statuses("ERROR_STATUS_CODES", get("ERROR_STATUS_CODES")),
        demanded=said == "on" or (said == "" and any(name.startswith(_PREFIX) for name in environment)),
        excluded=said == "off",
    )


def _port(name: str, value: str | None) -> int:
    if not value:
        return PORT
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise BadSettingError(f"{name} is {value!r}, which is no port")
    return int(value)


def _flag(value: str) -> bool:
    return value.lower() == "true"


def _statuses(name: str, text: str) -> frozenset[int]:
    """Codes and ranges of them, such as `500,502-504`."""
    found: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(first) > 3 or len(last) > 3:
            raise BadSettingError(f"{_PREFIX}{name} is {text!r}; a list of status codes and ranges was expected")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
