"""Factories of both levels, one a module, and conversations that end with their test."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mayfly.sandbox import interpreters
from mayfly.sandbox.api import SandboxFactory
from mayfly.sandbox.namespace import AgentFactory
from mayfly.sandbox.process import ProcessFactory

from .talk import RUNTIME, Talks

LEVELS = [pytest.param("namespace", marks=pytest.mark.root), "process"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def namespaces(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AgentFactory]:
    if os.geteuid() != 0:
        pytest.skip("namespaces and cgroups are made by root")
    factory = AgentFactory.launch(tmp_path_factory.mktemp("agent"))
    await factory.attach()
    await factory.prepare(RUNTIME, interpreters.current())
    yield factory
    await factory.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def processes() -> AsyncIterator[ProcessFactory]:
    factory = ProcessFactory()
    await factory.prepare(RUNTIME, interpreters.current())
    yield factory
    await factory.close()


@pytest.fixture(scope="module", params=LEVELS)
def factory(request: pytest.FixtureRequest) -> SandboxFactory:
    name = {"namespace": "namespaces", "process": "processes"}[request.param]
    made: SandboxFactory = request.getfixturevalue(name)
    return made


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
