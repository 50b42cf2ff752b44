"""Copies files into a sandbox and out of it, over a pipe. Runs on both sides; standard library only.

A tree travels as entries: a header (kind, mode, lengths), the path relative to where the tree is rooted, and the
content: a file's bytes, or where a symbolic link points. END closes it; ERROR closes it with a sentence. Inside, a fork
of the launcher reads or writes, as the sandbox's own user and in its own file system; outside, the server does, and
believes nothing of what it reads.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

HEADER = struct.Struct("!BIqHQ")  # kind, mode, time, length of the path, length of the content
END, FILE, DIRECTORY, LINK, ERROR = 0, 1, 2, 3, 255
CHUNK = 1 << 16
MOST_PATH = 4096


class BadTreeError(ValueError):
    """What came is not a tree, or ends before its end."""


class RefusedError(OSError):
    """The other side could not go on; the message is its own."""


class Entry(NamedTuple):
    """One file, directory or link."""

    kind: int
    mode: int
    time: int  # of its last change, in Unix seconds
    path: str
    size: int  # of the content
    target: str = ""  # of a link


def send(into: BinaryIO, place: str) -> None:
    """Write the tree at `place`: a file, or a directory with all that is in it, named by its last part."""
    place = os.path.normpath(place)
    root = os.path.dirname(place)
    try:
        for path in _walk(place):
            _send_one(into, path, os.path.relpath(path, root))
    except OSError as error:
        fail(into, f"{error.strerror or error}: {error.filename or place}")
        return
    into.write(HEADER.pack(END, 0, 0, 0, 0))
    into.flush()


def fail(into: BinaryIO, why: str) -> None:
    """End a tree with a sentence."""
    text = why.encode("utf-8", "replace")[:MOST_PATH]
    into.write(HEADER.pack(ERROR, 0, 0, len(text), 0) + text)
    into.flush()


def _walk(place: str) -> Iterator[str]:
    yield place
    if stat.S_ISDIR(os.lstat(place).st_mode):
        for name in sorted(os.listdir(place)):
            yield from _walk(os.path.join(place, name))


def _send_one(into: BinaryIO, path: str, name: str) -> None:
    status = os.lstat(path)
    mode, changed = stat.S_IMODE(status.st_mode), int(status.st_mtime)
    if stat.S_ISLNK(status.st_mode):
        write_link(into, name, os.readlink(path))
    elif stat.S_ISDIR(status.st_mode):
        write_head(into, DIRECTORY, mode, changed, name, 0)
    elif stat.S_ISREG(status.st_mode):
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            write_head(into, FILE, mode, changed, name, size)
            left = size
            while left:
                data = file.read(min(left, CHUNK))
                if not data:  # it became shorter meanwhile
                    data = bytes(min(left, CHUNK))
                into.write(data)
                left -= len(data)
    # Sockets, pipes and devices stay where they are.


def write_head(into: BinaryIO, kind: int, mode: int, changed: int, name: str, size: int) -> None:
    text = os.fsencode(name)
    into.write(HEADER.pack(kind, mode, changed, len(text), size) + text)


def write_link(into: BinaryIO, name: str, target: str) -> None:
    text = os.fsencode(target)
    write_head(into, LINK, 0o777, 0, name, len(text))
    into.write(text)


def entries(source: BinaryIO) -> Iterator[Entry]:
    """The entries of a tree. After a file, the caller reads all of its content; `BadTreeError`, `RefusedError`."""
    while True:
        kind, mode, changed, length, size = HEADER.unpack(exactly(source, HEADER.size))
        if length > MOST_PATH:
            raise BadTreeError("a path is too long")
        path = os.fsdecode(exactly(source, length))
        if kind == END:
            return
        if kind == ERROR:
            raise RefusedError(path)
        if kind == LINK:
            if size > MOST_PATH:
                raise BadTreeError("a link is too long")
            yield Entry(LINK, mode, changed, path, size, os.fsdecode(exactly(source, size)))
        elif kind in (FILE, DIRECTORY) and (kind == FILE or not size):
            yield Entry(kind, mode, changed, path, size)
        else:
            raise BadTreeError("an entry is of no known kind")


def exactly(source: BinaryIO, size: int) -> bytes:
    """That many bytes; `BadTreeError` when there are fewer."""
    data = source.read(size)
    if len(data) < size:
        raise BadTreeError("the tree ends before its end")
    return data


def receive(source: BinaryIO, place: str) -> int:
    """Write a tree below the directory `place`, made if it is missing. The exit status: 0, or 1 when that failed,
    which is told on standard error."""
    try:
        os.makedirs(place, exist_ok=True)
        for entry in entries(source):
            _receive_one(source, entry, os.path.join(place, entry.path))
    except (OSError, BadTreeError) as error:
        where = f": {error.filename}" if isinstance(error, OSError) and error.filename else ""
        os.write(2, f"{getattr(error, 'strerror', None) or error}{where}\n".encode())
        return 1
    return 0


def _receive_one(source: BinaryIO, entry: Entry, path: str) -> None:
    if entry.kind == DIRECTORY:
        if not os.path.isdir(path):  # what was there before keeps its mode
            os.makedirs(path)
            os.chmod(path, entry.mode | 0o700)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path) and not os.path.isdir(path):
        os.unlink(path)
    if entry.kind == LINK:
        os.symlink(entry.target, path)
        return
    with open(path, "wb") as file:
        left = entry.size
        while left:
            data = source.read(min(left, CHUNK))
            if not data:
                raise BadTreeError("the tree ends before its end")
            file.write(data)
            left -= len(data)
    os.chmod(path, entry.mode)
    os.utime(path, (entry.time, entry.time))
