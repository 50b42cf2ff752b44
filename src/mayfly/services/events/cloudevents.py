"""CloudEvents 1.0 and events of a bus: what becomes of which. Pure.

A CloudEvent on a bus has its `id`, `source` and `type` as `id`, `source` and `detail-type`, its `time` to the second,
and its `subject` as the one resource. All of its context attributes are the member `cloudevent`, where patterns find
them, extensions included. Data that is a JSON object is the detail; anything else is wrapped, since a detail is an
object: as `{"data": …}`, or `{"data_base64": "…"}` if it is neither JSON nor text.

An event of a bus as a CloudEvent is that, backwards. One that never was a CloudEvent has `id`, `source`, `type` and
`time` from its members, its first resource as `subject`, all of them, if there are several, as the extension
`resources` (JSON), and `account` and `region` as extensions.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from mayfly.services.events.entries import RESERVED, time_text
from mayfly.services.events.model import BusKey, Event

VERSION = "1.0"
REQUIRED = ("specversion", "id", "source", "type")
MEMBER = "cloudevent"
JSON = "application/json"
MOST_ATTRIBUTES, LONGEST_ATTRIBUTE = 64, 4096
_NAME = re.compile(r"[a-z0-9]{1,64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_WRAPPED = ("data", "data_base64")

_encode = msgspec.json.Encoder().encode


class CloudEventError(ValueError):
    """What came is no CloudEvent that a bus can take; says why."""


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One CloudEvent. `data` is JSON text; `binary` data is neither JSON nor text. None: it has none."""

    attributes: Mapping[str, str]
    data: bytes | None = None
    binary: bytes | None = None

    def __post_init__(self) -> None:
        check(self.attributes)


def check(attributes: Mapping[str, str]) -> None:
    """`CloudEventError` unless these are the context attributes of a CloudEvent."""
    for name in REQUIRED:
        if not attributes.get(name):
            raise CloudEventError(f"the attribute {name} is missing")
    if attributes["specversion"] != VERSION:
        raise CloudEventError(f"specversion is {attributes['specversion'][:32]!r}; this endpoint takes {VERSION}")
    if len(attributes) > MOST_ATTRIBUTES:
        raise CloudEventError(f"more than {MOST_ATTRIBUTES} attributes")
    for name, value in attributes.items():
        if _NAME.fullmatch(name) is None:
            raise CloudEventError(f"{name[:64]!r} is no name of an attribute: lower-case letters and digits are")
        if len(value) > LONGEST_ATTRIBUTE:
            raise CloudEventError(f"the attribute {name} is longer than {LONGEST_ATTRIBUTE} characters")
    if "time" in attributes:
        moment(attributes["time"])


def moment(text: str) -> float:
    """Unix seconds of a timestamp (RFC 3339); `CloudEventError`."""
    if _TIME.fullmatch(text) is None:
        raise CloudEventError(f"time is no timestamp: {text[:64]!r}")
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        raise CloudEventError(f"time is no timestamp: {text[:64]!r}") from None


def to_event(cloud: CloudEvent, bus: BusKey, now: float) -> Event:
    """The event that a CloudEvent is on a bus; `CloudEventError`."""
    attributes = cloud.attributes
    if attributes["source"].startswith(RESERVED):
        raise CloudEventError("sources that begin with aws. or mayfly. are the platform's own")
    at = moment(attributes["time"]) if "time" in attributes else now
    text = _encode(
        {
            "version": "0",
            "id": attributes["id"],
            "detail-type": attributes["type"],
            "source": attributes["source"],
            "account": bus.account,
            "time": time_text(at),
            "region": bus.region,
            "resources": [attributes["subject"]] if attributes.get("subject") else [],
            "detail": msgspec.Raw(_detail(cloud)),
            MEMBER: dict(attributes),
        }
    )
    return Event(attributes["id"], float(int(at)), text)


def from_event(text: bytes, body: bytes | None = None) -> CloudEvent:
    """The CloudEvent that an event of a bus is. `body` replaces its data: what a rule makes of the event."""
    event: Mapping[str, msgspec.Raw] = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    known = event.get(MEMBER)
    if known is not None:
        attributes: Mapping[str, str] = msgspec.json.decode(known, type=dict[str, str])
    else:
        attributes = _attributes(msgspec.json.decode(text))
    if body is not None:
        return CloudEvent({**attributes, "datacontenttype": JSON}, body)
    detail = event.get("detail", msgspec.Raw(b"{}"))
    return _unwrapped(attributes, bytes(detail)) if known is not None else CloudEvent(attributes, bytes(detail))


def structured(cloud: CloudEvent) -> bytes:
    """A CloudEvent as one JSON object."""
    members: dict[str, Any] = dict(cloud.attributes)
    if cloud.data is not None:
        members["data"] = msgspec.Raw(cloud.data)
    elif cloud.binary is not None:
        members["data_base64"] = base64.b64encode(cloud.binary).decode()
    return _encode(members)


def is_json(content_type: str) -> bool:
    """Whether data of that type is JSON; without a type it is."""
    media = content_type.partition(";")[0].strip().lower()
    return not media or media.endswith(("/json", "+json"))


def _detail(cloud: CloudEvent) -> bytes:
    if cloud.binary is not None:
        return _encode({"data_base64": base64.b64encode(cloud.binary).decode()})
    if cloud.data is None:
        return b"{}"
    try:
        value: Any = msgspec.json.decode(cloud.data)
    except (msgspec.DecodeError, RecursionError):
        raise CloudEventError("the data is no JSON") from None
    if isinstance(value, dict) and not (len(value) == 1 and next(iter(value)) in _WRAPPED):
        return cloud.data
    return _encode({"data": msgspec.Raw(cloud.data)})


def _unwrapped(attributes: Mapping[str, str], detail: bytes) -> CloudEvent:
    members: Mapping[str, msgspec.Raw] = msgspec.json.decode(detail, type=dict[str, msgspec.Raw])
    if list(members) == ["data"]:
        return CloudEvent(attributes, bytes(members["data"]))
    if list(members) == ["data_base64"]:
        try:
            return CloudEvent(
                attributes, binary=base64.b64decode(msgspec.json.decode(members["data_base64"], type=str))
            )
        except (binascii.Error, ValueError):
            return CloudEvent(attributes, detail)
    if not members and "datacontenttype" not in attributes:
        return CloudEvent(attributes)
    return CloudEvent(attributes, detail)


def _attributes(event: Mapping[str, Any]) -> dict[str, str]:
    resources = [one for one in event.get("resources", ()) if isinstance(one, str)]
    found = {
        "specversion": VERSION,
        "id": str(event["id"]),
        "source": str(event["source"]),
        "type": str(event["detail-type"]),
        "time": str(event["time"]),
        "datacontenttype": JSON,
        "account": str(event.get("account", "")),
        "region": str(event.get("region", "")),
    }
    if resources:
        found["subject"] = resources[0]
    if len(resources) > 1:
        shown = _encode(resources).decode()
        if len(shown) <= LONGEST_ATTRIBUTE:
            found["resources"] = shown
    if "replay-name" in event:
        found["replayname"] = str(event["replay-name"])
    return {name: value for name, value in found.items() if value}
