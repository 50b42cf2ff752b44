"""What `files.FileBlobs` does in its threads: write an upload, publish it durably, read ranges, find leftovers.

Everything here blocks, and nothing here knows the database.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Protocol

from mayfly.store.api import Hasher, StorageFailedError
from mayfly.store.disk import storage_errors, sync_directory

CHUNK_BYTES = 256 * 1024
TEMPORARY = "tmp"


class Digest(Hasher, Protocol):
    def hexdigest(self) -> str: ...


class Upload:
    """Bytes on their way to becoming a blob. Its methods run in a thread, one at a time."""

    def __init__(self, root: Path, hashers: "tuple[Digest, *tuple[Hasher, ...]]") -> None:
        self._root = root
        self._sha256 = hashers[0]
        self._hashers: Sequence[Hasher] = hashers
        self._fd = -1
        self._temporary: str | None = None
        self.size = 0
        self.published = False

    @property
    def digest(self) -> str:
        return self._sha256.hexdigest()

    def write(self, pieces: Sequence[bytes]) -> None:
        with storage_errors(self._root):
            self._open()
            for piece in pieces:
                for hasher in self._hashers:
                    hasher.update(piece)
                view = memoryview(piece)
                while view:
                    view = view[os.write(self._fd, view) :]
                self.size += len(piece)

    def publish(self, target: Path, durable: set[Path]) -> None:
        """Durable under its final name when it returns. `durable` remembers directories whose own names are."""
        with storage_errors(target):
            self._open()  # an empty blob was never written to
            assert self._temporary is not None
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(self._temporary, target)
            self.published = True
            # All names are made before any is synced: then one commit of the file system's journal serves them all.
            sync_directory(target.parent)
            new = [path for path in (target.parent, target.parent.parent) if path not in durable]
            for directory in new:
                sync_directory(directory.parent)
            durable.update(new)

    def discard(self, running: Future[None] | None) -> None:
        """Remove the temporary file, after a write that may still be running."""
        if running is not None:
            wait([running])
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._temporary is not None and not self.published:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._temporary)

    def _open(self) -> None:
        if self._temporary is None:
            self._fd, self._temporary = tempfile.mkstemp(dir=self._root / TEMPORARY)


class Reading:
    """A range of a blob being read, clipped to the blob; `chunk` is at hand, `left` bytes are to come."""

    def __init__(self, path: Path, start: int, end: int | None) -> None:
        self._path = path
        self._position = start
        self._end = end
        self._fd = -1
        self.left = 0
        self.chunk = b""

    def open(self) -> bool:
        """Open the file and read the first chunk; False when there is no file."""
        with storage_errors(self._path):
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
            size = os.fstat(self._fd).st_size
        self.left = max(0, (size if self._end is None else min(self._end, size)) - self._position)
        if self.left:
            self.advance()
        return True

    def advance(self) -> None:
        with storage_errors(self._path):
            self.chunk = os.pread(self._fd, min(CHUNK_BYTES, self.left), self._position)
        if not self.chunk:
            raise StorageFailedError(f"{self._path} has become shorter; a blob never changes")
        self._position += len(self.chunk)
        self.left -= len(self.chunk)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def remove_leftovers(root: Path) -> None:
    """Make the directories, and empty the one of unfinished uploads: their writers are dead."""
    temporary = root / TEMPORARY
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary.mkdir(exist_ok=True)
    for path in temporary.iterdir():
        path.unlink()


def remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def shards(root: Path) -> list[Path]:
    """The first level of the fan-out: at most 256 directories."""
    return sorted(path for path in root.iterdir() if path.name != TEMPORARY and path.is_dir())


def names_in(shard: Path, pattern: re.Pattern[str]) -> list[str]:
    """The names of all blob files below a shard, whoever needs them."""
    return [path.name for path in shard.glob("*/*") if pattern.fullmatch(path.name)]
