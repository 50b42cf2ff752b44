"""Instances that were forked from one template, many at a time: nothing that one has is another's."""

import asyncio
import importlib.metadata
import shutil
from pathlib import Path
from typing import Any

import pytest

from mayfly.sandbox import frames
from mayfly.sandbox.api import SandboxSpec

from . import parcels
from .talk import RUNTIME, Talk, Talks

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

MANY = 24

# What a module makes when it is imported: generators of all kinds, and things that the kernel keeps.
MADE = """
import os, random, tempfile, uuid
import numpy
from numpy import random as nr
from concurrent.futures import ThreadPoolExecutor
OWN = random.Random()
FIXED = random.Random(7)
GENERATORS = [nr.default_rng(), nr.Generator(nr.Philox()), nr.Generator(nr.SFC64()), nr.Generator(nr.MT19937()),
              nr.default_rng(nr.SeedSequence().spawn(1)[0])]
LEGACY = nr.RandomState()
FIXED_NUMPY = nr.default_rng(7)
FIXED_LEGACY = nr.RandomState(7)
for _ in range(3): LEGACY.normal()
NULL = open(os.devnull, "w")
ENTROPY = os.open("/dev/urandom", os.O_RDONLY)
FILE = open(__file__, "rb", buffering=0); FILE.read(4)
TWIN = os.dup(FILE.fileno())
DIRECTORY = os.open("/tmp", os.O_RDONLY | os.O_DIRECTORY)
NAME_ONLY = os.open("/var/task", os.O_PATH)
os.chdir("/tmp")
os.umask(0o027)
"""
SOCKETS = """
import socket
LISTENER = socket.create_server(("127.0.0.1", 7000))
CLIENT = socket.create_connection(("127.0.0.1", 7000))
ACCEPTED = LISTENER.accept()[0]
"""
DRAWN = """
import MODULE as m, random, secrets, ssl, tempfile, uuid, numpy, multiprocessing
draws = [random.random(), random.getrandbits(64), m.OWN.random(), str(uuid.uuid4()), secrets.token_hex(),
         os.urandom(8).hex(), ssl.RAND_bytes(8).hex(), next(tempfile._get_candidate_names()), tempfile.mktemp(),
         numpy.random.random(), numpy.random.normal(), m.LEGACY.normal(), m.LEGACY.random(),
         bytes(multiprocessing.current_process().authkey).hex(), os.read(m.ENTROPY, 8).hex(), uuid.getnode(),
         *(g.random() for g in m.GENERATORS), *(g.spawn(1)[0].random() for g in m.GENERATORS),
         random.Random().random(), numpy.random.default_rng().random()]
result = [draws, [m.FIXED.random(), m.FIXED_NUMPY.random(), m.FIXED_LEGACY.random()]]
"""
# Each instance leaves its mark everywhere that it can reach; then each looks at what it finds.
MARK = """
import MODULE as m, builtins, ctypes, mmap
libc = ctypes.CDLL(None, use_errno=True)
me = os.environ["ME"]
open("/tmp/mark", "w").write(me); open("/dev/shm/mark", "w").write(me)
os.close(os.open("by-directory", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=m.DIRECTORY))
port = socket.create_server(("127.0.0.1", 8000))
name = socket.socket(socket.AF_UNIX); name.bind("\\0mark"); name.listen()
shared = libc.shmget(77, 4096, 0o1600); queue = libc.msgget(77, 0o1600)
semaphores = libc.semget(77, 1, 0o1600)
small = (ctypes.c_long * 8)(0, 1, 64)  # the kernel counts their bytes by user
posix = libc.mq_open(b"/mark", os.O_CREAT | os.O_RDWR | os.O_EXCL, 0o600, small)
os.environ["SECRET_" + me] = me
child = subprocess.Popen(["sleep", "600"])
m.FILE.read(6)
builtins.mark = (port, name, child)
result = [shared >= 0, queue >= 0, semaphores >= 0, posix >= 0]
"""
LOOK = """
import MODULE as m, fcntl
def connects(family, address):
    with socket.socket(family) as s:
        return s.connect_ex(address) == 0
with open("/proc/sysvipc/shm") as f: segments = len(f.readlines()) - 1
processes = sorted(open(f"/proc/{p}/comm").read().strip() for p in os.listdir("/proc") if p.isdigit())
before = m.FILE.tell()
os.lseek(m.TWIN, 0, os.SEEK_SET)
result = {
    "me": [open("/tmp/mark").read(), open("/dev/shm/mark").read()],
    "tmp": [sorted(os.listdir("/tmp")), sorted(os.listdir(m.DIRECTORY)), os.getcwd(), os.listdir("/dev/shm")],
    "umask": os.umask(0o027),
    "secrets": [name for name in os.environ if name.startswith("SECRET_")],
    "processes": processes,
    "segments": segments,
    "offset": [before, m.FILE.tell()],
    "null": [m.NULL.write("x"), os.readlink(f"/proc/self/fd/{m.NULL.fileno()}")],
    "place": os.readlink(f"/proc/self/fd/{m.NAME_ONLY}"),
}
"""
DEAD = """
import lab, errno
def attempt(action, *arguments):
    try: return repr(action(*arguments))
    except OSError as error: return errno.errorcode[error.errno]
result = [attempt(lab.CLIENT.send, b"x"), attempt(lab.CLIENT.recv, 1), attempt(lab.ACCEPTED.recv, 1),
          attempt(lab.LISTENER.accept), socket.socket().connect_ex(("127.0.0.1", 7000)) == errno.ECONNREFUSED]
"""


