"""Who is woken, and when."""

import asyncio

import pytest

from mayfly.clock import SystemClock
from mayfly.services.queues.board import Board, Ticket
from mayfly.services.queues.model import QueueKey

KEY = QueueKey("000000000000", "us-east-1", "things")


@pytest.fixture
def board() -> Board:
    return Board(SystemClock())


def stirred(*tickets: Ticket) -> list[bool]:
    return [ticket.stirred for ticket in tickets]


async def test_one_message_wakes_the_first_who_came(board: Board) -> None:
    first, second = board.join(KEY, 10), board.join(KEY, 10)
    board.arrived(KEY, 1)
    assert stirred(first, second) == [True, False]
    board.arrived(KEY, 1)
    assert stirred(first, second) == [True, True]


async def test_as_many_wake_as_can_take_what_came(board: Board) -> None:
    tickets = [board.join(KEY, 2) for _ in range(4)]
    board.arrived(KEY, 5)
    assert stirred(*tickets) == [True, True, True, False]


async def test_whoever_leaves_without_looking_passes_the_news_on(board: Board) -> None:
    first, second, third = (board.join(KEY, 1) for _ in range(3))
    board.arrived(KEY, 1)
    board.leave(first)
    assert stirred(second, third) == [True, False]
    second.looking()
    board.leave(second)
    assert stirred(third) == [False]


async def test_news_that_come_while_somebody_looks_are_not_missed(board: Board) -> None:
    ticket = board.join(KEY, 1)
    ticket.looking()
    board.arrived(KEY, 1)
    assert await ticket.sleep(60)
    ticket.looking()
    assert not await ticket.sleep(0)


async def test_what_falls_due_wakes_the_first_in_time_and_the_earliest_counts(board: Board) -> None:
    first, second = board.join(KEY, 1), board.join(KEY, 1)
    now = SystemClock().now() * 1000
    board.expect(KEY, now + 3_600_000)
    board.expect(KEY, now + 20)
    board.expect(KEY, now + 7_200_000)
    assert await asyncio.wait_for(first.sleep(60), 10)
    assert stirred(first, second) == [True, False]
    board.leave(first)
    board.leave(second)


async def test_a_change_of_the_queue_wakes_everybody(board: Board) -> None:
    tickets = [board.join(KEY, 1) for _ in range(3)]
    board.changed(KEY)
    assert stirred(*tickets) == [True, True, True]


async def test_nobody_who_is_gone_is_woken(board: Board) -> None:
    first, second = board.join(KEY, 1), board.join(KEY, 1)
    first.abandon()
    assert not await first.sleep(60)
    board.arrived(KEY, 1)
    assert stirred(first, second) == [False, True]


async def test_nothing_is_left_of_lines_that_nobody_stands_in(board: Board) -> None:
    ticket = board.join(KEY, 1)
    board.expect(KEY, SystemClock().now() * 1000 + 1000)
    board.leave(ticket)
    assert board.waiting(KEY) == 0
    board.arrived(KEY, 1)
    board.expect(KEY, 0)
