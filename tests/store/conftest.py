"""The implementations that the conformance suites run against: a second dialect is one more entry in each table."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from mayfly.clock import Clock, ManualClock
from mayfly.store.api import Blobs, ReadyQueue, Store
from mayfly.store.files import FileBlobs
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore
from tests.conftest import VAULT

MakeStore = Callable[[AsyncExitStack, Path, Clock], Awaitable[Store]]
MakeQueue = Callable[[Store, Clock], ReadyQueue]
MakeBlobs = Callable[[AsyncExitStack, Path, Store, Clock], Blobs]


async def sqlite(stack: AsyncExitStack, directory: Path, clock: Clock) -> Store:
    store = await SqliteStore.open(directory / "store.db", [], clock)
    stack.push_async_callback(store.close)
    return store


def files(stack: AsyncExitStack, directory: Path, store: Store, clock: Clock) -> Blobs:
    blobs = FileBlobs(directory / "blobs", store, clock)
    stack.push_async_callback(blobs.close)
    return blobs


STORES: dict[str, MakeStore] = {"sqlite": sqlite}
QUEUES: dict[str, MakeQueue] = {"sql": lambda store, clock: SqlReadyQueue(store, clock, VAULT)}
BLOBS: dict[str, MakeBlobs] = {"files": files}


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture(params=STORES)
def make_store(request: pytest.FixtureRequest) -> MakeStore:
    return STORES[request.param]


@pytest.fixture
async def store(make_store: MakeStore, stack: AsyncExitStack, tmp_path: Path, clock: ManualClock) -> Store:
    return await make_store(stack, tmp_path, clock)


@pytest.fixture(params=QUEUES)
def make_queue(request: pytest.FixtureRequest) -> MakeQueue:
    return QUEUES[request.param]


@pytest.fixture
def queue(make_queue: MakeQueue, store: Store, clock: ManualClock) -> ReadyQueue:
    return make_queue(store, clock)


@pytest.fixture(params=BLOBS)
def blobs(
    request: pytest.FixtureRequest, stack: AsyncExitStack, tmp_path: Path, store: Store, clock: ManualClock
) -> Blobs:
    return BLOBS[request.param](stack, tmp_path, store, clock)
