"""API destinations: an endpoint, the connection to it, and the request that an event becomes. Pure.

Used by the operations and by `destination_deliveries`.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from mayfly.ids import Arn
from mayfly.outgoing.api import Request
from mayfly.services.events import cloudevents, cloudevents_http
from mayfly.services.events.connections import FORBIDDEN_HEADERS, Connection, Secret, whole
from mayfly.services.events.http_targets import HttpDelivery

DEFAULT_RATE = 300  # requests a second, as on AWS
TIME_LIMIT_S = 5.0
_MOST_ANSWER = 64 * 1024
_OWN_HEADERS = (
    ("User-Agent", "Mayfly/EventBridge/ApiDestinations"),
    ("Content-Type", "application/json; charset=utf-8"),
)


class Destination(msgspec.Struct, frozen=True, omit_defaults=True):
    """An API destination."""

    id: str
    connection_arn: str
    endpoint: str  # with `*` where a rule's values go
    method: str
    created_at: float
    modified_at: float
    rate: int = DEFAULT_RATE
    description: str | None = None


class DestinationKey(NamedTuple):
    """Which API destination."""

    account: str
    region: str
    name: str

    def arn(self, id_: str) -> str:
        return str(Arn("events", self.region, self.account, f"api-destination/{self.name}/{id_}"))


class UnfitDeliveryError(ValueError):
    """An event that cannot become a request of this destination; says why."""


def key_of_arn(arn: str) -> tuple[DestinationKey, str] | None:
    """The API destination with that ARN, and its id; None when it is no such ARN."""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        return None
    pieces = parsed.resource.split("/")
    if parsed.service != "events" or len(pieces) != 3 or pieces[0] != "api-destination":
        return None
    return DestinationKey(parsed.account, parsed.region, pieces[1]), pieces[2]


def request(
    destination: Destination, connection: Connection, secret: Secret, delivery: HttpDelivery, token: str | None
) -> Request:
    """The request for one event. What a connection adds wins over what a rule adds; `UnfitDeliveryError`."""
    if not FORBIDDEN_HEADERS.isdisjoint(map(str.lower, delivery.headers)):
        raise UnfitDeliveryError("the rule gives a header that belongs to the connection, such as Host")
    added = whole(connection.invocation, secret.invocation)
    asked = merged(tuple(delivery.headers.items()), added.headers)
    made, body = _content(delivery, added.body, asked)
    headers = merged(_OWN_HEADERS, asked, made, authorization(connection, secret, token))
    return Request(
        destination.method,
        with_query(_path(destination.endpoint, delivery.path_values), {**delivery.query, **dict(added.query)}.items()),
        headers,
        b"" if destination.method in {"GET", "HEAD", "OPTIONS"} else body,
        TIME_LIMIT_S,
        _MOST_ANSWER,
    )


def _content(
    delivery: HttpDelivery, members: Sequence[tuple[str, str]], asked: Sequence[tuple[str, str]]
) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """The body, and the headers that belong to it: a CloudEvent's, if it is to be one.

    Which the headers say that rule and connection add: the content type of one in structured mode, or the header
    `ce-specversion` of one in binary mode. Other headers `ce-*` replace its attributes.
    """
    said = {name.lower(): value for name, value in asked}
    is_structured = said.get("content-type", "").partition(";")[0].strip().lower() == cloudevents_http.STRUCTURED
    if not is_structured and "ce-specversion" not in said:
        return (), _with_members(delivery.body, members)
    replaced = {name[3:]: value for name, value in said.items() if name.startswith("ce-")}
    try:
        if delivery.event is None:
            found = cloudevents.from_event(delivery.body)
        else:
            found = cloudevents.from_event(delivery.event, delivery.body)
        data = None if found.data is None else _with_members(found.data, members)
        cloud = cloudevents.CloudEvent({**found.attributes, **replaced}, data, found.binary)
    except (cloudevents.CloudEventError, msgspec.DecodeError, KeyError) as error:
        raise UnfitDeliveryError(f"the event is no CloudEvent: {error}") from None
    if data is not None and not _is_json(data):
        raise UnfitDeliveryError("the input is no JSON, which the data of a CloudEvent is here")
    return (cloudevents_http.whole if is_structured else cloudevents_http.binary)(cloud)


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def authorization(connection: Connection, secret: Secret, token: str | None) -> tuple[tuple[str, str], ...]:
    """The header by which the endpoint knows the caller."""
    if connection.kind == "BASIC":
        encoded = base64.b64encode(f"{connection.user}:{secret.value}".encode()).decode()
        return (("Authorization", f"Basic {encoded}"),)
    if connection.kind == "API_KEY":
        return ((connection.user, secret.value),)
    return (("Authorization", f"Bearer {token}"),)


def merged(*some: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Headers, of which a later one replaces an earlier one of the same name, whatever its case."""
    found: dict[str, tuple[str, str]] = {}
    for headers in some:
        for name, value in headers:
            found[name.lower()] = (name, value)
    return tuple(found.values())


def with_query(url: str, pairs: "Any") -> str:
    """A URL with more in its query."""
    added = urlencode(list(pairs), quote_via=quote)
    if not added:
        return url
    base, mark, fragment = url.partition("#")
    return f"{base}{'&' if '?' in base else '?'}{added}{mark}{fragment}"


def _path(endpoint: str, values: Sequence[str]) -> str:
    """The endpoint with a value for each asterisk, none of which can leave its place in the path."""
    pieces = endpoint.split("*")
    if len(values) < len(pieces) - 1:
        raise UnfitDeliveryError(f"the endpoint has {len(pieces) - 1} path parameters, the rule gives {len(values)}")
    filled = [pieces[0]]
    for value, piece in zip(values, pieces[1:], strict=False):
        if value in {".", ".."}:
            raise UnfitDeliveryError(f"a path parameter cannot be {value!r}")
        filled += [quote(value, safe=""), piece]
    return "".join(filled)


def _with_members(body: bytes, members: Sequence[tuple[str, str]]) -> bytes:
    """A body that is an object, with more members; any other stays as it is."""
    if not members:
        return body
    try:
        known: Mapping[str, msgspec.Raw] = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        raise UnfitDeliveryError("the connection adds to the body, and the input is no JSON object") from None
    return msgspec.json.encode({**known, **dict(members)})
