"""One front as the core sees it: a process, started, spoken to, watched, and seen out; again and again.

It inherits two sockets, its link and its listener, and a descriptor that shows that it lives. Everything else it is
told over the link. `supervisor` has one of these for each front.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mayfly.front import messages
from mayfly.front.desk import Core, Desk
from mayfly.front.link import Link
from mayfly.store.journal_follow import FollowedJournal

START_S = 30.0
PING_EVERY_S = 2.0


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Plan:
    """What a front is started with."""

    module: str  # that is run
    lock: int  # a descriptor that every front inherits: while one lives, it is held
    welcome: Callable[[str, int], messages.Welcome]  # of its name and the number of its journal's first segment


@dataclass(frozen=True, slots=True)
class FrontView:
    """One front, for those who look."""

    name: str
    pid: int | None  # None: between two processes
    ready: bool  # whether it accepts; if not, the core does in its place
    starts: int  # processes so far
    under_way: int  # requests that it is answering, as of a moment ago


class Front:
    """One of them: a process, again and again."""

    def __init__(self, name: str, listener: socket.socket, journal: FollowedJournal, plan: Plan) -> None:
        self.name = name
        self.listener = listener
        self.journal = journal
        self._plan = plan
        self.desk: Desk | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self._draining = False
        self.stop_standing_in: Callable[[], None] = _nothing

    @property
    def ready(self) -> bool:
        return self.desk is not None and self.desk.ready

    def drain(self) -> None:
        """Have it finish what it has, and end. Who connects from now on is refused."""
        self._draining = True
        self.stop_standing_in()
        self.listener.close()
        if self.desk is not None and self.desk.alive:
            self.desk.send(messages.Drain())

    async def kill(self) -> None:
        """End it now; returns when no process of it is left."""
        if (process := self.process) is not None:
            process.kill()
            await asyncio.to_thread(process.wait)

    def view(self) -> FrontView:
        """What there is to say of it now."""
        pid = self.process.pid if self.process is not None else None
        return FrontView(self.name, pid, self.ready, self.starts, self.desk.under_way if self.desk is not None else 0)

    async def live(self, core: Core) -> int:
        """Run one process from its start until its end, by whoever brings it about; its exit status."""
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        ours, theirs = socket.socketpair()
        with theirs, self.listener.dup() as listener:
            try:
                process = self.process = await asyncio.to_thread(self._spawn, theirs, listener)
            except BaseException:
                ours.close()
                raise
        self.starts += 1
        desk = self.desk = Desk(core, self.journal)
        link: Link[Any] = Link(ours, messages.FromFront, desk.heard, gone.set)
        desk.attach(link, gone.set)
        desk.send(self._plan.welcome(self.name, self.journal.next_segment))
        if self._draining:
            desk.send(messages.Drain())
        watching = loop.create_task(self._watch(desk), name=f"watch {self.name}")
        try:
            await gone.wait()
        finally:
            watching.cancel()
            await self._bury(desk, process)
        return process.returncode

    def _spawn(self, theirs: socket.socket, listener: socket.socket) -> "subprocess.Popen[bytes]":
        numbers = (theirs.fileno(), listener.fileno())
        return subprocess.Popen(
            [sys.executable, "-P", "-m", self._plan.module, *map(str, numbers)],  # -P: nothing from this directory
            stdin=subprocess.DEVNULL,
            pass_fds=(*numbers, self._plan.lock),
            start_new_session=True,  # a Ctrl-C in the terminal is for the core, which drains its fronts
        )

    async def _watch(self, desk: Desk) -> None:
        """Fold what it writes, and see that it answers."""
        try:
            async with asyncio.timeout(START_S):
                await desk.started.wait()
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
