"""What is particular to containers: limits, freezing, and what a function finds around itself."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mayfly.clock import ManualClock
from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.agent import calls, seccomp
from mayfly.sandbox.agent.hierarchy import read_layout
from mayfly.sandbox.api import SandboxFactory, TemplateLostError
from mayfly.sandbox.denials import Denials
from mayfly.sandbox.oci.factory import OciFactory
from mayfly.sandbox.oci.runtimes import CONTAINER, GVISOR

from ..conftest import factory_of, runtime_of
from ..talk import PATIENCE_S, RUNTIME, Talk, Talks

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module", params=[CONTAINER, GVISOR])
def factory(request: pytest.FixtureRequest) -> SandboxFactory:
    return factory_of(request)


@pytest_asyncio.fixture(loop_scope="module")
async def contained(containers: SandboxFactory) -> AsyncIterator[Talks]:
    talks = Talks(containers)
    yield talks
    await talks.close()


async def end_of(talk: Talk) -> tuple[str, int]:
    async with asyncio.timeout(PATIENCE_S):
        how = await talk.sandbox.exited()
    return how.reason, how.code


async def test_too_much_memory_is_told_as_such(talks: Talks) -> None:
    talk = await talks.ready(memory_mb=128)
    await talk.send_invoke({"code": "blocks = [bytearray(8 << 20) for _ in range(64)]"})
    assert await end_of(talk) == ("out-of-memory", 9)


async def test_processes_are_limited(talks: Talks) -> None:
    talk = await talks.ready(processes=24)
    code = """
children = []
try:
    while len(children) < 600:
        children.append(subprocess.Popen(["sleep", "600"]))
except OSError as error:
    pass
result = len(children)
"""
    if talks.factory.level == CONTAINER:
        assert await talk.run(code) < 24
    else:  # the machine counts the threads of its kernel; those that it cannot have end it, and the sandbox with it
        await talk.send_invoke({"code": code})
        answer, ended = asyncio.create_task(talk.receive()), asyncio.create_task(talk.sandbox.exited())
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait({answer, ended}, return_when=asyncio.FIRST_COMPLETED)
        for task in (answer, ended):
            task.cancel()


async def test_a_frozen_container_waits_and_is_thawed_and_can_be_killed(talks: Talks) -> None:
    if read_layout().version == 1 and not read_layout().freezing:
        pytest.skip("nothing freezes here")
    talk = await talks.ready()
    assert talk.sandbox.freeze()
    await talk.send_invoke({"code": "result = 'thawed'"})
    answer = asyncio.create_task(talk.receive())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(answer), 0.3)
    talk.sandbox.thaw()
    assert (await asyncio.wait_for(answer, PATIENCE_S)).payload == b'"thawed"'
    assert talk.sandbox.freeze()
    assert (await talk.sandbox.discard()).reason == "killed"


async def test_nothing_of_the_machine_is_in_sight(talks: Talks) -> None:
    talk = await talks.ready(label="mine", ephemeral_mb=64)
    seen = await talk.run(
        """
