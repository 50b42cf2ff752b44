"""One timer for all that is due: ticks in a table by their time, each acted upon and moved on in one transaction.

A service that runs something at certain times keeps a `Ticker` of its own kind (schedules: "schedules", rules of event
buses: "rules"). It says, in its own transactions, when a key is due next (`set`), and gives a function that is called
with every tick that has become due (`act`). What that function writes, its effects included, and the next moment that
it returns, are one commit: a process that dies at any moment leaves a tick either done and moved on, or still to do.

However many ticks there are, an idle ticker is one sleeping task that knows the earliest of them; a start reads that
one row. Those that are due are taken in batches, in the order of their times, each batch one short body of the store's
writer, so that other writes get their turns in between. A tick whose function raises is undone alone, put off by a
minute, and reported: it is neither lost, nor does it stop the others.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.store.api import Reader, StaleClaimError, Store, StoreClosedError, Tx

BATCH = 64
PUT_OFF_S = 60.0  # a tick that could not be acted upon
LATE_S = 30.0  # is said
LOOK_S = 60.0  # the longest sleep: clocks are set, machines are suspended
_PAUSE_S = 1.0

SET = """
INSERT INTO ticker_ticks (kind, key, at, due_at, epoch) VALUES (:kind, :key, :at, :due_at, 0)
ON CONFLICT (kind, key) DO UPDATE SET at = excluded.at, due_at = excluded.due_at, epoch = ticker_ticks.epoch + 1
"""
FORGET = "DELETE FROM ticker_ticks WHERE kind = :kind AND key = :key"
FIND = "SELECT at, due_at FROM ticker_ticks WHERE kind = :kind AND key = :key"
EARLIEST = "SELECT min(due_at) FROM ticker_ticks WHERE kind = :kind"
# Served by ticker_ticks_in_order.
SELECT_DUE = """
SELECT key, at, due_at, epoch FROM ticker_ticks WHERE kind = :kind AND due_at <= :now ORDER BY due_at LIMIT :limit
"""
MOVE = """
UPDATE ticker_ticks SET at = :at, due_at = :due_at, epoch = epoch + 1
WHERE kind = :kind AND key = :key AND epoch = :epoch
"""
END = "DELETE FROM ticker_ticks WHERE kind = :kind AND key = :key AND epoch = :epoch"

_log = logging.getLogger(__name__)


class Moment(NamedTuple):
    """When something is to run."""

    at: float  # what the tick stands for, Unix seconds
    due_at: float  # when it is acted upon; not before `at`


class Tick(NamedTuple):
    """A moment that has come."""

    key: str
    at: float
    due_at: float
    epoch: int


# Called in the store's writer thread with a tick that is due, and the time; what it returns is when the key is due
# next, None for never again. It must not set or forget the key itself, except by what it returns.
Act = Callable[[Tx, Tick, float], Moment | None]


class Ticker:
    """The ticks of one kind, made by the service that owns it. `run` must be a task for as long as they matter."""

    def __init__(self, store: Store, clock: Clock, kind: str, act: Act) -> None:
        self._store = store
        self._clock = clock
        self._kind = kind
        self._act = act
        self._earliest = -math.inf  # at or before the time of the first tick; -inf: to be looked up
        self._woken = asyncio.Event()

    def set(self, tx: Tx, key: str, moment: Moment | None) -> None:
        """Let `key` be due at `moment`, instead of when it was, or never again."""
        if moment is None:
            tx.run(FORGET, {"kind": self._kind, "key": key})
            return
        tx.run(SET, {"kind": self._kind, "key": key, "at": moment.at, "due_at": moment.due_at})
        tx.after_commit(lambda: self._notice(moment.due_at))

    def next(self, reader: Reader, key: str) -> Moment | None:
        """When `key` is due."""
        row = reader.one(FIND, {"kind": self._kind, "key": key})
        return None if row is None else Moment(*row)

    async def run(self) -> None:
        """Act upon ticks as they become due, until cancelled or until the store is closed."""
        while True:
            self._woken.clear()
            try:
                await self.settle()
            except StoreClosedError:
                return
            except PlatformError:
                _log.exception("ticks of %s cannot be taken now; the next attempt follows", self._kind)
                await asyncio.sleep(_PAUSE_S)
                continue
            delay_s = min(self._earliest - self._clock.now(), LOOK_S)
            if delay_s > 0:
                await self._sleep(delay_s)

    async def settle(self) -> int:
        """Act upon everything that is due now; how many ticks that were. Batches follow one another meanwhile."""
        count = 0
        if self._earliest == -math.inf:
            await self._look_up()
        if (late_s := self._clock.now() - self._earliest) > LATE_S:
            _log.info("ticks of %s are %.0f s late, and are acted upon now", self._kind, late_s)
        while self._earliest <= self._clock.now():
            count += await self._take()
        return count

    def clock_moved(self) -> None:
        """Look at the clock again: for whoever moves it by hand."""
        self._woken.set()

    async def _take(self) -> int:
        """One batch."""
        # Ticks that are set from here on lower it again, unless the batch sees them itself.
        self._earliest = math.inf
        try:
            taken, earliest = await self._store.write(self._act_on_batch)
        except StoreClosedError:
            raise
        except Exception:
            self._earliest = -math.inf
            _log.info("a batch of ticks of %s is taken one by one, since one of them failed", self._kind)
            return await self._take_singly()
        self._notice(earliest)
        return taken

    async def _take_singly(self) -> int:
        now = self._clock.now()
        due = await self._store.read(lambda reader: self._due(reader, now))
        for tick in due:
            try:
                await self._store.write(partial(self._act_on, tick=tick, now=now))
            except StaleClaimError:  # changed or deleted meanwhile: no longer due, or due anew
                continue
            except StoreClosedError:
                raise
            except Exception:
                _log.exception("the tick of %s %s failed; it is put off by %.0f s", self._kind, tick.key, PUT_OFF_S)
                await self._store.write(partial(self._put_off, tick=tick, now=now))
        await self._look_up()
        return len(due)

    async def _look_up(self) -> None:
        """Find the earliest tick anew. What is set while the database is asked may be none of what it answers."""
        self._earliest = math.inf
        try:
            found = await self._store.read(self._look)
        except BaseException:
            self._earliest = -math.inf
            raise
        self._earliest = min(self._earliest, found)

    def _act_on_batch(self, tx: Tx) -> tuple[int, float]:
        now = self._clock.now()
        due = self._due(tx, now)
        for tick in due:
            self._act_on(tx, tick, now)
        return len(due), self._look(tx)

    def _act_on(self, tx: Tx, tick: Tick, now: float) -> None:
        place = {"kind": self._kind, "key": tick.key, "epoch": tick.epoch}
        following = self._act(tx, tick, now)
        if following is None:
            changed = tx.run(END, place)
        else:
            changed = tx.run(MOVE, {**place, "at": following.at, "due_at": following.due_at})
        if not changed:
            raise StaleClaimError(f"the tick of {self._kind} {tick.key} is no longer at epoch {tick.epoch}")

    def _put_off(self, tx: Tx, tick: Tick, now: float) -> None:
        place = {"kind": self._kind, "key": tick.key, "epoch": tick.epoch}
        tx.run(MOVE, {**place, "at": tick.at, "due_at": now + PUT_OFF_S})

    def _due(self, reader: Reader, now: float) -> list[Tick]:
        rows = reader.all(SELECT_DUE, {"kind": self._kind, "now": now, "limit": BATCH})
        return [Tick(*row) for row in rows]

    def _look(self, reader: Reader) -> float:
        row = reader.one(EARLIEST, {"kind": self._kind})
        return math.inf if row is None or row[0] is None else float(row[0])

    def _notice(self, due_at: float) -> None:
        if due_at < self._earliest:
            self._earliest = due_at
            self._woken.set()

    async def _sleep(self, delay_s: float) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self._woken.wait()
        except TimeoutError:
            return
