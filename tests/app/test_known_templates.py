"""How templates were made, over a restart: stored, read again, and of no harm when it cannot be."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mayfly.app.known_templates import KEPT_MS, KnownTemplates
from mayfly.clock import ManualClock
from mayfly.engine.recipes import MOST_RECIPES, Recipe, Recipes
from mayfly.store.api import Store, Tx
from mayfly.store.sqlite import SqliteStore

RECIPE = Recipe("arn:1", ("numpy", "numpy.random"), saved_ms=400.0, made_ms=450.0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await SqliteStore.open(tmp_path / "db", ["mayfly.app"], ManualClock(1e9))
    yield opened
    await opened.close()


async def restarted(store: Store, clock: ManualClock) -> Recipes:
    recipes = Recipes()
    await KnownTemplates(store, recipes, clock).start()
    return recipes


async def stored(store: Store) -> list[str]:
    rows = await store.read(lambda reader: reader.all("SELECT target FROM engine_templates ORDER BY target"))
    return [row[0] for row in rows]


async def test_what_was_made_is_known_after_a_restart(store: Store, clock: ManualClock) -> None:
    recipes = Recipes()
    recipes.made(RECIPE)
    await KnownTemplates(store, recipes, clock).keep()
    assert (await restarted(store, clock)).get("arn:1") == RECIPE


async def test_what_is_gone_is_not(store: Store, clock: ManualClock) -> None:
    recipes = Recipes()
    known = KnownTemplates(store, recipes, clock)
    recipes.made(RECIPE)
    await known.keep()
    recipes.forget("arn:1")
    await known.keep()
    assert await stored(store) == []


async def test_it_is_stored_as_soon_as_it_is_known(store: Store, clock: ManualClock) -> None:
    recipes = Recipes()
    running = asyncio.create_task(KnownTemplates(store, recipes, clock).run())
    recipes.made(RECIPE)
    async with asyncio.timeout(60):
        while await stored(store) != ["arn:1"]:  # noqa: ASYNC110 (a database tells nobody)
            await asyncio.sleep(0)
    running.cancel()


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE engine_templates SET recipe = x'ff'",
        f"UPDATE engine_templates SET told_ms = told_ms - {KEPT_MS + 1}",
    ],
)
async def test_what_is_unreadable_or_old_is_learnt_anew(store: Store, clock: ManualClock, spoil: str) -> None:
    recipes = Recipes()
    recipes.made(RECIPE)
    await KnownTemplates(store, recipes, clock).keep()

    def apply(tx: Tx) -> int:
        return tx.run(spoil)

    assert await store.write(apply) == 1
    assert (await restarted(store, clock)).get("arn:1") is None


async def test_the_rows_are_bounded_and_those_not_used_for_the_longest_time_go(
    store: Store, clock: ManualClock
) -> None:
    recipes = Recipes()
    known = KnownTemplates(store, recipes, clock)
    recipes.made(RECIPE._replace(key="first"))
    await known.keep()
    clock.advance(1)
    for number in range(MOST_RECIPES):
        recipes.made(RECIPE._replace(key=str(number)))
    await known.keep()
    keys = await stored(store)
    assert (len(keys), "first" in keys) == (MOST_RECIPES, False)
    clock.advance(KEPT_MS / 1000 + 1)
    recipes.used("7")
    await known.keep()
    assert await stored(store) == ["7"]
