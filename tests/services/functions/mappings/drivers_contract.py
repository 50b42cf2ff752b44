"""What every driver must hold to; see `mappings.drivers`. A `Harness` for each kind of source."""

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import pytest

from mayfly.services.contract import ServiceError
from mayfly.services.functions.mappings.drivers import MAX_BATCH_BYTES, Batch, Driver, Ran, Record
from mayfly.store.api import StaleClaimError

OK = Ran("request-1", failed=False, answer=b"null", version="$LATEST")
FAILED = Ran("request-2", failed=True, answer=b"{}", version="$LATEST")


class Harness(Protocol):
    """One source, and drivers of one mapping of it."""

    def driver(self, **settings: Any) -> Driver: ...

    def absent(self) -> Driver:
        """Of a source that is not there."""

    async def put(self, *records: tuple[str, str]) -> None:
        """Put texts, each with its key."""

    def pass_time(self) -> None:
        """Let so much of it pass that what failed, or a dead process held, comes again."""


def text_of(record: Record) -> str:
    """What was put."""
    found: dict[str, Any] = json.loads(record.encoded)
    if "body" in found:
        return str(found["body"])
    data = found["kinesis"]["data"] if "kinesis" in found else found["value"]
    return base64.b64decode(data).decode()


def texts(batches: Sequence[Batch]) -> list[str]:
    return [text_of(record) for batch in batches for record in batch.records]


async def polled(driver: Driver, most: int = 100) -> list[Batch]:
    """The next batches, once there are any."""
    async with asyncio.timeout(20):
        while True:
            found = list(await driver.poll(most, 0.0))
            if found:
                return found
            await asyncio.sleep(0)


async def drained(
    driver: Driver, count: int, settle: Callable[[Batch], Ran] = lambda batch: OK, most: int = 100
) -> list[Batch]:
    """Batches until `count` records came, each settled."""
    found: list[Batch] = []
    while len(texts(found)) < count:
        batches = await polled(driver, most)
        for batch in batches:
            await driver.settle(batch, settle(batch))
        found += batches
    return found