def attempt(path):
    try: open(path, "w").close()
    except OSError as error: return False
    return True
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
result = {
    "capabilities": [int(status.get(f"Cap{kind}", "0"), 16) for kind in ("Inh", "Prm", "Eff", "Bnd")],
    "ids": [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()],
    "pid": os.getpid(),
    "host": socket.gethostname(),
    "networks": sorted(name for _, name in socket.if_nameindex()),
    "descriptors": len(os.listdir("/proc/self/fd")),
    "written": [at for at in ("", "/etc", "/usr", "/var/task", "/opt", "/tmp", "/dev/shm") if attempt(f"{at}/x")],
    "home": os.listdir("/root") + os.listdir("/home"),
    "size": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize >> 20,
    "stdin": os.read(0, 1).hex(),
    "variables": sorted(os.environ),
}
"""
    )
    assert seen["capabilities"] == [0, 0, 0, 0]
    assert seen["ids"] == [1051, 1051, 1051, [1051]] or seen["ids"] == [1051, 1051, 1051, []]
    assert (seen["pid"], seen["host"], seen["networks"]) == (1, "mayfly", ["lo"])
    assert seen["descriptors"] <= 5  # three streams, the control socket, and the directory being listed
    assert seen["written"] == ["/tmp", "/dev/shm"]
    assert seen["home"] in ([], [".pyenv"])  # the way to an interpreter that lies there
    assert seen["size"] == 64
    assert (seen["stdin"], seen["variables"]) == ("", [])


async def test_its_user_is_another_one_on_the_machine_for_each_container(contained: Talks) -> None:
    first, second = [await contained.ready() for _ in range(2)]
    maps = [await talk.run("result = open('/proc/self/uid_map').read().split()") for talk in (first, second)]
    outside = {numbers[at] for numbers in maps for at in (1, 4)}
    assert len(outside) == 4
    assert all(int(number) >= 0x70000000 for number in outside)


@pytest.mark.parametrize("name", ["mount", "unshare", "ptrace", "keyctl", "bpf", "io_uring_setup"])
async def test_dangerous_system_calls_are_refused(contained: Talks, name: str) -> None:
    assert name not in calls.ALLOWED
    numbers = {"mount": 165, "unshare": 272, "ptrace": 101, "keyctl": 250, "bpf": 321, "io_uring_setup": 425}
    if os.uname().machine != "x86_64":
        pytest.skip("its numbers are those of another architecture")
    talk = await contained.ready()
    code = "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
    code += f"result = [libc.syscall({numbers[name]}, 0, 0, 0, 0, 0), ctypes.get_errno()]"
    assert await talk.run(code) in ([-1, 1], [-1, 38])


async def test_nothing_counts_what_siblings_do(contained: Talks) -> None:
    talk = await contained.ready()
    counted = await talk.run(
        "cpu = open('/proc/stat').readline().split()[1:]\n"
        "sizes = [len(open(f'/proc/{name}').read()) for name in ('interrupts', 'vmstat', 'diskstats', 'schedstat')"
        " if os.path.exists(f'/proc/{name}')]\n"
        "result = [set(cpu) == {'0'}, set(sizes) <= {0}, os.path.exists('/proc/sys/fs/file-nr')]"
    )
    assert counted == [True, True, False]


async def test_a_status_above_128_is_no_signal_where_the_kernel_tells_them_apart(contained: Talks) -> None:
    talk = await contained.ready()
    await talk.send_invoke({"code": "os._exit(139)"})
    assert await end_of(talk) == ("exited", 139)


async def test_the_platforms_endpoint_is_reached_inside(talks: Talks) -> None:
    talk = await talks.ready()
    assert talk.sandbox.endpoint is not None
    await talk.send_invoke({"code": "c = socket.create_connection(('127.0.0.1', 4566)); result = c.recv(5).decode()"})
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE_S):
        connection, _ = await loop.sock_accept(talk.sandbox.endpoint)
        with connection:
            await loop.sock_sendall(connection, b"hello")
            answer = await talk.receive()
    assert (answer.kind, answer.payload) == (frames.RESULT, b'"hello"')


async def test_two_containers_see_nothing_of_each_other(talks: Talks) -> None:
    one, other = [await talks.ready() for _ in range(2)]
    await one.run("import builtins; builtins.s = socket.create_server(('127.0.0.1', 8000)); open('/tmp/mark', 'w')")
    await one.run("import builtins; builtins.u = socket.socket(socket.AF_UNIX); builtins.u.bind('\\0mark'); u.listen()")
    code = """
def connects(family, address):
    with socket.socket(family) as s: return s.connect_ex(address) == 0
processes = [pid for pid in os.listdir('/proc') if pid.isdigit()]
reached = [connects(socket.AF_INET, ('127.0.0.1', 8000)), connects(socket.AF_UNIX, '\\0mark')]
result = [*reached, os.listdir('/tmp'), processes]
"""
    assert await other.run(code) == [False, False, [], ["1"]]


async def test_there_are_no_templates_to_start_from(talks: Talks) -> None:
    with pytest.raises(TemplateLostError, match="has no templates"):
        await talks.start(template="key")


async def test_what_is_refused_in_a_container_is_told_by_its_name(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("containers are made by root here")
    denials = Denials(ManualClock())
    factory = OciFactory(tmp_path / "oci", runtime_of("container"), denials)
    await factory.prepare(RUNTIME, interpreters.current())
    talks = Talks(factory)
    try:
        first, second = await talks.ready(owner="arn:first"), await talks.ready(owner="arn:second")
        code = "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
        number = seccomp.load_library().seccomp_syscall_resolve_name(b"unshare")
        code += f"result = [(libc.syscall({number}, 0x10000000), ctypes.get_errno()) for _ in range(2)]"
        assert await first.run(code) == [[-1, 1]] * 2
        assert await second.run("import subprocess; result = subprocess.run(['true']).returncode") == 0
        assert {one.call: one.count for one in denials.of("arn:first")} == {"unshare": 2}
        assert list(denials.of("arn:second")) == []
    finally:
        await talks.close()
        await factory.close()
