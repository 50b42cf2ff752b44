"""Every Node.js of this machine at both levels, and functions that are made of the text that a test states."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mayfly.sandbox import choice, frames, nodes
from mayfly.sandbox.api import Interpreter, SandboxFactory
from mayfly.sandbox.namespace import AgentFactory
from mayfly.sandbox.process import ProcessFactory
from tests.conftest import RUNTIMES

from ..talk import Talk, Talks

FOUND = nodes.find(os.environ.get("PATH", ""), Path.home(), RUNTIMES)
NEWEST = choice.template_name(FOUND[0]) if FOUND else "nodejs"

Write = Callable[[Mapping[str, str]], Path]
Start = Callable[..., Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node_processes() -> AsyncIterator[ProcessFactory]:
    factory = ProcessFactory()
    yield factory
    await factory.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node_sandboxes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AgentFactory]:
    """With a pool, so that a function finds a process that has waited, or one that was started for it."""
    factory = AgentFactory.launch(tmp_path_factory.mktemp("agent"), pooled=2)
    await factory.attach()
    yield factory
    await factory.close()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Makes a package of files, by their names."""

    def make(files: Mapping[str, str]) -> Path:
        code = tmp_path / "code"
        for name, text in files.items():
            path = code / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755 if text.startswith("#!") else 0o644)
        tmp_path.chmod(0o755)
        return code

    return make


def variables(identifier: str, memory_mb: int = 128, **more: str) -> dict[str, str]:
    """What a function of a runtime identifier has."""
    return {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{identifier}",
        "AWS_LAMBDA_FUNCTION_NAME": "fn",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/fn",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
        **more,
    }


class Functions:
    """Starts functions of one Node.js."""

    def __init__(self, talks: Talks, node: Interpreter, write: Write) -> None:
        self.node = node
        self.runtime = choice.template_name(node)
        self.identifier = f"nodejs{node.version[0]}.x"
        self._talks = talks
        self._write = write

    async def init(
        self, files: Mapping[str, str] | str, handler: str = "index.handler", identifier: str = "", **spec: Any
    ) -> tuple[Talk, frames.Frame]:
        """A function and the answer to INIT; a text is its index.js."""
        talk = await self.start(files, handler, identifier, **spec)
        return talk, await talk.receive()

    async def start(
        self, files: Mapping[str, str] | str, handler: str = "index.handler", identifier: str = "", **spec: Any
    ) -> Talk:
        """A function that was sent INIT."""
        given: dict[str, str] = spec.pop("environment", {})
        code = self._write({"index.js": files} if isinstance(files, str) else files)
        spec.setdefault("pooled", not nodes.must_start_anew(given))
        talk = await self._talks.start(code, runtime=self.runtime, **spec)
        given = {name: value.replace("TASK_ROOT", talk.task_root) for name, value in given.items()}
        environment = variables(identifier or self.identifier, spec.get("memory_mb", 128), **given)
        meta = {"handler": handler, "environment": environment, "task_root": talk.task_root}
        await talk.send(frames.INIT, meta)
        return talk

    async def ready(self, files: Mapping[str, str] | str, **how: Any) -> Talk:
        """A function that waits for calls."""
        talk, frame = await self.init(files, **how)
        assert frame.kind == frames.READY, (frame, talk.output())
        return talk


# The newest in a sandbox, and the others as ordinary processes: what the bootstrap does is the same there.
PLACES = [(node, "namespace" if node is FOUND[0] and os.geteuid() == 0 else "process") for node in FOUND]


@pytest.fixture(params=PLACES, ids=lambda place: f"{choice.template_name(place[0])}-{place[1]}")
def place(request: pytest.FixtureRequest) -> tuple[Interpreter, SandboxFactory]:
    node, level = request.param
    factory = request.getfixturevalue({"process": "node_processes", "namespace": "node_sandboxes"}[level])
    return node, factory


@pytest_asyncio.fixture(loop_scope="module")
async def functions(place: tuple[Interpreter, SandboxFactory], write: Write) -> AsyncIterator[Functions]:
    """Functions of each Node.js in turn."""
    node, factory = place
    await factory.prepare(choice.template_name(node), node)
    talks = Talks(factory)
    yield Functions(talks, node, write)
    await talks.close()
