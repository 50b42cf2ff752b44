"""Sums that were checked by hand, and properties of every sum."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.pricing import ComputePrices, PriceBook, Tier, Usage, billed_ms, cost, tiered, usage_of

BOOK = PriceBook(
    currency="USD",
    request=Decimal("0.0000002"),
    architectures={
        "x86_64": ComputePrices(
            gb_second=(Tier(Decimal("0.0000166667")), Tier(Decimal("0.000015"), above=Decimal(6_000_000_000))),
            ephemeral_gb_second=Decimal("0.0000000309"),
        ),
        "arm64": ComputePrices((Tier(Decimal("0.0000133334")),), Decimal("0.0000000309")),
    },
)
decimals = st.decimals(0, 10**12, places=3)


@pytest.mark.parametrize(
    ("duration_ms", "init_ms", "billed"),
    [(0.0, None, 0), (0.1, None, 1), (100.0, None, 100), (100.01, 50.5, 151), (0.1 + 0.2, 999.7, 1000)],
)
def test_time_is_rounded_up_to_the_millisecond(duration_ms: float, init_ms: float | None, billed: int) -> None:
    assert billed_ms(duration_ms, init_ms) == billed


def test_three_million_calls_of_120_ms_at_1536_mb_cost_nine_dollars() -> None:
    one = usage_of(120, memory_mb=1536)
    month = Usage(3_000_000, one.gb_seconds * 3_000_000)

    amount = cost(month, "x86_64", BOOK)

    assert month.gb_seconds == 540_000
    assert amount.requests == Decimal("0.60")
    assert round(amount.compute, 2) == Decimal("9.00")
    assert amount.total == amount.requests + amount.compute


def test_only_ephemeral_storage_above_512_mb_is_paid_for() -> None:
    assert usage_of(1000, 1024, 512).ephemeral_gb_seconds == 0
    assert usage_of(1000, 1024, 1536).ephemeral_gb_seconds == 1
    assert cost(usage_of(1000, 1024, 1536), "arm64", BOOK).ephemeral == Decimal("0.0000000309")


def test_each_tier_prices_its_own_part() -> None:
    tiers = (Tier(Decimal(3)), Tier(Decimal(2), above=Decimal(10)), Tier(Decimal(1), above=Decimal(20)))
    assert [tiered(Decimal(n), tiers) for n in (0, 10, 15, 20, 25)] == [0, 30, 40, 50, 55]


def test_an_architecture_without_prices_is_an_error() -> None:
    with pytest.raises(KeyError):
        cost(usage_of(1, 128), "riscv64", BOOK)


def test_a_price_book_is_read_from_data_and_checked() -> None:
    text = msgspec.json.encode(BOOK)
    assert msgspec.json.decode(text, type=PriceBook) == BOOK
    for above in ("0.5", "0"):
        tiers = (Tier(Decimal(1), above=Decimal(above)), Tier(Decimal(2), above=Decimal(above)))
        with pytest.raises(ValueError, match="tiers must start at 0 and rise"):
            PriceBook("USD", Decimal(0), {"arm64": ComputePrices(tiers, Decimal(0))})


@given(st.lists(st.tuples(st.integers(0, 900_000), st.integers(128, 10_240), st.integers(512, 10_240)), max_size=20))
def test_usage_adds_up_exactly(calls: list[tuple[int, int, int]]) -> None:
    total = sum((usage_of(*each) for each in calls), Usage())
    assert total.requests == len(calls)
    assert total.gb_seconds * 1_024_000 == sum(billed * memory for billed, memory, _ in calls)
    assert cost(total, "arm64", BOOK).total == sum(cost(usage_of(*each), "arm64", BOOK).total for each in calls)


@given(decimals, decimals)
def test_more_never_costs_less(some: Decimal, more: Decimal) -> None:
    tiers = BOOK.architectures["x86_64"].gb_second
    assert tiered(some + more, tiers) >= tiered(some, tiers)
