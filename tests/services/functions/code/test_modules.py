"""WebAssembly is compiled when it arrives, by a process that is trusted with nothing."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mayfly.clock import ManualClock
from mayfly.sandbox.wasm import artifacts
from mayfly.sandbox.wasm.artifacts import Verdict
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.code.modules import Modules
from mayfly.settings import FunctionLimits
from mayfly.store.files import FileBlobs
from tests.conftest import OpenStore
from tests.sandbox.wasm import modules as texts
from tests.services.functions.stage import zipped

ECHO = texts.wasm(texts.ECHO)


@pytest.fixture
async def library(tmp_path: Path, clock: ManualClock, open_store: OpenStore) -> AsyncIterator[CodeLibrary]:
    store = await open_store("mayfly.services.functions")
    made = CodeLibrary(tmp_path, FileBlobs(tmp_path / "blobs", store, clock), FunctionLimits(), clock)
    await made.open()
    yield made
    made.close()


async def brought(library: CodeLibrary, files: dict[str, bytes]) -> str:
    async with library.ingest_bytes(zipped(dict(files))) as code:
        return code.sha256


def compiled(library: CodeLibrary, sha256: str) -> dict[str, int]:
    """Files at the place of machine code, by path, and their inodes."""
    root = library.directory(sha256) / artifacts.DIRECTORY
    return {path.relative_to(root).as_posix(): path.stat().st_ino for path in root.rglob("*") if path.is_file()}


async def test_a_module_is_compiled_once_for_an_engine(library: CodeLibrary) -> None:
    sha256 = await brought(library, {"app.wasm": ECHO})
    one = Modules(library, lambda: "one")
    assert await one.prepare(sha256, "app.wasm") == Verdict(kind="command")
    before = compiled(library, sha256)
    assert {Path(name).suffix for name in before} == {artifacts.VERDICT, artifacts.CODE}
    assert await one.prepare(sha256, "app.wasm") == Verdict(kind="command")
    assert await Modules(library, lambda: "one").prepare(sha256, "app.wasm") == Verdict(kind="command")
    assert compiled(library, sha256) == before


async def test_another_engine_compiles_it_anew_and_only_that_is_kept(library: CodeLibrary) -> None:
    sha256 = await brought(library, {"app.wasm": ECHO})
    for fingerprint in ("one", "two", "one"):
        verdict = await Modules(library, lambda: fingerprint).prepare(sha256, "app.wasm")  # noqa: B023 (asked at once)
        assert verdict == Verdict(kind="command")
        assert {name.partition("/")[0] for name in compiled(library, sha256)} == {fingerprint}


async def test_several_who_ask_at_once_wait_for_one_compiler(library: CodeLibrary) -> None:
    sha256 = await brought(library, {"app.wasm": ECHO})
    both = Modules(library, lambda: "one")
    answers = await asyncio.gather(*(both.prepare(sha256, "app.wasm") for _ in range(3)))
    assert answers == [Verdict(kind="command")] * 3
    assert len(compiled(library, sha256)) == 2


async def test_what_cannot_be_run_is_remembered_too(library: CodeLibrary) -> None:
    sha256 = await brought(library, {"app.wasm": b"text"})
    some = Modules(library, lambda: "one")
    for _ in range(2):
        error = (await some.prepare(sha256, "app.wasm")).error
        assert error is not None
        assert error.startswith("is not a WebAssembly file")
    assert {Path(name).suffix for name in compiled(library, sha256)} == {artifacts.VERDICT}


@pytest.mark.parametrize("handler", ["/etc/passwd", "../x.wasm", "a//b.wasm"])
async def test_paths_that_lead_out_are_not_followed(library: CodeLibrary, handler: str) -> None:
    sha256 = await brought(library, {"app.wasm": ECHO})
    assert (await Modules(library, lambda: "one").prepare(sha256, handler)).error == "is no path in the package"


async def test_a_module_may_lie_in_a_folder(library: CodeLibrary) -> None:
    sha256 = await brought(library, {"bin/app.wasm": ECHO})
    assert await Modules(library, lambda: "one").prepare(sha256, "bin/app.wasm") == Verdict(kind="command")


async def test_a_folder_is_no_module(library: CodeLibrary) -> None:
    sha256 = await brought(library, {"bin/app.wasm": ECHO})
    assert (await Modules(library, lambda: "one").prepare(sha256, "bin")).error == "cannot be read: Is a directory"


@pytest.mark.parametrize("forged", [f"{artifacts.DIRECTORY}", f"{artifacts.DIRECTORY}/one/code.cwasm"])
async def test_what_a_zip_brings_at_the_place_of_machine_code_is_removed(library: CodeLibrary, forged: str) -> None:
    sha256 = await brought(library, {"app.wasm": ECHO, forged: b"forged"})
    await Modules(library, lambda: "one").prepare(sha256, "app.wasm")
    root = library.directory(sha256)
    assert all((root / artifacts.DIRECTORY / name).read_bytes() != b"forged" for name in compiled(library, sha256))
    assert len(compiled(library, sha256)) == 2


async def test_machine_code_can_be_read_by_whoever_runs_it(library: CodeLibrary) -> None:
    sha256 = await brought(library, {"app.wasm": ECHO})
    some = Modules(library, lambda: "one")
    await some.prepare(sha256, "app.wasm")
    place = library.directory(sha256) / some.place("app.wasm")
    for suffix in (artifacts.VERDICT, artifacts.CODE):
        assert place.with_suffix(suffix).stat().st_mode & 0o777 == 0o644
    assert place.parent.stat().st_mode & 0o005 == 0o005


async def test_a_draft_is_gone_when_it_is_done(library: CodeLibrary, tmp_path: Path) -> None:
    sha256 = await brought(library, {"app.wasm": ECHO})
    await Modules(library, lambda: "one").prepare(sha256, "app.wasm")
    assert os.listdir(tmp_path / "code" / "incoming") == []


def test_the_fingerprint_is_the_same_as_long_as_nothing_changes() -> None:
    assert artifacts.fingerprint("50.0.1") == artifacts.fingerprint("50.0.1")
