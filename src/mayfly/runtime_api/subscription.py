"""What a subscription to telemetry asks for, and what each version of the schema shows of an event. Pure.

Two interfaces, the Telemetry API (2022-07-01) and the Logs API before it (2020-08-15). Sources, in the AWS Lambda
developer guide: "Lambda Telemetry API reference", also for the limits of buffering, "Event schema reference", "Lambda
Logs API".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

Category = Literal["platform", "function", "extension"]
CATEGORIES: tuple[Category, ...] = ("platform", "function", "extension")
HOSTS = ("sandbox.localdomain", "sandbox")
_TELEMETRY_SCHEMAS = ("2022-07-01", "2022-12-13", "2025-01-29")
_LOGS_SCHEMAS = ("2020-08-15", "2021-03-18")
# Default, least, most.
_ITEMS, _BYTES, _TIMEOUT_MS = (10_000, 1_000, 10_000), (262_144, 262_144, 1_048_576), (1_000, 25, 30_000)
# What the first version of the schema does not have.
_SINCE_DECEMBER = frozenset(("functionName", "functionVersion", "instanceId", "instanceMaxMemory"))


class Event(NamedTuple):
    """One, as it happened."""

    time: str  # ISO 8601, in milliseconds
    category: Category
    type: str
    record: Any


class InvalidSubscriptionError(ValueError):
    """The message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one extension wants, and where."""

    api: Literal["telemetry", "logs"]
    schema: str
    types: tuple[Category, ...]
    protocol: Literal["HTTP", "TCP"]
    port: int
    path: str = "/"
    method: str = "POST"
    most_items: int = _ITEMS[0]
    most_bytes: int = _BYTES[0]
    timeout_s: float = _TIMEOUT_MS[0] / 1000

    def render(self, event: Event) -> bytes | None:
        """The event in JSON as this subscriber knows it; None where it does not."""
        if event.category not in self.types:
            return None
        shown = _as_telemetry(event) if self.api == "telemetry" else _as_log(event, self.schema)
        if shown is None:
            return None
        record = shown.record
        if self.schema == "2022-07-01" and isinstance(record, Mapping):
            record = {name: value for name, value in record.items() if name not in _SINCE_DECEMBER}
        whole = {"time": shown.time, "type": shown.type, "record": record}
        return json.dumps(whole, separators=(",", ":")).encode()


def parse(api: Literal["telemetry", "logs"], body: bytes) -> Subscription:
    """The subscription that `body` asks for; `InvalidSubscriptionError`."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidSubscriptionError("the body is not JSON") from error
    if not isinstance(asked, Mapping):
        raise InvalidSubscriptionError("the body is not a JSON object")
    protocol, port, path, method = _destination(asked.get("destination"), api)
    buffering = asked.get("buffering") or {}
    if not isinstance(buffering, Mapping):
        raise InvalidSubscriptionError("buffering is not an object")
    return Subscription(
        api=api,
        schema=_schema(asked.get("schemaVersion"), api),
        types=_types(asked.get("types")),
        protocol=protocol,
        port=port,
        path=path,
        method=method,
        most_items=_number(buffering, "maxItems", _ITEMS),
        most_bytes=_number(buffering, "maxBytes", _BYTES),
        timeout_s=_number(buffering, "timeoutMs", _TIMEOUT_MS) / 1000,
    )


def _schema(asked: Any, api: str) -> str:
    if api == "logs" and asked is None:
        return _LOGS_SCHEMAS[0]
    known = _TELEMETRY_SCHEMAS if api == "telemetry" else _LOGS_SCHEMAS
    if asked not in known:
        raise InvalidSubscriptionError(f"schemaVersion must be one of {', '.join(known)}")
    return str(asked)


def _types(asked: Any) -> tuple[Category, ...]:
    if not isinstance(asked, list) or not asked or any(one not in CATEGORIES for one in asked):
        raise InvalidSubscriptionError(f"types must be a list of {', '.join(CATEGORIES)}")
    return tuple(one for one in CATEGORIES if one in asked)


def _destination(asked: Any, api: str) -> tuple[Literal["HTTP", "TCP"], int, str, str]:
    if not isinstance(asked, Mapping):
        raise InvalidSubscriptionError("destination is missing")
    protocol = asked.get("protocol")
    if protocol == "TCP":
        return "TCP", _port(asked.get("port")), "", ""
    if protocol != "HTTP":
        raise InvalidSubscriptionError("destination.protocol must be HTTP or TCP")
    try:
        uri = urlsplit(str(asked.get("URI") or asked.get("uri") or ""))
        port = uri.port
    except ValueError as error:
        raise InvalidSubscriptionError("destination.URI cannot be understood") from error
    if uri.scheme != "http" or uri.hostname not in HOSTS:
        raise InvalidSubscriptionError(f"destination.URI must begin with http://{HOSTS[0]}")
    method = asked.get("method", "POST")
    if method not in ("POST", "PUT") or (method == "PUT" and api == "telemetry"):
        raise InvalidSubscriptionError("destination.method must be POST")
    target = (uri.path or "/") + (f"?{uri.query}" if uri.query else "")
    if not target.isprintable() or " " in target or not target.isascii():
        raise InvalidSubscriptionError("destination.URI cannot be understood")
    return "HTTP", _port(80 if port is None else port), target, method


def _port(asked: Any) -> int:
    if not isinstance(asked, int) or isinstance(asked, bool) or not 1 <= asked <= 65535:
        raise InvalidSubscriptionError("the destination's port must be from 1 to 65535")
    return asked


def _number(buffering: Mapping[str, Any], name: str, bounds: tuple[int, int, int]) -> int:
    default, least, most = bounds
    asked = buffering.get(name, default)
    if not isinstance(asked, int) or isinstance(asked, bool) or not least <= asked <= most:
        raise InvalidSubscriptionError(f"buffering.{name} must be from {least} to {most}")
    return asked


def _as_telemetry(event: Event) -> Event | None:
    """What the Telemetry API has of an event: all but what only the older interface knows."""
    return event if event.type != "platform.end" else None


def _as_log(event: Event, schema: str) -> Event | None:
    """What the Logs API has of an event."""
    record = event.record
    match event.type:
        case "platform.start":
            return event._replace(record={"requestId": record["requestId"], "version": record.get("version", "")})
        case "platform.runtimeDone":
            if schema == _LOGS_SCHEMAS[0]:
                return None
            return event._replace(record={"requestId": record["requestId"], "status": record["status"]})
        case "platform.report":
            return event._replace(record={"requestId": record["requestId"], "metrics": record["metrics"]})
        case "platform.telemetrySubscription":
            return event._replace(type="platform.logsSubscription")
        case "platform.extension" | "platform.logsDropped" | "platform.end" | "function" | "extension":
            return event
        case _:
            return None
