"""Fixtures for everybody: time that stands still, and a real store on a temporary directory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from mayfly.clock import ManualClock
from mayfly.store.sqlite import SqliteStore

OpenStore = Callable[..., Awaitable[SqliteStore]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def open_store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[OpenStore]:
    """`await open_store("mayfly.services.tables", …)`: the store of this test, closed when it ends."""
    opened: list[SqliteStore] = []

    async def open_(*packages: str) -> SqliteStore:
        opened.append(await SqliteStore.open(tmp_path / "mayfly.db", packages, clock))
        return opened[-1]

    yield open_
    for store in opened:
        await store.close()
