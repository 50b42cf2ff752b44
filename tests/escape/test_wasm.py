"""What a module tries, in an instance in a sandbox: every way out of it is an import that answers with an error.

The sandbox around the instance is that of the level, and is attacked in the other modules.
"""

import json
from pathlib import Path

import pytest
import pytest_asyncio

from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.wasm import artifacts
from tests.sandbox.talk import Talk
from tests.sandbox.wasm import modules

from .cell import Cell

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.root]

BADF = 8  # of WASI, which counts errors in its own way
# Answers the error of one call, and a hundred. Bytes 512 to 520 are a name; results go to 1024.
_SHOWN = (
    "(i32.store8 (i32.const 200) (i32.const 49))"
    "(i32.store8 (i32.const 201) (i32.add (i32.const 48) (i32.div_u (local.get $n) (i32.const 10))))"
    "(i32.store8 (i32.const 202) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))"
    "(i32.store (i32.const 0) (i32.const 200)) (i32.store (i32.const 4) (i32.const 3))"
    "(drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"
)


def asking(name: str, parameters: str, arguments: str) -> str:
    """A module that makes one call of WASI, and answers its error."""
    return (
        f'(module (import "wasi_snapshot_preview1" "{name}" (func $asked (param {parameters}) (result i32)))'
        '(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))'
        '(memory (export "memory") 2) (data (i32.const 512) "/etc/passwd")'
        f'(func (export "_start") (local $n i32) (local.set $n (call $asked {arguments})) {_SHOWN}))'
    )


def numbers(*values: int) -> str:
    return " ".join(f"(i32.const {value})" for value in values)


ASKED = {
    "opening a file": (
        asking(
            "path_open",
            "i32 i32 i32 i32 i32 i64 i64 i32 i32",
            f"{numbers(3, 1, 512, 11, 0)} (i64.const 2) (i64.const 2) {numbers(0, 1024)}",
        ),
        BADF,
    ),
    "a preopened directory": (asking("fd_prestat_get", "i32 i32", numbers(3, 1024)), BADF),
    "listing a directory": (
        asking("fd_readdir", "i32 i32 i32 i64 i32", f"{numbers(3, 1024, 64)} (i64.const 0) {numbers(1024)}"),
        BADF,
    ),
    "making a directory": (asking("path_create_directory", "i32 i32 i32", numbers(3, 512, 11)), BADF),
    "removing a file": (asking("path_unlink_file", "i32 i32 i32", numbers(3, 512, 11)), BADF),
    "a symbolic link": (asking("path_symlink", "i32 i32 i32 i32 i32", numbers(512, 11, 3, 512, 11)), BADF),
    "a hard link": (asking("path_link", "i32 i32 i32 i32 i32 i32 i32", numbers(3, 0, 512, 11, 3, 512, 11)), BADF),
    "renaming": (asking("path_rename", "i32 i32 i32 i32 i32 i32", numbers(3, 512, 11, 3, 512, 11)), BADF),
    "the control socket": (asking("fd_write", "i32 i32 i32 i32", numbers(3, 0, 1, 1024)), BADF),
    "any descriptor": (asking("fd_read", "i32 i32 i32 i32", numbers(4, 0, 1, 1024)), BADF),
    "accepting a connection": (asking("sock_accept", "i32 i32 i32", numbers(3, 0, 1024)), BADF),
}


async def ready(cell: Cell, directory: Path, code: str) -> Talk:
    """A sandbox with the module in it."""
    await cell.factory.prepare(artifacts.NAME, interpreters.current())
    package = modules.package(directory / "package", code)
    for place in (package, *package.parents[:3]):
        place.chmod(0o755)
    return await cell.module(package, modules.PLACE)


@pytest_asyncio.fixture(loop_scope="session", params=list(ASKED))
async def asked(request: pytest.FixtureRequest) -> tuple[str, int]:
    return ASKED[request.param]


async def test_the_call_has_nothing_to_work_on(in_namespaces: Cell, asked: tuple[str, int], tmp_path: Path) -> None:
    code, expected = asked
    talk = await ready(in_namespaces, tmp_path, code)
    frame = await talk.invoke({})
    assert (frame.kind, json.loads(frame.payload)) == (frames.RESULT, 100 + expected), talk.output()
    await in_namespaces.end(talk)


async def test_no_variable_of_the_platform_and_no_argument_is_seen(in_namespaces: Cell, tmp_path: Path) -> None:
    talk = await ready(in_namespaces, tmp_path, modules.SHOWS_VARIABLES)
    await talk.invoke({})
    shown = talk.output()
    assert "AWS_SECRET_ACCESS_KEY" not in shown
    assert "PATH=" not in shown.replace("SCRIPT_PATH=", "")
    await in_namespaces.end(talk)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (modules.TRAPS, "Runtime.Trap"),
        (modules.RECURSES, "Runtime.Trap"),
        ('(module (memory (export "memory") 1) (func (export "_start") (drop (i32.load (i32.const -4)))))', "Trap"),
        (
            '(module (memory (export "memory") 1) (table 1 funcref) (type $t (func))'
            '(func (export "_start") (call_indirect (type $t) (i32.const 99))))',
            "Trap",
        ),
    ],
    ids=["unreachable", "endless recursion", "memory of others", "a jump to anywhere"],
)
async def test_what_an_instance_may_not_do_ends_the_request_alone(
    in_namespaces: Cell, tmp_path: Path, code: str, error: str
) -> None:
    talk = await ready(in_namespaces, tmp_path, code)
    for _ in range(2):  # the process around it lives
        frame = await talk.invoke({})
        assert frame.kind == frames.ERROR
        assert error in json.loads(frame.payload)["errorType"]
    await in_namespaces.end(talk)


async def test_memory_does_not_grow_beyond_the_functions(in_namespaces: Cell, tmp_path: Path) -> None:
    talk = await ready(in_namespaces, tmp_path, modules.GROWS)
    assert (await talk.invoke({})).payload == b"1"  # growing answered -1
    assert talk.sandbox.peak_memory() < 256 << 20
    await in_namespaces.end(talk)


async def test_nothing_is_left_for_the_next_request(in_namespaces: Cell, tmp_path: Path) -> None:
    talk = await ready(in_namespaces, tmp_path, modules.COUNTER)
    assert [(await talk.invoke({})).payload for _ in range(3)] == [b"0"] * 3
    await in_namespaces.end(talk)


@pytest.mark.parametrize("name", ["sock_open", "proc_exec", "thread_spawn", "dlopen"])
async def test_an_import_that_is_not_wasis_is_refused_before_anything_runs(
    in_namespaces: Cell, tmp_path: Path, name: str
) -> None:
    code = f'(module (import "env" "{name}" (func)) (memory (export "memory") 1) (func (export "_start")))'
    await in_namespaces.factory.prepare(artifacts.NAME, interpreters.current())
    package = modules.package(tmp_path / "package", code)
    for place in (package, *package.parents[:3]):
        place.chmod(0o755)
    with pytest.raises(AssertionError, match="Runtime"):
        await in_namespaces.module(package, modules.PLACE)
