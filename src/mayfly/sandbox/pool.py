"""Sandboxes that wait for their function: a started runtime in a sandbox of its own, made before anybody needs it.

For runtimes that cannot fork. What waits holds nothing of any function, is handed to one, and never to another: its
code is mounted into it when it is taken. What is kept apart is what cannot be changed later: the runtime, and the
memory that it was started for. How many are worth having, `policy.spares` says, as of spares; one is made at a time,
when taking has been quiet for a moment, so that a burst keeps the processors to itself. Used by `namespace`.
"""

import asyncio
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.policy import spares as policy
from mayfly.sandbox.agent_sandbox import AgentSandbox
from mayfly.sandbox.api import SandboxSpec

# So long nothing may have been taken before another is made; and after one that could not be made.
QUIET_S = 0.05
_RETRY_S = 5.0
_log = logging.getLogger(__name__)


class Maker(Protocol):
    """Where sandboxes come from."""

    async def vacant(self, spec: SandboxSpec) -> AgentSandbox: ...

    async def fit(self, sandbox: AgentSandbox, spec: SandboxSpec) -> None: ...


class Kind(NamedTuple):
    """What waits on one shelf: all that a process is told before it has a function."""

    runtime: str
    memory_mb: int
    processes: int
    open_files: int
    cpus: float
    level: str

    @classmethod
    def of(cls, spec: SandboxSpec) -> "Kind":
        return cls(*(getattr(spec, name) for name in cls._fields))

    def spec(self) -> SandboxSpec:
        """Of a sandbox without a function; its code is not looked at."""
        return SandboxSpec(code=Path("/"), pooled=True, **self._asdict())


@dataclass(slots=True)
class _Shelf:
    kind: Kind
    demand: policy.Demand
    waiting: list[tuple[AgentSandbox, asyncio.Task[None]]] = field(default_factory=list)  # the oldest first


class Pool:
    """What waits at one factory, `most` of all kinds together."""

    def __init__(self, maker: Maker, most: int, clock: Clock) -> None:
        self._maker = maker
        self._most = most
        self._clock = clock
        self._shelves: dict[Kind, _Shelf] = {}
        self._not_before = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0  # when the timer is; one that is due at once is a plain handle on uvloop, which cannot say
        self._making: asyncio.Task[None] | None = None
        self._ends: set[asyncio.Task[None]] = set()  # of what is given back
        self._closed = False

    async def take(self, spec: SandboxSpec) -> AgentSandbox | None:
        """A sandbox with the function of `spec` in it; None where none waited. The demand is noted in both cases."""
        if not self._most or self._closed:
            return None
        shelf = self._expect(spec)
        self._not_before = max(self._not_before, self._clock.monotonic() + QUIET_S)
        self._look_in(QUIET_S)
        while shelf.waiting:
            sandbox, watch = shelf.waiting.pop(0)  # it has had the most time to start
            watch.cancel()
            try:
                await self._maker.fit(sandbox, spec)
            except PlatformError as error:
                _log.info("a process that waited cannot be used: %s", error)
                self._give_back(sandbox)
            except BaseException:
                self._give_back(sandbox)
                raise
            else:
                return sandbox
        return None

    def waiting(self) -> int:
        """How many there are."""
        return sum(len(shelf.waiting) for shelf in self._shelves.values())

    async def close(self) -> None:
        """Give all back."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        for shelf in self._shelves.values():
            self._discard(shelf, 0)
        await asyncio.gather(*self._ends, return_exceptions=True)

    def _expect(self, spec: SandboxSpec) -> _Shelf:
        kind = Kind.of(spec)
        now, shelf = self._clock.monotonic(), self._shelves.get(kind)
        if shelf is None:
            shelf = self._shelves[kind] = _Shelf(kind, policy.started(None, now))
        else:
            shelf.demand = policy.started(shelf.demand, now)
        return shelf

    # Looking after the shelves.

    def _look_in(self, delay_s: float) -> None:
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay_s
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._timer, self._due = loop.call_later(delay_s, self._look), due

    def _look(self) -> None:
        """Give back what is too much, make one that is missing, and see when to look again."""
        self._timer = None
        now = self._clock.monotonic()
        missing = self._missing(now)
        if missing and self._making is None:
            if self._not_before > now:
                self._look_in(self._not_before - now)
            else:
                self._making = asyncio.create_task(self._add(missing[0]), name=f"pool {missing[0].kind.runtime}")
        changes = [policy.changes_at(shelf.demand, now) for shelf in self._shelves.values()]
        if changes:
            self._look_in(max(QUIET_S, min(changes) - now))

    def _missing(self, now: float) -> list[_Shelf]:
        """The shelves that have too few; those that have too many are relieved of the rest."""
        by_name = {str(number): shelf for number, shelf in enumerate(self._shelves.values())}
        wants = [
            policy.Want(name, policy.wanted(shelf.demand, now), shelf.demand.at) for name, shelf in by_name.items()
        ]
        missing = []
        for name, count in policy.allot(wants, self._most).items():
            shelf = by_name[name]
            self._discard(shelf, count)
            if len(shelf.waiting) < count:
                missing.append(shelf)
        for kind in [kind for kind, shelf in self._shelves.items() if policy.wanted(shelf.demand, now) == 0]:
            del self._shelves[kind]
        return missing

    async def _add(self, shelf: _Shelf) -> None:
        made: AgentSandbox | None = None
        try:
            made = await self._maker.vacant(shelf.kind.spec())
        except PlatformError as error:
            _log.info("no process can wait for functions of %s: %s", shelf.kind.runtime, error)
            self._not_before = self._clock.monotonic() + _RETRY_S
        finally:
            self._making = None
        if made is not None:
            if self._closed or shelf not in self._shelves.values():
                self._give_back(made)
            else:
                watch = asyncio.create_task(self._await_end(shelf, made), name=f"pooled {made.id}")
                shelf.waiting.append((made, watch))
        self._look_in(0.0 if made is not None else _RETRY_S)

    async def _await_end(self, shelf: _Shelf, sandbox: AgentSandbox) -> None:
        """Take it off its shelf should it end there."""
        await sandbox.exited()
        shelf.waiting[:] = [entry for entry in shelf.waiting if entry[0] is not sandbox]
        self._give_back(sandbox)
        self._not_before = self._clock.monotonic() + _RETRY_S
        self._look_in(_RETRY_S)

    def _discard(self, shelf: _Shelf, count: int) -> None:
        """Give back all but `count`, the oldest first."""
        while len(shelf.waiting) > count:
            sandbox, watch = shelf.waiting.pop(0)
            watch.cancel()
            self._give_back(sandbox)

    def _give_back(self, sandbox: AgentSandbox) -> None:
        task = asyncio.create_task(_give_back(sandbox), name=f"give back {sandbox.id}")
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)


async def _give_back(sandbox: AgentSandbox) -> None:
    sandbox.control.close()
    os.close(sandbox.output)
    if sandbox.endpoint is not None:
        sandbox.endpoint.close()
    await sandbox.discard()
