"""What the filter of system calls refuses, what it answers, and who is told."""

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mayfly.clock import ManualClock
from mayfly.sandbox import interpreters
from mayfly.sandbox.agent import calls, seccomp
from mayfly.sandbox.api import SandboxSpec
from mayfly.sandbox.denials import MOST_HEARD, MOST_NAMES, OTHERS, Denials
from mayfly.sandbox.namespace import AgentFactory

from . import parcels
from .talk import RUNTIME, Talk, Talks

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

X86_64 = 0xC000003E
ASKING = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nresult = "


@pytest.fixture(scope="module")
def denials() -> Denials:
    return Denials(ManualClock())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def heard(tmp_path_factory: pytest.TempPathFactory, denials: Denials) -> AsyncIterator[AgentFactory]:
    if os.geteuid() != 0:
        pytest.skip("namespaces and cgroups are made by root")
    factory = AgentFactory.launch(tmp_path_factory.mktemp("agent"), denials)
    await factory.attach()
    await factory.prepare(RUNTIME, interpreters.current())
    yield factory
    await factory.close()


@pytest_asyncio.fixture(loop_scope="module")
async def talks(heard: AgentFactory) -> AsyncIterator[Talks]:
    talks = Talks(heard)
    yield talks
    await talks.close()


def call(name: str, *arguments: object) -> str:
    """An expression for the errno of a system call by its name; 0 when it succeeded."""
    number = seccomp.load_library().seccomp_syscall_resolve_name(name.encode())
    return f"(libc.syscall({', '.join(map(str, (number, *arguments)))}) < 0) and ctypes.get_errno()"


async def told(denials: Denials, owner: str) -> dict[str, int]:
    return {one.call: one.count for one in denials.of(owner)}


async def test_a_refused_call_fails_and_is_told_by_its_name(talks: Talks, denials: Denials) -> None:
    talk = await talks.ready(owner="arn:f1")
    assert await talk.run(ASKING + call("io_uring_setup", 8, 0)) == errno.EPERM
    assert await talk.run(ASKING + call("bpf", 0, 0, 0)) == errno.EPERM
    assert await talk.run(ASKING + call("bpf", 0, 0, 0)) == errno.EPERM
    assert await told(denials, "arn:f1") == {"io_uring_setup": 1, "bpf": 2}
    assert await told(denials, "arn:another") == {}


async def test_the_layers_that_are_stated_are_in_force(talks: Talks) -> None:
    talk = await talks.ready()
    layers = talk.sandbox.layers
    assert {"user namespace of its own", "unprivileged user of its own", "seccomp allow-list"} <= set(layers)
    uid = await talk.run("result = os.getuid()")
    assert (await talk.run("result = open('/proc/self/uid_map').read()")).split() == [str(uid), str(uid), "1"]
    assert os.readlink("/proc/self/ns/user") != await talk.run("result = os.readlink('/proc/self/ns/user')")
    assert await talk.run("result = os.path.exists('/sys')") is False
    assert sorted(await talk.run("result = os.listdir('/dev')")) == sorted(
        ["null", "zero", "full", "random", "urandom", "shm", "fd", "stdin", "stdout", "stderr"]
    )


async def test_a_call_that_nobody_knows_is_answered_as_by_an_older_kernel(talks: Talks, denials: Denials) -> None:
    talk = await talks.ready(owner="arn:f2")
    assert await talk.run(ASKING + "(libc.syscall(60000) < 0) and ctypes.get_errno()") == errno.ENOSYS
    assert await told(denials, "arn:f2") == {"number 60000": 1}


async def test_what_libraries_do_without_is_refused_in_silence(talks: Talks, denials: Denials) -> None:
    talk = await talks.ready(owner="arn:f3")
    assert await talk.run(ASKING + call("clone3", 0, 0)) == errno.ENOSYS
    assert await talk.run("import threading\nt = threading.Thread(target=print); t.start(); t.join(); result = 1") == 1
    assert await told(denials, "arn:f3") == {}


async def test_a_child_is_bound_and_heard_as_well(talks: Talks, denials: Denials) -> None:
    talk = await talks.ready(owner="arn:f4")
    code = "result = subprocess.run(['unshare', '--user', 'true'], capture_output=True, text=True).stderr"
    assert "Operation not permitted" in await talk.run(code)
    assert await told(denials, "arn:f4") == {"unshare": 1}


