"""Node.js at the levels of OCI runtimes: the same bootstrap, started for its function."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mayfly.sandbox import choice, frames
from mayfly.sandbox.oci import runtimes
from mayfly.sandbox.oci.factory import OciFactory

from ..talk import Talks
from .conftest import FOUND, Functions, Write
from .test_compiling import accepted, compiled, keep

pytestmark = pytest.mark.root


@pytest.fixture(params=runtimes.KNOWN)
async def contained(request: pytest.FixtureRequest, tmp_path: Path, write: Write) -> AsyncIterator[Functions]:
    if os.geteuid() != 0:
        pytest.skip("containers are made by root here")
    factory = OciFactory(tmp_path / "oci", runtimes.locate(request.param, os.environ["PATH"]))
    await factory.prepare(choice.template_name(FOUND[0]), FOUND[0])
    talks = Talks(factory)
    yield Functions(talks, FOUND[0], write)
    await talks.close()
    await factory.close()


async def test_a_function_runs_in_a_container_with_its_variables_and_its_errors(contained: Functions) -> None:
    talk = await contained.ready(
        "exports.handler = async (event) => { if (event.fail) throw new RangeError('no'); "
        "return [process.execPath, process.cwd(), process.env.COLOUR, process.env.UV_USE_IO_URING] }",
        environment={"COLOUR": "red"},
    )
    frame = await talk.invoke({})
    assert json.loads(frame.payload) == ["/var/lang/bin/node", "/var/task", "red", None]
    assert (await talk.invoke({"fail": True})).kind == frames.ERROR


async def test_what_one_container_compiled_is_loaded_by_another(contained: Functions, write: Write) -> None:
    files = {"index.js": "exports.handler = async () => require('./library.js').one;", "library.js": "exports.one = 1;"}
    told = await compiled(contained, {**files, "index.js": f"{files['index.js']} require('./library.js');"})
    assert len(told["files"]) == 2
    keep(told)
    talk = await contained.ready(files, environment={"NODE_DEBUG_NATIVE": "COMPILE_CACHE"})
    assert json.loads((await talk.invoke({})).payload) == 1
    assert accepted(talk) == 1  # of two, because the other file has changed
