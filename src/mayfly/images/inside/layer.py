"""Unpacks one layer: a tar file, maybe compressed, on standard input becomes `tree/` below the current directory.

What is written: directories, files, links, with their modes and times, all owned by one user; neither set-uid nor
set-gid, no devices, no pipes, no extended attributes. What a layer removes of those below it stays in the tree as the
markers that the format has for it (`.wh.NAME`, `.wh..wh..opq`), for `merge`. Directories that the layer does not name,
but has something in, are listed in the file `implicit`: they say nothing of what should be there.

Arguments: the user to become, the most bytes of all files, the most entries.
Output: one line of JSON, {"diff_id", "bytes", "entries"} or {"error", "message"}; error is "broken", "too-large" or
"disk-full".
"""

import errno
import hashlib
import json
import os
import shutil
import stat
import sys
import tarfile
from contextlib import suppress
from typing import BinaryIO

from mayfly.images.inside.expand import ERRORS, MAGIC_BYTES, Expanding, Prefixed, expander
from mayfly.images.inside.paths import BrokenError, parts_of, resolve
from mayfly.images.inside.shut_in import shut_in, sync

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
_CHUNK = 1 << 18
_TREE = "tree"
RESERVE = 512 << 20  # bytes of the disk that are left for others
_LOOK_EVERY = 64 << 20
_OVERHEAD = 4096  # bytes of the stream that one entry may take beside its content


class TooLargeError(Exception):
    """A limit is exceeded; the message names it."""


class Stream:
    """The uncompressed bytes of a layer: counted, bounded, hashed."""

    def __init__(self, source: BinaryIO, most: int) -> None:
        # What a manifest says of compression is not always so; the bytes are.
        first = source.read(MAGIC_BYTES)
        make = expander(first)
        self._source: Prefixed | Expanding = Prefixed(first, source) if make is None else Expanding(first, source, make)
        self._most = most
        self._hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        data = self._source.read(size)
        self._most -= len(data)
        if self._most < 0:
            raise TooLargeError("it unpacks to more than the limit for an image")
        self._hash.update(data)
        return data

    def close(self) -> None:
        """What `tarfile` calls; the source stays open."""

    def finish(self) -> str:
        """Read what is left; the digest of all."""
        while self.read(_CHUNK):
            pass
        return self._hash.hexdigest()


