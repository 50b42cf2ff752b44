"""Packages are compiled when they arrive, by a process that is trusted with nothing."""

import importlib.util
import marshal
import sys
from pathlib import Path

import pytest

from mayfly.services.functions.code.bytecode import store
from mayfly.services.functions.runtimes import RuntimeChoice
from tests.services.functions import stage as stage_module
from tests.services.functions.stage import Stage, zipped

TAG = sys.implementation.cache_tag
TEMPLATE = f"python{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions run on the interpreter of the tests, so that it can compile for them."""
    executable = Path(sys.base_prefix, "bin", TEMPLATE)
    monkeypatch.setattr(stage_module, "CHOICE", RuntimeChoice(TEMPLATE, interpreter=executable))


async def code_of(stage: Stage) -> Path:
    await stage.call("Invoke", FunctionName="f")
    return stage.engine.calls[-1][0].sandbox.code


@pytest.mark.usefixtures("compiling")
async def test_modules_have_bytecode_that_is_never_checked_against_the_source(stage: Stage) -> None:
    await stage.create(
        Code={"ZipFile": zipped({"app.py": "x = 1", "pkg/__init__.py": "", "pkg/bad.py": "def", "data.txt": "x"})}
    )
    root = await code_of(stage)
    assert {path.relative_to(root).as_posix() for path in root.rglob("*.pyc")} == {
        f"__pycache__/app.{TAG}.pyc",
        f"pkg/__pycache__/__init__.{TAG}.pyc",
    }
    pyc = (root / "__pycache__" / f"app.{TAG}.pyc").read_bytes()
    assert pyc[:4] == importlib.util.MAGIC_NUMBER
    assert pyc[4:8] == b"\x01\0\0\0"  # by hash, unchecked
    assert marshal.loads(pyc[16:]).co_filename == "/var/task/app.py"
    loaded: dict[str, int] = {}
    exec(marshal.loads(pyc[16:]), loaded)
    assert loaded["x"] == 1


@pytest.mark.usefixtures("compiling")
async def test_a_package_is_compiled_once(stage: Stage) -> None:
    await stage.create()
    root = await code_of(stage)
    [pyc] = root.rglob("*.pyc")
    before = pyc.stat()
    await stage.create("g")
    assert pyc.stat().st_ino == before.st_ino


@pytest.mark.usefixtures("compiling")
async def test_bytecode_that_a_packager_shipped_is_replaced(stage: Stage) -> None:
    stale = f"__pycache__/app.{TAG}.pyc"
    await stage.create(Code={"ZipFile": zipped({"app.py": "x = 1", stale: b"stale"})})
    assert (await code_of(stage)).joinpath(stale).read_bytes() != b"stale"


async def test_a_compiler_that_cannot_be_started_fails_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "CHOICE", RuntimeChoice(TEMPLATE, interpreter=Path("/nonexistent")))
    await stage.create()
    assert list((await code_of(stage)).rglob("*.pyc")) == []


@pytest.mark.parametrize("path", ["../x.py", "/x.py", "a//x.py", "link/x.py", "nope.py", "x.txt", "dir/nope/x.py", ""])
def test_bytecode_is_only_written_beside_a_source_of_the_package(tmp_path: Path, path: str) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    for directory in (tree, outside, tree / "dir"):
        directory.mkdir()
    for file in (tmp_path / "x.py", outside / "x.py", tree / "x.py"):
        file.touch()
    (tree / "link").symlink_to(outside)
    assert store(tree, path, b"code", TEMPLATE) is False
    assert list(tmp_path.rglob("*.pyc")) == []


def test_a_cache_directory_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    tree.mkdir()
    outside.mkdir()
    (tree / "x.py").touch()
    (tree / "__pycache__").symlink_to(outside)
    assert store(tree, "x.py", b"code", TEMPLATE) is False
    assert list(outside.iterdir()) == []
