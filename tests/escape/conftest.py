"""One cell a level, for all attempts of a run."""

import contextlib
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mayfly.sandbox import interpreters
from mayfly.sandbox.api import SandboxUnavailableError
from mayfly.sandbox.namespace import AgentFactory
from mayfly.sandbox.oci.runtimes import CONTAINER, GVISOR
from mayfly.sandbox.process import ProcessFactory
from tests.sandbox.conftest import oci
from tests.sandbox.talk import RUNTIME

from .cell import Cell

NAMESPACE = "namespace"
LEVELS = [pytest.param(level, marks=pytest.mark.root) for level in (NAMESPACE, CONTAINER, GVISOR)]
_FIXTURES = {NAMESPACE: "in_namespaces", CONTAINER: "in_containers", GVISOR: "in_gvisor"}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def in_namespaces(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cell]:
    factory = AgentFactory.launch(tmp_path_factory.mktemp("agent"))
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(factory.close)
        try:
            await factory.attach()
        except SandboxUnavailableError as error:
            if os.geteuid() == 0:
                raise
            pytest.skip(str(error))
        await factory.prepare(RUNTIME, interpreters.current())
        cell = Cell(factory)
        stack.push_async_callback(cell.close)
        yield cell


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def in_containers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cell]:
    async with oci(CONTAINER, tmp_path_factory.mktemp("containers")) as factory:
        cell = Cell(factory)
        yield cell
        await cell.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def in_gvisor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cell]:
    async with oci(GVISOR, tmp_path_factory.mktemp("kernels")) as factory:
        cell = Cell(factory)
        yield cell
        await cell.close()


@pytest.fixture(params=LEVELS)
def cell(request: pytest.FixtureRequest) -> Cell:
    """Each level that isolates."""
    found: Cell = request.getfixturevalue(_FIXTURES[request.param])
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def unprotected() -> AsyncIterator[Cell]:
    """No isolation at all: what is contained elsewhere gets through here, or the attempt is none."""
    factory = ProcessFactory()
    await factory.prepare(RUNTIME, interpreters.current())
    cell = Cell(factory)
    yield cell
    await cell.close()
    await factory.close()
