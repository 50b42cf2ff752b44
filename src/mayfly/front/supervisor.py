"""All fronts of one core: started, told of every change, replaced when they die, drained at the end.

Each has a listening socket of its own, which this process keeps: connections that wait in it outlive the front and are
accepted by the next one. A front that dies takes the connections that it served along; the instances that it had leased
are ended, because what they were doing is unknown.

What is revoked here is forgotten by every front before `settled` returns, or the front is killed; so a change is
acknowledged only when no front acts on what was before.
"""

import asyncio
import itertools
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence

from mayfly.clock import Clock
from mayfly.front import messages
from mayfly.front.connections import HandOver
from mayfly.front.desk import Core, Desk
from mayfly.front.process import Front, FrontView
from mayfly.policy.retry import backoff

_FIRST_RETRY_S, _MOST_RETRY_S = 0.1, 10.0
_STEADY_S = 30.0  # a front that lived this long did not die of its start
END_S = 5.0

_log = logging.getLogger(__name__)

# Accepts on a listener, which stays the caller's, until what it returns is called.
StandIn = Callable[[socket.socket], Awaitable[Callable[[], None]]]


class Fronts:
    """All of them. Until a front accepts on its listener, and whenever it does not, `stand_in` has the core do so."""

    def __init__(self, stand_in: StandIn, clock: Clock) -> None:
        self._stand_in = stand_in
        self._clock = clock
        self._fronts: list[Front] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._turn = itertools.count()
        self._revoking: set[asyncio.Task[None]] = set()
        self._draining = False

    async def start(self, core: Core, fronts: Sequence[Front]) -> None:
        """Accept on all listeners, and start the fronts that will; keep them alive until `stop`."""
        loop = asyncio.get_running_loop()
        self._fronts = list(fronts)
        for front in fronts:
            front.stop_standing_in = await self._stand_in(front.listener)
        self._tasks = [loop.create_task(self._keep_alive(front, core), name=front.name) for front in fronts]

    def views(self) -> list[FrontView]:
        """All of them, for whoever looks."""
        return [front.view() for front in self._fronts]

    @property
    def under_way(self) -> int:
        """How many requests fronts are answering, as of a moment ago."""
        return sum(front.desk.under_way for front in self._fronts if front.desk is not None)

    def taker(self) -> HandOver | None:
        """Where a connection can go that has a request for a front; None: nowhere."""
        ready = [front for front in self._fronts if front.ready]
        if not ready or self._draining:
            return None
        front = ready[next(self._turn) % len(ready)]

        def hand_over(descriptor: int, data: bytes) -> None:
            assert front.desk is not None
            front.desk.send(messages.Moved(data), (descriptor,), close=True)

        return hand_over

    # Changes.

    def revoke(self, function: str | None, *, keys: bool = False) -> None:
        """Have every front forget a function (None: all, "": none), and all keys if `keys`; see `settled`."""
        for front in self._fronts:
            if front.desk is not None and front.desk.alive:
                task = asyncio.get_running_loop().create_task(self._revoke(front, front.desk, function, keys=keys))
                self._revoking.add(task)
                task.add_done_callback(self._revoking.discard)

    async def _revoke(self, front: Front, desk: Desk, function: str | None, *, keys: bool) -> None:
        if not await desk.order(lambda number: messages.Revoke(number, function, keys)):
            _log.error("%s is killed: it did not forget what was revoked", front.name)
            desk.end("it did not forget what was revoked")
            await front.kill()

    @property
    def unsettled(self) -> bool:
        """Whether something was revoked that some front may still know."""
        return bool(self._revoking)

    async def settled(self) -> None:
        """Return when every front has forgotten what was revoked until now."""
        if self._revoking:
            await asyncio.wait(self._revoking)

    # Life and death.

    async def _keep_alive(self, front: Front, core: Core) -> None:
        failures = 0
        while not self._draining:
            began_at = self._clock.monotonic()
            ended = "could not be started"
            try:
                ended = f"ended with status {await front.live(core)}"
            except OSError:
                _log.exception("%s could not be started", front.name)
            if self._draining:
                return
            steady = self._clock.monotonic() - began_at > _STEADY_S
            failures = 1 if steady else failures + 1
            front.stop_standing_in()
            front.stop_standing_in = await self._stand_in(front.listener)
            if self._draining:
                front.stop_standing_in()
                return
            pause_s = backoff(failures, _FIRST_RETRY_S, _MOST_RETRY_S)
            _log.error("%s %s; another one is started in %.1f s", front.name, ended, pause_s)
            await asyncio.sleep(pause_s)

    def drain(self) -> None:
        """Have every front finish what it has, and end. Who connects from now on is refused."""
        self._draining = True
        for front in self._fronts:
            front.drain()

    async def drained(self) -> None:
        """Return when no front is left."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """End what is left of them."""
        self.drain()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_S)
        for front in self._fronts:
            if front.process is not None:
                front.process.kill()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
