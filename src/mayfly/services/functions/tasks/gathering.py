"""Many small writes as few large ones: what comes in one turn of the event loop is one body of the store.

`UNDER_WAY` bodies at most are on their way to the disk at a time; what comes meanwhile gathers. So a single write waits
for nobody, and under load a body has as many as came during a commit.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
MOST = 512  # in one body
UNDER_WAY = 2


class Gathering(Generic[T, R]):
    """Hands items to `write` in batches; it returns what belongs to each, in order."""

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, alone: bool = False) -> None:
        """`alone`: where a batch fails, each of it is tried alone, so that nobody pays for a neighbour."""
        self._write = write
        self._alone = alone
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduled = False

    def add(self, item: T) -> "asyncio.Future[R]":
        """Have it written; done once that is durable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        if not self._scheduled and len(self._tasks) < UNDER_WAY:
            self._scheduled = True
            loop.call_soon(self._begin)
        return future

    def _begin(self) -> None:
        self._scheduled = False
        if not self._waiting:
            return
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        task = asyncio.create_task(self._written(batch), name="gathered-writes")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not self._scheduled:
            self._begin()

    async def _written(self, batch: Sequence[tuple[T, "asyncio.Future[R]"]]) -> None:
        batch = [(item, future) for item, future in batch if not future.done()]  # whoever asked may be gone
        if not batch:
            return
        try:
            found = await self._write([item for item, _ in batch])
        except Exception as error:
            if self._alone and len(batch) > 1:
                await asyncio.gather(*(self._written([one]) for one in batch))
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(_own(error) if len(batch) > 1 else error)
            return
        for (_, future), each in zip(batch, found, strict=True):
            if not future.done():
                future.set_result(each)


def _own(error: Exception) -> Exception:
    """One for each, because raising an exception writes into it."""
    own = type(error)(*error.args)
    own.__cause__ = error
    return own
