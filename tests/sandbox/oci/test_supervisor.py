"""Nothing stays behind of containers: not when they end, nor when the server or the supervisor is killed."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mayfly.sandbox import interpreters
from mayfly.sandbox.agent.cgroups import group_name
from mayfly.sandbox.agent.hierarchy import read_layout
from mayfly.sandbox.api import SandboxStartError
from mayfly.sandbox.oci.factory import OciFactory
from mayfly.sandbox.oci.runtimes import CONTAINER, GVISOR

from ..conftest import runtime_of
from ..talk import CODE, RUNTIME, Talks
from ..test_crashes import descendants, is_agent, text_of, wait_until_gone

pytestmark = pytest.mark.root
LEVELS = [CONTAINER, GVISOR]

# A server with two sandboxes, one of them busy, the other with a child that nothing but SIGKILL ends.
SERVER = """
import asyncio, json, os, sys
from pathlib import Path
from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import SandboxSpec
from mayfly.sandbox.oci import runtimes
from mayfly.sandbox.oci.factory import OciFactory

level, directory, code = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
factory = OciFactory(directory, runtimes.locate(level, os.environ["PATH"]))

async def main():
    await factory.prepare("python3.x", interpreters.current())
    stubborn = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; parent = os.fork()"
    for first, then in (("parent = 1", "while True: pass"), (stubborn, "time.sleep(3600)")):
        sandbox = await factory.start(SandboxSpec("python3.x", code))
        init = frames.encode(frames.INIT, {"handler": "lab.run", "environment": {}, "task_root": "/var/task"})
        event = json.dumps({"code": f"{first}\\nif parent: print('up', flush=True)\\n{then}"}).encode()
        call = frames.encode_call(1, frames.call_head("r", 0, "a"), event)
        await asyncio.get_running_loop().sock_sendall(sandbox.control, init + call)
        os.set_blocking(sandbox.output, True)
        assert os.read(sandbox.output, 3) == b"up\\n"
    print("ready", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@contextlib.contextmanager
def serving(level: str, directory: Path) -> Iterator["subprocess.Popen[str]"]:
    """A server that has its two containers; it is killed in any case."""
    arguments = [sys.executable, "-c", SERVER, level, str(directory), str(CODE)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield server
        finally:
            server.kill()


def groups_of(directory: Path) -> set[str]:
    """The control groups of the supervisor of a directory, those that only freeze among them."""
    layout, name = read_layout(), group_name(str(directory))
    paths = (os.path.join(root, name) for root in (*(root for _, root in layout.roots), *layout.freezing))
    return {path for path in paths if os.path.isdir(path)}


def groups_of_containers(directory: Path) -> list[Path]:
    return [path for group in groups_of(directory) for path in Path(group).iterdir() if path.is_dir()]


@pytest.fixture(params=LEVELS)
async def factory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OciFactory]:
    """A factory whose supervisor this test may hurt."""
    factory = OciFactory(tmp_path, runtime_of(request.param))
    await factory.prepare(RUNTIME, interpreters.current())
    yield factory
    await factory.close()
    assert groups_of(tmp_path) == set()


@pytest.fixture
async def talks(factory: OciFactory) -> AsyncIterator[Talks]:
    talks = Talks(factory)
    yield talks
    await talks.close()


def supervisor_of(directory: Path) -> int:
    """The process that makes containers: the first one of its pid namespace, below the one that waits for it."""
    waiting = min(pid for pid in descendants(os.getpid()) if is_agent(pid, directory))
    return min(descendants(waiting))


@pytest.mark.parametrize("level", LEVELS)
def test_killing_the_server_ends_every_container(level: str, tmp_path: Path) -> None:
    runtime_of(level)
    with serving(level, tmp_path) as server:
        started = descendants(server.pid)
        assert len(started) >= 4
        assert groups_of(tmp_path) != set()
    wait_until_gone(started)
    assert groups_of(tmp_path) == set()
    assert str(tmp_path) not in text_of("/proc/self/mountinfo")


@pytest.mark.parametrize("level", LEVELS)
async def test_what_a_killed_server_and_supervisor_left_is_removed_at_the_next_start(
    level: str, tmp_path: Path
) -> None:
    runtime = runtime_of(level)
    with serving(level, tmp_path) as server:
        started = descendants(server.pid)
        server.send_signal(signal.SIGSTOP)
        for pid in started:
            if is_agent(pid, tmp_path):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        wait_until_gone(started)  # the kernel ends all that was in the supervisor's pid namespace
    assert groups_of(tmp_path) != set()
    factory = OciFactory(tmp_path, runtime)
    await factory.prepare(RUNTIME, interpreters.current())
    await factory.close()
    assert groups_of(tmp_path) == set()


async def test_killing_the_supervisor_ends_its_containers_and_the_next_start_makes_a_new_one(
    talks: Talks, tmp_path: Path
) -> None:
    first = await talks.ready()
    supervisor = supervisor_of(tmp_path)
    below = descendants(supervisor)
    os.kill(supervisor, signal.SIGKILL)
    assert (await first.sandbox.exited()).reason == "killed"
    await asyncio.to_thread(wait_until_gone, below)
    second = await talks.ready()
    assert await second.run("result = 'again'") == "again"


async def test_a_container_that_ended_leaves_nothing_in_the_supervisor(talks: Talks, tmp_path: Path) -> None:
    supervisor = supervisor_of(tmp_path)
    await (await talks.ready()).sandbox.discard()
    before = len(os.listdir(f"/proc/{supervisor}/fd"))
    for _ in range(2):
        group = await asyncio.gather(*(talks.ready() for _ in range(3)))
        endings = await asyncio.gather(*(talk.sandbox.discard() for talk in group))
        assert {how.reason for how in endings} == {"killed"}
    with pytest.raises(SandboxStartError, match="nowhere"):
        await talks.start(tmp_path / "nowhere")
    assert len(os.listdir(f"/proc/{supervisor}/fd")) == before
    assert os.listdir(f"/proc/{supervisor}/root/run/containers") == []
    assert descendants(supervisor) == []
    assert groups_of_containers(tmp_path) == []


async def test_a_start_that_is_given_up_at_any_moment_leaves_nothing(talks: Talks, tmp_path: Path) -> None:
    supervisor = supervisor_of(tmp_path)
    for delay_s in (0, 0.002, 0.01, 0.03, 0.1):
        start = asyncio.create_task(talks.start())
        await asyncio.sleep(delay_s)
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
    for talk in talks._open:
        await talk.sandbox.discard()
    async with asyncio.timeout(20):
        while descendants(supervisor) or os.listdir(f"/proc/{supervisor}/root/run/containers"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the kernel's doing, and the supervisor's, of which nobody tells
    await talks.ready()


async def test_closing_the_factory_ends_every_container(factory: OciFactory, tmp_path: Path) -> None:
    talk = await Talks(factory).ready()
    below = descendants(supervisor_of(tmp_path))
    await factory.close()
    await factory.close()
    assert (await talk.close()).reason == "killed"
    wait_until_gone(below)
    with pytest.raises(SandboxStartError, match="shutting down"):
        await Talks(factory).start()