@pytest.fixture(scope="module")
def numpy_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layer with NumPy, as a user would have installed it."""
    layer = tmp_path_factory.mktemp("numpy")
    found = importlib.metadata.distribution("numpy")
    place = Path(str(found.locate_file("")))
    for name in {file.parts[0] for file in found.files or () if file.parts[0] not in {"..", "."}}:
        shutil.copytree(place / name, layer / "python" / name, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    for directory in (layer, *layer.parents[:2]):
        directory.chmod(0o755)
    return layer


async def forked(talks: Talks, spec: SandboxSpec, kind: str) -> list[Talk]:
    """Instances of one template, started at once; with "spares" some of them prepare themselves first."""
    key = str(spec.code)
    if kind == "init":
        await talks.factory.prepare_function(key, spec, "lab.run", {}, None)
    else:
        await talks.factory.prepare_packages(key, spec, ["numpy", *parcels.MODULES], {})

    async def one(number: int) -> Talk:
        ahead = kind == "spares" and number % 2 == 0
        talk = await talks.start(spec.code, layers=spec.layers, template=key, ahead=ahead)
        ready = await talk.init(environment={"ME": str(number)})
        assert ready.kind == frames.READY, ready
        return talk

    return list(await asyncio.gather(*(one(number) for number in range(MANY))))


@pytest.mark.parametrize("kind", ["packages", "init", "spares"])
async def test_instances_of_one_template_share_nothing(
    isolated: Talks, tmp_path: Path, numpy_layer: Path, kind: str
) -> None:
    code = (
        parcels.make(tmp_path, "", MADE + SOCKETS) if kind == "init" else parcels.make(tmp_path, MADE, "import parcel")
    )
    module = "lab" if kind == "init" else "parcel"
    group = await forked(isolated, SandboxSpec(RUNTIME, code, layers=(numpy_layer,)), kind)

    async def all_run(source: str) -> list[Any]:
        return await asyncio.gather(*(talk.run(source.replace("MODULE", module)) for talk in group))

    drawn = await all_run(DRAWN)
    draws = [draw for one, _ in drawn for draw in one]
    assert sorted({str(draw) for draw in draws if draws.count(draw) > 1}) == []
    assert len({str(fixed) for _, fixed in drawn}) == 1, "a seed of its own gives what it gives everywhere"

    assert await all_run(MARK) == [[True] * 4] * MANY, "each is the first one at every name"
    for number, found in enumerate(await all_run(LOOK)):
        assert found == {
            "me": [str(number)] * 2,
            "tmp": [["by-directory", "mark"]] * 2 + ["/tmp", ["mark"]],
            "umask": 0o027,
            "secrets": [f"SECRET_{number}"],
            "processes": ["fn", "sleep"],
            "segments": 1,
            "offset": [10, 0],
            "null": [1, "/dev/null"],
            "place": "/var/task",
        }
    if kind == "init":
        assert await all_run(DEAD) == [["EPIPE", "b''", "b''", "EINVAL", True]] * MANY