async def test_whoever_is_refused_all_the_time_is_not_heard_for_ever(talks: Talks, denials: Denials) -> None:
    talk = await talks.ready(owner="arn:f5")
    repeated = f"[{call('bpf', 0, 0, 0)} for _ in range({MOST_HEARD + 500})]"
    answers = await talk.run(ASKING + repeated)
    assert answers == [errno.EPERM] * MOST_HEARD + [errno.ENOSYS] * 500
    assert await told(denials, "arn:f5") == {"bpf": MOST_HEARD}


async def test_what_waits_for_an_answer_can_be_ended(talks: Talks) -> None:
    talk = await talks.ready()
    storm = "import threading\n" + ASKING.replace("result = ", "")
    storm += f"def f():\n    while True: {call('bpf', 0, 0, 0)}\n"
    await talk.send_invoke({"code": storm + "for _ in range(8): threading.Thread(target=f).start()"})
    assert (await talk.sandbox.discard()).reason == "killed"


async def test_forks_of_a_template_are_heard_through_it(talks: Talks, denials: Denials, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "import ctypes; ctypes.CDLL(None).syscall(321, 0, 0, 0)", "import parcel")
    spec = SandboxSpec(RUNTIME, code, owner="arn:f6")
    await talks.factory.prepare_packages(str(code), spec, list(parcels.MODULES), {})
    assert await told(denials, "arn:f6") == {"bpf": 1}  # by what was imported
    forks: list[Talk] = [await talks.ready(code, template=str(code)) for _ in range(2)]
    for talk in forks:
        assert talk.sandbox.origin == "template"
        assert "user namespace of its version" in talk.sandbox.layers
        assert await talk.run(ASKING + call("keyctl", 0, 0)) == errno.EPERM
    assert await told(denials, "arn:f6") == {"bpf": 1, "keyctl": 2}


@pytest.mark.parametrize(
    "hidden",
    [
        "libc.prctl(ctypes.c_ulong(0x100000001), 0, 0, 0, 0)",  # PR_SET_PDEATHSIG, were the upper bits looked at
        "libc.prctl(1, 0, 0, 0, 0)",
        "libc.syscall(41, ctypes.c_ulong(0x100000028), 1, 0)",  # AF_VSOCK
        "libc.syscall(41, 16, 3, 12)",  # netfilter's netlink
        "libc.syscall(56, ctypes.c_ulong(0x10000011), 0, 0, 0, 0)",
        "libc.personality(0x0040000)",  # addresses that are not randomized
    ],
)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are of x86_64")
async def test_arguments_are_looked_at_as_the_kernel_does(talks: Talks, hidden: str) -> None:
    talk = await talks.ready()
    assert await talk.run(ASKING + f"({hidden} < 0) and ctypes.get_errno()") in {
        *(errno.EPERM, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EINVAL),
    }


@pytest.mark.parametrize(
    "program",
    [
        "result = [name for _, name in socket.if_nameindex()]",
        "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as p: result = p.map(abs, [-1, 2])",
        "import asyncio, tempfile, shutil\nasyncio.run(asyncio.sleep(0)); result = shutil.rmtree(tempfile.mkdtemp())",
        "import mmap, select, signal\nm = mmap.mmap(-1, 4096); m.madvise(mmap.MADV_DONTNEED); result = len(m)",
        "os.mkfifo('/tmp/fifo'); os.setxattr('/tmp/fifo', 'user.x', b'') if False else None; result = 1",
        "import resource\nresult = resource.getrusage(0).ru_maxrss > 0 and os.sched_getaffinity(0) != set()",
        "result = [os.memfd_create('x') > 0, os.pidfd_open(os.getpid()) > 0, os.statvfs('/tmp').f_bsize > 0]",
        "result = subprocess.run(['sh', '-c', 'ls -la / | sort | wc -l'], capture_output=True, text=True).stdout != ''",
        "result = subprocess.run(['tar', '-cf', '/tmp/x.tar', '/var/task'], capture_output=True).returncode",
    ],
)
async def test_what_programs_do_is_allowed(talks: Talks, denials: Denials, program: str) -> None:
    talk = await talks.ready(owner="arn:ordinary")
    assert await talk.run(program) not in (None, []) or "rmtree" in program
    assert await told(denials, "arn:ordinary") == {}


async def test_names_that_are_kept_of_one_owner_are_bounded() -> None:
    book = Denials(ManualClock())
    for number in range(1000):
        book.heard("arn:f", 100_000 + number, X86_64)
    found = await told(book, "arn:f")
    assert len(found) == MOST_NAMES + 1
    assert found[OTHERS] == 1000 - MOST_NAMES


async def test_every_listed_call_is_of_one_kind_only() -> None:
    listed = [*calls.ALLOWED, *calls.FALLBACKS, *calls.REFUSED]
    assert sorted({name for name in listed if listed.count(name) > 1}) == []
