"""Pipes kept in the state that is stored: each change of it is a row that says what is under way, then the work, then
a row that says what came of it. A start goes on with whatever the last process left."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import msgspec

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.services.contract import ServiceError
from mayfly.services.pipes import catalog, statements
from mayfly.services.pipes.model import FAILED, UNDER_WAY, Pipe, State
from mayfly.services.pipes.runner import Runner
from mayfly.store.api import Reader, Store, StoreClosedError, Tx

STOP_S = 10.0  # for batches that are under way when a pipe is stopped; what takes longer comes again later
_PAGE = 100
_PAUSE_S = 1.0

_log = logging.getLogger(__name__)


class Driver:
    """`run` must be a task for as long as pipes are to run."""

    def __init__(self, store: Store, clock: Clock, make: Callable[[Pipe], Runner]) -> None:
        self._store = store
        self._clock = clock
        self._make = make
        self._running: dict[str, tuple[Runner, asyncio.Task[None]]] = {}
        self._wanted: set[str] = set()
        self._woken = asyncio.Event()
        self._applying: dict[str, asyncio.Task[None]] = {}

    def want(self, name: str) -> None:
        """Bring a pipe into the state that its row asks for. Called on the event loop, after the commit."""
        self._wanted.add(name)
        self._woken.set()

    async def run(self) -> None:
        """Run pipes until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._resume())
                while True:
                    await self._woken.wait()
                    self._woken.clear()
                    for name in [each for each in self._wanted if each not in self._applying]:
                        self._wanted.discard(name)
                        self._applying[name] = tasks.create_task(self._apply(name))
        finally:
            await self._cancel_all()

    async def settled(self, name: str) -> None:
        """Return when nothing is under way for a pipe: for tests."""
        while name in self._wanted or name in self._applying:
            if name in self._applying:
                await asyncio.wait({self._applying[name]})
            await asyncio.sleep(0)

    async def _resume(self) -> None:
        while True:
            try:
                return await self._want_all()
            except StoreClosedError:
                return None
            except PlatformError:
                _log.exception("pipes cannot be read now; the next attempt follows")
                await asyncio.sleep(_PAUSE_S)

    async def _want_all(self) -> None:
        after = ""
        while True:
            names = await self._store.read(partial(_unsettled, after=after))
            for name in names:
                self.want(name)
            if len(names) < _PAGE:
                return
            after = names[-1]

    async def _apply(self, name: str) -> None:
        """The boundary around one change."""
        try:
            await self._bring(name)
        except StoreClosedError:
            return
        except Exception:
            _log.exception("pipe %s could not be brought into its state; the next attempt follows", name)
            await asyncio.sleep(_PAUSE_S)
            self.want(name)
        finally:
            del self._applying[name]
            if name in self._wanted:
                self._woken.set()

    async def _bring(self, name: str) -> None:
        pipe = await self._store.read(lambda reader: catalog.find(reader, name))
        if pipe is None or pipe.state in UNDER_WAY or pipe.desired != "RUNNING":
            await self._stop(name)
        if pipe is None:
            return
        if pipe.state == "DELETING":
            await self._store.write(lambda tx: catalog.delete(tx, name))
            return
        reached: State = "STOPPED"
        reason: str | None = None
        if pipe.desired == "RUNNING" and pipe.state in {*UNDER_WAY, "RUNNING"}:
            try:
                self._start(pipe)
                reached = "RUNNING"
            except ServiceError as error:
                reached, reason = FAILED[pipe.state], error.message
        if pipe.state != reached and pipe.state in {*UNDER_WAY, "RUNNING"}:
            await self._store.write(lambda tx: self._reach(tx, pipe, reached, reason))

    def _reach(self, tx: Tx, before: Pipe, state: State, reason: str | None) -> None:
        """Say that a pipe has come to a state, unless something else was asked of it meanwhile."""
        pipe = catalog.find(tx, before.name)
        if pipe is not None and (pipe.state, pipe.modified_at) == (before.state, before.modified_at):
            catalog.put(tx, msgspec.structs.replace(pipe, state=state, reason=reason))

    def _start(self, pipe: Pipe) -> None:
        if pipe.name not in self._running:
            runner = self._make(pipe)
            task = asyncio.get_running_loop().create_task(runner.run(), name=f"pipe-{pipe.name}")
            self._running[pipe.name] = (runner, task)
            task.add_done_callback(lambda task: self._ended(pipe.name, task))

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        """A runner that ends by itself is a fault of ours: its pipe goes on, after a pause."""
        if task.cancelled() or task.exception() is None:
            return
        _log.error("pipe %s stopped running; it is started again", name, exc_info=task.exception())
        if self._running.get(name, (None, None))[1] is task:
            del self._running[name]
            asyncio.get_running_loop().call_later(_PAUSE_S, self.want, name)

    async def _stop(self, name: str) -> None:
        found = self._running.pop(name, None)
        if found is None:
            return
        runner, task = found
        runner.finish()
        await asyncio.wait({task}, timeout=STOP_S)
        await _cancel(task)

    async def _cancel_all(self) -> None:
        running, self._running = list(self._running.values()), {}
        for _, task in running:
            task.cancel()
        for _, task in running:
            await _cancel(task)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _unsettled(reader: Reader, after: str) -> list[str]:
    return [row[0] for row in reader.all(statements.UNSETTLED, {"after": after, "limit": _PAGE})]
