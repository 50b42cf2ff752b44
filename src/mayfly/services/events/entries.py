"""Entries of PutEvents and what they become: checks, sizes, and the text of an event. Pure.

Sizes are counted as the user guide's "Calculating PutEvents event entry size" says; the limit of a request, and so of
an entry, is 1 MiB.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from mayfly.clock import utc
from mayfly.services.events.errors import invalid
from mayfly.services.events.model import BusKey, Event

REQUEST_BYTES = 1024 * 1024
_TIME_BYTES = 14
# Beginnings of the sources of what the platform itself tells: nobody else may say it.
RESERVED = ("aws.", "mayfly.")

_encode = msgspec.json.Encoder().encode
_text = str.encode


class Refusal(NamedTuple):
    """Why one entry was not taken."""

    code: str
    message: str


def check_size(entries: Sequence[Mapping[str, Any]], limit: int = REQUEST_BYTES) -> None:
    """ValidationException when the entries of a request are too much together."""
    if sum(entry_bytes(entry) for entry in entries) > limit:
        raise invalid("Total size of the entries in the request is over the limit.")


def entry_bytes(entry: Mapping[str, Any]) -> int:
    """The size of an entry as AWS counts it."""
    texts = [entry.get(member, "") for member in ("Source", "DetailType", "Detail")]
    texts += entry.get("Resources", ())
    return sum(map(len, map(_text, texts))) + (_TIME_BYTES if "Time" in entry else 0)


def event_of(entry: Mapping[str, Any], bus: BusKey, id_: str, now: float, trace: str | None = None) -> Event | Refusal:
    """The event that an entry asks for; `trace` is that of the request, which an entry may replace."""
    for member in ("Source", "DetailType", "Detail"):
        if not entry.get(member):
            return Refusal(
                "InvalidArgument", f"Parameter {member} is not valid. Reason: {member} is a required argument."
            )
    source: str = entry["Source"]
    if source.startswith(RESERVED):
        return Refusal("NotAuthorizedForSource", "Not authorized for the source.")
    detail = entry["Detail"].encode()
    try:
        values = msgspec.json.decode(detail)
    except (msgspec.DecodeError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return Refusal("MalformedDetail", "Detail is malformed.")
    time: datetime | None = entry.get("Time")
    at = now if time is None else time.timestamp()
    resources, trace = entry.get("Resources", ()), entry.get("TraceHeader", trace)
    return make_event(bus, id_, at, source, entry["DetailType"], detail, resources, values, trace)


def make_event(
    bus: BusKey,
    id_: str,
    at: float,
    source: str,
    detail_type: str,
    detail: bytes,
    resources: Sequence[str] = (),
    values: Mapping[str, Any] | None = None,
    trace: str | None = None,
) -> Event:
    """An event whose detail is JSON already; `values` is the detail, where it was read. Times are whole seconds."""
    fields: dict[str, Any] = {
        "version": "0",
        "id": id_,
        "detail-type": detail_type,
        "source": source,
        "account": bus.account,
        "time": time_text(at),
        "region": bus.region,
        "resources": list(resources),
    }
    text = _encode({**fields, "detail": msgspec.Raw(detail)})
    return Event(id_, float(int(at)), text, None if values is None else {**fields, "detail": values}, trace)


def time_text(at: float) -> str:
    """A moment as events have it: 2026-01-31T12:00:00Z."""
    return utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def replayed(text: bytes, name: str) -> bytes:
    """An archived event as its replay called `name` puts it on the bus again."""
    fields: dict[str, Any] = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    detail = fields.pop("detail", msgspec.Raw(b"{}"))
    resources = fields.pop("resources", msgspec.Raw(b"[]"))
    return _encode({**fields, "replay-name": name, "resources": resources, "detail": detail})
