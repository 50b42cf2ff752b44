"""Webhooks: addresses at which a third party's requests become events of a bus. What they are, and their rows.

Functions of a `Reader` or `Tx` are called inside store bodies. Used by `webhook_desk`.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from mayfly.services.events.entries import time_text
from mayfly.services.events.model import BusKey, Event
from mayfly.services.events.webhook_signatures import Form, Scheme
from mayfly.store.api import Reader, Row, Tx

_ROW: Final = "id, account, region, bus, name, document, secret"
FIND: Final = f"SELECT {_ROW} FROM events_webhooks WHERE id = :id"
FIND_NAMED: Final = f"SELECT {_ROW} FROM events_webhooks WHERE account = :account AND region = :region AND name = :name"
LIST: Final = f"""
SELECT {_ROW} FROM events_webhooks WHERE account = :account AND region = :region ORDER BY name LIMIT :limit
"""
COUNT: Final = "SELECT COUNT(*) FROM events_webhooks WHERE account = :account AND region = :region"
INSERT: Final = """
INSERT INTO events_webhooks (id, account, region, bus, name, document, secret)
VALUES (:id, :account, :region, :bus, :name, :document, :secret)
"""
DELETE: Final = "DELETE FROM events_webhooks WHERE id = :id"
SEE: Final = """
INSERT INTO events_webhooks_seen (webhook, digest, until) VALUES (:webhook, :digest, :until)
ON CONFLICT (webhook, digest) DO NOTHING
"""
FORGET: Final = "DELETE FROM events_webhooks_seen WHERE until < :now"
FORGET_ALL: Final = "DELETE FROM events_webhooks_seen WHERE webhook = :id"

_encode = msgspec.json.Encoder().encode

# What names the kind of thing that happened, for each who sends; in the body unless it is a header.
_KINDS: Mapping[Scheme, tuple[str, ...]] = {
    "github": ("x-github-event",),
    "stripe": ("type",),
    "slack": ("event.type", "type", "command"),
    "hmac": ("x-event-type", "type", "event"),
}
_IDS: Mapping[Scheme, tuple[str, ...]] = {
    "github": ("x-github-delivery",),
    "stripe": ("id",),
    "slack": ("event_id", "trigger_id"),
    "hmac": ("x-request-id", "id"),
}


class Webhook(msgspec.Struct, frozen=True, omit_defaults=True):
    """A webhook without its secret."""

    scheme: Scheme
    source: str  # of its events
    created_at: float
    detail_type: str | None = None  # of its events; None: what the request says
    form: Form = Form()


class Stored(NamedTuple):
    """A webhook as it is kept."""

    id: str
    bus: BusKey
    name: str
    webhook: Webhook
    sealed: bytes


class UnreadableBodyError(ValueError):
    """A body that cannot be the detail of an event; says why."""


def find(reader: Reader, id_: str) -> Stored | None:
    return _stored(reader.one(FIND, {"id": id_}))


def find_named(reader: Reader, account: str, region: str, name: str) -> Stored | None:
    return _stored(reader.one(FIND_NAMED, {"account": account, "region": region, "name": name}))


def listed(reader: Reader, account: str, region: str, limit: int) -> list[Stored]:
    rows = reader.all(LIST, {"account": account, "region": region, "limit": limit})
    return [stored for stored in map(_stored, rows) if stored is not None]


def insert(tx: Tx, stored: Stored) -> None:
    place = {"account": stored.bus.account, "region": stored.bus.region, "bus": stored.bus.name}
    document = {"document": _encode(stored.webhook), "secret": stored.sealed}
    tx.run(INSERT, {"id": stored.id, "name": stored.name, **place, **document})


def detail_of(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """A body as the detail of an event: a JSON object, or a form; what is other JSON is wrapped."""
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "application/x-www-form-urlencoded":
        try:
            pairs = dict(
                parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=1000)
            )
        except (UnicodeDecodeError, ValueError):
            raise UnreadableBodyError("the body is no form") from None
        # GitHub and Slack put JSON into a form of one field.
        return detail_of({}, pairs["payload"].encode()) if list(pairs) == ["payload"] else pairs
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise UnreadableBodyError("the body is neither JSON nor a form") from None
    return value if isinstance(value, dict) else {"data": value}


def event_of(stored: Stored, detail: Mapping[str, Any], headers: Mapping[str, str], id_: str, now: float) -> Event:
    """The event of a genuine request; `id_` where the request names none."""
    webhook = stored.webhook
    kind = webhook.detail_type or _said(_KINDS[webhook.scheme], detail, headers) or "Webhook"
    delivery = _said(_IDS[webhook.scheme], detail, headers)
    text = _encode(
        {
            "version": "0",
            "id": id_,
            "detail-type": kind,
            "source": webhook.source,
            "account": stored.bus.account,
            "time": time_text(now),
            "region": stored.bus.region,
            "resources": [],
            "detail": detail,
            "webhook": {"name": stored.name, "scheme": webhook.scheme, "delivery": delivery},
        }
    )
    return Event(id_, float(int(now)), text)


def _said(places: tuple[str, ...], detail: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    for place in places:
        value: Any = headers.get(place) if place.startswith("x-") else detail
        if value is detail:
            for name in place.split("."):
                value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, str) and value:
            return value[:256]
    return ""


def _stored(row: Row | None) -> Stored | None:
    if row is None:
        return None
    id_, account, region, bus, name, document, secret = row
    return Stored(id_, BusKey(account, region, bus), name, msgspec.json.decode(document, type=Webhook), secret)
