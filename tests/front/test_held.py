"""Which call gets which lease, and when the core is asked for another."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

from mayfly.engine.job import Job
from mayfly.front.borrowed import Borrowed
from mayfly.front.held import Held
from mayfly.policy import queueing
from mayfly.policy.leasing import PAUSE_S


@dataclass(eq=False)
class Lease:
    """What is asked of a `Borrowed`."""

    places: int = 1
    shared: bool = False
    ran: list[Job] = field(default_factory=list)
    load: int = 0
    due_at: float = 100.0
    idle_since: float = 0.0
    takes_calls: bool = True
    queues: bool = False

    @property
    def has_room(self) -> bool:
        return self.takes_calls and self.load < self.places

    def busy_s(self, now: float) -> float:
        return 0.0

    def run(self, job: Job) -> None:
        self.ran.append(job)
        self.load += 1


def lease(held: Held, **options: Any) -> tuple[Borrowed, Lease]:
    """One more that is held, as it is seen by those who hold it, and by the test."""
    made = Lease(**options)
    held.add(cast(Borrowed, made))
    return cast(Borrowed, made), made


def job() -> Job:
    return Job(cast(Any, None), cast(Any, None), asyncio.get_running_loop().create_future(), 0.0)


def fast(held: Held) -> None:
    """Have the last calls all been short."""
    for _ in range(queueing.ENOUGH):
        held.ended(0.00001, 10.0)


async def test_a_lease_that_falls_idle_is_for_the_call_that_waited_longest() -> None:
    held, first, second = Held(), job(), job()
    held.wait(first)
    held.wait(second)

    given = [lease(held) for _ in range(3)]
    for one, _ in given:
        held.offer(one)

    assert [made.ran for _, made in given] == [[first], [second], []]
    assert held.take(0.0) is given[2][0]
    assert held.take(0.0) is None


async def test_a_call_whose_caller_went_away_gets_no_lease() -> None:
    held, gone, there = Held(), job(), job()
    held.wait(gone)
    held.wait(there)
    gone.future.cancel()

    given, made = lease(held)
    held.offer(given)

    assert made.ran == [there]


async def test_places_are_filled_by_all_who_wait_and_the_fullest_share_first() -> None:
    held, waiting = Held(shares=True), [job() for _ in range(3)]
    for one in waiting:
        held.wait(one)
    wide, narrow = lease(held, places=8, shared=True), lease(held, places=3, shared=True)

    held.offer(wide[0])

    assert wide[1].ran == waiting
    narrow[1].load = 2
    assert held.take(0.0) is wide[0]
    wide[1].load = 1
    assert held.take(0.0) is narrow[0]
    narrow[1].takes_calls = wide[1].takes_calls = False
    assert held.take(0.0) is None


async def test_where_calls_are_short_the_next_one_waits_at_the_instance_that_runs_one() -> None:
    held = Held()
    hot, made = lease(held)
    held.offer(hot)
    assert held.take(0.0) is hot
    made.load, made.queues = 1, True

    assert held.take(0.0) is None
    fast(held)
    assert held.take(0.0) is hot
    assert held.take(made.due_at + 1) is None
    made.load = queueing.MOST
    assert held.take(0.0) is None
    made.load = 1
    held.ended(5.0, 5e6)
    assert held.take(0.0) is None


async def test_each_call_that_waits_is_asked_for_once() -> None:
    held = Held()
    held.wait(job())
    assert held.asks() == 1
    assert not held.asks()

    held.wait(job())
    assert held.asks() == 1


async def test_places_are_asked_for_together_and_again_when_the_answer_has_come() -> None:
    held = Held(shares=True)
    for _ in range(3):
        held.wait(job())
    assert held.asks() == 3
    held.wait(job())
    assert not held.asks()

    held.answered(3)
    share, made = lease(held, places=3, shared=True)
    held.offer(share)

    assert made.load == 3
    assert held.asks() == 1


async def test_a_question_whose_call_was_served_by_an_own_lease_covers_the_next_call() -> None:
    held = Held()
    held.wait(job())
    assert held.asks()
    held.offer(lease(held)[0])

    held.wait(job())

    assert not held.asks()


async def test_a_refusal_is_told_to_the_call_that_nothing_covers_any_more() -> None:
    held, first, second = Held(), job(), job()
    held.wait(first)
    held.wait(second)
    assert held.asks()
    assert held.asks()

    held.answered(1)

    assert held.refused(now=1.0) == [first]


async def test_after_a_refusal_short_calls_wait_for_one_another_before_the_core_is_asked_again() -> None:
    held = Held()
    lease(held, load=1)
    lease(held, load=1)
    held.ended(0.001, 0.0)
    held.wait(job())
    assert held.patience_s(now=1.0) == 0
    assert held.asks()
    held.answered(1)
    held.refused(now=1.0)

    held.wait(job())
    assert held.patience_s(now=1.0) == PAUSE_S
    held.put_off()
    assert not held.asks()
    held.time_to_ask()
    assert held.asks()


async def test_nothing_is_kept_when_there_is_nothing() -> None:
    held, waiting = Held(), job()
    assert held.unused

    held.wait(waiting)
    assert not held.unused
    given, _ = lease(held)
    held.offer(given)
    assert not held.unused
    held.remove(given)
    assert held.unused
