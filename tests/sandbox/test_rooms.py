"""What is done ahead of a start, or beside it: the room that a shared template is told of, and the first words."""

import asyncio
import os
from pathlib import Path

import pytest

from mayfly.sandbox import frames
from mayfly.sandbox.agent import nests
from mayfly.sandbox.agent_sandbox import AgentSandbox
from mayfly.sandbox.api import Greeting
from mayfly.sandbox.namespace import AgentFactory

from . import parcels
from .talk import Talk, Talks
from .test_freezing import until
from .test_templates import fork, keeper_of, prepare, template_of

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

GENERATOR = "import random\nGENERATOR = random.Random()\n"


def label(letter: str) -> str:
    """Of this run alone: processes are looked for on the whole machine."""
    return f"{letter}-{os.getpid()}"


def group_of_process(pid: int) -> str:
    """The name of the group that bounds a process's memory."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in {"", "memory"}:
            name = Path(path).name
            if name.startswith("instance-"):
                return name
    raise LookupError(pid)


def group_of(talk: Talk) -> str:
    """The name of an instance's group."""
    assert isinstance(talk.sandbox, AgentSandbox)
    return Path(os.readlink(f"/proc/self/fd/{talk.sandbox._peak}")).parent.name


def home_of(talks: Talks, code: Path) -> str:
    """The name of the group that a template with this code is made in."""
    assert isinstance(talks.factory, AgentFactory)
    return Path(os.readlink(f"/proc/self/fd/{talks.factory._nests[str(code)]._use}")).parent.name


def rooms_of(keeper: int) -> list[int]:
    """The first processes of the rooms that a keeper made."""
    return [int(pid) for pid in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()]


async def test_a_template_waits_in_the_group_of_its_next_fork_and_leaves_it_behind_with_the_fork(
    isolated: Talks, tmp_path: Path
) -> None:
    code = parcels.make(tmp_path, "")
    await prepare(isolated, code, label=label("t"))
    template = template_of(label("t"))
    home = home_of(isolated, code)
    running: set[str] = set()
    for _ in range(3):
        await until(lambda: group_of_process(template) not in {home, *running})
        waits_in = group_of_process(template)
        talk = await fork(isolated, code)
        assert group_of(talk) == waits_in
        running.add(waits_in)
        await until(lambda: group_of_process(template) not in running)


async def test_one_room_is_made_ahead_when_starting_is_quiet_and_no_more(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "")
    await prepare(isolated, code, label=label("r"))
    template = template_of(label("r"))
    keeper = keeper_of(template)
    for count in range(1, 4):
        await until(lambda: len(rooms_of(keeper)) == count)  # noqa: B023 (awaited here)
        await fork(isolated, code)
    await until(lambda: len(rooms_of(keeper)) == 4)


async def test_seeds_that_were_drawn_for_the_next_fork_are_that_forks_alone(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, GENERATOR)
    await prepare(isolated, code, label=label("s"))
    template = template_of(label("s"))
    home = home_of(isolated, code)
    numbers: list[float] = []
    running: set[str] = set()
    for _ in range(3):
        await until(lambda: group_of_process(template) not in {home, *running})
        for _ in range(3):  # one that was told of ahead, and two in a hurry
            talk = await fork(isolated, code)
            running.add(group_of(talk))
            numbers.append(await talk.run("import parcel; result = parcel.GENERATOR.random()"))
    assert len(set(numbers)) == len(numbers)


async def test_a_template_that_is_killed_in_the_group_of_its_next_fork_is_lost_and_nothing_else_with_it(
    isolated: Talks, tmp_path: Path
) -> None:
    code = parcels.make(tmp_path, "")
    await prepare(isolated, code, label=label("d"))
    template = template_of(label("d"))
    home = home_of(isolated, code)
    talk = await fork(isolated, code)
    await until(lambda: group_of_process(template) not in {home, group_of(talk)})
    os.kill(template, 9)
    assert await talk.run("result = 'well'") == "well"


@pytest.mark.parametrize("template", [True, False])
async def test_a_greeting_is_said_while_the_sandbox_is_made(isolated: Talks, tmp_path: Path, *, template: bool) -> None:
    code = parcels.make(tmp_path, "")
    if template:
        await prepare(isolated, code)

    async def words() -> bytes:
        return frames.encode(frames.INIT, {"handler": "lab.run", "environment": {}, "task_root": "/var/task"})

    greeting = Greeting(words)
    talk = await isolated.start(code, template=str(code) if template else None, greeting=greeting)
    assert greeting.said
    assert (await talk.receive()).kind == frames.READY
    assert await talk.run("result = 'well'") == "well"


async def test_a_greeting_that_cannot_be_made_leaves_no_sandbox_behind(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "")

    async def words() -> bytes:
        raise LookupError("no words")

    with pytest.raises(LookupError, match="no words"):
        await isolated.start(code, greeting=Greeting(words))
    assert isinstance(isolated.factory, AgentFactory)
    agent = isolated.factory._agent
    await until(lambda: not agent._starting)
    assert await (await isolated.ready(code)).run("result = 'well'") == "well"


async def test_nothing_records_imports_behind_init(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "")
    await prepare(isolated, code)
    patched = "import importlib.machinery as m; result = 'exec_module' in vars(m.SourceFileLoader)"
    for talk in (await fork(isolated, code), await isolated.ready(code)):
        assert await talk.run(patched) is False


async def test_a_template_leaves_the_group_of_a_room_that_ended_and_is_told_of_another(
    isolated: Talks, tmp_path: Path
) -> None:
    code = parcels.make(tmp_path, "")
    await prepare(isolated, code, label=label("m"))
    template = template_of(label("m"))
    home = home_of(isolated, code)
    await until(lambda: group_of_process(template) != home)
    first = group_of_process(template)
    os.kill(rooms_of(keeper_of(template))[0], 9)
    await until(lambda: group_of_process(template) not in {home, first})
    talk = await fork(isolated, code)
    assert talk.sandbox.origin == "template"


async def test_starts_that_are_given_up_cost_a_template_nothing(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "")
    await prepare(isolated, code)

    async def words() -> bytes:
        raise LookupError("no words")

    for _ in range(10):  # a template whose forks die, one after the other, is given up after 8
        starting = [isolated.start(code, template=str(code), greeting=Greeting(words)) for _ in range(8)]
        given_up = await asyncio.gather(*starting, return_exceptions=True)
        assert {type(error) for error in given_up} == {LookupError}
    assert (await fork(isolated, code)).sandbox.origin == "template"


async def test_a_room_that_ended_after_a_quiet_while_is_replaced(isolated: Talks, tmp_path: Path) -> None:
    """The time in which nothing was to be done does not count as time in which nothing was got done."""
    code = parcels.make(tmp_path, "")
    await prepare(isolated, code, label=label("q"))
    template = template_of(label("q"))
    home = home_of(isolated, code)
    await until(lambda: group_of_process(template) != home)
    first = group_of_process(template)
    await asyncio.sleep(nests.PATIENCE_S + 0.5)
    os.kill(rooms_of(keeper_of(template))[0], 9)
    await until(lambda: group_of_process(template) not in {home, first})
    assert (await fork(isolated, code)).sandbox.origin == "template"
