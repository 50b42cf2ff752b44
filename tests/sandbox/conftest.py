"""Factories of all levels, one a module, and conversations that end with their test."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mayfly.sandbox import interpreters
from mayfly.sandbox.api import SandboxFactory, SandboxUnavailableError
from mayfly.sandbox.namespace import AgentFactory
from mayfly.sandbox.oci.factory import OciFactory
from mayfly.sandbox.oci.runtimes import CONTAINER, GVISOR, Runtime, locate
from mayfly.sandbox.process import ProcessFactory

from .talk import RUNTIME, Talks

LEVELS = [pytest.param("namespace", marks=pytest.mark.root), "process"]
ALL_LEVELS = [*LEVELS, *(pytest.param(level, marks=pytest.mark.root) for level in (CONTAINER, GVISOR))]
ISOLATED_LEVELS = [ALL_LEVELS[0], *ALL_LEVELS[2:]]
_FIXTURES = {"namespace": "namespaces", "process": "processes", CONTAINER: "containers", GVISOR: "kernels"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def namespaces(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AgentFactory]:
    factory = AgentFactory.launch(tmp_path_factory.mktemp("agent"))
    try:
        await factory.attach()
    except SandboxUnavailableError as error:
        if os.geteuid() == 0:
            raise
        pytest.skip(str(error))
    await factory.prepare(RUNTIME, interpreters.current())
    yield factory
    await factory.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def processes() -> AsyncIterator[ProcessFactory]:
    factory = ProcessFactory()
    await factory.prepare(RUNTIME, interpreters.current())
    yield factory
    await factory.close()


def runtime_of(level: str) -> Runtime:
    """The OCI runtime of a level. Where all tests must run, one that is missing is a failure."""
    try:
        return locate(level, os.environ["PATH"])
    except SandboxUnavailableError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))


@contextlib.asynccontextmanager
async def oci(level: str, directory: Path) -> AsyncIterator[OciFactory]:
    if os.geteuid() != 0:
        pytest.skip("containers and cgroups are made by root")
    factory = OciFactory(directory, runtime_of(level))
    await factory.prepare(RUNTIME, interpreters.current())
    yield factory
    await factory.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def containers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OciFactory]:
    async with oci(CONTAINER, tmp_path_factory.mktemp("containers")) as factory:
        yield factory


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kernels(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OciFactory]:
    async with oci(GVISOR, tmp_path_factory.mktemp("kernels")) as factory:
        yield factory


def factory_of(request: pytest.FixtureRequest) -> SandboxFactory:
    made: SandboxFactory = request.getfixturevalue(_FIXTURES[request.param])
    return made


@pytest.fixture(scope="module", params=LEVELS)
def factory(request: pytest.FixtureRequest) -> SandboxFactory:
    return factory_of(request)


@pytest_asyncio.fixture(loop_scope="module")
async def talks(factory: SandboxFactory) -> AsyncIterator[Talks]:
    """Conversations at both levels."""
    talks = Talks(factory)
    yield talks
    await talks.close()


@pytest_asyncio.fixture(loop_scope="module")
async def isolated(namespaces: AgentFactory) -> AsyncIterator[Talks]:
    """Conversations at the namespace level."""
    talks = Talks(namespaces)
    yield talks
    await talks.close()


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A layer with a module."""
    directory = tmp_path / "layer"
    (directory / "python").mkdir(parents=True)
    (directory / "python" / "from_layer.py").write_text("WHO = 'first'\n")
    return directory
