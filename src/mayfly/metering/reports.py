"""Reports: the ledger's sums, priced. What `mayfly usage` and `/_mayfly/usage` show."""

import importlib.resources
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from mayfly.errors import CallerError
from mayfly.metering.ledger import Sums
from mayfly.policy.pricing import INCLUDED_EPHEMERAL_MB, Cost, PriceBook, Usage, cost

_MB_MS = Decimal(1024 * 1000)


class PriceBookError(CallerError):
    """The price book cannot be read; the message names the file and the place in it."""


class NamedPriceBook(PriceBook, frozen=True, kw_only=True):
    """A price book as it stands in a file, with a name that reports show."""

    name: str


class Line(msgspec.Struct, frozen=True):
    """One function at one size."""

    function: str
    memory_mb: int
    requests: int
    errors: int
    cold_starts: int
    mean_duration_ms: float
    billed_ms: int
    gb_seconds: float
    peak_memory_mb: int
    cost: float
    tenant: str = ""


class Total(msgspec.Struct, frozen=True):
    """All lines together."""

    requests: int
    errors: int
    cold_starts: int
    billed_ms: int
    gb_seconds: float
    cost: float


class Report(msgspec.Struct, frozen=True):
    """Usage and cost of one account in a span of time."""

    since: float
    until: float
    price_book: str
    currency: str
    functions: list[Line]
    total: Total


def load_price_book(path: Path | None) -> NamedPriceBook:
    """The operator's price book at `path` if there is one, else the one that comes with Mayfly; `PriceBookError`."""
    if path is not None and path.exists():
        text, source = path.read_bytes(), str(path)
    else:
        text, source = importlib.resources.files("mayfly.metering").joinpath("prices.toml").read_bytes(), "prices.toml"
    try:
        return msgspec.toml.decode(text, type=NamedPriceBook)
    except (msgspec.MsgspecError, ValueError) as error:
        raise PriceBookError(f"the price book {source} cannot be used: {error}") from error


def report(sums: Sequence[Sums], book: NamedPriceBook, since: float, until: float) -> Report:
    """Price `sums`. Volume tiers apply to all functions of an architecture together and are shared out by GB-second."""
    total_usage: dict[str, Usage] = {}
    for item in sums:
        total_usage[item.architecture] = total_usage.get(item.architecture, Usage()) + _usage(item)
    prices = {architecture: cost(usage, architecture, book) for architecture, usage in total_usage.items()}
    lines = [_line(item, total_usage[item.architecture], prices[item.architecture], book) for item in sums]
    lines.sort(key=lambda line: (-line.cost, line.function, line.tenant))
    return Report(
        since,
        until,
        book.name,
        book.currency,
        lines,
        Total(
            requests=sum(line.requests for line in lines),
            errors=sum(line.errors for line in lines),
            cold_starts=sum(line.cold_starts for line in lines),
            billed_ms=sum(line.billed_ms for line in lines),
            gb_seconds=float(sum((usage.gb_seconds for usage in total_usage.values()), Decimal(0))),
            cost=float(sum((price.total for price in prices.values()), Decimal(0))),
        ),
    )


def _usage(item: Sums) -> Usage:
    extra_mb = max(0, item.ephemeral_mb - INCLUDED_EPHEMERAL_MB)
    return Usage(
        item.requests,
        Decimal(item.billed_ms * item.memory_mb) / _MB_MS,
        Decimal(item.billed_ms * extra_mb) / _MB_MS,
    )


def _line(item: Sums, total: Usage, price: Cost, book: PriceBook) -> Line:
    used = _usage(item)
    share = used.gb_seconds / total.gb_seconds if total.gb_seconds else Decimal(0)
    prices = book.architectures[item.architecture]
    own = used.requests * book.request + price.compute * share + used.ephemeral_gb_seconds * prices.ephemeral_gb_second
    return Line(
        function=item.function_arn.partition(":function:")[2] or item.function_arn,
        memory_mb=item.memory_mb,
        requests=item.requests,
        errors=item.errors,
        cold_starts=item.cold_starts,
        mean_duration_ms=item.duration_us / 1000 / item.requests,
        billed_ms=item.billed_ms,
        gb_seconds=float(used.gb_seconds),
        peak_memory_mb=item.peak_memory_mb,
        cost=float(own),
        tenant=item.tenant,
    )
