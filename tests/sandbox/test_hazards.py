"""Why else a shared template cannot be made (what it may hold: `test_shared_state`); and code in one that attacks."""

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

from mayfly.sandbox import frames
from mayfly.sandbox.api import SandboxSpec, TemplateLostError, TemplateRefusedError

from . import parcels
from .talk import CODE, RUNTIME, Talk, Talks

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

FAILURES = {
    "more than 64 KiB were printed": "print('x' * 70_000)",
    "parcel cannot be imported ahead: ValueError: no": "raise ValueError('no')",
    "parcel cannot be imported ahead: SystemExit": "import sys; sys.exit(1)",
    "packages import the function's own module own": "import own",
}


def specification(code: Path, **more: Any) -> SandboxSpec:
    return SandboxSpec(RUNTIME, code, **more)


async def prepare(talks: Talks, code: Path, **more: Any) -> None:
    await talks.factory.prepare_packages(str(code), specification(code, **more), parcels.MODULES, {})


@pytest.mark.parametrize("reason", FAILURES)
async def test_imports_that_cannot_be_made_ahead_are_refused(isolated: Talks, tmp_path: Path, reason: str) -> None:
    code = parcels.make(tmp_path, FAILURES[reason], extra={"own.py": ""})
    with pytest.raises(TemplateRefusedError) as refused:
        await prepare(isolated, code)
    assert reason in str(refused.value)
    with pytest.raises(TemplateLostError):
        await isolated.start(code, template=str(code))


async def test_every_reason_is_told(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "import os, socket\nPAIR = socket.socketpair()\nopen('/tmp/x', 'w').close()\n")
    with pytest.raises(TemplateRefusedError) as refused:
        await prepare(isolated, code)
    assert len(refused.value.reasons) == 3


async def test_a_function_without_distributions_needs_no_template(isolated: Talks) -> None:
    with pytest.raises(TemplateRefusedError, match="no installed distribution"):
        await isolated.factory.prepare_packages("lab", specification(CODE), ["lab", "json"], {})


async def test_a_template_that_ends_while_it_loads_is_refused(isolated: Talks, tmp_path: Path) -> None:
    with pytest.raises(TemplateRefusedError):
        await prepare(isolated, parcels.make(tmp_path, "import os; os._exit(0)"))


async def test_threads_that_end_around_a_fork_are_no_hazard(isolated: Talks, tmp_path: Path) -> None:
    pool = (
        "import os, threading\nSTOP = threading.Event()\n"
        "THREAD = threading.Thread(target=STOP.wait)\nTHREAD.start()\n"
        "def end():\n    STOP.set(); THREAD.join()\nos.register_at_fork(before=end)\n"
    )
    await prepare(isolated, parcels.make(tmp_path, pool))


# Attacks.


def call(text: str) -> str:
    """The errno of a call into the C library; 0 when it succeeded."""
    return f"(lambda r: ctypes.get_errno() if r < 0 else 0)(libc.{text})"


ATTACKS = {
    "a mount": call("mount(b'x', b'/tmp', b'tmpfs', 0, None)"),
    "an unmount": call("umount2(b'/proc', 2)"),
    "a namespace": call("unshare(0x00020000)"),
    "a user namespace": call("unshare(0x10000000)"),
    "a namespace by clone": call("syscall(56 if os.uname().machine == 'x86_64' else 220, 0x10000011, 0, 0, 0, 0)"),
    "tracing": call("ptrace(16, 1, 0, 0)"),
    "another root": call("chroot(b'/tmp')"),
    "the host's name": call("sethostname(b'evil', 4)"),
    "root": "errno_of(os.setuid, 0)",
    "the keeper's user id": "errno_of(os.setuid, os.getuid() + 1)",
    "killing the keeper": "errno_of(os.kill, 1, 9)",
    "the keeper's files": "errno_of(os.listdir, '/proc/1/fd')",
    "joining the keeper": call("setns(keeper, 0x40000000)"),
    "a raw socket": "errno_of(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)",
    "a network device": "errno_of(link_down)",
    "the code": "errno_of(open, '/var/task/lab.py', 'w')",
    "the host's files": "errno_of(open, '/etc/shadow')",
    "kernel settings": "errno_of(open, '/proc/sys/kernel/hostname', 'w')",
}
ATTACKER = """
import ctypes, errno, fcntl, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
keeper = os.pidfd_open(1)
def errno_of(function, *arguments):
    try: function(*arguments)
    except OSError as error: return error.errno
    return 0
def link_down():
    with socket.socket() as s: fcntl.ioctl(s, 0x8914, struct.pack("16sh22x", b"lo", 0))
"""
REFUSALS = {"EPERM", "EACCES", "EROFS", "ENOENT", "EINVAL", "ENOSYS", "ESRCH"}


async def test_code_in_a_template_reaches_nothing_beyond_it(isolated: Talks, tmp_path: Path) -> None:
    lines = [f"SEEN[{name!r}] = {attack}" for name, attack in ATTACKS.items()]
    code = parcels.make(tmp_path, ATTACKER + "SEEN = {}\n" + "\n".join(lines) + "\nos.close(keeper)\n")
    await prepare(isolated, code)
    talk = await fork(isolated, code)
    seen = await talk.run("import parcel; result = parcel.SEEN")
    assert {name: number for name, number in seen.items() if errno.errorcode.get(number) not in REFUSALS} == {}


