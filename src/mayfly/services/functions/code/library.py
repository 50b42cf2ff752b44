"""The packages of all functions: each zip kept as a blob, its content unpacked once under `<data>/code/<sha256>`.
Layers have a library of their own, `<data>/layers`.

Theory of operation. A package is named by the SHA-256 of its zip. It is received and unpacked under `incoming/`, then
renamed into place: a directory with a package's name is always complete. The blob is the truth; a directory that is
missing is unpacked from it again. An ingested package is *pinned* until the function that uses it is committed.

A package that no function uses stays for a grace period, because instances that started before the change still run
from its directory; then `sweep` removes it. At start nothing runs, and everything unused goes at once.
"""

import asyncio
import hashlib
import io
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services.functions import faults
from mayfly.services.functions.code.archive import ArchiveTooLargeError, BadArchiveError, open_archive, plan
from mayfly.services.functions.code.unpack import sync_directory, unpack
from mayfly.services.functions.model import Code
from mayfly.settings import FunctionLimits
from mayfly.store.api import Blobs

_CHUNK = 1 << 20
T = TypeVar("T")


class CodeLibrary:
    """Owns `<data>/code`, or what `name` says. `open` before the first use, `close` after the last."""

    def __init__(self, data: Path, blobs: Blobs, limits: FunctionLimits, clock: Clock, name: str = "code") -> None:
        self._root = data / name
        self._incoming = self._root / "incoming"
        self._marks = self._root / "compiled"
        self._blobs = blobs
        self._limits = limits
        self._clock = clock
        self._pins: Counter[str] = Counter()
        self._arrived: set[str] = set()  # since the sweep under way took its snapshot
        self._unused_since: dict[str, float] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="mayfly-code")

    async def open(self) -> None:
        """Create the directories, and remove what a crash left half done."""
        await self.in_thread(self._prepare)

    def close(self) -> None:
        """End the threads; call when no ingest is under way."""
        self._threads.shutdown()

    def directory(self, sha256: str) -> Path:
        """Where a package's content is: what becomes /var/task."""
        return self._root / sha256

    @asynccontextmanager
    async def ingest_bytes(self, data: bytes) -> AsyncIterator[Code]:
        """Keep and unpack a zip that was sent inline. Pinned while the context is open; `ServiceError`."""
        if len(data) > self._limits.zip_inline_bytes:
            raise faults.zip_too_large(self._limits.zip_inline_bytes)
        sha256 = await self.in_thread(lambda: hashlib.sha256(data).hexdigest())
        with self.pinned(sha256):
            unzipped = await self._unpack(sha256, lambda: io.BytesIO(data))
            await self._blobs.put_bytes(data)
            yield Code(sha256, len(data), unzipped)

    @asynccontextmanager
    async def ingest(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[Code]:
        """Like `ingest_bytes`, for a zip of any size that arrives in chunks."""
        temporary = self._incoming / f"{ids.token(16)}.zip"
        try:
            sha256, size = await self._receive(chunks, temporary)
            with self.pinned(sha256):
                unzipped = await self._unpack(sha256, lambda: temporary.open("rb"))
                await self._blobs.put(self._read(temporary))
                yield Code(sha256, size, unzipped)
        finally:
            temporary.unlink(missing_ok=True)

    async def ensure(self, code: Code) -> Path:
        """The directory of a package that a function uses, unpacked from its blob again if it is gone."""
        directory = self.directory(code.sha256)
        if not directory.is_dir():
            async with self.ingest(self._blobs.read(code.sha256)):
                pass
        return directory

    def draft(self) -> Path:
        """A name for a file that is made here and then moved into a package. What a crash leaves of it goes."""
        return self._incoming / ids.token(16)

    def marked(self, sha256: str, template: str) -> bool:
        """Whether the package was compiled for a template."""
        return (self._marks / f"{sha256}.{template}").exists()

    async def mark(self, sha256: str, template: str) -> None:
        """Record that it was."""
        await self.in_thread((self._marks / f"{sha256}.{template}").touch)

    async def sweep(self, used: Callable[[], Awaitable[frozenset[str]]], grace_s: float) -> int:
        """Remove packages that nothing has used for `grace_s`; how many. `used` reads which ones are in use."""
        self._arrived = set()
        in_use = await used()
        names = await self.in_thread(self._unpacked)
        now = self._clock.monotonic()
        idle = {name: self._unused_since.get(name, now) for name in names - in_use}
        self._unused_since = idle
        doomed = [name for name, since in idle.items() if now - since >= grace_s and self._removable(name)]
        for name in doomed:
            trash = self._incoming / ids.token(16)
            # No await lies between the check above and this rename for the first, and it is made again for the others.
            if self._removable(name):
                self.directory(name).rename(trash)
                del self._unused_since[name]
                await self.in_thread(partial(self._remove, name, trash))
        return len(doomed)

    async def discard(self, name: str) -> None:
        """Remove a tree that is no package, and that nothing runs from."""
        with suppress(FileNotFoundError):
            trash = self.draft()
            self.directory(name).rename(trash)
            await self.in_thread(partial(self._remove, name, trash))

    def _removable(self, name: str) -> bool:
        return not self._pins[name] and name not in self._arrived

    def pinned(self, sha256: str) -> "_Pin":
        """Keeps a package from being swept while the context is open."""
        self._arrived.add(sha256)
        return _Pin(self._pins, sha256)

    async def _receive(self, chunks: AsyncIterator[bytes], path: Path) -> tuple[str, int]:
        """Write `chunks` to `path`; their SHA-256 and size. No zip may be larger than what it may unpack to."""
        hasher = hashlib.sha256()
        size = 0

        def take(file: BinaryIO, chunk: bytes) -> None:
            hasher.update(chunk)
            file.write(chunk)

        with await self.in_thread(lambda: path.open("xb")) as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > self._limits.unzipped_bytes:
                    raise faults.unzipped_too_large(self._limits.unzipped_bytes)
                await self.in_thread(partial(take, file, chunk))
        return hasher.hexdigest(), size

    async def _unpack(self, sha256: str, source: Callable[[], BinaryIO]) -> int:
        """Check a zip and unpack it unless that was done before; the size of its content."""
        try:
            return await self.in_thread(lambda: self._unpack_blocking(sha256, source))
        except ArchiveTooLargeError as error:
            raise faults.unzipped_too_large(self._limits.unzipped_bytes) from error
        except BadArchiveError as error:
            raise faults.not_a_zip() from error

    async def make(self, name: str, fill: Callable[[Path], None]) -> None:
        """Have a directory of another name than a zip's, complete or not at all; `fill` makes it, in a thread."""
        await self.in_thread(lambda: self._make_blocking(name, fill))

    def _make_blocking(self, name: str, fill: Callable[[Path], None]) -> None:
        target, temporary = self.directory(name), self._incoming / ids.token(16)
        try:
            for mark in self._marks.glob(f"{name}.*"):
                mark.unlink()
            fill(temporary)
            with suppress(FileExistsError, OSError):  # another one was faster
                temporary.rename(target)
            if not target.is_dir():
                raise OSError(f"{temporary} could not be moved to {target}")
            sync_directory(self._root)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _unpack_blocking(self, sha256: str, source: Callable[[], BinaryIO]) -> int:
        with source() as file, open_archive(file) as archive:
            todo = plan(archive, self._limits.unzipped_bytes)
            if not self.directory(sha256).is_dir():
                self._make_blocking(sha256, lambda temporary: unpack(archive, todo, temporary))
            return todo.size

    async def _read(self, path: Path) -> AsyncIterator[bytes]:
        with await self.in_thread(lambda: path.open("rb")) as file:
            while chunk := await self.in_thread(lambda: file.read(_CHUNK)):
                yield chunk

    def _prepare(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir()
        self._marks.mkdir(exist_ok=True)

    def _unpacked(self) -> frozenset[str]:
        ours = (self._incoming.name, self._marks.name)
        return frozenset(entry.name for entry in self._root.iterdir() if entry.name not in ours)

    def _remove(self, name: str, trash: Path) -> None:
        for mark in self._marks.glob(f"{name}.*"):
            mark.unlink()
        shutil.rmtree(trash)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking `work` in one of the library's threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


class _Pin:
    """Keeps a package from being swept."""

    def __init__(self, pins: Counter[str], sha256: str) -> None:
        self._pins = pins
        self._sha256 = sha256

    def __enter__(self) -> None:
        self._pins[self._sha256] += 1

    def __exit__(self, *_: object) -> None:
        self._pins[self._sha256] -= 1
        if not self._pins[self._sha256]:
            del self._pins[self._sha256]
