"""Compiles packages when they arrive, because an instance cannot: its code is read-only and its start must be fast.

The compilers are processes apart (`compile_child`), a few side by side, in the functions' own interpreter; what they
send is written beside the sources by a thread here. A package is compiled once an interpreter version. It works just as
well uncompiled, only slower, so nothing here fails a request: what goes wrong is logged. A file that a compiler dies of
is left out; a package that asks for too much stays as far compiled as it came, and is not tried again.
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
_AT_ONCE = 4  # compilers of one package
_TIMEOUT_S = 600.0
_MAX_PATH = 4096
_MAX_CODE = 64 << 20
MOST_BYTES = 512 << 20  # of a package's bytecode: twice what its sources may have
_MOST_DEATHS = 8  # of one compiler after the other, each on a file of its own
_LENGTH = struct.Struct(">I")

_log = logging.getLogger(__name__)


class Bytecode:
    """Compiles packages of the library, one at a time. `seen_at`: where instances see what is in one."""

    def __init__(self, library: CodeLibrary, seen_at: str = "/var/task") -> None:
        self._library = library
        self._seen_at = seen_at
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
                package = _Package(self._library, sha256, template, interpreter, self._seen_at)
                try:
                    async with self._one_at_a_time, asyncio.timeout(_TIMEOUT_S):
                        await package.compile()
                except (ValueError, TimeoutError) as error:
                    _log.warning("the package %s is not all compiled for %s: %s", sha256, template, error)
                await self._library.mark(sha256, template)
            _log.debug("%d modules of %s are compiled for %s", package.written, sha256, template)
        except OSError as error:
            _log.warning("the package %s runs uncompiled on %s: %s", sha256, template, error)


class _Package:
    """One package while it is compiled for one interpreter."""

    def __init__(self, library: CodeLibrary, sha256: str, template: str, interpreter: Path, seen_at: str) -> None:
        self._library = library
        self._seen_at = seen_at
        self._tree = library.directory(sha256)
        self._template = template
        self._interpreter = interpreter
        self._room = MOST_BYTES
        self.written = 0

    async def compile(self) -> None:
        """ValueError when it asks for too much, or the compiler sends what makes no sense; OSError."""
        parts = min(_AT_ONCE, os.cpu_count() or 1)
        tasks = [asyncio.create_task(self._part(part, parts)) for part in range(parts)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _part(self, part: int, parts: int) -> None:
        """Every file of one part, by one compiler, or by the next one where that dies."""
        done = 0
        for _ in range(_MOST_DEATHS):
            try:
                async for path, code in _compiled(self._interpreter, self._tree, part, parts, done, self._seen_at):
                    done += 1
                    await self._keep(path, code)
            except asyncio.IncompleteReadError:
                done += 1  # it had said which file comes next, and did not survive it
            else:
                return
        raise ValueError(f"{_MOST_DEATHS} compilers died of it")

    async def _keep(self, path: str, code: bytes) -> None:
        self._room -= len(code)
        if self._room < 0:
            raise ValueError(f"its bytecode has more than {MOST_BYTES} bytes")
        if code:
            self.written += await self._library.in_thread(partial(store, self._tree, path, code, self._template))


async def _compiled(
    interpreter: Path, tree: Path, part: int, parts: int, left_out: int, seen_at: str
) -> AsyncIterator[tuple[str, bytes]]:
    """What a compiler sends for a part of the package at `tree`: `asyncio.IncompleteReadError` when it dies of a file,
    ValueError when it sends nonsense, or dies of none."""
    child = await asyncio.create_subprocess_exec(
        str(interpreter),
        *("-I", "-S", "-B", "-X", "utf8", compile_child.__file__),
        *(str(part), str(parts), str(left_out), seen_at),
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
                raise asyncio.IncompleteReadError(b"", None)
            yield os.fsdecode(path), code
        if await child.wait() != 0:
            raise ValueError(f"the compiler ended with status {child.returncode}")
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
    if ".." in parts or "" in parts or "\0" in path or not parts[-1].endswith(".py"):
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
