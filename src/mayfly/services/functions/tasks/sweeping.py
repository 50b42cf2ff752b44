"""What happens to tasks by the clock alone: those that did not begin in time end, and old ones are forgotten."""

import asyncio
import logging
import math
from functools import partial
from typing import Any

from mayfly.clock import Clock
from mayfly.services.functions.tasks import statements as sql
from mayfly.services.functions.tasks.dispatcher import Dispatcher
from mayfly.services.functions.tasks.model import KEEP_MOST, KEEP_S, KEEP_UNDONE_S, State
from mayfly.store.api import Reader, ReadyQueue, Row, Store, StoreClosedError, Tx

SWEEP_EVERY_S = 60.0
_PAGE = 500
_PAUSE_S = 1.0

_log = logging.getLogger(__name__)


class Deadlines:
    """When the next task must have begun, as far as is known."""

    def __init__(self) -> None:
        self.next = math.inf
        self.news = asyncio.Event()

    def noticed(self, deadline: float) -> None:
        """A task was accepted that must begin by then."""
        if deadline < self.next:
            self.next = deadline
            self.news.set()


class Sweeping:
    """`run` is a task of the service."""

    def __init__(
        self, store: Store, queue: ReadyQueue, dispatcher: Dispatcher, deadlines: Deadlines, clock: Clock
    ) -> None:
        self._store = store
        self._queue = queue
        self._dispatcher = dispatcher
        self._deadlines = deadlines
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._expire_on(), name="task-deadlines")
            group.create_task(self._sweep_on(), name="task-retention")

    def clock_moved(self) -> None:
        """Look at the clock again: for whoever moves it by hand."""
        self._deadlines.news.set()

    async def _expire_on(self) -> None:
        while True:
            try:
                self._deadlines.news.clear()
                self._deadlines.next = math.inf
                due = await self._expire()
                self._deadlines.next = min(self._deadlines.next, due)
                delay_s = self._deadlines.next - self._clock.now()
                async with asyncio.timeout(None if delay_s == math.inf else max(0.0, delay_s)):
                    await self._deadlines.news.wait()
            except TimeoutError:
                continue
            except StoreClosedError:
                return
            except Exception:
                _log.exception("tasks that are late cannot be ended now; the next attempt follows")
                await asyncio.sleep(_PAUSE_S)

    async def _expire(self) -> float:
        """End what is late; when the next one will be (Unix seconds)."""
        while True:
            now, held = self._clock.now(), self._dispatcher.held
            params = {"now": now, "count": _PAGE + len(held)}
            rows = await self._store.read(partial(_rows, statement=sql.OVERDUE, params=params))
            late = [row[0] for row in rows if row[0] not in held]
            if late and await self._dispatcher.end(late, stopped=False):
                continue
            row = await self._store.read(lambda reader: reader.one(sql.NEXT_DEADLINE))
            due = math.inf if row is None or row[0] is None else float(row[0])
            return max(due, now + _PAUSE_S) if due <= now else due  # those that are late have begun

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                await self.sweep()
            except StoreClosedError:
                return
            except Exception:
                _log.exception("old tasks could not be forgotten; the next attempt follows")

    async def sweep(self) -> int:
        """Forget what is kept long enough, the oldest first; how many."""
        now, forgotten, after = self._clock.now(), 0, 0
        (count,) = await self._store.read(lambda reader: reader.one(sql.HOW_MANY)) or (0,)
        while True:
            params = {"after": after, "count": _PAGE}
            rows = await self._store.read(partial(_rows, statement=sql.OLDEST, params=params))
            if not rows:
                return forgotten
            too_many = count - forgotten - KEEP_MOST
            if rows[0][3] > now - KEEP_S and too_many <= 0:
                return forgotten
            old = [row[0] for row in rows if _is_old(row, now)]
            if too_many > len(old):
                spare = [row[0] for row in rows if row[1] == State.SUCCEEDED and not _is_old(row, now)]
                old += spare[: too_many - len(old)]
            if old:
                await self._store.write(partial(self._forget, items=old))
                forgotten += len(old)
            after = rows[-1][0]

    def _forget(self, tx: Tx, items: list[int]) -> None:
        tx.many(sql.FORGET, [{"item": item} for item in items])
        self._queue.forget(tx, items)


def _rows(reader: Reader, statement: str, params: dict[str, Any]) -> list[Row]:
    return reader.all(statement, params)


def _is_old(row: Row, now: float) -> bool:
    _, state, ended_at, _ = row
    if ended_at is None:
        return False
    return bool(ended_at < now - (KEEP_S if state == State.SUCCEEDED else KEEP_UNDONE_S))
