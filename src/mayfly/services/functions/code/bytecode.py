"""Compiles packages when they arrive, because an instance cannot: its code is read-only and its start must be fast.

The compiler is a process apart (`compile_child`), in the functions' own interpreter; what it sends is written beside
the sources by a thread here. A package is compiled once an interpreter version. It works just as well uncompiled, only
slower, so nothing here fails a request: what goes wrong is logged.
"""

import asyncio
import errno
import logging
import os
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from mayfly.services.functions.code import compile_child
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.runtimes import RuntimeChoice

PATIENCE_S = 20.0  # how long a request waits for a package to be compiled; it is finished in the background
_TIMEOUT_S = 600.0
_MAX_PATH = 4096
_MAX_CODE = 64 << 20
_LENGTH = struct.Struct(">I")

_log = logging.getLogger(__name__)


class Bytecode:
    """Compiles packages of the library, one at a time."""

    def __init__(self, library: CodeLibrary) -> None:
        self._library = library
        self._one_at_a_time = asyncio.Lock()
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def prepare(self, sha256: str, choice: RuntimeChoice) -> None:
        """Return when the package is compiled for `choice`, or after `PATIENCE_S` while that goes on."""
        if choice.interpreter is None or self._library.marked(sha256, choice.template):
            return
        key = sha256, choice.template
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._compile(sha256, choice.template, choice.interpreter))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        await asyncio.wait({task}, timeout=PATIENCE_S)

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _compile(self, sha256: str, template: str, interpreter: Path) -> None:
        """The boundary around one compilation."""
        try:
            with self._library.pinned(sha256):
                async with self._one_at_a_time, asyncio.timeout(_TIMEOUT_S):
                    tree = self._library.directory(sha256)
                    written = 0
                    async for path, code in _compiled(interpreter, tree):
                        written += await self._library.in_thread(partial(store, tree, path, code, template))
                await self._library.mark(sha256, template)
            _log.debug("%d modules of %s are compiled for %s", written, sha256, template)
        except (OSError, ValueError, TimeoutError) as error:
            _log.warning("the package %s runs uncompiled on %s: %s", sha256, template, error)


async def _compiled(interpreter: Path, tree: Path) -> AsyncIterator[tuple[str, bytes]]:
    """What the compiler sends for the package at `tree`; ValueError when it sends something else."""
    child = await asyncio.create_subprocess_exec(
        str(interpreter),
        *("-I", "-S", "-B", "-X", "utf8", compile_child.__file__),
        cwd=tree,
        env={},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert child.stdout is not None
    try:
        while (path := await _part(child.stdout, _MAX_PATH)) is not None:
            code = await _part(child.stdout, _MAX_CODE)
            if code is None:
                break
            yield path.decode(), code
    except asyncio.IncompleteReadError as error:
        raise ValueError("the compiler broke off") from error
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def _part(stream: asyncio.StreamReader, most: int) -> bytes | None:
    """One length and what follows it; None at the end."""
    try:
        (length,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    if length > most:
        raise ValueError(f"the compiler announced {length} bytes")
    return await stream.readexactly(length)


def store(tree: Path, path: str, code: bytes, template: str) -> bool:
    """Write the bytecode of the source at `path`; False when there is no such source below `tree`.

    Trusts neither the compiler nor the package: no link is followed.
    """
    parts = path.split("/")
    if ".." in parts or "" in parts or not parts[-1].endswith(".py"):
        return False
    tag = "cpython-" + template.removeprefix("python").replace(".", "")
    descriptor = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in (*parts[:-1], "__pycache__"):
            if name == "__pycache__":
                os.stat(parts[-1], dir_fd=descriptor, follow_symlinks=False)
                with suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=descriptor)
            deeper = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = deeper
        _write(descriptor, f"{parts[-1].removesuffix('.py')}.{tag}.pyc", code)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return False
        raise
    finally:
        os.close(descriptor)
    return True


def _write(directory: int, name: str, code: bytes) -> None:
    """Replace `name` in one step, written through: half a file would break the import of its module."""
    draft = f".{name}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(draft, flags, 0o644, dir_fd=directory), "wb") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(code)
        file.flush()
        os.fsync(file.fileno())
    os.rename(draft, name, src_dir_fd=directory, dst_dir_fd=directory)
