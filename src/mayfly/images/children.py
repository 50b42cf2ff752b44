"""Starts the programs of `inside`, feeds them, and reads what they answer."""

import asyncio
import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

import mayfly
from mayfly.images.errors import BrokenImageError, ImagesUnavailableError, ImageTooLargeError

_SOURCES = str(Path(mayfly.__file__).parents[1])
_RUN = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.path.append(sys.argv.pop(1)); "
    "from mayfly.images.inside import {0}; {0}.main()"
)
_IMAGE_UID = 0x6FFFFFFF  # just below those of functions
_NOBODY = 65534
_MOST_ANSWER = 64 * 1024


class Answer(msgspec.Struct, frozen=True):
    """What `inside.layer` and `inside.merge` print."""

    diff_id: str = ""
    bytes: int = 0
    entries: int = 0
    error: str | None = None
    message: str = ""

    def check(self, what: str) -> "Answer":
        """Itself; `BrokenImageError`, `ImageTooLargeError` or `ImagesUnavailableError` when it tells of a failure."""
        if self.error == "disk-full":
            raise ImagesUnavailableError(f"{what} cannot be unpacked: {self.message}; make room in the data directory")
        if self.error == "too-large":
            raise ImageTooLargeError(f"{what}: {self.message}")
        if self.error is not None:
            raise BrokenImageError(f"{what}: {self.message}")
        return self


class Ended(NamedTuple):
    """A program that has ended."""

    status: int
    output: bytes
    errors: bytes


def owner(directory: Path) -> int:
    """The user that the children become, who owns `directory` from now on; this process's own unless it is root."""
    if os.geteuid() != 0:
        return os.geteuid()
    for uid in (_IMAGE_UID, _NOBODY):
        try:
            os.chown(directory, uid, uid)
        except OSError:  # in a user namespace that has no such id
            continue
        return uid
    raise ImagesUnavailableError(
        "images are unpacked by an unprivileged user, and this user namespace has none: give it more ids, or run "
        "Mayfly as an ordinary user"
    )


def let_through(directory: Path, uid: int) -> None:
    """Let the children, who became `uid`, into what is below `directory`, and nobody else."""
    if os.geteuid() == 0:
        os.chown(directory, -1, uid)
        directory.chmod(0o750)


async def answer(
    program: str, arguments: Sequence[object], directory: Path, source: AsyncIterator[bytes], timeout_s: float
) -> Answer:
    """What `inside.<program>` in `directory` answers, given what `source` yields. Its death is a broken image."""
    ended = await run(program, arguments, directory, {}, source, timeout_s, _MOST_ANSWER)
    try:
        return msgspec.json.decode(ended.output, type=Answer)
    except msgspec.DecodeError as error:
        raise BrokenImageError(f"what unpacked it ended with status {ended.status}") from error


async def run(
    program: str,
    arguments: Sequence[object],
    directory: Path,
    environment: Mapping[str, str],
    source: AsyncIterator[bytes] | None,
    timeout_s: float,
    most_output: int,
    guard: Callable[[], Awaitable[None]] | None = None,
) -> Ended:
    """Run `inside.<program>` to its end; `ImagesUnavailableError` when it takes too long.

    What `guard`, which runs beside it, raises ends it, too.
    """
    ran = asyncio.create_task(_run(program, arguments, directory, environment, source, timeout_s, most_output))
    guarding = asyncio.ensure_future(_guarded(guard)) if guard is not None else None
    tasks = {task for task in (ran, guarding) if task is not None}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if guarding is not None and guarding.done() and not ran.done():
            guarding.result()
        return await ran
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _guarded(guard: Callable[[], Awaitable[None]]) -> None:
    await guard()


async def _run(
    program: str,
    arguments: Sequence[object],
    directory: Path,
    environment: Mapping[str, str],
    source: AsyncIterator[bytes] | None,
    timeout_s: float,
    most_output: int,
) -> Ended:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S", "-B", "-X", "utf8", "-c", _RUN.format(program), *_places(), *(str(each) for each in arguments)),
        cwd=directory,
        env=dict(environment),
        stdin=asyncio.subprocess.PIPE if source is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    feeding = asyncio.create_task(_feed(child, source)) if source is not None else None
    reading = asyncio.create_task(_read(child.stdout, most_output))
    complaints = asyncio.create_task(_read(child.stderr, _MOST_ANSWER))
    try:
        async with asyncio.timeout(timeout_s):
            if feeding is not None:
                await feeding
            output, errors = await reading, await complaints
            return Ended(await child.wait(), output, errors)
    except TimeoutError as error:
        raise ImagesUnavailableError(f"it took longer than {timeout_s:g} s") from error
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        tasks = [task for task in (feeding, reading, complaints) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await child.wait()


def _places() -> tuple[str, str]:
    """Where the programs find Mayfly, and what the Python that runs them does not bring."""
    backport = importlib.util.find_spec("backports.zstd") if sys.version_info < (3, 14) else None
    if backport is None or backport.origin is None:
        return _SOURCES, _SOURCES
    return _SOURCES, str(Path(backport.origin).parents[2])


async def _feed(child: asyncio.subprocess.Process, source: AsyncIterator[bytes]) -> None:
    """Give the child all of it, or as much as it wants."""
    assert child.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):
        async for chunk in source:
            child.stdin.write(chunk)
            await child.stdin.drain()
    with suppress(BrokenPipeError, ConnectionResetError):
        child.stdin.close()
        await child.stdin.wait_closed()


async def _read(stream: asyncio.StreamReader, most: int) -> bytes:
    """All of it, up to one byte more than `most`; the rest is thrown away."""
    kept = bytearray()
    while chunk := await stream.read(1 << 16):
        kept += chunk[: most + 1 - len(kept)]
    return bytes(kept)
