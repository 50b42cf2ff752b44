"""What every `ReadyQueue` promises; runs against each implementation in conftest.py."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from mayfly.clock import Clock, ManualClock, SystemClock
from mayfly.store.api import Claim, NewItem, Reader, ReadyQueue, StaleClaimError, Store, Tx
from mayfly.store.queue import SqlReadyQueue
from tests.conftest import VAULT

T = TypeVar("T")
LONG_S = 1000.0  # longer than a test may take: a wake-up that is missed fails it


async def put(store: Store, queue: ReadyQueue, *items: NewItem) -> list[int]:
    return await store.write(lambda tx: queue.enqueue(tx, items))


async def put_texts(store: Store, queue: ReadyQueue, *texts: str, name: str = "q") -> list[int]:
    return await put(store, queue, *(NewItem(name, text.encode()) for text in texts))


async def complete(store: Store, queue: ReadyQueue, claim: Claim) -> None:
    await store.write(lambda tx: queue.complete(tx, claim))


def payloads(claims: list[Claim]) -> list[str]:
    return [claim.payload.decode() for claim in claims]


async def test_items_come_out_in_the_order_they_went_in_with_rising_ids(store: Store, queue: ReadyQueue) -> None:
    ids = await put_texts(store, queue, "a", "b", "c")
    assert ids == sorted(ids)
    claims = await queue.claim("q", 10, LONG_S)
    assert payloads(claims) == ["a", "b", "c"]
    assert [claim.id for claim in claims] == ids


async def test_a_claim_says_what_it_holds(store: Store, queue: ReadyQueue, clock: ManualClock) -> None:
    enqueued_at = clock.now()
    (id_,) = await put_texts(store, queue, "a")
    clock.advance(5)
    (claim,) = await queue.claim("q", 1, 30)
    assert claim == Claim(id_, "q", b"a", 1, 1, enqueued_at, clock.now() + 30)


async def test_higher_priority_goes_first_then_earlier_readiness_then_lower_id(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    now = clock.now()
    await put(
        store,
        queue,
        NewItem("q", b"third", ready_at=now - 1),
        NewItem("q", b"fourth", ready_at=now - 1),
        NewItem("q", b"second", ready_at=now - 2),
        NewItem("q", b"last", ready_at=now - 100, priority=-1),
        NewItem("q", b"first", ready_at=now, priority=7),
    )
    assert payloads(await queue.claim("q", 3, LONG_S)) == ["first", "second", "third"]
    assert payloads(await queue.claim("q", 3, LONG_S)) == ["fourth", "last"]


async def test_a_claim_takes_no_more_than_its_limit_and_one_queue_is_not_another(
    store: Store, queue: ReadyQueue
) -> None:
    await put_texts(store, queue, "a", "b", "c")
    await put_texts(store, queue, "other", name="r")
    assert payloads(await queue.claim("q", 2, LONG_S)) == ["a", "b"]
    assert payloads(await queue.claim("r", 2, LONG_S)) == ["other"]
    assert await queue.claim("nothing", 2, LONG_S) == []


async def test_a_limit_below_one_is_refused(queue: ReadyQueue) -> None:
    with pytest.raises(ValueError, match="limit"):
        await queue.claim("q", 0, LONG_S)


async def test_a_delayed_item_is_not_ready_before_its_time(store: Store, queue: ReadyQueue, clock: ManualClock) -> None:
    await put(store, queue, NewItem("q", b"later", ready_at=clock.now() + 10))
    clock.advance(9.9)
    assert await queue.claim("q", 1, LONG_S) == []
    clock.advance(0.1)
    assert payloads(await queue.claim("q", 1, LONG_S)) == ["later"]


async def test_a_leased_item_is_nobody_elses_until_the_lease_runs_out(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    await put_texts(store, queue, "a")
    (first,) = await queue.claim("q", 1, 10)
    clock.advance(9)
    assert await queue.claim("q", 1, 10) == []
    clock.advance(1)
    (second,) = await queue.claim("q", 1, 10)
    assert (second.id, second.attempt) == (first.id, 2)
    assert second.epoch > first.epoch


async def test_a_completed_item_is_gone(store: Store, queue: ReadyQueue, clock: ManualClock) -> None:
    await put_texts(store, queue, "a")
    (claim,) = await queue.claim("q", 1, 10)
    await complete(store, queue, claim)
    clock.advance(100)
    assert await queue.claim("q", 1, 10) == []
    assert await queue.depth("q") == 0
    with pytest.raises(StaleClaimError):
        await complete(store, queue, claim)


async def test_a_late_completion_is_refused_once_somebody_else_holds_the_item(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    await put_texts(store, queue, "a")
    (late,) = await queue.claim("q", 1, 10)
    clock.advance(10)
    (current,) = await queue.claim("q", 1, 10)
    with pytest.raises(StaleClaimError):
        await complete(store, queue, late)
    with pytest.raises(StaleClaimError):
        await store.write(lambda tx: queue.retry(tx, late, clock.now()))
    with pytest.raises(StaleClaimError):
        await store.write(lambda tx: queue.bury(tx, late, "late"))
    with pytest.raises(StaleClaimError):
        await queue.extend(late, 10)
    await complete(store, queue, current)


async def test_a_stale_completion_undoes_the_effect_that_it_came_with(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    await put_texts(store, queue, "a")
    (late,) = await queue.claim("q", 1, 10)
    clock.advance(10)
    await queue.claim("q", 1, 10)

    def effect(tx: Tx) -> None:
        queue.enqueue(tx, [NewItem("effects", b"e")])
        queue.complete(tx, late)

    with pytest.raises(StaleClaimError):
        await store.write(effect)
    assert await queue.depth("effects") == 0


async def test_a_lease_that_ran_out_unnoticed_may_still_be_completed(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    await put_texts(store, queue, "a")
    (claim,) = await queue.claim("q", 1, 10)
    clock.advance(11)
    await complete(store, queue, claim)
    assert await queue.depth("q") == 0


async def test_extending_moves_the_end_of_the_lease(store: Store, queue: ReadyQueue, clock: ManualClock) -> None:
    await put_texts(store, queue, "a")
    (claim,) = await queue.claim("q", 1, 10)
    clock.advance(5)
    extended = await queue.extend(claim, 10)
    assert extended == claim._replace(lease_until=clock.now() + 10)
    clock.advance(9)
    assert await queue.claim("q", 1, 10) == []
    await complete(store, queue, extended)


async def test_a_retried_item_is_ready_at_its_time_with_one_more_attempt(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    await put_texts(store, queue, "a")
    (claim,) = await queue.claim("q", 1, 1000)
    await store.write(lambda tx: queue.retry(tx, claim, clock.now() + 5))
    assert await queue.claim("q", 1, 10) == []
    clock.advance(5)
    (again,) = await queue.claim("q", 1, 10)
    assert (again.id, again.attempt, again.enqueued_at) == (claim.id, 2, claim.enqueued_at)


async def test_a_claim_that_was_given_back_is_worth_nothing_any_more(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    await put_texts(store, queue, "a")
    (claim,) = await queue.claim("q", 1, 1000)
    await store.write(lambda tx: queue.retry(tx, claim, clock.now()))
    with pytest.raises(StaleClaimError):
        await complete(store, queue, claim)
    with pytest.raises(StaleClaimError):
        await queue.extend(claim, 10)
    assert await queue.depth("q") == 1


async def test_a_queue_is_empty_when_nothing_is_ready_delayed_or_leased(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    assert await queue.is_empty("q")
    await put_texts(store, queue, "a")
    assert not await queue.is_empty("q")
    assert await queue.is_empty("r")
    (claim,) = await queue.claim("q", 1, 10)
    assert not await queue.is_empty("q")
    await store.write(lambda tx: queue.retry(tx, claim, clock.now() + 60))
    assert not await queue.is_empty("q")
    clock.advance(60)
    (claim,) = await queue.claim("q", 1, 10)
    await complete(store, queue, claim)
    assert await queue.is_empty("q")


async def test_buried_items_are_listed_by_id_a_page_at_a_time(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    enqueued_at = clock.now()
    ids = await put_texts(store, queue, "a", "b", "c")
    clock.advance(3)
    claims = await queue.claim("q", 3, 10)

    def bury(tx: Tx) -> None:
        for claim in claims:
            queue.bury(tx, claim, f"{claim.payload.decode()} is hopeless")

    await store.write(bury)
    assert await queue.depth("q") == 0
    page = await queue.dead("q", 2)
    assert [tuple(item) for item in page] == [
        (ids[0], "q", b"a", 1, "a is hopeless", enqueued_at, clock.now()),
        (ids[1], "q", b"b", 1, "b is hopeless", enqueued_at, clock.now()),
    ]
    assert [item.id for item in await queue.dead("q", 2, after_id=page[-1].id)] == ids[2:]
    assert await queue.dead("other", 2) == []


async def test_depth_counts_ready_delayed_and_leased_items(store: Store, queue: ReadyQueue, clock: ManualClock) -> None:
    await put_texts(store, queue, "a", "b")
    await put(store, queue, NewItem("q", b"c", ready_at=clock.now() + 10))
    await queue.claim("q", 1, 10)
    assert await queue.depth("q") == 3


@pytest.mark.parametrize("size", [0, 2048, 2049, 1_000_000])
async def test_payloads_of_any_size_come_back_whole_through_every_path(
    store: Store, queue: ReadyQueue, clock: ManualClock, size: int
) -> None:
    payload = bytes(index % 251 for index in range(1000)) * (size // 1000) + b"x" * (size % 1000)
    await put(store, queue, NewItem("q", payload), NewItem("q", payload))
    first, second = await queue.claim("q", 2, 10)
    assert first.payload == second.payload == payload
    await store.write(lambda tx: queue.retry(tx, first, clock.now()))
    await store.write(lambda tx: queue.bury(tx, second, "enough"))
    (again,) = await queue.claim("q", 2, 10)
    assert again.payload == payload
    assert [item.payload for item in await queue.dead("q", 2)] == [payload]
    await complete(store, queue, again)
    assert await store.read(lambda reader: reader.one("SELECT count(*) FROM queue_payloads")) == (0,)


async def test_an_id_is_never_given_twice(store: Store, queue: ReadyQueue) -> None:
    seen: set[int] = set()
    for _ in range(5):
        (id_,) = await put_texts(store, queue, "a")
        assert id_ not in seen
        seen.add(id_)
        (claim,) = await queue.claim("q", 1, 10)
        await complete(store, queue, claim)


async def test_many_claimers_never_hold_the_same_item(store: Store, queue: ReadyQueue) -> None:
    await put_texts(store, queue, *(str(number) for number in range(200)))
    taken = await asyncio.gather(*(queue.claim("q", 7, LONG_S) for _ in range(40)))
    ids = [claim.id for claims in taken for claim in claims]
    assert len(ids) == len(set(ids)) == 200


async def until_waiting(queue: ReadyQueue, count: int = 1) -> None:
    """Until `count` waiters have looked at the database and gone to sleep."""
    assert isinstance(queue, SqlReadyQueue)
    while sum(waiter.asleep for waiters in queue._waiters.values() for waiter in waiters) < count:  # noqa: ASYNC110  # nothing announces it
        await asyncio.sleep(0)


async def test_wait_returns_at_once_when_something_is_ready(store: Store, queue: ReadyQueue) -> None:
    await put_texts(store, queue, "a")
    await queue.wait("q", LONG_S)


async def test_wait_wakes_when_an_item_is_committed(store: Store, queue: ReadyQueue) -> None:
    waiters = [asyncio.create_task(queue.wait("q", LONG_S)) for _ in range(3)]
    bystander = asyncio.create_task(queue.wait("r", LONG_S))
    await until_waiting(queue, 4)
    await put_texts(store, queue, "a")
    await asyncio.gather(*waiters)
    assert not bystander.done()
    bystander.cancel()
    await asyncio.wait([bystander])


async def test_wait_is_not_woken_by_an_enqueue_that_was_undone(store: Store, queue: ReadyQueue) -> None:
    waiter = asyncio.create_task(queue.wait("q", LONG_S))
    await until_waiting(queue)

    def undone(tx: Tx) -> None:
        queue.enqueue(tx, [NewItem("q", b"a")])
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(undone)
    await store.write(lambda _: None)
    assert not waiter.done()
    waiter.cancel()
    await asyncio.wait([waiter])


async def test_wait_wakes_for_a_retry(store: Store, queue: ReadyQueue, clock: ManualClock) -> None:
    await put_texts(store, queue, "a")
    (claim,) = await queue.claim("q", 1, 1000)
    waiter = asyncio.create_task(queue.wait("q", LONG_S))
    await until_waiting(queue)
    await store.write(lambda tx: queue.retry(tx, claim, clock.now()))
    await waiter


async def test_wait_returns_after_its_timeout(queue: ReadyQueue) -> None:
    await queue.wait("q", 0.01)
    await queue.wait("q", 0)


async def test_wait_wakes_when_a_delayed_item_falls_due(store: Store) -> None:
    clock = SystemClock()
    queue = SqlReadyQueue(store, clock, VAULT)
    await put(store, queue, NewItem("q", b"a", ready_at=clock.now() + 0.05))
    await queue.wait("q", LONG_S)
    while not await queue.claim("q", 1, LONG_S):
        await queue.wait("q", LONG_S)


async def test_wait_wakes_when_a_lease_runs_out(store: Store) -> None:
    queue = SqlReadyQueue(store, SystemClock(), VAULT)
    await put_texts(store, queue, "a", "b")
    waiter = asyncio.create_task(queue.wait("q", LONG_S))
    await waiter
    await queue.claim("q", 1, 0.05)
    await queue.claim("q", 1, 0.05)
    while not (claims := await queue.claim("q", 1, LONG_S)):
        await queue.wait("q", LONG_S)
    assert claims[0].attempt == 2


async def test_a_lease_taken_while_somebody_waits_wakes_them_when_it_runs_out(store: Store) -> None:
    queue = SqlReadyQueue(store, SystemClock(), VAULT)
    await put(store, queue, NewItem("q", b"a", ready_at=SystemClock().now() + 1000))
    waiter = asyncio.create_task(queue.wait("q", LONG_S))
    await until_waiting(queue)
    await put(store, queue, NewItem("q", b"b", ready_at=SystemClock().now() + 0.05))
    await waiter


async def test_a_cancelled_wait_leaves_nothing_behind(queue: ReadyQueue) -> None:
    waiter = asyncio.create_task(queue.wait("q", LONG_S))
    await until_waiting(queue)
    waiter.cancel()
    await asyncio.wait([waiter])
    assert isinstance(queue, SqlReadyQueue)
    assert queue._waiters == {}


async def test_waiters_look_at_the_clock_again_when_told_that_it_moved(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    assert isinstance(queue, SqlReadyQueue)
    await put(store, queue, NewItem("q", b"a", ready_at=clock.now() + 1000))
    waiter = asyncio.create_task(queue.wait("q", 5000))
    await until_waiting(queue)
    clock.advance(1000)
    queue.clock_moved()
    await waiter


async def test_a_successor_releases_the_leases_of_the_dead(store: Store, queue: ReadyQueue, clock: ManualClock) -> None:
    await put_texts(store, queue, "held")
    await put(store, queue, NewItem("q", b"delayed", ready_at=clock.now() + 10))
    (held,) = await queue.claim("q", 1, 900)
    successor = SqlReadyQueue(store, clock, VAULT)
    assert await successor.release_leases() == 1
    (again,) = await successor.claim("q", 2, 10)
    assert (again.payload, again.attempt) == (b"held", 2)
    with pytest.raises(StaleClaimError):
        await complete(store, queue, held)


class SlowReads:
    """A store on which something happens between the taking of a snapshot and the answer."""

    def __init__(self, store: Store, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._meanwhile = meanwhile
        self._store = store
        self.write = store.write
        self.close = store.close

    async def read(self, body: Callable[[Reader], T]) -> T:
        answer = await self._store.read(body)
        await self._meanwhile()
        return answer


async def test_an_item_committed_while_wait_looks_at_the_database_is_not_missed(
    store: Store, clock: ManualClock, make_queue: Callable[[Store, Clock], ReadyQueue]
) -> None:
    async def enqueue() -> None:
        await put_texts(store, queue, "a")

    queue = make_queue(SlowReads(store, enqueue), clock)
    await queue.wait("q", LONG_S)


async def test_leases_of_another_queue_change_nothing(store: Store, queue: ReadyQueue, clock: ManualClock) -> None:
    await put_texts(store, queue, "a", name="q")
    await put_texts(store, queue, "b", name="r")
    (claim,) = await queue.claim("q", 1, 10)
    await store.write(lambda tx: queue.retry(tx, claim, clock.now() + 100))
    assert await queue.depth("r") == 1
    assert payloads(await queue.claim("r", 1, 10)) == ["b"]


async def test_several_queues_are_claimed_from_at_once_each_with_its_own_limit(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    await put_texts(store, queue, "a1", "a2", name="a")
    await put_texts(store, queue, "b1", name="b")
    await put(store, queue, NewItem("b", b"later", ready_at=clock.now() + 7))
    a, b, c = await queue.claim_each([("a", 1), ("b", 5), ("c", 5)], 30)
    assert (payloads(a.claims), payloads(b.claims), payloads(c.claims)) == (["a1"], ["b1"], [])
    assert a.next_due <= clock.now()
    assert b.next_due == clock.now() + 7
    assert c.next_due == float("inf")


async def test_an_exhausted_queue_is_due_again_when_a_lease_runs_out(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    await put_texts(store, queue, "a")
    (taken,) = await queue.claim_each([("q", 2)], 30)
    assert taken.next_due == clock.now() + 30


async def test_items_are_claimed_by_id_unless_somebody_holds_them(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    held, later = await put(store, queue, NewItem("q", b"held"), NewItem("q", b"L" * 5000, ready_at=clock.now() + 900))
    await queue.claim("q", 1, 30)
    (claim,) = await queue.claim_items([held, later, 12345], 30)
    assert (claim.id, claim.queue, claim.payload, claim.attempt) == (later, "q", b"L" * 5000, 1)
    await complete(store, queue, claim)
    assert await queue.depth("q") == 1


async def test_many_items_are_completed_together_or_not_at_all(
    store: Store, queue: ReadyQueue, clock: ManualClock
) -> None:
    await put(store, queue, NewItem("q", b"a"), NewItem("q", b"b" * 5000))
    claims = await queue.claim("q", 2, 30)
    with pytest.raises(StaleClaimError):
        await store.write(lambda tx: queue.complete_all(tx, [*claims, claims[0]._replace(id=999)]))
    assert await queue.depth("q") == 2
    await store.write(lambda tx: queue.complete_all(tx, claims))
    assert await queue.depth("q") == 0


async def test_a_dead_item_can_be_had_back_once_or_be_forgotten(store: Store, queue: ReadyQueue) -> None:
    await put_texts(store, queue, "a", "b")
    claims = await queue.claim("q", 2, 30)
    for claim in claims:
        await store.write(lambda tx, claim=claim: queue.bury(tx, claim, "why"))  # type: ignore[misc]
    found = await store.write(lambda tx: queue.exhume(tx, claims[0].id))
    assert found is not None
    assert (found.payload, found.reason) == (b"a", "why")
    assert await store.write(lambda tx: queue.exhume(tx, claims[0].id)) is None
    await store.write(lambda tx: queue.forget(tx, [claims[1].id, 999]))
    assert await queue.dead("q", 10) == []


async def test_queues_that_hold_something_are_found_by_the_beginning_of_their_names(
    store: Store, queue: ReadyQueue
) -> None:
    for name in ("a", "to", "to/x", "to/y/é", "too", "u"):
        await put_texts(store, queue, "1", "2", name=name)
    assert await queue.queues("to") == ["to", "to/x", "to/y/é", "too"]
    assert await queue.queues("to/") == ["to/x", "to/y/é"]
    (claim, other) = await queue.claim("to/x", 2, 30)
    await store.write(lambda tx: queue.complete_all(tx, [claim, other]))
    assert await queue.queues("to/x") == []
