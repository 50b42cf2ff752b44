"""What a template may hold when instances are forked from it, and what not: hazard by hazard, with packages and init.

Each hazard has a twin, the same code with the hazard undone at its end. The hazard is refused with its reason, and the
function answers without a template; the twin gets one, and instances of it answer.
"""

import asyncio
from pathlib import Path
from typing import NamedTuple

import pytest

from mayfly.sandbox import frames
from mayfly.sandbox.api import SandboxSpec, TemplateRefusedError

from . import parcels
from .talk import RUNTIME, Talks

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

PACKAGES, INIT = "packages", "init"
AT_ONCE = 4


class Hazard(NamedTuple):
    reason: str
    source: str
    undone: str  # what makes the twin
    of: tuple[str, ...] = (PACKAGES, INIT)


LIBC = """
import ctypes, mmap, os, platform
libc = ctypes.CDLL(None, use_errno=True)
def ok(result):
    if result == -1: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
arm = platform.machine() == "aarch64"
libc.mmap.restype = ctypes.c_void_p
"""
HAZARDS = (
    Hazard(
        "a thread is alive: pump",
        "import threading\nSTOP = threading.Event()\nT = threading.Thread(target=STOP.wait, name='pump', daemon=True)\n"
        "T.start()",
        "STOP.set(); T.join()",
    ),
    Hazard(
        "2 threads are alive: one, two",
        "import threading\nSTOP = threading.Event()\nT = [threading.Thread(target=STOP.wait, name=n, daemon=True)"
        " for n in ('one', 'two')]\nfor t in T: t.start()",
        "STOP.set()\nfor t in T: t.join()",
    ),
    Hazard(
        "a thread is alive: ThreadPoolExecutor-0_0",
        "from concurrent.futures import ThreadPoolExecutor\nE = ThreadPoolExecutor(4)\nE.submit(int).result()",
        "E.shutdown()",
    ),
    Hazard("a socket is open", "import socket\nPAIR = socket.socketpair()", "for s in PAIR: s.close()", (PACKAGES,)),
    Hazard(
        "a socket is open",
        "import socket\nLISTENER = socket.create_server(('127.0.0.1', 0))\n"
        "ONE = socket.create_connection(LISTENER.getsockname())",
        "ONE.close(); LISTENER.close()",
        (PACKAGES,),
    ),
    Hazard("a socket is open", "import socket\nS = socket.socket(16, 3, 0)", "S.close()", (PACKAGES,)),
    Hazard("a pipe is open", "import os\nPIPE = os.pipe()", "for n in PIPE: os.close(n)"),
    Hazard("eventpoll is open", "import select\nPOLL = select.epoll()", "POLL.close()"),
    Hazard("eventpoll is open", "import asyncio\nLOOP = asyncio.new_event_loop()", "LOOP.close()"),
    Hazard("eventfd is open", LIBC + "E = ok(libc.eventfd(0, 0))", "os.close(E)"),
    Hazard("inotify is open", LIBC + "E = ok(libc.inotify_init())", "os.close(E)"),
    Hazard("timerfd is open", LIBC + "E = ok(libc.timerfd_create(1, 0))", "os.close(E)"),
    Hazard("signalfd is open", LIBC + "M = (ctypes.c_ulong * 16)()\nE = ok(libc.signalfd(-1, M, 0))", "os.close(E)"),
    Hazard("pidfd is open", "import os\nE = os.pidfd_open(os.getpid())", "os.close(E)"),
    Hazard("a file is open for writing: /memfd:", "import os\nE = os.memfd_create('m')", "os.close(E)"),
    Hazard("a namespace is open: net", "import os\nE = os.open('/proc/self/ns/net', os.O_RDONLY)", "os.close(E)"),
    Hazard("a file of /proc is open", "FILE = open('/proc/self/stat')", "FILE.close()"),
    Hazard(
        "it has child processes",
        "import subprocess\nCHILD = subprocess.Popen(['sleep', '600'])",
        "CHILD.kill(); CHILD.wait()",
    ),
    Hazard(
        "processes were left behind: sleep",
        "import subprocess\nPID = int(subprocess.check_output('sleep 600 >/dev/null 2>&1 & echo $!', shell=True))",
        "import os, signal\nos.kill(PID, signal.SIGKILL)\nwhile os.path.exists(f'/proc/{PID}'): pass",
    ),
    Hazard(
        "files were written to /tmp: cache", "import os\nopen('/tmp/cache', 'w').close()", "os.unlink('/tmp/cache')"
    ),
    Hazard("files were written to /tmp: .hid", "import os\nos.mkdir('/tmp/.hid')", "os.rmdir('/tmp/.hid')"),
    Hazard(
        "files were written to /dev/shm: s", "import os\nopen('/dev/shm/s', 'w').close()", "os.unlink('/dev/shm/s')"
    ),
    Hazard(
        "a file is open for writing: /dev/shm/gone",
        "import os\nFILE = open('/dev/shm/gone', 'w')\nos.unlink('/dev/shm/gone')",
        "FILE.close()",
    ),
    Hazard(
        "(it has no name any more)",
        "import os\nopen('/tmp/gone', 'w').close()\nFILE = open('/tmp/gone')\nos.unlink('/tmp/gone')",
        "FILE.close()",
    ),
    Hazard(
        "a file is open for writing: /tmp/db",
        "import os, sqlite3\nDB = sqlite3.connect('/tmp/db'); DB.execute('create table t(a)')\nos.unlink('/tmp/db')",
        "DB.close()",
    ),
    Hazard(
        "a lock is held on /var/task/lab.py",
        "import fcntl\nFILE = open('/var/task/lab.py')\nfcntl.flock(FILE, fcntl.LOCK_SH)",
        "fcntl.flock(FILE, fcntl.LOCK_UN)",
    ),
    Hazard("memory is shared for writing: /dev/zero", "import mmap\nMAP = mmap.mmap(-1, 4096)", "MAP.close()"),
    Hazard(
        "memory is shared for writing: /memfd:m",
        "import mmap, os\nE = os.memfd_create('m')\nos.ftruncate(E, 4096)\n"
        "MAP = mmap.mmap(E, 4096, prot=mmap.PROT_READ)\nos.close(E)",
        "MAP.close()",
    ),
    Hazard(
        "memory is shared for writing: /dev/shm/",
        "import multiprocessing\nLOCK = multiprocessing.get_context('fork').Lock()",
        "del LOCK; import gc; gc.collect()",
    ),
    Hazard(
        "memory is shared for writing: /[aio]",
        LIBC + "C = ctypes.c_ulong()\nok(libc.syscall(0 if arm else 206, 8, ctypes.byref(C)))",
        "ok(libc.syscall(1 if arm else 207, C))",
    ),
    Hazard(
        "memory is kept from forks",
        LIBC + "M = libc.mmap(None, 4096, 3, 0x22, -1, 0)\nok(libc.madvise(ctypes.c_void_p(M), 4096, 10))",
        "ok(libc.madvise(ctypes.c_void_p(M), 4096, 11))",
    ),
    Hazard(
        "memory is locked",
        LIBC + "M = libc.mmap(None, 4096, 3, 0x22, -1, 0)\nok(libc.mlock(ctypes.c_void_p(M), 4096))",
        "ok(libc.munlock(ctypes.c_void_p(M), 4096))",
    ),
    Hazard(
        "a timer is set",
        "import signal\nsignal.signal(signal.SIGALRM, print)\nsignal.alarm(600)",
        "signal.alarm(0)",
    ),
    Hazard(
        "a timer is set",
        "import signal\nsignal.setitimer(signal.ITIMER_PROF, 600)",
        "signal.setitimer(signal.ITIMER_PROF, 0)",
    ),
    Hazard(
        "a timer is set",
        LIBC + "E = (ctypes.c_int * 16)(0, 0, 0, 1)\nT = ctypes.c_int()\n"
        "ok(libc.syscall(107 if arm else 222, 1, None, ctypes.byref(T)))",
        "ok(libc.syscall(111 if arm else 226, T))",
    ),
    Hazard(
        "System V shared memory was made",
        LIBC + "S = ok(libc.shmget(0, 4096, 0o1600))",
        "ok(libc.shmctl(S, 0, None))",
    ),
    Hazard("System V a set of semaphores", LIBC + "S = ok(libc.semget(0, 1, 0o1600))", "ok(libc.semctl(S, 0, 0))"),
    Hazard("System V a message queue", LIBC + "S = ok(libc.msgget(0, 0o1600))", "ok(libc.msgctl(S, 0, None))"),
    Hazard("it adopts processes", LIBC + "ok(libc.prctl(36, 1, 0, 0, 0))", "ok(libc.prctl(36, 0, 0, 0, 0))"),
    Hazard(
        "the standard input was replaced",
        "import os\nE = os.open('/var/task/lab.py', os.O_RDONLY); os.dup2(E, 0); os.close(E)",
        "E = os.open('/dev/null', os.O_RDONLY); os.dup2(E, 0); os.close(E)",
    ),
    Hazard(
        "a filter of system calls was installed",
        LIBC + "import struct\nF = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000), 8)\n"
        "P = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', 1, ctypes.addressof(F)), 16)\n"
        "ok(libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(P)), 0, 0))",
        "",
    ),
    Hazard(
        "a random.Random has a seed that seems to be from the system",
        "import os, random\nR = random.Random(os.getpid() << 40)",
        "R.seed(7)",
    ),
    Hazard("or the clock", "import random, time\nR = random.Random(int(time.time()))", "del R"),
    Hazard("imports draw random numbers", "import uuid\nTOKEN = str(uuid.uuid4())", "", (PACKAGES,)),
    Hazard("imports draw random numbers", "import secrets\nTOKEN = secrets.token_hex()", "", (PACKAGES,)),
    Hazard("imports draw random numbers", "import ssl\nTOKEN = ssl.RAND_bytes(8)", "", (PACKAGES,)),
    Hazard("imports draw from Python's random generator", "import random\nTOKEN = random.random()", "", (PACKAGES,)),
)
ROWS = [(hazard, kind) for hazard in HAZARDS for kind in hazard.of]


