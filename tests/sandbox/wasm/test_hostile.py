"""Attacks on the instance's own walls, at every level that such a process runs at; those of the process are others'."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import SandboxFactory
from mayfly.sandbox.wasm import artifacts
from tests.sandbox.talk import Talks

from . import modules
from .test_runner import ready

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def wasm_talks(factory: SandboxFactory) -> AsyncIterator[Talks]:
    await factory.prepare(artifacts.NAME, interpreters.current())
    talks = Talks(factory)
    yield talks
    await talks.close()


@pytest.mark.parametrize(
    ("code", "answer"),
    [(modules.PROBES_DESCRIPTORS, b"0"), (modules.OPENS_FILES, b"0"), (modules.GROWS_TABLE, b"null")],
    ids=["looks for directories", "opens files", "grows a table without end"],
)
async def test_what_is_not_granted_is_not_there(wasm_talks: Talks, tmp_path: Path, code: str, answer: bytes) -> None:
    talk = await ready(wasm_talks, tmp_path, code)
    frame = await talk.invoke({})
    assert (frame.kind, frame.payload) == (frames.RESULT, answer)


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (modules.OUT_OF_BOUNDS, "Runtime.Trap", "out of bounds memory access"),
        (modules.TRAPS_WHEN_MADE, "Runtime.Trap", "unreachable"),
        (modules.MANY_MEMORIES, "Runtime.Trap", "memory count too high"),
    ],
    ids=["reads outside of its memory", "traps when it is made", "has too many memories"],
)
async def test_what_is_tried_ends_the_instance_alone(
    wasm_talks: Talks, tmp_path: Path, code: str, kind: str, message: str
) -> None:
    talk = await ready(wasm_talks, tmp_path, code)
    for _ in range(2):
        frame = await talk.invoke({})
        assert frame.kind == frames.ERROR
        error = json.loads(frame.payload)
        assert error["errorType"] == kind
        assert message in error["errorMessage"]
