"""Receivers that wait: who is woken when something may be received, in the order in which they came.

Lives on the event loop alone. A receiver takes a ticket before it looks into the database, so that no commit falls
between looking and waiting: a stir that comes meanwhile makes it look again. Whoever got as much as it wanted, or
leaves without having looked again, passes the stir on; so one message wakes one receiver, a hundred wake as many as can
take them, and nobody polls. What becomes due later is one timer a queue.

Owned by the service; transactions report to it by `after_commit`, in the order of the commits.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from mayfly.clock import Clock
from mayfly.services.queues.model import QueueKey


class Timers(Protocol):
    """What is needed of an event loop."""

    def call_later(self, delay: float, callback: Callable[[], object], /) -> asyncio.TimerHandle: ...


class Ticket:
    """One receiver's place in the line of a queue."""

    __slots__ = ("_event", "abandoned", "key", "stirred", "wanted")

    def __init__(self, key: QueueKey, wanted: int) -> None:
        self.key = key
        self.wanted = wanted
        self.stirred = False
        self.abandoned = False  # there is nobody to wait for any more
        self._event = asyncio.Event()

    def stir(self) -> None:
        """Have the receiver look again."""
        self.stirred = True
        self._event.set()

    def abandon(self) -> None:
        """Say that nobody wants what the receiver waits for any more."""
        self.abandoned = True
        self._event.set()

    def looking(self) -> None:
        """The receiver looks: what it is told from now on, it may not see."""
        self.stirred = False
        self._event.clear()

    async def sleep(self, timeout_s: float) -> bool:
        """Whether there is a reason to look again; False after `timeout_s` or when abandoned."""
        if not self.stirred and not self.abandoned:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._event.wait()
            except TimeoutError:
                return False
        return not self.abandoned


class _Line:
    """Those who wait for one queue, and when to look for them."""

    __slots__ = ("due_at", "tickets", "timer")

    def __init__(self) -> None:
        self.tickets: dict[Ticket, None] = {}  # in the order in which they came
        self.due_at = math.inf
        self.timer: asyncio.TimerHandle | None = None


class Board:
    """The lines of all queues that somebody waits for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[QueueKey, _Line] = {}

    def join(self, key: QueueKey, wanted: int) -> Ticket:
        """Wait for up to `wanted` messages; `leave` must follow."""
        ticket = Ticket(key, wanted)
        self._lines.setdefault(key, _Line()).tickets[ticket] = None
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give the place up."""
        line = self._lines[ticket.key]
        del line.tickets[ticket]
        if not line.tickets:
            if line.timer is not None:
                line.timer.cancel()
            del self._lines[ticket.key]
        elif ticket.stirred:
            self.arrived(ticket.key, ticket.wanted)

    def arrived(self, key: QueueKey, count: int) -> None:
        """`count` messages may be received now."""
        line = self._lines.get(key)
        if line is None:
            return
        for ticket in line.tickets:
            if count <= 0:
                break
            if not ticket.stirred and not ticket.abandoned:
                ticket.stir()
                count -= ticket.wanted

    def changed(self, key: QueueKey) -> None:
        """Have everybody look again: the queue is another one now, or gone."""
        line = self._lines.get(key)
        for ticket in line.tickets if line is not None else ():
            ticket.stir()

    def dismiss(self) -> None:
        """Have all who wait now leave with what they have, which is nothing."""
        for line in self._lines.values():
            for ticket in line.tickets:
                ticket.abandon()

    def expect(self, key: QueueKey, due_at: float) -> None:
        """Something falls due at `due_at` (Unix milliseconds)."""
        line = self._lines.get(key)
        if line is None or due_at >= line.due_at:
            return
        line.due_at = due_at
        if line.timer is not None:
            line.timer.cancel()
        delay_s = max(0.0, due_at / 1000 - self._clock.now())
        line.timer = asyncio.get_running_loop().call_later(delay_s, self._fell_due, key, line)

    def waiting(self, key: QueueKey) -> int:
        """How many receivers wait for a queue."""
        line = self._lines.get(key)
        return len(line.tickets) if line is not None else 0

    def _fell_due(self, key: QueueKey, line: _Line) -> None:
        early_ms = line.due_at - self._clock.now() * 1000
        due_at, line.due_at, line.timer = line.due_at, math.inf, None
        if early_ms > 0:  # timers follow another clock, and round
            self.expect(key, due_at)
        else:
            self.arrived(key, 1)
