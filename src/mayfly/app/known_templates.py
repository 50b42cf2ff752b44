"""Templates over a restart: how those with a function's packages were made is stored as it becomes known, and read at
start.

Forgetting it would have the first burst after every upgrade import in each of its instances. What is stored is a hint:
losing it costs the time of one such burst, and no data of anyone.
"""

import asyncio
import contextlib
import logging
from typing import NamedTuple

import msgspec

from mayfly.clock import Clock
from mayfly.engine.recipes import MOST_RECIPES, Recipe, Recipes
from mayfly.errors import MayflyError
from mayfly.store.api import Reader, Row, Store, Tx

PAUSE_S = 1.0  # between two writes
EVERY_S = 300.0  # at least so often is stored which of them are in use
KEPT_MS = 60 * 86_400_000  # since a template was last made or used

_LATEST = (
    "SELECT target, recipe FROM engine_templates WHERE told_ms >= :since ORDER BY told_ms DESC, target LIMIT :limit"
)
_KEEP = (
    "INSERT INTO engine_templates (target, recipe, told_ms) VALUES (:target, :recipe, :told_ms)"
    " ON CONFLICT (target) DO UPDATE SET recipe = excluded.recipe, told_ms = excluded.told_ms"
)
_DROP = "DELETE FROM engine_templates WHERE target = :target"
_FORGET = (
    "DELETE FROM engine_templates WHERE told_ms < :before OR target NOT IN"
    " (SELECT target FROM engine_templates ORDER BY told_ms DESC, target LIMIT :limit)"
)

_log = logging.getLogger(__name__)


class _Stored(NamedTuple):
    """The part of a recipe that is MessagePack."""

    modules: tuple[str, ...]
    saved_ms: float
    made_ms: float


class KnownTemplates:
    """Stores what `recipes` tells."""

    def __init__(self, store: Store, recipes: Recipes, clock: Clock) -> None:
        self._store = store
        self._recipes = recipes
        self._clock = clock
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(_Stored)

    async def start(self) -> None:
        """Tell the engine what was stored."""
        since = self._now_ms() - KEPT_MS

        def latest(reader: Reader) -> list[Row]:
            return reader.all(_LATEST, {"since": since, "limit": MOST_RECIPES})

        rows = await self._store.read(latest)
        self._recipes.recall([known for row in rows if (known := self._read(row)) is not None])

    async def run(self) -> None:
        """Store what is new, soon, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._recipes.changed.wait()
            await self.keep()
            await asyncio.sleep(PAUSE_S)

    async def keep(self) -> None:
        """Store what is new. Failing costs the hints, and says so."""
        told, now_ms = self._recipes.told(), self._now_ms()
        if not told.kept and not told.gone:
            return
        kept = [{"target": one.key, "recipe": self._encode(one), "told_ms": now_ms} for one in told.kept]
        gone = [{"target": key} for key in told.gone]

        def write(tx: Tx) -> None:
            tx.many(_KEEP, kept)
            tx.many(_DROP, gone)
            tx.run(_FORGET, {"before": now_ms - KEPT_MS, "limit": MOST_RECIPES})

        try:
            await self._store.write(write)
        except MayflyError as error:
            _log.warning("how %d templates were made was not stored: %s", len(kept), error)

    def _encode(self, recipe: Recipe) -> bytes:
        return self._encoder.encode(_Stored(recipe.modules, recipe.saved_ms, recipe.made_ms))

    def _read(self, row: Row) -> Recipe | None:
        target, recipe = row
        try:
            stored = self._decoder.decode(recipe)
        except msgspec.MsgspecError as error:
            _log.warning("how a template of %s is made cannot be read and is learnt anew: %s", target, error)
            return None
        return Recipe(target, *stored)

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)
