"""A process that waited for its function, in a real sandbox: what it gets, that it gets it once, and what it leaves."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mayfly.sandbox import choice, frames
from mayfly.sandbox.agent_sandbox import AgentSandbox
from mayfly.sandbox.api import SandboxSpec, SandboxStartError
from mayfly.sandbox.namespace import TASK_ROOT, AgentFactory
from mayfly.sandbox.pool import Kind

from ..talk import Talk
from .conftest import FOUND, NEWEST, Write, variables

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and cgroups are made by root"),
    pytest.mark.asyncio(loop_scope="module"),
]

LOOK = """
const fs = require('node:fs');
exports.handler = async (event) => {
  const tried = (act) => { try { act(); return 'done' } catch (error) { return error.code } };
  return {
    files: fs.readdirSync('/var/task').sort(), layer: tried(() => fs.readFileSync('/opt/which')) === 'done'
      && fs.readFileSync('/opt/which', 'utf8'),
    write: tried(() => fs.writeFileSync('/var/task/x', '')), shadow: tried(() => fs.readFileSync('/etc/shadow')),
    tmp: fs.statfsSync('/tmp').blocks * fs.statfsSync('/tmp').bsize, pid: process.pid, uid: process.getuid(),
    processes: fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length,
    left: fs.readdirSync('/tmp'), names: Object.keys(process.env).filter((name) => name.startsWith('UV_')),
  };
};
"""


def spec(code: Path, **more: Any) -> SandboxSpec:
    return SandboxSpec(NEWEST, code, pooled=True, **more)


async def answer(sandbox: AgentSandbox) -> Any:
    """What the function says, and the end of it."""
    talk = Talk(sandbox, TASK_ROOT)
    try:
        ready = await talk.init("index.handler", variables("nodejs24.x"))
        assert ready.kind == frames.READY, talk.output()
        return json.loads((await talk.invoke({})).payload)
    finally:
        await talk.close()


@pytest_asyncio.fixture(loop_scope="module")
async def factory(node_sandboxes: AgentFactory) -> AgentFactory:
    await node_sandboxes.prepare(choice.template_name(FOUND[0]), FOUND[0])
    return node_sandboxes


async def test_it_sees_its_code_its_layers_and_its_storage_and_nothing_else(
    factory: AgentFactory, write: Write, tmp_path: Path
) -> None:
    code = write({"index.js": LOOK})
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "which").write_text(name)
    asked = spec(code, layers=(tmp_path / "first", tmp_path / "second"), ephemeral_mb=700)
    waits = await factory.vacant(Kind.of(asked).spec())
    await factory.fit(waits, asked)
    told = await answer(waits)
    assert told.pop("uid") >= 0x70000000
    assert told == {
        "files": ["index.js"],
        "layer": "second",
        "write": "EROFS",
        "shadow": "ENOENT",
        "tmp": 700 << 20,
        "pid": 1,
        "processes": 1,
        "left": [],
        "names": [],
    }
    assert waits.origin == "pool"


async def test_it_gets_one_function_and_never_another(factory: AgentFactory, write: Write, tmp_path: Path) -> None:
    asked = spec(write({"index.js": LOOK}))
    (tmp_path / "other").mkdir()
    waits = await factory.vacant(Kind.of(asked).spec())
    await factory.fit(waits, asked)
    with pytest.raises(SandboxStartError, match="no such instance that waits"):
        await factory.fit(waits, spec(tmp_path / "other"))
    assert (await answer(waits))["files"] == ["index.js"]


async def test_one_that_was_started_for_its_function_cannot_be_given_another(
    factory: AgentFactory, write: Write
) -> None:
    started = await factory._agent.start(spec(write({"index.js": LOOK})))
    with pytest.raises(SandboxStartError, match="no such instance that waits"):
        await factory.fit(started, spec(Path("/")))
    assert (await answer(started))["files"] == ["index.js"]


async def test_code_that_is_not_there_is_an_error_and_the_next_start_works(
    factory: AgentFactory, write: Write, tmp_path: Path
) -> None:
    asked = spec(write({"index.js": LOOK}))
    waits = await factory.vacant(Kind.of(asked).spec())
    with pytest.raises(SandboxStartError, match="No such file"):
        await factory.fit(waits, spec(tmp_path / "absent"))
    await Talk(waits, TASK_ROOT).close()
    again = await factory.vacant(Kind.of(asked).spec())
    await factory.fit(again, asked)
    assert (await answer(again))["files"] == ["index.js"]


async def test_one_that_has_ended_cannot_be_given_a_function(factory: AgentFactory, write: Write) -> None:
    asked = spec(write({"index.js": LOOK}))
    waits = await factory.vacant(Kind.of(asked).spec())
    await Talk(waits, TASK_ROOT).close()
    with pytest.raises(SandboxStartError):
        await factory.fit(waits, asked)


async def test_when_the_agent_dies_those_that_wait_die_and_the_next_start_has_a_new_one(
    tmp_path: Path, write: Write
) -> None:
    factory = AgentFactory.launch(tmp_path / "agent", pooled=1)
    try:
        await factory.attach()
        await factory.prepare(NEWEST, FOUND[0])
        asked = spec(write({"index.js": LOOK}))
        waits = await factory.vacant(Kind.of(asked).spec())
        gone = Talk(waits, TASK_ROOT)
        os.kill(factory._agent._process.child.pid, signal.SIGKILL)
        await waits.exited()
        started = await factory.start(asked)
        assert isinstance(started, AgentSandbox)
        assert (await answer(started))["files"] == ["index.js"]
        await gone.close()
    finally:
        await factory.close()
