"""Fixtures of everything about APIs."""

from collections.abc import Awaitable, Callable

import pytest

from mayfly.services.apis import MIGRATED
from mayfly.store.sqlite import SqliteStore


@pytest.fixture
async def store(open_store: Callable[..., Awaitable[SqliteStore]]) -> SqliteStore:
    return await open_store(*MIGRATED)
