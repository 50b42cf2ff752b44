"""Unpacks a checked zip into a directory. Blocking: runs in the library's threads only."""

import os
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path

from mayfly.services.functions.code.archive import ArchiveTooLargeError, BadArchiveError, Entry, Plan, check_link

_CHUNK = 1 << 20
# What `zipfile` raises for bytes that are not what the zip's directory promised.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)
_FILE, _PROGRAM, _DIRECTORY = 0o644, 0o755, 0o755  # readable by the unprivileged user that instances run as


def unpack(archive: zipfile.ZipFile, plan: Plan, root: Path) -> None:
    """Create everything in `plan` below `root`, which must not exist, and make it durable.

    `BadArchiveError` when the bytes do not keep what the zip's directory promised; what was written stays for the
    caller to remove.
    """
    root.mkdir()
    root.chmod(_DIRECTORY)
    budget = plan.size
    directories = {root}
    for entry in plan.entries:
        path = root.joinpath(*entry.path)
        _make_directories(root, path if entry.kind == stat.S_IFDIR else path.parent, directories)
        if entry.kind == stat.S_IFREG:
            budget -= write_file(archive, entry, path)
            if budget < 0:
                raise ArchiveTooLargeError("the zip holds more than its directory says")
        elif entry.kind == stat.S_IFLNK:
            write_link(archive, entry, path)
    for directory in directories:
        sync_directory(directory)


def _make_directories(root: Path, directory: Path, made: set[Path]) -> None:
    if directory in made:
        return
    _make_directories(root, directory.parent, made)
    directory.mkdir(exist_ok=True)
    directory.chmod(_DIRECTORY)
    made.add(directory)


def write_file(archive: zipfile.ZipFile, entry: Entry, path: Path, *, durable: bool = True) -> int:
    """Write one file, which must not exist, through to the disk where it is to be `durable`; its size."""
    mode = _PROGRAM if entry.executable else _FILE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as target:
        os.fchmod(descriptor, mode)
        try:
            with archive.open(entry.info) as source:
                shutil.copyfileobj(source, target, _CHUNK)
        except _DAMAGE as error:
            raise BadArchiveError(f"{entry.info.filename!r} cannot be unpacked: {error}") from error
        target.flush()
        if durable:
            os.fsync(descriptor)
        return target.tell()


def write_link(archive: zipfile.ZipFile, entry: Entry, path: Path) -> None:
    """Make one symbolic link; `BadArchiveError` when it would lead out."""
    try:
        target = archive.read(entry.info).decode()
    except _DAMAGE as error:
        raise BadArchiveError(f"the link {entry.info.filename!r} cannot be read: {error}") from error
    check_link(entry.path, target)
    path.symlink_to(target)


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
