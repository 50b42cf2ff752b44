"""Packages are compiled when they arrive, by a process that is trusted with nothing."""

import importlib.util
import json
import marshal
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mayfly.services.functions.code import bytecode, compile_child
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


# Hostile packages.

# Sent to stdout, it is no answer of a compiler, and what comes after it is lost.
EVIL = "import os; os.write(1, b'\\xff' * 64)\n"


def compiled_in(root: Path) -> set[str]:
    """Sources that have bytecode, without `.py`."""
    found = (path.relative_to(root) for path in root.rglob(f"*.{TAG}.pyc"))
    return {str(path.parent.parent / path.name.partition(".")[0]) for path in found}


@pytest.mark.usefixtures("compiling")
async def test_nothing_of_a_package_is_executed(stage: Stage) -> None:
    names = ["sitecustomize", "usercustomize", "struct", "resource", "ctypes/__init__", "encodings/__init__"]
    names += ["encodings/evil", f"usr/lib/{TEMPLATE}/encodings/evil", f"lib/{TEMPLATE}/encodings/evil", "zz"]
    names.append(f"{sys.base_prefix.strip('/')}/lib/{TEMPLATE}/encodings/evil")
    files: dict[str, str | bytes] = {f"{name}.py": EVIL for name in names}
    files["app.py"] = "x = 1"
    files["asks.py"] = "# coding: evil\nx = 1"
    await stage.create(Code={"ZipFile": zipped(files)})
    assert compiled_in(await code_of(stage)) == {"app", *names}


@pytest.mark.usefixtures("compiling")
async def test_odd_sources_are_compiled_or_left_out_and_harm_no_others(stage: Stage) -> None:
    good: dict[str, str | bytes] = {
        "app.py": "x = 1",
        "bom.py": b"\xef\xbb\xbfx = 'caf\xc3\xa9'",
        "latin.py": b"# -*- coding: latin-1 -*-\nx = 'caf\xe9'",
        "new\nline.py": "x = 1",
        "ünï/ççç.py": "x = 1",
        "a b/'\"`$(x).py": "x = 1",
        "empty.py": "",
        "/".join("d" * 100) + "/deep.py": "x = 1",
    }
    bad: dict[str, str | bytes] = {
        "syntax.py": "def",
        "null.py": b"x = 1\0",
        "binary.py": bytes(range(256)),
        "unknown.py": "# coding: nonsense\nx = 1",
        "nested.py": "(" * 100_000 + ")" * 100_000,
        "minus.py": "x = " + "-" * 200_000 + "1",
        "long.py": "#" * (compile_child.MAX_SOURCE + 1),
    }
    await stage.create(Code={"ZipFile": zipped({**good, **bad})})
    assert compiled_in(await code_of(stage)) == {name.removesuffix(".py") for name in good}


@pytest.mark.usefixtures("compiling")
async def test_a_file_that_kills_its_compiler_is_left_out_alone(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        f"#!{sys.executable}\nimport builtins, os, runpy, sys\nreal = compile\n"
        "def deadly(source, name, *rest, **more):\n"
        "    if b'poison' in (source if isinstance(source, bytes) else b''): os.kill(os.getpid(), 11)\n"
        "    return real(source, name, *rest, **more)\n"
        "at = next(i for i, one in enumerate(sys.argv) if one.endswith('compile_child.py'))\n"
        "sys.argv = sys.argv[at:]\nspace = runpy.run_path(sys.argv[0])\nbuiltins.compile = deadly\nspace['main']()\n"
    )
    interpreter = tmp_path / "interpreter"
    interpreter.write_text(program)
    interpreter.chmod(interpreter.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(stage_module, "CHOICE", RuntimeChoice(TEMPLATE, interpreter=interpreter))
    files: dict[str, str | bytes] = {f"m{number}.py": "x = 1" for number in range(40)}
    files.update({f"p{number}.py": "poison" for number in range(3)})
    await stage.create(Code={"ZipFile": zipped(files)})
    assert compiled_in(await code_of(stage)) == {f"m{number}" for number in range(40)}


@pytest.mark.usefixtures("compiling")
async def test_a_package_that_asks_for_too_much_is_not_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bytecode, "MOST_BYTES", 2000)
    files: dict[str, str | bytes] = {f"m{number}.py": f"x = 'y' * {number}\n" * 20 for number in range(40)}
    await stage.create(Code={"ZipFile": zipped(files)})
    root = await code_of(stage)
    sizes = [path.stat().st_size for path in root.rglob("*.pyc")]
    assert sum(sizes) <= 2000
    before = compiled_in(root)
    monkeypatch.undo()
    await stage.create("g", Code={"ZipFile": zipped(files)})
    assert compiled_in(root) == before


@pytest.mark.usefixtures("compiling")
async def test_changed_code_has_the_bytecode_of_the_change(stage: Stage) -> None:
    def value(root: Path) -> object:
        loaded: dict[str, object] = {}
        exec(marshal.loads((root / "__pycache__" / f"app.{TAG}.pyc").read_bytes()[16:]), loaded)
        return loaded["x"]

    await stage.create(Code={"ZipFile": zipped({"app.py": "x = 1"})})
    assert value(await code_of(stage)) == 1
    for number in (2, 1):
        await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=zipped({"app.py": f"x = {number}"}))
        assert value(await code_of(stage)) == number


@pytest.mark.root
def test_a_compiler_is_shut_in(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be shut in")
    (tmp_path / "secret").write_text("of the package")
    tmp_path.chmod(0o755)
    probe = (
        "import runpy, socket, json, os\n"
        f"space = runpy.run_path({compile_child.__file__!r})\nspace['shut_in']()\n"
        "def attempt(action):\n"
        "    try: return str(action())\n"
        "    except Exception as error: return type(error).__name__\n"
        "network = socket.socket()\n"
        "print(json.dumps([attempt(lambda: os.listdir('/')), attempt(os.fork), attempt(os.getuid),\n"
        "    attempt(lambda: network.connect(('127.0.0.1', 1))), attempt(lambda: open('/new', 'w')),\n"
        "    attempt(lambda: __import__('colorsys')), attempt(lambda: os.setuid(0))]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", probe], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True
    )
    listed, forked, user, connected, wrote, imported, root = json.loads(done.stdout)
    assert (listed, user) == ("['secret']", "65534")
    assert (forked, wrote, root) == ("BlockingIOError", "PermissionError", "PermissionError")
    assert connected == "OSError", "the network is not even up"
    assert imported == "ModuleNotFoundError"
