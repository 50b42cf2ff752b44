"""Events over plain HTTP, `/_mayfly/events/{bus}`: CloudEvents in, and what an operator may see and set there.

    POST                    CloudEvents: structured, binary or a batch; all of a request are taken, or none
    OPTIONS                 the handshake of the webhook specification of CloudEvents
    GET|POST|DELETE …/tokens    list, make, remove tokens (?token=PREFIX)
    GET|POST|DELETE …/schemas   what was discovered; discover from now on; no more (?forget=1: and forget it)

Who sends events signs them as for any other of Mayfly's own pages, or has a token of the bus: `Authorization: Bearer`,
or `access_token` in the query for those who can give no header. Everything else is for the account's root key.
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs, unquote

from mayfly.app import own
from mayfly.clock import Clock
from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError
from mayfly.services.events import cloudevents, cloudevents_http
from mayfly.services.events.cloudevents import CloudEventError
from mayfly.services.events.cloudevents_http import UnknownContentError
from mayfly.services.events.intake import Intake, Token, missing
from mayfly.services.events.model import BusKey
from mayfly.services.events.schema_book import Schema, SchemaBook
from mayfly.services.events.schemas import shown
from mayfly.wire.signed import SignedRequests

MOST_BODY = 1024 * 1024
PATH = "/_mayfly/events/"
GRANTED_RATE = 60_000  # requests a minute that a handshake grants, if it asks for more or for any
_LONGEST_DESCRIPTION = 256
_TRIES = "sign the request, or give a token of the bus as Authorization: Bearer"


class EventPages:
    """See the module."""

    def __init__(
        self, signed: SignedRequests, intake: Intake, schemas: SchemaBook, account: str, region: str, clock: Clock
    ) -> None:
        self._signed = signed
        self._intake = intake
        self._schemas = schemas
        self._account = account
        self._region = region
        self._clock = clock

    def table(self) -> Mapping[str, Callable[[HttpRequest], Awaitable[HttpResponse]]]:
        """Pages by the path segment below `/_mayfly/`."""
        return {"events": self.answer}

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request of any method."""
        name, _, page = unquote(request.path.removeprefix(PATH.rstrip("/")).removeprefix("/")).partition("/")
        if not name:
            return own.said(404, f"which bus? write {PATH}NAME")
        bus = BusKey(self._account, self._region, name)
        body = await content(request, MOST_BODY)
        if body is None:
            return own.said(413, f"a request has at most {MOST_BODY} bytes", close=True)
        try:
            if page == "tokens":
                return await self._tokens(bus, request, body)
            if page == "schemas":
                return await self._discovered(bus, request, body)
            if page:
                return own.said(404, f"nothing is at {request.path}")
            return await self._events(bus, request, body)
        except ServiceError as error:
            return own.said(404 if missing(error) else error.status or 400, error.message)

    async def _events(self, bus: BusKey, request: HttpRequest, body: bytes) -> HttpResponse:
        if request.method not in {"POST", "OPTIONS"}:
            refused = own.said(405, "events are sent with POST")
            return HttpResponse(405, (*refused.headers, ("allow", "POST, OPTIONS")), refused.body)
        if (refusal := await self._refusal(bus, request, body)) is not None:
            return refusal
        if request.method == "OPTIONS":
            return _handshake(request)
        try:
            clouds = cloudevents_http.parse(request.joined(), body)
            now = self._clock.now()
            events = [cloudevents.to_event(cloud, bus, now) for cloud in clouds]
        except UnknownContentError as error:
            return own.said(415, str(error))
        except CloudEventError as error:
            return own.said(400, str(error))
        await self._intake.put(bus, events)
        return HttpResponse(202)

    async def _refusal(self, bus: BusKey, request: HttpRequest, body: bytes) -> HttpResponse | None:
        """None for whoever may send events to the bus."""
        scheme, _, credentials = (request.header("authorization") or "").partition(" ")
        if scheme.upper().startswith("AWS4-"):
            return await own.refusal(self._signed, request, body)
        token = credentials.strip() if scheme.lower() == "bearer" else ""
        if not token:
            token = next(iter(parse_qs(request.query).get("access_token", ())), "")
        if token and await self._intake.is_token(bus, token):
            return None
        told = own.said(401, f"the token is not one of this bus; {_TRIES}" if token else f"who sends this? {_TRIES}")
        return HttpResponse(401, (*told.headers, ("www-authenticate", "Bearer")), told.body)

    async def _tokens(self, bus: BusKey, request: HttpRequest, body: bytes) -> HttpResponse:
        if refused := await own.refusal(self._signed, request, body):
            return refused
        query = parse_qs(request.query)
        if request.method == "GET":
            return own.shown({"tokens": [_token(one) for one in await self._intake.tokens(bus)]})
        if request.method == "POST":
            description = next(iter(query.get("description", ())), "")[:_LONGEST_DESCRIPTION]
            return own.shown({"token": await self._intake.make_token(bus, description)})
        if request.method == "DELETE":
            await self._intake.remove_token(bus, next(iter(query.get("token", ())), ""))
            return own.shown({})
        return own.said(405, "tokens are listed (GET), made (POST) and removed (DELETE)")

    async def _discovered(self, bus: BusKey, request: HttpRequest, body: bytes) -> HttpResponse:
        if refused := await own.refusal(self._signed, request, body):
            return refused
        if request.method == "GET":
            found = await self._schemas.schemas(bus)
            return own.shown(
                {"discovering": await self._schemas.is_on(bus), "schemas": [_schema(one) for one in found]}
            )
        if request.method not in {"POST", "DELETE"}:
            return own.said(405, "schemas are listed (GET); discovery is turned on (POST) and off (DELETE)")
        await self._schemas.turn(bus, on=request.method == "POST")
        if "forget" in parse_qs(request.query):
            await self._schemas.forget(bus)
        return own.shown({})


async def content(request: HttpRequest, most: int) -> bytes | None:
    """The body of a request; None: it is longer than `most` bytes."""
    if request.content is not None:
        return request.content if len(request.content) <= most else None
    if request.body.length is not None and request.body.length > most:
        return None
    parts, size = [], 0
    async for chunk in request.body:
        size += len(chunk)
        if size > most:
            return None
        parts.append(chunk)
    return b"".join(parts)


def _handshake(request: HttpRequest) -> HttpResponse:
    """The answer to who asks whether it may send events here (CloudEvents' HTTP webhook, 4.1)."""
    origin = request.header("webhook-request-origin")
    if not origin:
        return own.said(400, "a handshake says WebHook-Request-Origin")
    headers = [("allow", "POST"), ("webhook-allowed-origin", origin)]
    asked = request.header("webhook-request-rate") or ""
    if asked:
        granted = min(int(asked), GRANTED_RATE) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 0
        headers.append(("webhook-allowed-rate", str(granted or GRANTED_RATE)))
    return HttpResponse(200, headers)


def _token(one: Token) -> dict[str, object]:
    return {"token": one.prefix, "description": one.description, "created_at": one.created_at}


def _schema(one: Schema) -> dict[str, object]:
    return {
        "source": one.source,
        "detail_type": one.detail_type,
        "version": one.version,
        "seen": one.seen,
        "first_at": one.first_at,
        "last_at": one.last_at,
        "detail": shown(one.shape),
    }
