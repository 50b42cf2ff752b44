"""A frozen sandbox runs nothing, can be thawed by one write, and ends like any other."""

import asyncio
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.agent_sandbox import AgentSandbox
from mayfly.sandbox.api import Sandbox, SandboxSpec
from mayfly.sandbox.namespace import AgentFactory

from . import parcels
from .talk import RUNTIME, Talk, Talks

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Runs on behind the reply: a thread, and a child in a session of its own, each adding a byte to its file all the time.
RUNS_ON = """
import threading
def add(path):
    with open(path, "ab", buffering=0) as file:
        while True:
            file.write(b"x")
            time.sleep(0.001)
threading.Thread(target=add, args=("/tmp/thread",), daemon=True).start()
if os.fork() == 0:
    os.setsid()
    add("/tmp/child")
while not all(os.path.exists(path) for path in ("/tmp/thread", "/tmp/child")):
    time.sleep(0.001)
"""
SIZES = "result = [os.path.getsize(path) for path in ('/tmp/thread', '/tmp/child')]"
# Waits for both to write: which of the woken runs first is the kernel's choice.
GROWN = """
while not all(os.path.getsize(path) > size for path, size in zip(('/tmp/thread', '/tmp/child'), {before})):
    time.sleep(0.001)
result = True
"""


def group_of(sandbox: Sandbox) -> Path:
    """The directory of the control group that freezes a sandbox."""
    assert isinstance(sandbox, AgentSandbox)
    return Path(os.readlink(f"/proc/self/fd/{sandbox._freezer}")).parent


def identity(group: Path) -> int:
    """What tells a group from another one of the same name; 0 when there is none."""
    return group.stat().st_ino if group.exists() else 0