async def prepare(talks: Talks, code: Path, kind: str) -> None:
    specification = SandboxSpec(RUNTIME, code)
    if kind == PACKAGES:
        await talks.factory.prepare_packages(str(code), specification, parcels.MODULES, {})
    else:
        await talks.factory.prepare_function(str(code), specification, "lab.run", {}, None)


def make(directory: Path, source: str, kind: str) -> Path:
    directory.mkdir()
    directory.parent.chmod(0o755)
    if kind == PACKAGES:
        return parcels.make(directory, source, "import parcel")
    return parcels.make(directory, "", source)


async def refused(talks: Talks, code: Path, hazard: Hazard, kind: str) -> str:
    """What is wrong: nothing, if all is as it should be."""
    try:
        await prepare(talks, code, kind)
    except TemplateRefusedError as error:
        if hazard.reason not in str(error):
            return f"another reason: {error}"
    else:
        return "it was accepted"
    talk = await talks.ready(code)
    if talk.sandbox.origin != "interpreter" or await talk.run("result = 'well'") != "well":
        return "it does not run without a template"
    await talk.sandbox.discard()
    return ""


async def accepted(talks: Talks, code: Path, kind: str) -> str:
    try:
        await prepare(talks, code, kind)
    except TemplateRefusedError as error:
        return f"the twin is refused: {error}"
    talk = await talks.start(code, template=str(code))
    if (await talk.init()).kind != frames.READY or await talk.run("result = 'well'") != "well":
        return "the twin does not run"
    await talk.sandbox.discard()
    talks.factory.drop_template(str(code))
    return ""


async def test_each_hazard_is_refused_with_its_reason_and_nothing_else_is(isolated: Talks, tmp_path: Path) -> None:
    turn = asyncio.Semaphore(AT_ONCE)

    async def check(number: int, hazard: Hazard, kind: str) -> list[str]:
        async with turn:
            found = [await refused(isolated, make(tmp_path / f"h{number}", hazard.source, kind), hazard, kind)]
            if hazard.undone:
                twin = make(tmp_path / f"t{number}", f"{hazard.source}\n{hazard.undone}\n", kind)
                found.append(await accepted(isolated, twin, kind))
            return [f"{kind}: {hazard.reason} [{hazard.source[-60:]!r}]: {one}" for one in found if one]

    results = await asyncio.gather(*(check(number, *row) for number, row in enumerate(ROWS)))
    assert [line for lines in results for line in lines] == []
