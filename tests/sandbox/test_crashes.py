"""Nothing stays behind when the server, or the agent, is killed at any moment."""

import asyncio
import contextlib
import errno
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mayfly.sandbox import interpreters
from mayfly.sandbox.agent.cgroups import group_name
from mayfly.sandbox.agent.hierarchy import read_layout
from mayfly.sandbox.agent_client import Agent
from mayfly.sandbox.api import Interpreter, SandboxStartError, SandboxUnavailableError
from mayfly.sandbox.namespace import AgentFactory
from mayfly.sandbox.process import ProcessFactory

from .talk import RUNTIME, Talks
from .test_freezing import until

# A server with two sandboxes, one of them busy; prints their process ids as the host sees them, then waits.
SERVER = """
import asyncio, json, os, sys, time
from pathlib import Path
from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import SandboxSpec
from mayfly.sandbox.namespace import AgentFactory
from mayfly.sandbox.process import ProcessFactory

level, directory, code = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
factory = AgentFactory.launch(directory) if level == "namespace" else ProcessFactory()

async def main():
    if level == "namespace":
        await factory.attach()
    await factory.prepare("python3.x", interpreters.current())
    stubborn = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; parent = os.fork()"
    for first, then in (("parent = 1", "while True: pass"), (stubborn, "time.sleep(3600)")):
        sandbox = await factory.start(SandboxSpec("python3.x", code))
        root = "/var/task" if level == "namespace" else str(code)
        init = frames.encode(frames.INIT, {"handler": "lab.run", "environment": {}, "task_root": root})
        event = json.dumps({"code": f"{first}\\nif parent: print('up', flush=True)\\n{then}"}).encode()
        call = frames.encode_call(1, frames.call_head("r", 0, "a"), event)
        await asyncio.get_running_loop().sock_sendall(sandbox.control, init + call)
        os.set_blocking(sandbox.output, True)
        assert os.read(sandbox.output, 3) == b"up\\n"
    print("ready", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


def descendants(pid: int) -> list[int]:
    """The processes below `pid`, from /proc."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat") as file:
                parents[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
    found, level = [], [pid]
    while level:
        level = [child for child, parent in parents.items() if parent in level]
        found += level
    return found


def text_of(path: str) -> str:
    return Path(path).read_text()


def state_of(pid: int) -> str:
    """The letter that ps shows; Z for a process that is dead and not buried."""
    return text_of(f"/proc/{pid}/stat").rpartition(")")[2].split()[0]


def is_agent(pid: int, directory: Path) -> bool:
    with contextlib.suppress(OSError):  # it may be gone by now
        return str(directory) in text_of(f"/proc/{pid}/cmdline")
    return False


def groups_of(directory: Path) -> set[str]:
    """The control groups of the agent of a directory."""
    name = group_name(str(directory))
    paths = (os.path.join(root, name) for _, root in read_layout().roots)
    return {path for path in paths if os.path.isdir(path)}


def wait_until_gone(pids: list[int]) -> None:
    """Wait for the end of processes that are no children of this one."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except OSError as error:
            assert error.errno in {errno.ESRCH, errno.EINVAL}  # noqa: PT017 (EINVAL: it is being buried right now)
            continue
        try:
            assert select.select([descriptor], [], [], 20)[0], f"process {pid} is still there"
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def serving(level: str, directory: Path) -> Iterator["subprocess.Popen[str]"]:
    """A server that has its two sandboxes; it is killed in any case."""
    code = Path(__file__).parent / "code"
    arguments = [sys.executable, "-c", SERVER, level, str(directory), str(code)]
    # What a killed one leaves among temporary files goes with the test's.
    environment = {**os.environ, "TMPDIR": str(directory)}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield server
        finally:
            server.kill()


@pytest.fixture
async def factory(tmp_path: Path) -> AsyncIterator[AgentFactory]:
    """A factory whose agent this test may hurt."""
    factory = AgentFactory.launch(tmp_path)
    await factory.attach()
    await factory.prepare(RUNTIME, interpreters.current())
    yield factory
    await factory.close()
    assert groups_of(tmp_path) == set()


@pytest.fixture
async def talks(factory: AgentFactory) -> AsyncIterator[Talks]:
    talks = Talks(factory)
    yield talks
    await talks.close()


@pytest.mark.parametrize("level", [pytest.param("namespace", marks=pytest.mark.root), "process"])
def test_killing_the_server_ends_everything(level: str, tmp_path: Path) -> None:
    with serving(level, tmp_path) as server:
        started = descendants(server.pid)
        assert len(started) >= {"namespace": 5, "process": 3}[level]
        assert len(groups_of(tmp_path)) == {"namespace": len(read_layout().roots), "process": 0}[level]
    wait_until_gone(started)
    assert groups_of(tmp_path) == set()
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.root
async def test_what_a_killed_server_and_agent_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    with serving("namespace", tmp_path) as server:
        started = descendants(server.pid)
        server.send_signal(signal.SIGSTOP)
        for pid in started:
            if is_agent(pid, tmp_path):
                os.kill(pid, signal.SIGKILL)
    wait_until_gone(started)
    assert groups_of(tmp_path) != set()
    factory = AgentFactory.launch(tmp_path)
    await factory.attach()
    await factory.close()
    assert groups_of(tmp_path) == set()


@pytest.mark.root
async def test_killing_the_agent_ends_its_sandboxes_and_the_next_start_makes_a_new_agent(
    talks: Talks, tmp_path: Path
) -> None:
    first = await talks.ready()
    started = descendants(os.getpid())
    (agent,) = (pid for pid in started if is_agent(pid, tmp_path))
    below = descendants(agent)
    os.kill(agent, signal.SIGKILL)
    assert (await first.sandbox.exited()).reason == "killed"
    await asyncio.to_thread(wait_until_gone, below)
    second = await talks.ready()
    assert await second.run("result = 'again'") == "again"


@pytest.mark.root
async def test_an_agent_that_cannot_be_made_ready_is_no_more_when_the_next_one_is_made(
    talks: Talks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talks.ready()
    (agent,) = (pid for pid in descendants(os.getpid()) if is_agent(pid, tmp_path))
    os.kill(agent, signal.SIGKILL)
    await asyncio.to_thread(wait_until_gone, [agent])
    usual = Agent.prepare

    async def fails(self: Agent, runtime: str, interpreter: Interpreter) -> None:
        monkeypatch.setattr(Agent, "prepare", usual)
        raise SandboxUnavailableError("not now")

    monkeypatch.setattr(Agent, "prepare", fails)
    await until(lambda: isinstance(talks.factory, AgentFactory) and talks.factory._agent.dead)
    with pytest.raises(SandboxUnavailableError, match="not now"):
        await talks.ready()
    assert await (await talks.ready()).run("result = 'again'") == "again"
    assert len([pid for pid in descendants(os.getpid()) if is_agent(pid, tmp_path)]) == 1


@pytest.mark.root
async def test_a_template_that_dies_is_started_again(talks: Talks, tmp_path: Path) -> None:
    running = await talks.ready()
    (agent,) = (pid for pid in descendants(os.getpid()) if is_agent(pid, tmp_path))
    template = min(descendants(agent))  # the instances are clones of it, made later
    os.kill(template, signal.SIGKILL)
    await asyncio.to_thread(wait_until_gone, [template])
    with contextlib.suppress(SandboxStartError):  # it may come before the death was noticed
        await talks.ready()
    assert await (await talks.ready()).run("result = 1") == 1
    assert await running.run("result = 2") == 2
    await talks.ready()
    assert [pid for pid in descendants(agent) if state_of(pid) == "Z"] == []  # the dead template's spare was buried


@pytest.mark.root
async def test_a_relative_directory_is_below_the_servers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    factory = AgentFactory.launch(Path("data"))
    await factory.attach()
    await factory.close()
    assert sorted(os.listdir(tmp_path / "data")) == ["lock", "stage"]


@pytest.mark.root
async def test_a_second_agent_waits_for_the_first_one_to_clean_up(factory: AgentFactory, tmp_path: Path) -> None:
    second = AgentFactory.launch(tmp_path)
    attaching = asyncio.create_task(second.attach())
    await factory.close()
    await attaching
    await second.close()


@pytest.mark.root
async def test_closing_the_agents_factory_ends_every_sandbox(factory: AgentFactory, tmp_path: Path) -> None:
    talk = await Talks(factory).ready()
    (agent,) = (pid for pid in descendants(os.getpid()) if is_agent(pid, tmp_path))
    below = descendants(agent)
    await factory.close()
    await factory.close()
    assert (await talk.close()).reason == "killed"
    wait_until_gone(below)
    with pytest.raises(SandboxStartError, match="shutting down"):
        await Talks(factory).start()


async def test_closing_the_processes_factory_ends_every_sandbox() -> None:
    factory = ProcessFactory()
    await factory.prepare(RUNTIME, interpreters.current())
    talk = await Talks(factory).ready()
    await factory.close()
    await factory.close()
    assert (await talk.close()).reason == "killed"
    with pytest.raises(SandboxStartError, match="shutting down"):
        await Talks(factory).start()


@pytest.mark.root
async def test_one_agent_is_made_for_all_who_wait_for_it_though_the_first_of_them_goes_away(
    talks: Talks, tmp_path: Path
) -> None:
    await talks.ready()
    assert isinstance(talks.factory, AgentFactory)
    before = talks.factory._agent
    (agent,) = (pid for pid in descendants(os.getpid()) if is_agent(pid, tmp_path))
    os.kill(agent, signal.SIGKILL)
    await until(lambda: before.dead)
    first, second = (asyncio.create_task(talks.ready()) for _ in range(2))
    await until(lambda: any(is_agent(pid, tmp_path) for pid in descendants(os.getpid()) if pid != agent))
    (new,) = (pid for pid in descendants(os.getpid()) if is_agent(pid, tmp_path))
    first.cancel()
    assert await (await second).run("result = 'again'") == "again"
    assert [pid for pid in descendants(os.getpid()) if is_agent(pid, tmp_path)] == [new]
