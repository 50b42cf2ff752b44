"""What `files.FileBlobs` does in its threads: write an upload, publish it durably, read ranges, find leftovers.

Everything here blocks, and nothing here knows the database.
"""

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Protocol

from mayfly.store.api import BlobNotFoundError, Hasher, StorageFailedError, StorageFullError

CHUNK_BYTES = 256 * 1024
TEMPORARY = "tmp"


class Digest(Hasher, Protocol):
    def hexdigest(self) -> str: ...


@contextlib.contextmanager
def storage_errors(what: Path) -> Iterator[None]:
    """Failures of the disk as the platform's own."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (StorageFullError if full else StorageFailedError)(f"{what}: {error}") from error


def sync_directory(path: Path) -> None:
    """Make names made or changed in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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

    def publish(self, target: Path) -> None:
        """Durable under its final name when it returns."""
        with storage_errors(target):
            self._open()  # an empty blob was never written to
            assert self._temporary is not None
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1
            _make_durable_directory(target.parent, self._root)
            os.rename(self._temporary, target)
            self.published = True
            sync_directory(target.parent)

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


def _make_durable_directory(path: Path, root: Path) -> None:
    """Make `path` below `root` with its parents, each name durable before anything is put in it."""
    missing = []
    while path != root and not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)


class Opened:
    """A range of a blob being read: `chunk` is at hand, `left` bytes are to come."""

    def __init__(self, fd: int, start: int, end: int) -> None:
        self._fd = fd
        self._position = start
        self.left = max(0, end - start)
        self.chunk = b""

    def advance(self) -> None:
        self.chunk = os.pread(self._fd, min(CHUNK_BYTES, self.left), self._position)
        self._position += len(self.chunk)
        self.left -= len(self.chunk)
        if not self.chunk:
            raise StorageFailedError("a blob's file is shorter than it was when it was opened")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def open_blob(path: Path, start: int, end: int | None) -> Opened:
    """The range, clipped to the blob, with its first chunk read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BlobNotFoundError(f"no blob {path.name}") from None
    try:
        size = os.fstat(fd).st_size
        opened = Opened(fd, start, size if end is None else min(end, size))
        if opened.left:
            opened.advance()
    except BaseException:
        os.close(fd)
        raise
    return opened


def remove_leftovers(root: Path) -> None:
    """Make the directories, and empty the one of unfinished uploads: their writers are dead."""
    temporary = root / TEMPORARY
    temporary.mkdir(parents=True, exist_ok=True)
    for path in temporary.iterdir():
        path.unlink()


def remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def orphans(root: Path, name: re.Pattern[str]) -> Iterator[str]:
    """The names of all blob files, whoever needs them."""
    for first in os.scandir(root):
        if first.name == TEMPORARY or not first.is_dir():
            continue
        for second in os.scandir(first.path):
            for entry in os.scandir(second.path):
                if name.fullmatch(entry.name):
                    yield entry.name
