"""Metrics of functions come from the ledger, each record once."""

from typing import Any

import msgspec

from mayfly.app.call_metrics import CallMetrics
from mayfly.clock import ManualClock
from mayfly.metering.ledger import Ledger
from mayfly.services.metrics import series
from mayfly.services.metrics.model import Point
from mayfly.services.ports import UsageRecord
from mayfly.store.sqlite import SqliteStore
from tests.app.test_disk_watch import Bus
from tests.conftest import OpenStore

HELLO = "arn:aws:lambda:us-east-1:000000000000:function:hello"


def usage(number: int, clock: ManualClock, outcome: str = "ok", duration_ms: float = 5.0) -> UsageRecord:
    return UsageRecord(
        f"r{number}",
        f"{HELLO}:$LATEST",
        "000000000000",
        clock.now(),
        duration_ms,
        5,
        None,
        128,
        30,
        512,
        "x86_64",
        outcome,
        "request",
    )


async def nothing() -> None:
    return


class Scene:
    def __init__(self, store: SqliteStore, clock: ManualClock) -> None:
        self.store, self.clock, self.bus = store, clock, Bus()
        self.ledger = Ledger(store, clock)
        self.metrics = CallMetrics(store, self.ledger, nothing, self.bus, clock)

    async def call(self, *usages: UsageRecord) -> None:
        await self.store.write(lambda tx: self.ledger.fold(tx, list(usages)))

    async def read(self, name: str, *dimensions: tuple[str, str]) -> list[Point]:
        now = int(self.clock.now())
        return await self.store.read(
            lambda reader: series.read(reader, ("AWS/Lambda", name, dimensions), now - 3600, now + 60, None)
        )


async def scene(open_store: Any, clock: ManualClock) -> Scene:
    return Scene(await open_store("mayfly.metering", "mayfly.services.metrics"), clock)


async def test_calls_errors_and_durations_are_counted_once_by_function_and_in_all(
    open_store: OpenStore, clock: ManualClock
) -> None:
    made = await scene(open_store, clock)
    await made.call(usage(1, clock), usage(2, clock, "error", 15.0))
    await made.metrics.settle()
    await made.call(usage(3, clock, duration_ms=10.0))
    await made.metrics.settle()
    await made.metrics.settle()
    # Whoever reads on after a restart begins where the last one ended.
    await CallMetrics(made.store, made.ledger, nothing, made.bus, clock).settle()
    for dimensions in ((), (("FunctionName", "hello"),)):
        (calls,) = await made.read("Invocations", *dimensions)
        (errors,) = await made.read("Errors", *dimensions)
        (duration,) = await made.read("Duration", *dimensions)
        assert (calls.total, errors.total, errors.samples) == (3, 1, 3)
        assert (duration.total, duration.minimum, duration.maximum) == (30, 5, 15)


async def test_an_instance_that_ran_out_of_memory_is_told_on_the_bus(open_store: OpenStore, clock: ManualClock) -> None:
    made = await scene(open_store, clock)
    await made.call(usage(1, clock, "out-of-memory"))
    await made.metrics.settle()
    ((kind, detail),) = made.bus.told
    assert kind == "Function Instance Out Of Memory"
    assert (detail["functionName"], detail["requestId"], detail["memoryLimitInMB"]) == ("hello", "r1", 128)


async def test_calls_that_were_refused_are_counted_and_told_together(open_store: OpenStore, clock: ManualClock) -> None:
    made = await scene(open_store, clock)
    for _ in range(3):
        made.metrics.throttled("hello")
    await made.metrics.settle()
    (throttles,) = await made.read("Throttles", ("FunctionName", "hello"))
    assert throttles.total == 3
    assert made.bus.told == [("Function Throttled", {"functionName": "hello", "count": 3})]


async def test_a_ledger_whose_old_records_were_dropped_does_not_hold_metrics_up(
    open_store: OpenStore, clock: ManualClock
) -> None:
    made = await scene(open_store, clock)
    await made.call(usage(1, clock))
    await made.metrics.settle()
    await made.call(usage(2, clock))
    await made.store.write(lambda tx: tx.run("DELETE FROM usage_records"))
    await made.metrics.settle()
    await made.call(usage(3, clock))
    await made.metrics.settle()
    (calls,) = await made.read("Invocations")
    assert calls.total >= 1


async def test_what_is_only_counted_is_there_once_it_is_settled_and_counts_once(
    open_store: OpenStore, clock: ManualClock
) -> None:
    at = await scene(open_store, clock)
    where = (("EventSourceMappingUUID", "u1"),)
    at.metrics.count("PolledEventCount", where, 10.0)
    at.metrics.count("PolledEventCount", where, 5.0)
    await at.metrics.settle()
    await at.metrics.settle()
    (found,) = await at.read("PolledEventCount", *where)
    assert (found.samples, found.total, found.unit) == (2.0, 15.0, "Count")


async def test_calls_on_provisioned_instances_and_beyond_them_count_once(
    open_store: OpenStore, clock: ManualClock
) -> None:
    at = await scene(open_store, clock)
    told = [(HELLO, 3, 0)]
    at.metrics.watch(lambda: told)
    for calls in ((HELLO, 3, 0), (HELLO, 5, 1), (HELLO, 5, 1), (HELLO, 1, 1)):  # forgotten before the last
        told[0] = calls
        await at.metrics.settle()
    for where in ((), (("FunctionName", "hello"),)):
        (calls_of,) = await at.read("ProvisionedConcurrencyInvocations", *where)
        (beyond,) = await at.read("ProvisionedConcurrencySpilloverInvocations", *where)
        assert (calls_of.total, calls_of.samples, beyond.total) == (6.0, 6.0, 2.0)


async def test_what_is_measured_keeps_its_unit(open_store: OpenStore, clock: ManualClock) -> None:
    at = await scene(open_store, clock)
    where = (("FunctionName", "hello"),)
    at.metrics.count("AsyncEventAge", where, 10.5, "Milliseconds")
    at.metrics.count("AsyncEventAge", where, 20.0, "Milliseconds")
    await at.metrics.settle()
    (found,) = await at.read("AsyncEventAge", *where)
    assert (found.minimum, found.maximum, found.unit) == (10.5, 20.0, "Milliseconds")


async def test_what_was_called_by_an_alias_is_counted_for_it_and_for_each_version(
    open_store: OpenStore, clock: ManualClock
) -> None:
    stage = await scene(open_store, clock)
    by_alias = [
        msgspec.structs.replace(usage(number, clock, outcome), function_arn=f"{HELLO}:{version}", qualifier="live")
        for number, (version, outcome) in enumerate((("1", "ok"), ("1", "ok"), ("2", "error")))
    ]
    by_number = msgspec.structs.replace(usage(9, clock), function_arn=f"{HELLO}:2", qualifier="2")
    await stage.call(*by_alias, by_number)
    await stage.metrics.settle()
    function, live = ("FunctionName", "hello"), ("Resource", "hello:live")
    for dimensions, invocations, errors in (
        ((function,), 4, 1),
        ((function, live), 3, 1),
        ((("ExecutedVersion", "1"), function, live), 2, 0),
        ((("ExecutedVersion", "2"), function, live), 1, 1),
        ((function, ("Resource", "hello:2")), 1, 0),
        ((("ExecutedVersion", "2"), function, ("Resource", "hello:2")), 0, 0),
    ):
        assert sum(point.total for point in await stage.read("Invocations", *dimensions)) == invocations
        assert sum(point.total for point in await stage.read("Errors", *dimensions)) == errors
