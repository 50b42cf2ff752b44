"""What all connections of one front door share: who answers, the limits, and who is there.

Everything that depends on time is looked at once a second by `tick`: a timer a request, or a message, would cost more
than answering does. So limits in time are exact to a second.
"""

import asyncio
import email.utils
from typing import Protocol

from mayfly.http.api import Answer
from mayfly.http.heads import status_line
from mayfly.ids import RequestIds
from mayfly.settings import HttpSettings

MAX_CONNECTIONS = 16_384


class Quota:
    """How many connections one listener may have at a time: a sandbox must not take everybody's."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self) -> bool:
        """Whether there was one left; it is taken then."""
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """The end of a connection that was taken."""
        self._left += 1


class Guarded(Protocol):
    """A connection as its front door sees it."""

    def look(self, now: float) -> None:
        """Cut the connection if its client keeps us waiting; `now` is the loop's time."""

    def refuse(self) -> None:
        """End with the request that is being answered, or now if there is none."""

    def cut(self) -> None:
        """End now."""


class Traffic:
    """Made on the event loop that serves; `tick` is for whoever made it to call once a second."""

    def __init__(self, answer: Answer, settings: HttpSettings) -> None:
        self.answer = answer
        self.head_limit = settings.header_bytes
        self.keep_alive_s = settings.keep_alive_s
        self.ids = RequestIds()
        self.loop = asyncio.get_running_loop()
        self.connections: set[Guarded] = set()
        self.tasks: set[asyncio.Task[None]] = set()  # one for each request that is being answered
        self.now = self.loop.time()  # as of the last tick
        self._date = ""
        self._firsts: dict[int, str] = {}
        self.tick()

    @property
    def full(self) -> bool:
        """Whether a new connection is one too many."""
        return len(self.connections) >= MAX_CONNECTIONS

    def first(self, status: int) -> str:
        """The first lines of a reply: its status and the date."""
        found = self._firsts.get(status)
        if found is None:
            found = self._firsts[status] = f"{status_line(status)}\r\ndate: {self._date}\r\n"
        return found

    def tick(self) -> None:
        """Take the time, and look at every connection."""
        self.now = self.loop.time()
        self._date = email.utils.formatdate(usegmt=True)
        self._firsts.clear()
        for connection in list(self.connections):
            connection.look(self.now)

    def refuse(self) -> None:
        """Let every connection end with what it is busy with."""
        for connection in list(self.connections):
            connection.refuse()

    async def drained(self) -> None:
        """Return when no request is being answered."""
        while self.tasks:
            await asyncio.wait(list(self.tasks))

    def cut(self) -> None:
        """End everything."""
        for task in list(self.tasks):
            task.cancel()
        for connection in list(self.connections):
            connection.cut()
