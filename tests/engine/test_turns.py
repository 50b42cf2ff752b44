"""The books of the calls of one instance, and of its memory's peak."""

import asyncio

import pytest

from mayfly.engine.job import Job
from mayfly.engine.peak import Peak
from mayfly.engine.turn import Turn
from mayfly.engine.turns import Turns

from .conftest import call, target


@pytest.fixture
def turns() -> Turns:
    return Turns()


async def turn(due_at: float = 0.0) -> Turn:
    job = Job(target("functions.echo"), call(), asyncio.get_running_loop().create_future(), 0.0)
    made = Turn(job, 0.0, cold=False)
    made.due_at = due_at
    return made


async def test_calls_sent_ahead_begin_in_their_order(turns: Turns) -> None:
    first, second, third = [await turn() for _ in range(3)]
    number = turns.begin(first)
    assert [turns.wait(second), turns.wait(third)] == [number + 1, number + 2]
    turns.end(number)
    assert turns.begin_next() is second
    assert turns.only is second
    assert turns.running == {number + 1: second}


async def test_a_call_that_took_too_long_is_neither_due_again_nor_counted_once_it_has_ended(turns: Turns) -> None:
    late, other = await turn(1.0), await turn(2.0)
    number, _ = turns.begin(late), turns.begin(other)
    assert turns.due(1.5) == [(number, late)]
    turns.give_up(late)
    assert turns.due(1.5) == []
    assert (turns.next_due_at(), turns.overdue, turns.only_overdue) == (2.0, 1, False)
    turns.give_up(other)
    assert (turns.next_due_at(), turns.only_overdue) == (None, True)
    turns.end(number)
    assert (turns.overdue, turns.only_overdue) == (1, True)


@pytest.mark.parametrize(("dead", "begun"), [(True, 2), (False, 3)])
async def test_of_those_that_waited_as_many_had_begun_as_answers_were_not_heard(
    turns: Turns, dead: bool, begun: int
) -> None:
    made = [await turn() for _ in range(3)]
    turns.begin(made[0])
    turns.wait(made[1])
    turns.wait(made[2])
    turns.unheard()
    assert turns.close(dead=dead) == (made[:begun], made[begun:])
    assert turns.close(dead=dead) == ([], [])


async def test_one_that_failed_for_its_time_is_settled_no_second_time(turns: Turns) -> None:
    late, other = await turn(), await turn()
    turns.begin(late)
    turns.begin(other)
    turns.give_up(late)
    assert turns.close(dead=True) == ([other], [])


def test_a_peak_is_read_anew_only_after_a_moment_and_never_falls() -> None:
    values = iter([5, 3, 9])
    peak = Peak(lambda: next(values))
    assert [peak.lately(1.0), peak.lately(1.01), peak.lately(1.03), peak.now(1.031)] == [5, 5, 5, 9]


def test_what_cannot_be_read_is_as_it_was() -> None:
    def gone() -> int:
        raise FileNotFoundError

    peak = Peak(None)
    assert peak.now(0.0) == 0
    peak.read = lambda: 7
    assert peak.now(1.0) == 7
    peak.read = gone
    assert peak.now(2.0) == 7
