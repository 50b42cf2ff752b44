"""From invocations to a bill."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mayfly.app.call_records import CallRecords
from mayfly.clock import ManualClock
from mayfly.metering.ledger import Ledger
from mayfly.metering.reports import PriceBookError, load_price_book, report
from mayfly.services.ports import UsageRecord
from mayfly.services.telemetry.book import Book
from tests.conftest import OpenStore

ARN = "arn:aws:lambda:us-east-1:000000000000:function:hello"


def record(clock: ManualClock, **changes: object) -> UsageRecord:
    values: dict[str, object] = {
        "request_id": "id",
        "function_arn": ARN,
        "account": "000000000000",
        "started_at": clock.now(),
        "duration_ms": 99.5,
        "billed_ms": 100,
        "init_ms": None,
        "memory_mb": 1024,
        "peak_memory_mb": 40,
        "ephemeral_mb": 512,
        "architecture": "x86_64",
        "outcome": "ok",
        "source": "request",
    }
    return UsageRecord(**{**values, **changes})  # type: ignore[arg-type]  # assembled by name


class Metered:
    """A ledger behind its journal."""

    def __init__(self, ledger: Ledger, records: CallRecords) -> None:
        self.sums = ledger.sums
        self._records = records

    def record(self, *usages: UsageRecord) -> None:
        self._records.append([], usages)


@pytest.fixture
async def ledger(open_store: OpenStore, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Metered]:
    store = await open_store("mayfly.metering")
    made = Ledger(store, clock)
    records = await CallRecords.open(tmp_path / "journals", store, Book(store, clock), made, clock)
    yield Metered(made, records)
    await records.close()


async def test_invocations_add_up_by_function_and_size(ledger: Metered, clock: ManualClock) -> None:
    for _ in range(3):
        ledger.record(record(clock))
    ledger.record(record(clock, outcome="timeout", init_ms=12.0, peak_memory_mb=90))
    ledger.record(record(clock, memory_mb=2048))
    small, large = await ledger.sums("000000000000", clock.now() - 60, clock.now() + 60)
    assert (small.memory_mb, small.requests, small.errors, small.cold_starts) == (1024, 4, 1, 1)
    assert (small.billed_ms, small.duration_us, small.init_us, small.peak_memory_mb) == (400, 398_000, 12_000, 90)
    assert (large.memory_mb, large.requests) == (2048, 1)


async def test_a_report_covers_whole_hours_and_no_other_account(ledger: Metered, clock: ManualClock) -> None:
    ledger.record(record(clock))
    clock.advance(7200)
    ledger.record(record(clock))
    ledger.record(record(clock, account="111111111111"))
    assert [line.requests for line in await ledger.sums("000000000000", clock.now(), clock.now() + 1)] == [1]
    assert [line.requests for line in await ledger.sums("000000000000", 0, clock.now() + 1)] == [2]


async def test_a_report_prices_what_was_used(ledger: Metered, clock: ManualClock) -> None:
    for _ in range(10):
        ledger.record(record(clock))
    sums = await ledger.sums("000000000000", 0, clock.now() + 1)
    made = report(sums, load_price_book(None), 0, clock.now())
    (line,) = made.functions
    assert line.function == "hello"
    assert line.gb_seconds == pytest.approx(1.0)
    # One GB-second and ten requests at list price.
    assert line.cost == pytest.approx(0.0000166667 + 10 * 0.0000002)
    assert made.total.cost == pytest.approx(line.cost)


async def test_functions_share_what_volume_tiers_leave(ledger: Metered, clock: ManualClock, tmp_path: Path) -> None:
    book = tmp_path / "prices.toml"
    book.write_text(
        'name = "ours"\ncurrency = "EUR"\nrequest = "0"\n[architectures.x86_64]\nephemeral_gb_second = "0"\n'
        'gb_second = [{ price = "2" }, { above = "0.1", price = "1" }]\n'
    )
    ledger.record(record(clock))
    ledger.record(record(clock, function_arn=f"{ARN}2"))
    made = report(await ledger.sums("000000000000", 0, clock.now() + 1), load_price_book(book), 0, 1)
    assert made.currency == "EUR"
    assert made.total.cost == pytest.approx(0.1 * 2 + 0.1 * 1)
    assert [line.cost for line in made.functions] == pytest.approx([0.15, 0.15])


def test_a_price_book_that_cannot_be_read_names_its_file(tmp_path: Path) -> None:
    book = tmp_path / "prices.toml"
    book.write_text("currency = 3\n")
    with pytest.raises(PriceBookError, match=str(book)):
        load_price_book(book)


async def test_what_was_used_for_tenants_adds_up_for_each_and_is_part_of_their_functions(
    ledger: Metered, clock: ManualClock
) -> None:
    ledger.record(record(clock, tenant="blue"), record(clock, tenant="blue", billed_ms=50), record(clock, tenant="red"))
    ledger.record(record(clock, tenant="blue"), record(clock))

    of_tenants = await ledger.sums("000000000000", 0, clock.now() + 1, by_tenant=True)
    all_ = await ledger.sums("000000000000", 0, clock.now() + 1)

    assert [(one.tenant, one.requests, one.billed_ms) for one in of_tenants] == [("blue", 3, 250), ("red", 1, 100)]
    assert [(one.tenant, one.requests, one.billed_ms) for one in all_] == [("", 5, 450)]
    lines = report(of_tenants, load_price_book(None), 0, clock.now()).functions
    assert [(line.function, line.tenant) for line in lines] == [("hello", "blue"), ("hello", "red")]
