"""Webhooks, `/_mayfly/webhooks`: what third parties post their events to, and where an operator makes such addresses.

    POST /_mayfly/webhooks/{id}     by the third party, who signs the body
    GET, POST /_mayfly/webhooks     list; make one (JSON: name, scheme, bus, secret, source, …)
    DELETE /_mayfly/webhooks/{name}

All but the first are for the account's root key.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated
from urllib.parse import unquote

import msgspec

from mayfly.app import own
from mayfly.app.event_pages import content
from mayfly.clock import Clock
from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError
from mayfly.services.events.entries import RESERVED
from mayfly.services.events.intake import missing
from mayfly.services.events.model import DEFAULT_BUS, BusKey
from mayfly.services.events.webhook_desk import MOST_BODY, WebhookDesk, shown
from mayfly.services.events.webhook_signatures import TOLERANCE_S, Form, Scheme
from mayfly.services.events.webhooks import Webhook
from mayfly.wire.signed import SignedRequests

PATH = "/_mayfly/webhooks"
_Name = Annotated[str, msgspec.Meta(pattern=r"^[.\-_A-Za-z0-9]{1,64}$")]
_Header = Annotated[str, msgspec.Meta(pattern=r"^[!#$%&'*+\-.^_`|~0-9a-zA-Z]{1,128}$")]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """A webhook to be made."""

    name: _Name
    scheme: Scheme
    bus: str = DEFAULT_BUS
    secret: Annotated[str, msgspec.Meta(min_length=8, max_length=512)] | None = None
    source: _Text | None = None
    detail_type: _Text | None = None
    header: _Header | None = None
    prefix: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    timestamp_header: _Header | None = None
    tolerance_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = TOLERANCE_S


class WebhookPages:
    """See the module."""

    def __init__(self, signed: SignedRequests, desk: WebhookDesk, account: str, region: str, clock: Clock) -> None:
        self._signed = signed
        self._desk = desk
        self._account = account
        self._region = region
        self._clock = clock

    def table(self) -> Mapping[str, Callable[[HttpRequest], Awaitable[HttpResponse]]]:
        """Pages by the path segment below `/_mayfly/`."""
        return {"webhooks": self.answer}

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request of any method."""
        id_ = unquote(request.path.removeprefix(PATH).removeprefix("/"))
        body = await content(request, MOST_BODY)
        if body is None:
            return own.said(413, f"a request has at most {MOST_BODY} bytes", close=True)
        try:
            if id_ and request.method == "POST":
                return await self._take(id_, request, body)
            if refused := await own.refusal(self._signed, request, body):
                return refused
            if request.method == "GET" and not id_:
                found = await self._desk.listed(self._account, self._region)
                return own.shown({"webhooks": [shown(one) for one in found]})
            if request.method == "POST":
                return await self._make(body)
            if request.method == "DELETE" and id_:
                await self._desk.remove(self._account, self._region, id_)
                return own.shown({})
        except ServiceError as error:
            return own.said(404 if missing(error) else error.status or 400, error.message)
        return own.said(405, "webhooks are listed (GET), made (POST) and removed (DELETE)")

    async def _take(self, id_: str, request: HttpRequest, body: bytes) -> HttpResponse:
        outcome = await self._desk.take(id_, request.joined(), body)
        if outcome.challenge is not None:
            return HttpResponse(200, (("content-type", "text/plain; charset=utf-8"),), outcome.challenge.encode())
        return HttpResponse(outcome.status) if not outcome.said else own.said(outcome.status, outcome.said)

    async def _make(self, body: bytes) -> HttpResponse:
        try:
            asked = msgspec.json.decode(body, type=Asked)
        except (msgspec.DecodeError, RecursionError) as error:
            return own.said(400, str(error))
        source = asked.source or f"webhook.{asked.name}"
        if source.startswith(RESERVED):
            return own.said(400, "sources that begin with aws. or mayfly. are the platform's own")
        known = Form()
        form = Form(
            asked.header or known.header,
            known.prefix if asked.prefix is None else asked.prefix,
            asked.timestamp_header,
            asked.tolerance_s,
        )
        webhook = Webhook(asked.scheme, source, self._clock.now(), asked.detail_type, form)
        bus = BusKey(self._account, self._region, asked.bus)
        stored, secret = await self._desk.create(bus, asked.name, webhook, asked.secret)
        return own.shown({**shown(stored), "path": f"{PATH}/{stored.id}", "secret": secret})