async def fork(talks: Talks, code: Path) -> Talk:
    talk = await talks.start(code, template=str(code))
    assert (await talk.init()).kind == frames.READY
    return talk


async def test_a_template_sees_only_its_own_nest(isolated: Talks, tmp_path: Path) -> None:
    other = await isolated.ready()
    await other.run("subprocess.Popen(['sleep', '600'])")
    source = (
        "import os, socket\nUIDS = open('/proc/self/uid_map').read().split()\n"
        "PIDS = sorted(filter(str.isdigit, os.listdir('/proc')))\n"
        "ALIVE = []\nfor pid in range(1, 5000):\n"
        "    try: os.kill(pid, 0); ALIVE.append(pid)\n    except PermissionError: ALIVE.append(pid)\n"
        "    except ProcessLookupError: pass\n"
        "LINES = open('/proc/self/status').read().splitlines()\n"
        "STATUS = dict(line.split(':\\t', 1) for line in LINES if ':\\t' in line)\n"
        "LINKS = [name for _, name in socket.if_nameindex()]\nME = os.getpid()\n"
    )
    code = parcels.make(tmp_path, source)
    await prepare(isolated, code)
    talk = await fork(isolated, code)
    seen = await talk.run(
        "import parcel as p; result = [p.UIDS, p.PIDS, p.ALIVE, p.STATUS['CapEff'], p.STATUS['CapBnd'], p.LINKS, p.ME]"
    )
    uids, pids, alive, effective, bounding, links, me = seen
    assert [uids[0] == uids[1], uids[3] == uids[4], uids[2], uids[5], len(uids)] == [True, True, "1", "1", 6]
    assert min(int(uids[0]), int(uids[3])) >= 0x70000000
    assert (pids, alive, links) == ([str(me)], [1, me], ["lo"])
    assert (int(effective, 16), int(bounding, 16)) == (1 << 21 | 1 << 18, 0)


async def test_instances_of_a_hostile_template_hold_nothing_of_it(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "")
    await prepare(isolated, code)
    talk = await fork(isolated, code)
    status = await talk.run("result = open('/proc/self/status').read()")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (fields["NoNewPrivs"], fields["Seccomp"], fields["Groups"].strip()) == ("1", "2", "")
    for attempt in ("setns(3, 0)", "prctl(1, 0, 0, 0, 0)"):
        code_text = f"import ctypes; libc = ctypes.CDLL(None, use_errno=True)\nresult = {call(attempt)}"
        assert await talk.run(code_text) == errno.EPERM
    kinds = await talk.run("result = [os.readlink(f'/proc/self/fd/{n}').split(':')[0] for n in ('0', '1', '2', '3')]")
    assert kinds == ["/dev/null", "pipe", "pipe", "socket"]


# A template is at work in its own memory: the package finds the loop that forks, and puts its own in the place of it.
TAKE_OVER = """
import os, socket, sys, time
def take_over(*arguments):
    {what}
frame = sys._getframe()
while "_fork_on_request" not in frame.f_globals:
    frame = frame.f_back
frame.f_globals.update(os=os, time=time)
frame.f_globals["_fork_on_request"].__code__ = take_over.__code__
"""


@pytest.mark.parametrize(
    "what",
    [
        pytest.param("time.sleep(600)", id="hangs"),
        pytest.param("os._exit(0)", id="dies"),
        pytest.param("while True: arguments[0].recv(1 << 16)", id="forks nothing"),
        pytest.param(
            "while True:\n        _, fds, _, _ = socket.recv_fds(arguments[0], 1 << 16, 64)\n"
            "        socket.socket(fileno=fds[0]).send(b'me')",
            id="passes itself off as an instance",
        ),
        pytest.param(
            "while True:\n        _, fds, _, _ = socket.recv_fds(arguments[0], 1 << 16, 64)\n"
            "        arguments[0].send(b'x' * 60000); os.fork() or os._exit(1)",
            id="talks and forks for itself",
        ),
    ],
)
async def test_a_template_that_takes_the_forking_over_is_discarded_and_harms_nobody(
    isolated: Talks, tmp_path: Path, what: str
) -> None:
    code = parcels.make(tmp_path, TAKE_OVER.format(what=what))
    await prepare(isolated, code)
    for _ in range(2):
        with pytest.raises(TemplateLostError):
            async with asyncio.timeout(60):
                await isolated.start(code, template=str(code))
    assert await (await isolated.ready()).run("result = 'well'") == "well"


async def test_an_answer_that_makes_no_sense_is_a_refusal(isolated: Talks, tmp_path: Path) -> None:
    frame = r"b'\0\x14\0\0\0\0\0\0\0\0\0\x02\0\0\0\0{}'"
    lie = f"import os\nfor n in range(3, 9):\n    try: os.write(n, {frame})\n    except OSError: pass\n"
    with pytest.raises(TemplateRefusedError, match="makes no sense"):
        await prepare(isolated, parcels.make(tmp_path, lie))


async def test_a_template_cannot_use_more_memory_than_its_function_may(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "HOG = []\nwhile True: HOG.append(b'x' * (1 << 20))\n")
    with pytest.raises(TemplateRefusedError):
        await prepare(isolated, code, memory_mb=128)
