"""What a Node.js has compiled is told by one sandbox, and believed by others: with another user id, without writing."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mayfly.sandbox import choice, frames, nodes
from mayfly.sandbox.api import Interpreter
from mayfly.sandbox.namespace import AgentFactory
from mayfly.services.functions.code import compile_cache

from ..talk import Talk, Talks
from .conftest import FOUND, Functions, Write, variables

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and cgroups are made by root"),
    pytest.mark.asyncio(loop_scope="module"),
]
KEEPING = [node for node in FOUND if nodes.compiles_as(node) is not None]
LIBRARY = "exports.add = (a, b) => a + b;\n" + "exports.unused = () => { return [1, 2, 3]; };\n" * 20
COMMON = "exports.handler = async () => [require('./library.js').add(1, 2), process.getuid()];"
LOOK = """
const { add } = require('./library.js');
const fs = require('node:fs');
const Module = require('node:module');
exports.handler = async () => {
  const tried = (act) => { try { act(); return 'done' } catch (error) { return error.code } };
  const place = Module.getCompileCacheDir?.();
  return { add: add(1, 2), uid: process.getuid(), place, files: place && fs.readdirSync(place).length,
           write: place && tried(() => fs.writeFileSync(`${place}/0`, 'x')),
           remove: place && tried(() => fs.unlinkSync(`${place}/${fs.readdirSync(place)[0]}`)),
           tmp: fs.readdirSync('/tmp') };
};
"""


@pytest_asyncio.fixture(loop_scope="module", params=KEEPING, ids=choice.template_name)
async def functions(
    request: pytest.FixtureRequest, node_sandboxes: AgentFactory, write: Write
) -> AsyncIterator[Functions]:
    node: Interpreter = request.param
    await node_sandboxes.prepare(choice.template_name(node), node)
    talks = Talks(node_sandboxes)
    yield Functions(talks, node, write)
    await talks.close()


async def compiled(functions: Functions, files: dict[str, str], handler: str = "index.handler") -> dict[str, Any]:
    """What a sandbox of its own tells of these modules: the files by their names, and the key."""
    code = functions._write(files)
    talk: Talk = await functions._talks.start(code, runtime=functions.runtime)
    meta = {"handler": handler, "environment": variables(functions.identifier), "task_root": talk.task_root}
    await talk.send(frames.COMPILE, meta)
    told: dict[str, Any] = {}
    while (frame := await talk.receive()).kind == frames.ARTIFACT:
        told[frame.meta["name"]] = frame.payload
    assert frame.kind == frames.COMPILED
    return {"code": code, "files": told, "key": frame.meta["key"]}


def keep(told: dict[str, Any], handler: str = "index.handler") -> Path:
    place: Path = told["code"] / compile_cache.DIRECTORY / told["key"] / compile_cache.place(handler)
    place.mkdir(parents=True)
    for name, content in told["files"].items():
        (place / name).write_bytes(content)
    return place


def accepted(talk: Talk) -> int:
    return talk.output().count("was accepted")


async def test_instances_of_any_user_id_load_what_one_sandbox_compiled(functions: Functions) -> None:
    files = {"index.js": LOOK, "library.js": LIBRARY}
    told = await compiled(functions, files)
    assert len(told["files"]) == 2, told
    kept = keep(told)
    uids = []
    for _ in range(2):
        talk = await functions.ready(files, environment={"NODE_DEBUG_NATIVE": "COMPILE_CACHE"})
        seen = json.loads((await talk.invoke({})).payload)
        uids.append(seen["uid"])
        assert seen["add"] == 3
        assert seen["files"] == 2
        assert (seen["write"], seen["remove"], seen["tmp"]) == ("EROFS", "EROFS", [])
        assert accepted(talk) >= 2
    assert uids[0] != uids[1]
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == told["files"]


async def test_a_process_that_waited_uses_it_too(functions: Functions) -> None:
    files = {"index.js": LOOK, "library.js": LIBRARY}
    keep(await compiled(functions, files))
    talk = await functions.ready(files)
    seen = json.loads((await talk.invoke({})).payload)
    assert seen["place"].startswith("/dev/shm/")
    assert seen["files"] == 2


async def test_modules_of_both_kinds_are_compiled(functions: Functions) -> None:
    files = {"index.mjs": "import { add } from './library.js'; export const handler = async () => add(1, 2);"}
    files["library.js"] = LIBRARY
    told = await compiled(functions, files)
    assert len(told["files"]) == 2
    keep(told)
    talk = await functions.ready(files, environment={"NODE_DEBUG_NATIVE": "COMPILE_CACHE"})
    assert json.loads((await talk.invoke({})).payload) == 3
    assert accepted(talk) >= 2


async def test_a_package_without_a_cache_has_its_functions_find_none(functions: Functions) -> None:
    talk = await functions.ready({"index.js": LOOK, "library.js": LIBRARY})
    assert "place" not in json.loads((await talk.invoke({})).payload)


async def test_a_module_that_is_another_one_is_compiled_anew(functions: Functions) -> None:
    told = await compiled(functions, {"index.js": COMMON + "require('./library.js');", "library.js": LIBRARY})
    keep(told)
    files = {"index.js": COMMON, "library.js": LIBRARY.replace("a + b", "a * b")}
    talk = await functions.ready(files, environment={"NODE_DEBUG_NATIVE": "COMPILE_CACHE"})
    assert json.loads((await talk.invoke({})).payload)[0] == 2
    assert accepted(talk) == 0


async def test_rubbish_in_the_place_of_a_cache_is_not_believed(functions: Functions) -> None:
    files = {"index.js": LOOK, "library.js": LIBRARY}
    told = await compiled(functions, files)
    told["files"] = {name: content[:-9] + b"rubbish!!" for name, content in told["files"].items()}
    keep(told)
    talk = await functions.ready(files)
    assert json.loads((await talk.invoke({})).payload)["add"] == 3


async def test_a_function_that_keeps_a_cache_of_its_own_has_that(functions: Functions) -> None:
    files = {"index.js": LOOK, "library.js": LIBRARY}
    keep(await compiled(functions, files))
    talk = await functions.ready(files, environment={"NODE_COMPILE_CACHE": "/tmp/own"})
    assert json.loads((await talk.invoke({})).payload)["place"].startswith("/tmp/own/")


@pytest.mark.parametrize(
    "init",
    [
        "throw new Error('no variables');",
        "process.exit(1);",
        "setImmediate(() => { throw new Error('later') }); await new Promise(() => {});",
        "Promise.reject(new Error('nobody looks')); await new Promise(() => {});",
        "process.stdout.write('x'.repeat(50000)); missing();",
    ],
)
async def test_an_init_that_fails_without_its_variables_has_loaded_its_modules_all_the_same(
    functions: Functions, init: str
) -> None:
    files = {"index.mjs": f"import './library.js'; {init}", "library.js": LIBRARY}
    assert len((await compiled(functions, files))["files"]) == 2


async def test_a_nodejs_that_keeps_nothing_says_so(node_sandboxes: AgentFactory, write: Write) -> None:
    old = [node for node in FOUND if nodes.compiles_as(node) is None]
    if not old:
        pytest.skip("every Node.js of this machine keeps what it compiles")
    await node_sandboxes.prepare(choice.template_name(old[0]), old[0])
    talks = Talks(node_sandboxes)
    told = await compiled(Functions(talks, old[0], write), {"index.js": COMMON, "library.js": LIBRARY})
    await talks.close()
    assert (told["files"], told["key"]) == ({}, "")
