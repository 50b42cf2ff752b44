"""What one sandbox tells of a package's compiled modules is kept in the package, and trusted with nothing else."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from mayfly.clock import ManualClock
from mayfly.sandbox import frames
from mayfly.sandbox.api import Sandbox, SandboxSpec, SandboxUnavailableError
from mayfly.services.functions.code import compile_cache
from mayfly.services.functions.code.compile_cache import CompileCaches
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.model import Configuration
from mayfly.services.functions.runtimes import RuntimeChoice
from mayfly.settings import FunctionLimits
from mayfly.store.files import FileBlobs
from tests.conftest import OpenStore
from tests.services.functions.stage import zipped

CHOICE = RuntimeChoice("nodejs22", compiles_as="22.20.0-0")
FUNCTION = Configuration("nodejs22.x", "index.handler", "arn:role", environment={"SECRET": "s3cr3t"})
ENOUGH = b"x" * compile_cache.LEAST_BYTES
KEY = "v22.20.0-x64-9ac5647c"
Said = list[tuple[int, dict[str, Any] | None, bytes]]


def artifact(name: str, content: bytes = ENOUGH) -> tuple[int, dict[str, Any] | None, bytes]:
    return frames.ARTIFACT, {"name": name}, content


def over(key: str = KEY) -> tuple[int, dict[str, Any] | None, bytes]:
    return frames.COMPILED, {"key": key}, b""


class Scripted:
    """A sandbox that says what a test has written for it, and then ends, or holds its peace."""

    endpoint = None

    def __init__(self, said: bytes, stays: bool) -> None:
        self.control, self.theirs = socket.socketpair()
        self.control.setblocking(False)
        self.output, write = os.pipe()
        os.set_blocking(self.output, False)
        os.write(write, b"printed")
        os.close(write)
        self._said, self._stays = said, stays
        self.asked: frames.Frame | None = None
        self.discarded = False
        self._speaking = asyncio.create_task(self._speak())

    async def _speak(self) -> None:
        self.theirs.setblocking(False)
        loop, decoder = asyncio.get_running_loop(), frames.Decoder()
        while self.asked is None:
            data = await loop.sock_recv(self.theirs, 1 << 16)
            if not data:
                return
            for frame in decoder.feed(data):
                self.asked = frame
        try:
            await loop.sock_sendall(self.theirs, self._said)
        except OSError:
            return
        if not self._stays:
            self.theirs.close()

    async def discard(self) -> None:
        await asyncio.wait({self._speaking})
        self.theirs.close()
        self.discarded = True


class Sandboxes:
    """Starts them."""

    def __init__(self) -> None:
        self.said: Said = [artifact("0482f30b"), artifact("16df4379"), over()]
        self.raw = b""
        self.stays = True
        self.made: list[Scripted] = []
        self.specs: list[SandboxSpec] = []
        self.absent = False

    async def start(self, spec: SandboxSpec) -> Sandbox:
        self.specs.append(spec)
        if self.absent:
            raise SandboxUnavailableError("not here")
        said = b"".join(frames.encode(*one) for one in self.said) + self.raw
        self.made.append(Scripted(said, self.stays))
        return cast(Sandbox, self.made[-1])


@pytest.fixture
async def library(tmp_path: Path, clock: ManualClock, open_store: OpenStore) -> AsyncIterator[CodeLibrary]:
    store = await open_store("mayfly.services.functions")
    made = CodeLibrary(tmp_path, FileBlobs(tmp_path / "blobs", store, clock), FunctionLimits(), clock)
    await made.open()
    yield made
    made.close()


@pytest.fixture
def sandboxes() -> Sandboxes:
    return Sandboxes()


@pytest.fixture
async def caches(library: CodeLibrary, sandboxes: Sandboxes) -> AsyncIterator[CompileCaches]:
    made = CompileCaches(library, sandboxes.start, "eu-west-1")
    yield made
    await made.close()
    assert all(one.discarded for one in sandboxes.made)
    assert list((library.directory("incoming")).iterdir()) == []


async def brought(library: CodeLibrary, files: dict[str, Any] | None = None) -> str:
    async with library.ingest_bytes(zipped(files or {"index.js": "exports.handler = 1"})) as code:
        return code.sha256


def files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if "compiled" not in path.parts)


def kept(library: CodeLibrary, sha256: str) -> dict[str, bytes]:
    root = library.directory(sha256) / compile_cache.DIRECTORY
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def test_what_is_told_is_kept_under_its_key_and_the_handler(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches
) -> None:
    sha256 = await brought(library)
    await caches.prepare(sha256, CHOICE, FUNCTION, "namespace")
    place = f"{KEY}/{compile_cache.place('index.handler')}"
    assert kept(library, sha256) == {f"{place}/0482f30b": ENOUGH, f"{place}/16df4379": ENOUGH}
    at = library.directory(sha256) / compile_cache.DIRECTORY / place
    assert (at.stat().st_mode & 0o777, (at / "0482f30b").stat().st_mode & 0o777) == (0o755, 0o644)


async def test_a_sandbox_learns_the_package_and_the_handler_and_nothing_of_the_function(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches
) -> None:
    sha256 = await brought(library)
    await caches.prepare(sha256, CHOICE, FUNCTION, "gvisor")
    (spec,) = sandboxes.specs
    assert (spec.code, spec.level, spec.memory_mb) == (library.directory(sha256), "gvisor", 128)
    assert not spec.egress
    assert not spec.pooled
    asked = sandboxes.made[0].asked
    assert asked is not None
    assert asked.kind == frames.COMPILE
    assert asked.meta["handler"] == "index.handler"
    given = asked.meta["environment"]
    assert given["AWS_REGION"] == "eu-west-1"
    assert "s3cr3t" not in str(asked)
    assert not any(name.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_SESSION", "AWS_ENDPOINT")) for name in given)


async def test_a_large_function_has_its_flags_and_not_its_memory(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches
) -> None:
    large = Configuration("nodejs22.x", "index.handler", "arn:role", memory_mb=10_240)
    await caches.prepare(await brought(library), CHOICE, large, "namespace")
    asked = sandboxes.made[0].asked
    assert asked is not None
    assert asked.meta["environment"]["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "10240"
    assert sandboxes.specs[0].memory_mb == compile_cache.MOST_MEMORY_MB


async def test_it_is_made_once_for_what_it_depends_on(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches
) -> None:
    sha256 = await brought(library)
    for _ in range(2):
        await asyncio.gather(*(caches.prepare(sha256, CHOICE, FUNCTION, "namespace") for _ in range(3)))
    assert len(sandboxes.made) == 1
    await caches.prepare(sha256, CHOICE, Configuration("nodejs22.x", "other.handler", "arn:role"), "namespace")
    larger = Configuration("nodejs22.x", "index.handler", "arn:role", memory_mb=256)
    await caches.prepare(sha256, CHOICE, larger, "namespace")
    newer = RuntimeChoice("nodejs22", compiles_as="22.21.0-0")
    await caches.prepare(sha256, newer, FUNCTION, "namespace")
    assert len(sandboxes.made) == 4


async def test_layers_are_in_sight_and_have_caches_of_their_own(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches, tmp_path: Path
) -> None:
    sha256 = await brought(library)
    for layers in (None, tmp_path / "one", tmp_path / "two", tmp_path / "one"):
        await caches.prepare(sha256, CHOICE, FUNCTION, "namespace", layers)
    assert [spec.layers for spec in sandboxes.specs] == [(), (tmp_path / "one",), (tmp_path / "two",)]
    own = compile_cache.place("index.handler")
    assert {name.split("/")[1] for name in kept(library, sha256)} == {own, f"{own}.one", f"{own}.two"}


async def test_a_newer_one_takes_the_place_of_an_older_one(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches
) -> None:
    sha256 = await brought(library)
    await caches.prepare(sha256, CHOICE, FUNCTION, "namespace")
    sandboxes.said = [artifact("new"), over()]
    await caches.prepare(sha256, RuntimeChoice("nodejs22", compiles_as="22.20.0-1"), FUNCTION, "namespace")
    assert [name.rpartition("/")[2] for name in kept(library, sha256)] == ["new"]


async def test_a_package_has_a_bounded_number_of_them(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches
) -> None:
    sha256 = await brought(library)
    for number in range(compile_cache.MOST_CACHES + 2):
        sandboxes.said = [artifact("file"), over(f"key-{number}")]
        memory = Configuration("nodejs22.x", "index.handler", "arn:role", memory_mb=128 + number)
        await caches.prepare(sha256, CHOICE, memory, "namespace")
    assert {name.partition("/")[0] for name in kept(library, sha256)} == {
        f"key-{number}" for number in range(2, compile_cache.MOST_CACHES + 2)
    }


@pytest.mark.parametrize(
    "said",
    [
        [artifact("../../../escape"), over()],
        [artifact("/tmp/escape"), over()],
        [artifact(".."), over()],
        [artifact(""), over()],
        [artifact(".hidden"), over()],
        [artifact("n" * 129), over()],
        [artifact("file"), over("../..")],
        [artifact("file"), over("/tmp")],
        [(frames.ARTIFACT, {"name": 7}, ENOUGH), over()],
        [(frames.ARTIFACT, None, ENOUGH), over()],
        [(frames.READY, None, b""), over()],
        [artifact("one", bytes(20 << 20)), artifact("two", bytes(20 << 20)), over()],
    ],
    ids=lambda said: f"{said[0][0]}-{str(said[0][1])[:40]}-{str(said[-1][1])[:30]}",
)
async def test_nonsense_is_not_kept_and_not_asked_for_again(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches, tmp_path: Path, said: Said
) -> None:
    sha256 = await brought(library)
    sandboxes.said = said
    before = files(tmp_path)
    for _ in range(2):
        await caches.prepare(sha256, CHOICE, FUNCTION, "namespace")
    assert files(tmp_path) == before
    assert len(sandboxes.made) == 1


async def test_a_sandbox_that_ends_or_babbles_leaves_nothing(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches
) -> None:
    sandboxes.said, sandboxes.stays = [artifact("file")], False
    ended = await brought(library)
    await caches.prepare(ended, CHOICE, FUNCTION, "namespace")
    sandboxes.raw = b"\xff" * 64
    babbled = await brought(library, {"index.js": "other"})
    await caches.prepare(babbled, CHOICE, FUNCTION, "namespace")
    assert (kept(library, ended), kept(library, babbled)) == ({}, {})


async def test_one_that_takes_too_long_is_given_up(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compile_cache, "_TIMEOUT_S", 0.01)
    sandboxes.said = []
    sha256 = await brought(library)
    await caches.prepare(sha256, CHOICE, FUNCTION, "namespace")
    assert kept(library, sha256) == {}


async def test_a_request_waits_only_for_so_long(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compile_cache, "PATIENCE_S", 0.0)
    sandboxes.said = []
    sha256 = await brought(library)
    await caches.prepare(sha256, CHOICE, FUNCTION, "namespace")
    assert caches.expect(sha256, CHOICE, FUNCTION, "namespace") is not None  # it goes on; closing ends it


async def test_where_no_sandbox_can_be_had_it_is_tried_another_time(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches
) -> None:
    sha256 = await brought(library)
    sandboxes.absent = True
    await caches.prepare(sha256, CHOICE, FUNCTION, "namespace")
    sandboxes.absent = False
    await caches.prepare(sha256, CHOICE, FUNCTION, "namespace")
    assert len(kept(library, sha256)) == 2


async def test_what_saves_nothing_is_not_kept(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches
) -> None:
    sha256 = await brought(library)
    sandboxes.said = [artifact("small", b"x" * 1000), over()]
    for _ in range(2):
        await caches.prepare(sha256, CHOICE, FUNCTION, "namespace")
    assert kept(library, sha256) == {}
    assert len(sandboxes.made) == 1


@pytest.mark.parametrize(("choice", "level"), [(RuntimeChoice("nodejs20"), "namespace"), (CHOICE, "process")])
async def test_a_nodejs_that_keeps_none_and_a_level_that_isolates_nothing_are_left_alone(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches, choice: RuntimeChoice, level: str
) -> None:
    await caches.prepare(await brought(library), choice, FUNCTION, level)
    assert sandboxes.specs == []


async def test_what_a_zip_brings_at_that_place_goes(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches
) -> None:
    name = f"{compile_cache.DIRECTORY}/{KEY}/{compile_cache.place('index.handler')}/forged"
    sha256 = await brought(library, {"index.js": "", name: "forged"})
    await caches.prepare(sha256, CHOICE, FUNCTION, "namespace")
    assert sorted(path.rpartition("/")[2] for path in kept(library, sha256)) == ["0482f30b", "16df4379"]


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch], ids=["directory", "file"])
async def test_a_link_at_that_place_is_not_followed(
    library: CodeLibrary, sandboxes: Sandboxes, caches: CompileCaches, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    sha256 = await brought(library)
    elsewhere = tmp_path / "elsewhere"
    make(elsewhere)
    (library.directory(sha256) / compile_cache.DIRECTORY).symlink_to(elsewhere)
    await caches.prepare(sha256, CHOICE, FUNCTION, "namespace")
    assert len(kept(library, sha256)) == 2
    assert elsewhere.is_file() or list(elsewhere.iterdir()) == []
