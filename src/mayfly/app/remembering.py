"""Habits over a restart: what the engine learnt of when functions are called is stored now and then, and read at start.

A nightly job takes days to be known, so forgetting it at every upgrade would mean never to know it. What is stored is a
hint: losing the last minutes of it loses no data of anyone.
"""

import asyncio
import logging
from typing import Any, NamedTuple

import msgspec

from mayfly.clock import Clock
from mayfly.engine.habits import REMEMBERED, Habits, Remembered
from mayfly.errors import MayflyError
from mayfly.policy.hazard import Learnt
from mayfly.policy.windows import Subject
from mayfly.store.api import Reader, Row, Store, Tx

EVERY_S = 300.0
KEPT_MS = 60 * 86_400_000  # of functions that nobody called for so long, nothing is known that still counts

_LATEST = (
    "SELECT function, learnt, idle_since_ms FROM engine_habits WHERE shape = :shape AND told_ms >= :since"
    " ORDER BY told_ms DESC, function LIMIT :limit"
)
_KEEP = (
    "INSERT INTO engine_habits (function, shape, learnt, idle_since_ms, told_ms)"
    " VALUES (:function, :shape, :learnt, :idle_since_ms, :told_ms)"
    " ON CONFLICT (function) DO UPDATE SET shape = excluded.shape, learnt = excluded.learnt,"
    " idle_since_ms = excluded.idle_since_ms, told_ms = excluded.told_ms"
)
_FORGET = "DELETE FROM engine_habits WHERE told_ms < :before"

_log = logging.getLogger(__name__)


class _Stored(NamedTuple):
    """The part of a habit that is MessagePack."""

    subject: Subject
    state: Learnt


class Remembering:
    """Stores what `habits` learns, states of the rule whose `shape` is given."""

    def __init__(self, store: Store, habits: Habits[Any], shape: str, clock: Clock) -> None:
        self._store = store
        self._habits = habits
        self._shape = shape
        self._clock = clock
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(_Stored)

    async def start(self) -> None:
        """Tell the engine what was stored."""
        since = self._now_ms() - KEPT_MS

        def latest(reader: Reader) -> list[Row]:
            return reader.all(_LATEST, {"shape": self._shape, "since": since, "limit": REMEMBERED})

        rows = await self._store.read(latest)
        self._habits.recall(known for row in rows if (known := self._read(row)) is not None)

    async def run(self) -> None:
        """Store what is new, now and then, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.keep()

    async def keep(self) -> None:
        """Store what is new. Failing costs the hints, and says so."""
        now_ms = self._now_ms()
        rows = [
            {
                "function": one.function,
                "shape": self._shape,
                "learnt": self._encoder.encode(_Stored(one.subject, one.state)),
                "idle_since_ms": None if one.idle_s is None else now_ms - int(one.idle_s * 1000),
                "told_ms": now_ms,
            }
            for one in self._habits.told()
        ]
        if not rows:
            return

        def write(tx: Tx) -> None:
            tx.many(_KEEP, rows)
            tx.run(_FORGET, {"before": now_ms - KEPT_MS})

        try:
            await self._store.write(write)
        except MayflyError as error:
            _log.warning("what was learnt of %d functions was not stored: %s", len(rows), error)

    def _read(self, row: Row) -> Remembered[Learnt] | None:
        function, learnt, idle_since_ms = row
        try:
            stored = self._decoder.decode(learnt)
        except msgspec.MsgspecError as error:
            _log.warning("what was learnt of %s cannot be read and is learnt anew: %s", function, error)
            return None
        idle_s = None if idle_since_ms is None else max(0.0, (self._now_ms() - idle_since_ms) / 1000)
        return Remembered(function, stored.subject, stored.state, idle_s)

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)