class DriverContract:
    """Subclasses give the fixture `harness`."""

    async def test_a_source_that_is_not_there_cannot_be_opened(self, harness: Harness) -> None:
        driver = harness.absent()
        with pytest.raises(ServiceError):
            await driver.open()
        await driver.close()

    async def test_opening_again_changes_nothing(self, harness: Harness) -> None:
        driver = harness.driver()
        await harness.put(("k", "a"))
        await driver.open()
        await driver.open()
        assert texts(await drained(driver, 1)) == ["a"]
        await driver.close()

    async def test_an_empty_source_has_nothing(self, harness: Harness) -> None:
        driver = harness.driver()
        await driver.open()
        assert list(await driver.poll(10, 0.0)) == []
        await driver.close()

    async def test_every_record_comes_once_in_batches_of_at_most_the_size_asked_for(self, harness: Harness) -> None:
        driver = harness.driver(batch_size=4)
        await harness.put(*((f"k{number % 7}", str(number)) for number in range(40)))
        await driver.open()
        batches = await drained(driver, 40, most=3)
        assert sorted(map(int, texts(batches))) == list(range(40))
        assert all(1 <= len(batch.records) <= 4 for batch in batches)
        assert list(await driver.poll(10, 0.0)) == []
        await driver.close()

    async def test_no_more_batches_come_than_were_asked_for(self, harness: Harness) -> None:
        driver = harness.driver(batch_size=1)
        await harness.put(*((f"k{number}", str(number)) for number in range(9)))
        await driver.open()
        assert len(await polled(driver, 2)) <= 2
        await driver.close()

    async def test_what_failed_comes_again(self, harness: Harness) -> None:
        driver = harness.driver()
        await harness.put(("k", "a"), ("k", "b"))
        await driver.open()
        [batch] = await polled(driver)
        assert await driver.settle(batch, FAILED) == len(batch.records)
        assert list(await driver.poll(10, 0.0)) == []
        harness.pass_time()
        again = await drained(driver, len(batch.records))
        assert texts(again)[: len(batch.records)] == texts([batch])
        await driver.close()

    async def test_what_is_given_back_comes_again(self, harness: Harness) -> None:
        driver = harness.driver()
        await harness.put(("k", "a"))
        await driver.open()
        [batch] = await polled(driver)
        await driver.give_back(batch)
        assert texts(await drained(driver, 1)) == ["a"]
        await driver.close()

    async def test_what_is_released_comes_again_after_a_while(self, harness: Harness) -> None:
        driver = harness.driver()
        await harness.put(("k", "a"))
        await driver.open()
        [batch] = await polled(driver)
        await driver.release(batch)
        harness.pass_time()
        assert texts(await drained(driver, 1)) == ["a"]
        await driver.close()

    async def test_after_a_death_what_was_settled_stays_settled_and_the_rest_comes_again(
        self, harness: Harness
    ) -> None:
        first = harness.driver(batch_size=2)
        await harness.put(*(("k", str(number)) for number in range(6)))
        await first.open()
        settled = (await polled(first, 1))[0]
        await first.settle(settled, OK)
        left = await polled(first, 1)
        harness.pass_time()
        second = harness.driver(batch_size=2)
        await second.open()
        again = texts(await drained(second, 4))
        assert sorted([*texts([settled]), *again]) == [str(number) for number in range(6)]
        assert set(texts(left)) <= set(again)
        await first.close()
        await second.close()

    async def test_a_process_that_was_replaced_settles_nothing_any_more(self, harness: Harness) -> None:
        first = harness.driver()
        await harness.put(("k", "a"))
        await first.open()
        [old] = await polled(first)
        harness.pass_time()
        second = harness.driver()
        await second.open()
        [new] = await polled(second)
        with suppress(StaleClaimError):
            await first.settle(old, OK)
        await second.settle(new, FAILED)
        harness.pass_time()
        third = harness.driver()
        await third.open()
        assert texts(await drained(third, 1)) == ["a"]
        for driver in (first, second, third):
            await driver.close()

    async def test_what_is_filtered_out_never_comes(self, harness: Harness) -> None:
        pattern = '{"body": ["yes"]}', '{"data": ["yes"]}', '{"value": ["yes"]}'
        driver = harness.driver(filters=pattern)
        await harness.put(("k", "no"), ("k", "yes"), ("k", "no"))
        await driver.open()
        assert texts(await drained(driver, 1)) == ["yes"]
        assert list(await driver.poll(10, 0.0)) == []
        await driver.close()

    async def test_a_batch_fits_into_a_call(self, harness: Harness) -> None:
        driver = harness.driver(batch_size=100, window_s=1)
        await harness.put(*(("k", "x" * 700_000) for _ in range(9)))
        await driver.open()
        batches: list[Batch] = []
        async with asyncio.timeout(20):
            while len(texts(batches)) < 9:
                found = list(await driver.poll(10, 0.0))
                for batch in found:
                    await driver.settle(batch, OK)
                batches += found
                if not found:
                    harness.pass_time()
                    await asyncio.sleep(0.02)  # so that time passes no faster than what is read in threads
        assert max(len(batch.payload) for batch in batches) <= MAX_BATCH_BYTES
        await driver.close()


class OrderContract(DriverContract):
    """Of sources that keep the records of a key in order."""

    async def test_records_of_a_key_are_in_one_batch_at_a_time_and_in_order(self, harness: Harness) -> None:
        driver = harness.driver(batch_size=2)
        await harness.put(*((f"k{number % 3}", str(number)) for number in range(30)))
        await driver.open()
        seen: list[int] = []
        held: list[Batch] = []
        while len(seen) < 30:
            held += await driver.poll(10, 0.0)
            if not held:
                await asyncio.sleep(0)
                continue
            batch = held.pop()  # the youngest first: what is held waits
            keys = {int(text) % 3 for text in texts([batch])}
            assert keys.isdisjoint({int(text) % 3 for text in texts(held)})
            seen += map(int, texts([batch]))
            await driver.settle(batch, OK)
        for key in range(3):
            assert [number for number in seen if number % 3 == key] == list(range(key, 30, 3))
        await driver.close()
