"""What is made when it is first needed: in a thread, once, whoever else needs it meanwhile waiting for the same.

The root makes one `Late` of each service and hands it to whoever may need that service; `wire` loads models and
compiles operations by `Loads`. Nothing else of Mayfly imports or loads late. A failure is told to those who waited for
it, and who asks next tries again.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mayfly.errors import PlatformError

T = TypeVar("T")

_log = logging.getLogger(__name__)


class EndingError(PlatformError):
    """What was not needed so far is needed while the platform ends. Ask the next server."""


class Loads:
    """Work in threads, by key: what is under way is not begun again."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}

    async def once(self, key: Hashable, load: Callable[[], T]) -> T:
        """What `load` gives, in a thread, or what it gives to whoever asked before; whatever it raises. It goes on when
        all who wait are cancelled."""
        task: asyncio.Task[T] | None = self._under_way.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(asyncio.to_thread(load), name=f"load-{key}")
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._over(key, done))
        return await asyncio.shield(task)

    def _over(self, key: Hashable, done: "asyncio.Task[Any]") -> None:
        del self._under_way[key]
        if not done.cancelled():
            done.exception()  # looked at, should nobody wait any more


async def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Living(Generic[T]):
    """Something made, and how it lives: `start` is awaited before it answers, `run` is a task of its own from then on,
    `stop` is awaited at the end, after `run` was cancelled."""

    it: T
    start: Callable[[], Awaitable[None]] = _nothing
    run: Callable[[], Coroutine[Any, Any, None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing


class Late(Generic[T]):
    """Something that lives from when it is first needed. Made on the loop that it will live on.

    `ready` is for who can wait; `now` for who cannot, in a thread: the bodies of transactions. `made` is what there is,
    None before: for who has nothing to do with it unless it is there.
    """

    def __init__(self, name: str, make: Callable[[], Living[T]]) -> None:
        """`make` imports and builds, in some thread, without touching the loop."""
        self.name = name
        self.made: T | None = None
        self._make = make
        self._living: Living[T] | None = None
        self._lock = threading.RLock()
        self._starting: asyncio.Task[T] | None = None
        self._running: asyncio.Task[None] | None = None
        self._ending = False
        self._loop = asyncio.get_running_loop()

    def now(self) -> T:
        """It, made if need be; started soon, by the loop. Blocks for tens of milliseconds when it is the first call."""
        made = self.made
        if made is None:
            made = self.make()
            self._loop.call_soon_threadsafe(self._begin)
        return made

    async def ready(self) -> T:
        """It, made and started."""
        if self._running is not None:
            assert self.made is not None, "it runs"
            return self.made
        return await asyncio.shield(self._begin())

    async def close(self) -> None:
        """End it, if it was ever needed; from now on it cannot be."""
        self._ending = True
        if self._starting is not None:
            await asyncio.wait((self._starting,))
        if self._running is None or self._living is None:
            return
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._living.stop()

    def make(self) -> T:
        """It, made but not started; in a thread. For who starts it with `ready`, after others were made."""
        with self._lock:
            if self.made is None:
                if self._ending:
                    raise EndingError(f"{self.name} was not needed so far, and the platform ends now")
                self._living = self._make()
                self.made = self._living.it
            return self.made

    def _begin(self) -> "asyncio.Task[T]":
        """The task that makes and starts it; on the loop."""
        if self._starting is None:
            self._starting = self._loop.create_task(self._start(), name=f"start-{self.name}")
            self._starting.add_done_callback(self._started)
        return self._starting

    async def _start(self) -> T:
        made = self.made if self.made is not None else await asyncio.to_thread(self.make)
        assert self._living is not None, "made together"
        await self._living.start()
        self._running = self._loop.create_task(self._living.run(), name=self.name)
        self._running.add_done_callback(self._stopped)
        return made

    def _started(self, done: "asyncio.Task[T]") -> None:
        if done.cancelled() or done.exception() is not None:
            self._starting = None  # who asks next tries again
            _log.warning("%s could not be loaded or started: %s", self.name, done)

    def _stopped(self, done: "asyncio.Task[None]") -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.error("the work of %s in the background has ended", self.name, exc_info=error)
