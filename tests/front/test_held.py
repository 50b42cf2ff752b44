"""Which call gets which lease, and when the core is asked for another."""

import asyncio
from typing import cast

from mayfly.front.borrowed import Borrowed
from mayfly.front.held import Held
from mayfly.policy.leasing import PAUSE_S


def instance() -> Borrowed:
    """Nothing is asked of it."""
    return cast(Borrowed, object())


async def test_a_lease_that_falls_idle_is_for_the_call_that_waited_longest() -> None:
    held, loop = Held(), asyncio.get_running_loop()
    first, second = held.wait(loop), held.wait(loop)

    given = [instance(), instance(), instance()]
    for one in given:
        held.offer(one)

    assert [first.result(), second.result()] == given[:2]
    assert held.take() is given[2]
    assert held.take() is None


async def test_a_call_whose_caller_went_away_gets_no_lease() -> None:
    held, loop = Held(), asyncio.get_running_loop()
    gone, there = held.wait(loop), held.wait(loop)
    gone.cancel()

    given = instance()
    held.offer(given)

    assert there.result() is given


async def test_each_call_that_waits_is_asked_for_once() -> None:
    held, loop = Held(), asyncio.get_running_loop()
    held.wait(loop)
    assert held.asks()
    assert not held.asks()

    held.wait(loop)
    assert held.asks()


async def test_a_question_whose_call_was_served_by_an_own_lease_covers_the_next_call() -> None:
    held, loop = Held(), asyncio.get_running_loop()
    held.wait(loop)
    assert held.asks()
    held.offer(instance())

    held.wait(loop)

    assert not held.asks()


async def test_a_refusal_is_told_to_the_call_that_nothing_covers_any_more() -> None:
    held, loop = Held(), asyncio.get_running_loop()
    first, second = held.wait(loop), held.wait(loop)
    assert held.asks()
    assert held.asks()

    held.answered()
    held.refused(now=1.0)

    assert first.result() is None
    assert not second.done()


async def test_after_a_refusal_short_calls_wait_for_one_another_before_the_core_is_asked_again() -> None:
    held, loop = Held(), asyncio.get_running_loop()
    for _ in range(2):
        held.began()
    held.ended(0.001)
    held.wait(loop)
    assert held.patience_s(now=1.0) == 0
    assert held.asks()
    held.answered()
    held.refused(now=1.0)

    waiting = held.wait(loop)
    assert held.patience_s(now=1.0) == PAUSE_S
    held.put_off()
    assert not held.asks()
    held.time_to_ask()
    assert held.asks()
    assert not waiting.done()


async def test_nothing_is_kept_when_there_is_nothing() -> None:
    held, loop = Held(), asyncio.get_running_loop()
    assert held.unused

    held.wait(loop)
    assert not held.unused
    held.offer(instance())
    assert held.unused
    held.began()
    assert not held.unused
    held.ended(0.1)
    assert held.unused
