"""The leases of one target in a front: which are idle, which calls wait for one, how many questions are under way.

Every call that waits is covered: by a question whose answer is to come, or by one that is put off. Made and kept by
`leases`; sends nothing itself.
"""

import asyncio
import collections
import math

from mayfly.front.borrowed import Borrowed
from mayfly.policy import leasing


class Held:
    """See the module."""

    def __init__(self) -> None:
        self.idle: list[Borrowed] = []
        self._waiting: collections.deque[asyncio.Future[Borrowed | None]] = collections.deque()
        self._asked = 0  # answers to come
        self._put_off = 0  # questions
        self._busy = 0
        self._took_s = math.inf  # a call, on average
        self._refused_at = -math.inf

    @property
    def unused(self) -> bool:
        """Whether nobody needs this any more, as far as is known here."""
        return not (self.idle or self._waiting or self._asked or self._put_off or self._busy)

    # Leases.

    def take(self) -> Borrowed | None:
        """An idle lease."""
        return self.idle.pop() if self.idle else None

    def offer(self, instance: Borrowed) -> None:
        """A lease is idle: it is for the call that has waited longest, if there is one."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(instance)
                return
        self.idle.append(instance)

    def unlist(self, instance: Borrowed) -> None:
        """It is idle no more, if it was."""
        if instance in self.idle:
            self.idle.remove(instance)

    def unused_since(self, before: float) -> list[Borrowed]:
        """Take those that are idle since before that time."""
        found = [instance for instance in self.idle if instance.idle_since < before]
        for instance in found:
            self.idle.remove(instance)
        return found

    # Calls.

    def began(self) -> None:
        """A lease runs a call."""
        self._busy += 1

    def ended(self, took_s: float) -> None:
        """The call ended."""
        self._busy -= 1
        self._took_s = leasing.average_s(self._took_s, took_s)

    def wait(self, loop: asyncio.AbstractEventLoop) -> "asyncio.Future[Borrowed | None]":
        """A call waits for an instance, or for word that there is none."""
        waiting: asyncio.Future[Borrowed | None] = loop.create_future()
        self._waiting.append(waiting)
        return waiting

    # Questions.

    def patience_s(self, now: float) -> float:
        """How long the call that waits last may wait before the core is asked for it."""
        return leasing.patience_s(
            took_s=self._took_s, waiting=len(self._waiting), busy=self._busy, refused_s=now - self._refused_at
        )

    def put_off(self) -> None:
        """The question for the last call comes later."""
        self._put_off += 1

    def time_to_ask(self) -> None:
        """A question was put off until now."""
        self._put_off -= 1

    def asks(self) -> bool:
        """Whether a call waits that no question covers; it is asked for now, then."""
        if len(self._waiting) <= self._asked + self._put_off:
            return False
        self._asked += 1
        return True

    def answered(self) -> None:
        """An answer has come; `offer` or `disappoint` follows."""
        self._asked -= 1

    def refused(self, now: float) -> None:
        """The core had none."""
        self._refused_at = now
        self.disappoint()

    def disappoint(self) -> None:
        """Tell calls that are not covered any more that there is none for them."""
        while len(self._waiting) > self._asked + self._put_off:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