def is_frozen(sandbox: Sandbox) -> bool:
    return "frozen 1" in (group_of(sandbox) / "cgroup.events").read_text()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 (the kernel's doing, of which nobody tells)
            await asyncio.sleep(0.001)


async def frozen(talk: Talk) -> None:
    assert talk.sandbox.freeze()
    await until(lambda: is_frozen(talk.sandbox))


def cpu_us(sandbox: Sandbox) -> int:
    """Time of processors used by everything in a sandbox, as its group counts it."""
    lines = (group_of(sandbox) / "cpu.stat").read_text().splitlines()
    return int(dict(line.split() for line in lines)["usage_usec"])


@pytest.mark.root
async def test_nothing_of_a_frozen_sandbox_runs_until_it_is_thawed(isolated: Talks) -> None:
    talk = await isolated.ready()
    await talk.run(RUNS_ON)
    before = await talk.run(SIZES)
    await frozen(talk)
    used = cpu_us(talk.sandbox)
    await talk.send_invoke({"code": GROWN.format(before=before)})
    await asyncio.sleep(0.05)
    assert cpu_us(talk.sandbox) == used
    talk.sandbox.thaw()
    assert (await talk.receive()).payload == b"true"


@pytest.mark.root
async def test_a_call_that_was_sent_before_or_behind_the_thaw_is_answered(isolated: Talks) -> None:
    talk = await isolated.ready()
    for number in range(50):
        await frozen(talk)
        if number % 2:
            talk.sandbox.thaw()
            await talk.send_invoke({"code": f"result = {number}"})
        else:
            await talk.send_invoke({"code": f"result = {number}"})
            talk.sandbox.thaw()
        assert (await talk.receive()).payload == str(number).encode()


async def test_freezing_and_thawing_at_any_moment_loses_no_call(talks: Talks) -> None:
    """At the level without a freezer, nothing happens instead."""
    talk = await talks.ready()
    chance = random.Random(7)
    for number in range(150):
        for _ in range(chance.randrange(3)):
            chance.choice((talk.sandbox.freeze, talk.sandbox.thaw))()
        talk.sandbox.thaw()
        assert await talk.run(f"result = {number}") == number


async def test_only_a_level_that_can_freeze_says_that_it_did(talks: Talks) -> None:
    talk = await talks.ready()
    assert talk.sandbox.freeze() == (talks.factory.level == "namespace")
    talk.sandbox.thaw()
    assert await talk.run("result = 1") == 1


@pytest.mark.root
async def test_a_frozen_sandbox_is_killed_like_any_other(isolated: Talks) -> None:
    for discard in (False, True):
        talk = await isolated.ready()
        await talk.run(RUNS_ON)
        await frozen(talk)
        group = group_of(talk.sandbox)
        if discard:
            how = await talk.sandbox.discard()
        else:
            talk.sandbox.kill()
            how = await talk.sandbox.exited()
        assert (how.reason, how.code) == ("killed", signal.SIGKILL)
        assert not talk.sandbox.freeze()
        talk.sandbox.thaw()
        await until(lambda group=group: not group.exists())  # type: ignore[misc]


@pytest.mark.root
async def test_each_sandbox_is_frozen_alone(isolated: Talks) -> None:
    one, other = await isolated.ready(), await isolated.ready()
    await frozen(one)
    assert await other.run("result = 2") == 2
    assert not is_frozen(other.sandbox)
    one.sandbox.thaw()
    assert await one.run("result = 1") == 1


@pytest.mark.root
async def test_what_was_forked_from_a_shared_template_is_frozen_with_its_room(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "VALUE = 1\n")
    factory = isolated.factory
    await factory.prepare_packages("freezing", SandboxSpec(RUNTIME, code), parcels.MODULES, {})
    one = await isolated.ready(code, template="freezing")
    other = await isolated.ready(code, template="freezing")
    assert one.sandbox.origin != "interpreter"
    await one.run(RUNS_ON)
    await frozen(one)
    third = await isolated.ready(code, template="freezing")  # the template is not frozen along
    assert [await talk.run("result = 5") for talk in (other, third)] == [5, 5]
    one.sandbox.thaw()
    assert await one.run("result = 1") == 1
    await frozen(one)
    assert (await one.sandbox.discard()).reason == "killed"
    factory.drop_template("freezing")


@pytest.mark.root
async def test_a_function_cannot_reach_its_freezer(isolated: Talks) -> None:
    talk = await isolated.ready()
    code = "result = [name for name in os.listdir('/proc/self/fd') if 'cgroup' in os.readlink('/proc/self/fd/'+name)]"
    assert await talk.run(f"try:\n    {code}\nexcept OSError as error:\n    result = []") == []
    assert await talk.run("result = os.path.exists('/sys/fs/cgroup')") is False


@pytest.mark.root
async def test_frozen_sandboxes_of_a_dead_agent_are_gone_with_it(tmp_path: Path) -> None:
    factory = AgentFactory.launch(tmp_path)
    try:
        await factory.attach()
        await factory.prepare(RUNTIME, interpreters.current())
        talks = Talks(factory)
        talk = await talks.ready()
        await frozen(talk)
        group = group_of(talk.sandbox)
        os.kill(factory._agent._process.child.pid, signal.SIGKILL)
        assert (await talk.sandbox.exited()).reason == "killed"
        await until(lambda: "populated 0" in (group / "cgroup.events").read_text())
        talk.sandbox.thaw()
        before = identity(group)
        again = await talks.ready()  # of the next agent, which removes what is left, and may use the name again
        assert identity(group) != before
        assert again.sandbox.freeze()
        await talks.close()
    finally:
        await factory.close()


@pytest.mark.root
async def test_a_frame_that_is_too_large_for_the_socket_waits_for_the_thaw(isolated: Talks) -> None:
    talk = await isolated.ready()
    await frozen(talk)
    sending = asyncio.create_task(talk.send_invoke({"code": "result = len(event['more'])", "more": "x" * (4 << 20)}))
    await asyncio.sleep(0)
    talk.sandbox.thaw()
    await sending
    reply = await talk.receive()
    assert (reply.kind, reply.payload) == (frames.RESULT, str(4 << 20).encode())
