"""The arithmetic of cost: a price book and an amount of usage in, an amount of money out.

The numbers of the book live in a data file of `metering`; here are only their shape and the sums. Money and
quantities are decimals: a request costs 0.0000002 of a dollar, and a million of them must make 0.20.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import ceil

import msgspec

INCLUDED_EPHEMERAL_MB = 512
_MB_MS_A_GB_S = 1024 * 1000


class Tier(msgspec.Struct, frozen=True):
    """A price that holds for the part of a quantity above `above`, up to the next tier."""

    price: Decimal
    above: Decimal = Decimal(0)


class ComputePrices(msgspec.Struct, frozen=True):
    """Prices of one architecture."""

    gb_second: tuple[Tier, ...]  # by volume, rising; the first one starts at 0
    ephemeral_gb_second: Decimal  # for what exceeds 512 MB of ephemeral storage


class PriceBook(msgspec.Struct, frozen=True):
    """Prices of functions."""

    currency: str
    request: Decimal
    architectures: Mapping[str, ComputePrices]

    def __post_init__(self) -> None:
        for name, prices in self.architectures.items():
            starts = [tier.above for tier in prices.gb_second]
            if not starts or starts[0] != 0 or sorted(set(starts)) != starts:
                raise ValueError(f"gb_second of {name}: tiers must start at 0 and rise, not {[str(s) for s in starts]}")


class Usage(msgspec.Struct, frozen=True):
    """What invocations used: one of them, or the sum of many of one architecture."""

    requests: int = 0
    gb_seconds: Decimal = Decimal(0)
    ephemeral_gb_seconds: Decimal = Decimal(0)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.requests + other.requests,
            self.gb_seconds + other.gb_seconds,
            self.ephemeral_gb_seconds + other.ephemeral_gb_seconds,
        )


class Cost(msgspec.Struct, frozen=True):
    """An amount of money by what it is paid for."""

    requests: Decimal
    compute: Decimal
    ephemeral: Decimal

    @property
    def total(self) -> Decimal:
        return self.requests + self.compute + self.ephemeral


def billed_ms(duration_ms: float, init_ms: float | None = None) -> int:
    """Duration, and init where there was one, rounded up to the next millisecond together.

    AWS bills the init phase of managed runtimes since August 2025.
    """
    # The rounding to a nanosecond removes what binary fractions add: 0.1 + 0.2 + 999.7 is 1000, not 1001.
    return ceil(round(duration_ms + (init_ms or 0.0), 6))


def usage_of(billed: int, memory_mb: int, ephemeral_mb: int = INCLUDED_EPHEMERAL_MB) -> Usage:
    """What one invocation used: `billed` milliseconds of its memory, and of its ephemeral storage above 512 MB."""
    extra_mb = max(0, ephemeral_mb - INCLUDED_EPHEMERAL_MB)
    return Usage(1, Decimal(billed * memory_mb) / _MB_MS_A_GB_S, Decimal(billed * extra_mb) / _MB_MS_A_GB_S)


def tiered(quantity: Decimal, tiers: Sequence[Tier]) -> Decimal:
    """What `quantity` costs when each tier prices its own part of it."""
    total = Decimal(0)
    for number, tier in enumerate(tiers):
        if quantity <= tier.above:
            break
        end = tiers[number + 1].above if number + 1 < len(tiers) else quantity
        total += (min(quantity, end) - tier.above) * tier.price
    return total


def cost(usage: Usage, architecture: str, book: PriceBook) -> Cost:
    """What `usage` costs by `book`, unrounded; KeyError when the book has no prices for `architecture`."""
    prices = book.architectures[architecture]
    return Cost(
        requests=usage.requests * book.request,
        compute=tiered(usage.gb_seconds, prices.gb_second),
        ephemeral=usage.ephemeral_gb_seconds * prices.ephemeral_gb_second,
    )
