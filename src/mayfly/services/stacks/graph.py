"""Work on a graph: everything that the order allows, of which so much at a time as there are places."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from mayfly.errors import MayflyError


class GivenUpError(MayflyError):
    """What was waited for is not wanted any more."""


class Places:
    """Places to work in. Who merely waits for something outside gives its place up meanwhile; and may be told not to
    wait any longer, because the work as a whole was given up."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._held: set[asyncio.Task[object] | None] = set()
        self._waits: set[asyncio.Timeout] = set()
        self._over = False

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Hold a place."""
        await self._free.acquire()
        task = asyncio.current_task()
        self._held.add(task)
        try:
            yield
        finally:
            if task in self._held:
                self._held.discard(task)
                self._free.release()

    @asynccontextmanager
    async def given_up(self) -> AsyncIterator[None]:
        """Do without one's place; `GivenUpError` once there is nothing to wait for."""
        if self._over:
            raise GivenUpError("the operation was given up")
        task = asyncio.current_task()
        mine = task in self._held
        if mine:
            self._held.discard(task)
            self._free.release()
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._waits.add(limit)
                yield
        except TimeoutError as error:
            if limit.expired():
                raise GivenUpError("the operation was given up") from error
            raise
        finally:
            self._waits.discard(limit)
        if mine:
            await self._free.acquire()
            self._held.add(task)

    def give_up(self) -> None:
        """Let nobody wait, now or later."""
        self._over = True
        for limit in self._waits:
            limit.reschedule(0.0)


async def walk(
    before: Mapping[str, Collection[str]], work: Callable[[str], Awaitable[bool]], places: Places, *, halt: bool
) -> set[str]:
    """Do `work` on every key of `before` once it is done on what it maps to; the keys that failed.

    `work` answers whether it succeeded. What waits for a failure is never begun; with `halt`, nothing else is either,
    what runs is left to finish, and what waits is told not to. Cancelling cancels what runs.
    """
    waiting = {name: set(names) & set(before) for name, names in before.items()}
    after: dict[str, list[str]] = {}
    for name, names in waiting.items():
        for other in names:
            after.setdefault(other, []).append(name)
    running: dict[asyncio.Task[bool | None], str] = {}
    failed: set[str] = set()

    async def run(name: str) -> bool | None:
        async with places.taken():
            return None if halt and failed else await work(name)

    ready = [name for name, names in waiting.items() if not names]
    async with asyncio.TaskGroup() as group:
        while True:
            for name in ready:
                running[group.create_task(run(name))] = name
            ready = []
            if not running:
                return failed
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                name, result = running.pop(task), task.result()
                if result is False:
                    failed.add(name)
                elif result:
                    ready += _freed(name, after, waiting)
            if halt and failed:
                ready = []
                places.give_up()


def _freed(name: str, after: Mapping[str, list[str]], waiting: Mapping[str, set[str]]) -> list[str]:
    """Those that waited for `name` last."""
    freed = []
    for other in after.get(name, ()):
        waiting[other].discard(name)
        if not waiting[other]:
            freed.append(other)
    return freed
