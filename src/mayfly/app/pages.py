"""Mayfly's own pages below `/_mayfly/`: health for everybody, what goes on inside for the account's root key.

Requests are signed with Signature Version 4 like any other, for a service called `mayfly`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from mayfly import __version__
from mayfly.app import own
from mayfly.app.function_view import FunctionView, QualifiedError
from mayfly.app.overview import Overview
from mayfly.app.starts import MOST_STARTS
from mayfly.clock import Clock
from mayfly.metering.ledger import Ledger
from mayfly.metering.reports import NamedPriceBook, report
from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError
from mayfly.settings import Settings
from mayfly.wire.signed import SignedRequests

OWN_FUNCTIONS = "/_mayfly/functions"
DEFAULT_STARTS = 20


class Pages:
    """The pages, by name."""

    def __init__(
        self,
        signed: SignedRequests,
        overview: Overview,
        functions: FunctionView,
        ledger: Ledger,
        prices: NamedPriceBook,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._signed = signed
        self._overview = overview
        self._functions = functions
        self._ledger = ledger
        self._prices = prices
        self._settings = settings
        self._clock = clock

    def table(self) -> Mapping[str, Callable[[HttpRequest], Awaitable[HttpResponse]]]:
        """Pages by the path segment below `/_mayfly/`."""
        return {
            "health": self.health,
            "status": self.status,
            "usage": self.usage,
            "starts": self.starts,
            "functions": self.functions,
        }

    async def health(self, request: HttpRequest) -> HttpResponse:
        """Whether the platform answers; for load balancers and scripts."""
        return own.shown({"status": "ok", "version": __version__, "services": list(self._overview.services)})

    async def status(self, request: HttpRequest) -> HttpResponse:
        """What `mayfly status` shows."""
        if refused := await own.refusal(self._signed, request, b""):
            return refused
        return own.shown(await self._overview.report())

    async def usage(self, request: HttpRequest) -> HttpResponse:
        """What `mayfly usage` shows: `?since=` and `&until=` are Unix seconds; `&by=tenant`, of tenants each."""
        if refused := await own.refusal(self._signed, request, b""):
            return refused
        query = parse_qs(request.query)
        now = self._clock.now()
        try:
            since = float(query.get("since", [str(now - 30 * 86_400)])[0])
            until = float(query.get("until", [str(now + 1)])[0])
        except ValueError:
            return own.said(400, "since and until are Unix times in seconds")
        by = query.get("by", ["function"])[0]
        if by not in ("function", "tenant"):
            return own.said(400, f"usage is shown by function or by tenant, not by {by!r}")
        sums = await self._ledger.sums(self._settings.account, since, until, by_tenant=by == "tenant")
        return own.shown(report(sums, self._prices, since, until))

    async def starts(self, request: HttpRequest) -> HttpResponse:
        """What `mayfly starts` shows: `?function=` is a name or ARN, `&limit=` how many of its latest starts.

        Without a function: how many starts there were of all functions.
        """
        if refused := await own.refusal(self._signed, request, b""):
            return refused
        query = parse_qs(request.query)
        if "function" not in query:
            return own.shown(self._functions.all_starts())
        limit = query.get("limit", [str(DEFAULT_STARTS)])[0]
        if not (limit.isascii() and limit.isdecimal() and len(limit) < 4 and 1 <= int(limit) <= MOST_STARTS):
            return own.said(400, f"limit is a number from 1 to {MOST_STARTS}, not {limit!r}")
        return await _shown(self._functions.starts(query["function"][0], int(limit)))

    async def functions(self, request: HttpRequest) -> HttpResponse:
        """What `mayfly function` shows; the name or ARN is the rest of the path."""
        if refused := await own.refusal(self._signed, request, b""):
            return refused
        name = unquote(request.path.removeprefix(OWN_FUNCTIONS).removeprefix("/"))
        if not name:
            return own.said(404, f"which function? write {OWN_FUNCTIONS}/NAME")
        return await _shown(self._functions.of(name))


async def _shown(looking: Awaitable[dict[str, Any]]) -> HttpResponse:
    """What was looked for, or why it cannot be shown."""
    try:
        return own.shown(await looking)
    except ServiceError as error:
        missing = error.code == "ResourceNotFoundException"
        return own.said(error.status or (404 if missing else 400), error.message)
    except QualifiedError as error:
        return own.said(400, str(error))