class Tree:
    """What is written, below the current directory."""

    def __init__(self, most_bytes: int, most_entries: int) -> None:
        self.implicit: set[str] = set()
        self.bytes = 0
        self.entries = 0
        self._most_bytes = most_bytes
        self._most_entries = most_entries
        self._parents: dict[tuple[str, ...], str] = {}
        self._unlooked = _LOOK_EVERY  # bytes written since the disk's room was looked at
        self._look()

    def _look(self) -> None:
        self._unlooked = 0
        room = os.statvfs(".")
        if room.f_bavail * room.f_frsize < RESERVE:
            raise OSError(errno.ENOSPC, "the disk is nearly full")

    def add(self, member: tarfile.TarInfo, content: "BinaryIO | None") -> None:
        self.entries += 1
        if self.entries > self._most_entries:
            raise TooLargeError(f"it has more than {self._most_entries} files")
        parts = parts_of(member.name)
        if not parts:
            return
        if parts[-1].startswith(WHITEOUT):
            self._mark(parts, member)
            return
        if any(part.startswith(WHITEOUT) for part in parts):
            raise BrokenError(f"{member.name[:200]!r} lies below a marker")
        if not (member.isdir() or member.isfile() or member.issym() or member.islnk()):
            return  # devices and pipes are for systems that boot
        path = self._place(parts)
        if member.isdir():
            self._directory(path, member)
            return
        self._clear(path)
        if member.issym():
            self._link(path, member)
        elif member.islnk():
            self._hard_link(path, member)
        else:
            assert content is not None
            self._file(path, member, content)

    def _mark(self, parts: "tuple[str, ...]", member: tarfile.TarInfo) -> None:
        """Note what the layer removes; other names of this kind belong to who made the layer."""
        name = parts[-1]
        if name != OPAQUE and name.startswith(WHITEOUT * 2):
            return
        if not (member.isfile() or member.islnk()) or name.removeprefix(WHITEOUT) in ("", ".", ".."):
            raise BrokenError(f"{member.name[:200]!r} is no marker that means anything")
        path = self._place(parts)
        self._clear(path)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))

    def _place(self, parts: "tuple[str, ...]") -> str:
        """Where an entry goes: its directory exists, and is real."""
        above = parts[:-1]
        parent = self._parents.get(above)
        if parent is None:
            found = resolve(".", above, self._make)
            if found is None:
                raise BrokenError(f"{'/'.join(parts)[:200]!r} lies below something that is no directory")
            parent = self._parents[above] = found
        return f"{parent}/{parts[-1]}" if parent else parts[-1]

    def _make(self, path: str) -> bool:
        os.mkdir(path, 0o755)
        self.implicit.add(path)
        return True

    def _clear(self, path: str) -> None:
        """Nothing is at `path` afterwards: of two entries of one name the last one counts."""
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        self._parents.clear()
        if stat.S_ISDIR(mode):
            shutil.rmtree(path)
            self.implicit = {each for each in self.implicit if each != path and not each.startswith(f"{path}/")}
        else:
            os.unlink(path)

    def _directory(self, path: str, member: tarfile.TarInfo) -> None:
        try:
            exists = stat.S_ISDIR(os.lstat(path).st_mode)
        except FileNotFoundError:
            exists = False
        if not exists:
            self._clear(path)
            os.mkdir(path)
        self.implicit.discard(path)
        os.chmod(path, member.mode & 0o1777 | 0o700)  # this user is nobody to functions, but has to clean up

    def _file(self, path: str, member: tarfile.TarInfo, content: BinaryIO) -> None:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            while chunk := content.read(_CHUNK):
                self.bytes += len(chunk)
                self._unlooked += len(chunk)
                if self._unlooked > _LOOK_EVERY:
                    self._look()
                if self.bytes > self._most_bytes:
                    raise TooLargeError(f"its files have more than {self._most_bytes} bytes")
                file.write(chunk)
            if file.tell() != member.size:
                raise BrokenError("it is cut short")
            os.fchmod(file.fileno(), member.mode & 0o777 | 0o400)
        with suppress(OverflowError, ValueError, OSError):  # compiled Python compares times
            os.utime(path, (member.mtime, member.mtime))

    def _link(self, path: str, member: tarfile.TarInfo) -> None:
        if not member.linkname or "\0" in member.linkname or len(os.fsencode(member.linkname)) > 4095:
            raise BrokenError(f"the link {member.name[:200]!r} leads nowhere")
        os.symlink(member.linkname, path)

    def _hard_link(self, path: str, member: tarfile.TarInfo) -> None:
        parts = parts_of(member.linkname)
        parent = resolve(".", parts[:-1], lambda missing: False) if parts else None
        if parent is None:
            raise BrokenError(f"{member.name[:200]!r} is a link to something that the layer does not have")
        source = f"{parent}/{parts[-1]}" if parent else parts[-1]
        try:
            if stat.S_ISDIR(os.lstat(source).st_mode):
                raise BrokenError(f"{member.name[:200]!r} is a hard link to a directory")
            os.link(source, path, follow_symlinks=False)
        except FileNotFoundError:
            raise BrokenError(f"{member.name[:200]!r} is a link to something that the layer does not have") from None


def unpack(source: BinaryIO, most_bytes: int, most_entries: int) -> "tuple[str, Tree]":
    """Everything into the current directory; the digest of the uncompressed layer, and what was written."""
    stream = Stream(source, most_bytes + most_entries * _OVERHEAD)
    tree = Tree(most_bytes, most_entries)
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK, errors="surrogateescape") as tar:  # type: ignore[call-overload]  # reads only
            while (member := tar.next()) is not None:
                tar.members = []  # of which there may be a million
                tree.add(member, tar.extractfile(member) if member.isfile() else None)
        digest = stream.finish()
    except (tarfile.TarError, *ERRORS, EOFError, UnicodeError, ValueError) as error:
        raise BrokenError(f"it is no layer: {error}") from error
    return digest, tree


def main() -> None:
    uid, most_bytes, most_entries = (int(argument) for argument in sys.argv[1:])
    answer: dict[str, object]
    try:
        shut_in(uid, most_bytes)
        os.mkdir(_TREE, 0o755)
        with open("implicit", "wb") as implicit:
            os.chdir(_TREE)
            digest, tree = unpack(sys.stdin.buffer, most_bytes, most_entries)
            implicit.write(b"\0".join(os.fsencode(path) for path in sorted(tree.implicit)))
        sync()
        answer = {"diff_id": digest, "bytes": tree.bytes, "entries": tree.entries}
    except BrokenError as error:
        answer = {"error": "broken", "message": str(error)}
    except TooLargeError as error:
        answer = {"error": "too-large", "message": str(error)}
    except MemoryError:
        answer = {"error": "broken", "message": "its headers are too large"}
    except RecursionError:
        answer = {"error": "broken", "message": "it is nested too deeply"}
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        answer = {"error": "disk-full" if full else "broken", "message": str(error)}
    print(json.dumps(answer), flush=True)  # noqa: T201  # this is what the server waits for
