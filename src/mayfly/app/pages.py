"""Mayfly's own pages below `/_mayfly/`: health for everybody, status and usage for the account's root key.

Requests are signed with Signature Version 4 like any other, for a service called `mayfly`.
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

import msgspec

from mayfly import __version__
from mayfly.app.overview import Overview
from mayfly.clock import Clock
from mayfly.metering.ledger import Ledger
from mayfly.metering.reports import NamedPriceBook, report
from mayfly.services.contract import HttpRequest, HttpResponse
from mayfly.settings import Settings
from mayfly.wire.signed import NotSignedError, SignedRequests

SERVICE = "mayfly"


class Pages:
    """The pages, by name."""

    def __init__(
        self,
        signed: SignedRequests,
        overview: Overview,
        ledger: Ledger,
        prices: NamedPriceBook,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._signed = signed
        self._overview = overview
        self._ledger = ledger
        self._prices = prices
        self._settings = settings
        self._clock = clock

    def table(self) -> Mapping[str, Callable[[HttpRequest], Awaitable[HttpResponse]]]:
        """Pages by the path segment below `/_mayfly/`."""
        return {"health": self.health, "status": self.status, "usage": self.usage}

    async def health(self, request: HttpRequest) -> HttpResponse:
        """Whether the platform answers; for load balancers and scripts."""
        return _json(200, {"status": "ok", "version": __version__, "services": list(self._overview.services)})

    async def status(self, request: HttpRequest) -> HttpResponse:
        """What `mayfly status` shows."""
        if reason := await self._refusal(request):
            return _denied(reason)
        return _json(200, await self._overview.report())

    async def usage(self, request: HttpRequest) -> HttpResponse:
        """What `mayfly usage` shows: `?since=` and `&until=` are Unix seconds."""
        if reason := await self._refusal(request):
            return _denied(reason)
        query = parse_qs(request.query)
        now = self._clock.now()
        try:
            since = float(query.get("since", [str(now - 30 * 86_400)])[0])
            until = float(query.get("until", [str(now + 1)])[0])
        except ValueError:
            return _json(400, {"message": "since and until are Unix times in seconds"})
        sums = await self._ledger.sums(self._settings.account, since, until)
        return _json(200, report(sums, self._prices, since, until))

    async def _refusal(self, request: HttpRequest) -> str | None:
        """None for a request of the root key's owner; else why it is refused."""
        try:
            principal = await self._signed.principal(request, b"", SERVICE)
        except NotSignedError as error:
            return str(error)
        return None if principal.kind == "root" else "only the account's root key may see this"


def _json(status: int, value: object) -> HttpResponse:
    return HttpResponse(status, [("content-type", "application/json")], msgspec.json.encode(value))


def _denied(reason: str) -> HttpResponse:
    return _json(403, {"message": f"Access denied: {reason}."})
