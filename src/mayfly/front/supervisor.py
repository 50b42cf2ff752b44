"""All fronts of one core: started, told of every change, replaced when they die, drained at the end.

Each has a listening socket of its own, which this process keeps: connections that wait in it outlive the front and are
accepted by the next one. A front that dies takes the connections that it served along; the instances that it had leased
are ended, because what they were doing is unknown.

What is revoked here is forgotten by every front before `settled` returns, or the front is killed; so a change is
acknowledged only when no front acts on what was before.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mayfly.clock import Clock
from mayfly.front import messages
from mayfly.front.connections import HandOver
from mayfly.front.desk import Core, Desk
from mayfly.front.link import Link
from mayfly.policy.retry import backoff
from mayfly.store.journal_follow import FollowedJournal

_FIRST_RETRY_S, _MOST_RETRY_S = 0.1, 10.0
_STEADY_S = 30.0  # a front that lived this long did not die of its start
START_S = 30.0
PING_EVERY_S = 2.0
END_S = 5.0

_log = logging.getLogger(__name__)


# Accepts on a listener, which stays the caller's, until what it returns is called.
StandIn = Callable[[socket.socket], Awaitable[Callable[[], None]]]


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Plan:
    """What a front is started with."""

    module: str  # that is run
    lock: int  # a descriptor that every front inherits: while one lives, it is held
    welcome: Callable[[str, int], messages.Welcome]  # of its name and the number of its journal's first segment


class Front:
    """One of them: a process, again and again."""

    def __init__(self, name: str, listener: socket.socket, journal: FollowedJournal, plan: Plan) -> None:
        self.name = name
        self.listener = listener
        self.journal = journal
        self._plan = plan
        self.desk: Desk | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.up = asyncio.Event()  # it accepted once
        self.stop_standing_in: Callable[[], None] = _nothing

    @property
    def ready(self) -> bool:
        return self.desk is not None and self.desk.ready

    async def live(self, core: Core) -> None:
        """Run one process from its start until its end, by whoever brings it about."""
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        ours, theirs = socket.socketpair()
        with theirs:
            process = self.process = await asyncio.to_thread(self._spawn, theirs)
        desk = self.desk = Desk(core, self.journal.noticed)
        link: Link[Any] = Link(ours, messages.FromFront, desk.heard, gone.set)
        desk.attach(link, gone.set)
        desk.send(self._plan.welcome(self.name, self.journal.next_segment))
        watching = loop.create_task(self._watch(desk), name=f"watch {self.name}")
        try:
            await gone.wait()
        finally:
            watching.cancel()
            await self._bury(desk, process)

    def _spawn(self, theirs: socket.socket) -> "subprocess.Popen[bytes]":
        numbers = (theirs.fileno(), self.listener.fileno())
        return subprocess.Popen(
            [sys.executable, "-m", self._plan.module, *map(str, numbers)],
            stdin=subprocess.DEVNULL,
            pass_fds=(*numbers, self._plan.lock),
            start_new_session=True,  # a Ctrl-C in the terminal is for the core, which drains its fronts
        )

    async def _watch(self, desk: Desk) -> None:
        """Fold what it writes, and see that it answers."""
        try:
            async with asyncio.timeout(START_S):
                await desk.started.wait()
            self.up.set()
            self.stop_standing_in()
            self.stop_standing_in = _nothing
        except TimeoutError:
            desk.end("it did not start in time")
            return
        while True:
            await asyncio.sleep(PING_EVERY_S)
            self.journal.noticed()
            if not await desk.order(messages.Ping):
                desk.end("it does not answer")
                return

    async def _bury(self, desk: Desk, process: "subprocess.Popen[bytes]") -> None:
        """See the process out: only when it is gone is it certain that it writes and runs nothing more."""
        desk.close()
        try:
            await asyncio.to_thread(process.wait, 0.5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            await asyncio.to_thread(process.wait)
        desk.lost()
        self.journal.renew()
        self.process = None


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

    async def ready(self) -> None:
        """Return when every front accepts, or has had the time to."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                await asyncio.gather(*(front.up.wait() for front in self._fronts))

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
            if front.process is not None:
                front.process.kill()
            desk.end("it did not forget what was revoked")

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
            try:
                await front.live(core)
            except OSError:
                _log.exception("%s could not be started", front.name)
            if self._draining:
                return
            steady = self._clock.monotonic() - began_at > _STEADY_S
            failures = 1 if steady else failures + 1
            front.stop_standing_in()
            front.stop_standing_in = await self._stand_in(front.listener)
            pause_s = backoff(failures, _FIRST_RETRY_S, _MOST_RETRY_S)
            _log.error("%s ended; another one is started in %.1f s", front.name, pause_s)
            await asyncio.sleep(pause_s)

    def drain(self) -> None:
        """Have every front finish what it has, and end."""
        self._draining = True
        for front in self._fronts:
            if front.desk is not None and front.desk.alive:
                front.desk.send(messages.Drain())

    @property
    def count(self) -> int:
        return len(self._fronts)

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
        for front in self._fronts:
            front.listener.close()
