"""What every kind of source must do, and queues as the one that there is: a stream is one more entry in `SOURCES`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from mayfly.clock import SystemClock
from mayfly.services.contract import ServiceError
from mayfly.services.pipes.sources import QueueRecords, Source, Sources
from mayfly.store.api import StaleClaimError
from tests.services.pipes.conftest import Stage, queue_arn

Fill = Callable[[Sequence[str]], Awaitable[None]]


async def queue(stage: Stage, lease_s: int, parameters: dict[str, Any]) -> tuple[Source, Fill]:
    url = await stage.make_queue("source", VisibilityTimeout=str(lease_s))

    async def fill(bodies: Sequence[str]) -> None:
        await stage.send(url, *bodies)

    return QueueRecords(stage.queues.source, stage.store, SystemClock(), queue_arn("source"), parameters), fill


SOURCES = {"queue": queue}


@pytest.fixture(params=SOURCES)
def make(request: pytest.FixtureRequest, stage: Stage) -> Callable[..., Awaitable[tuple[Source, Fill]]]:
    return lambda lease_s=60, **parameters: SOURCES[request.param](stage, lease_s, parameters)


async def test_a_batch_has_no_more_than_was_asked_for(make: Any) -> None:
    source, fill = await make(BatchSize=3)
    await fill(["a", "b", "c", "d"])
    await source.check()
    assert len(await source.next()) == 3
    assert len(await source.next()) == 1


async def test_a_window_waits_for_more(make: Any) -> None:
    source, fill = await make(BatchSize=4, MaximumBatchingWindowInSeconds=1)
    await fill(["a", "b"])
    assert len(await source.next()) == 2


async def test_what_is_done_is_gone_with_the_transaction(make: Any, stage: Stage) -> None:
    source, fill = await make()
    await fill(["a", "b"])
    records = await source.next()
    assert [record.event["body"] for record in records] == ["a", "b"]
    with pytest.raises(ZeroDivisionError):
        await stage.store.write(lambda tx: (source.done(tx, records), 1 / 0))  # undone
    await stage.store.write(lambda tx: source.done(tx, records))
    await fill(["c"])
    assert [record.event["body"] for record in await source.next()] == ["c"]


async def test_what_is_let_go_comes_again_and_is_no_longer_the_first_holders(make: Any, stage: Stage) -> None:
    source, fill = await make(lease_s=1)
    await fill(["a"])
    first = await source.next()
    second = await source.next()  # waits for the end of the lease
    assert [record.id for record in second] == [record.id for record in first]
    with pytest.raises(StaleClaimError):
        await stage.store.write(lambda tx: source.done(tx, first))
    await stage.store.write(lambda tx: source.done(tx, second))


async def test_what_is_not_there_cannot_be_read(stage: Stage) -> None:
    sources = Sources(stage.queues.source, stage.store, SystemClock())
    with pytest.raises(ServiceError):
        await sources.of(queue_arn("nothing"), {}).check()
    assert sources.parameters_of("arn:aws:kinesis:us-east-1:000000000000:stream/s") is None
