"""What a process has open: which of it instances may have too, how they get it anew, and why the rest is a hazard.

A fork inherits what is open together with its state: the offset of a file, the position in a directory, locks, and the
way into a file system that instances must not share. So nothing that has such a state is inherited. A file or
directory is opened again by its name, in the instance's own file system, at the offset it had; whatever cannot be had
like this is a hazard, found out by trying in the template. Only devices without a state are inherited: /dev/null and
the like.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Collection
from typing import NamedTuple, Optional

_HARMLESS_DEVICES = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9)}  # null, zero, full, random, urandom
_NAMESPACES = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}
_ONCE = os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_NOCTTY  # what only making a file asks for
_LINUX_ONLY_PATH = getattr(os, "O_PATH", 0)


class _File(NamedTuple):
    """A file or directory that is open for reading, or for nothing but its name."""

    descriptor: int
    path: str
    flags: int
    shares: Optional[int]  # noqa: UP045 (read at run time on Python 3.9); a descriptor with which it has one offset


class Held:
    """What instances get of what is open in their template."""

    def __init__(self) -> None:
        self._files: list[_File] = []
        self._devices: list[int] = []
        self._sockets: list[int] = []

    @property
    def numbers(self) -> frozenset[int]:
        """Descriptors that instances inherit, for `renew` to put right."""
        return frozenset((*(file.descriptor for file in self._files), *self._devices, *self._sockets))

    def take(self, descriptor: int, *, sockets_die: bool) -> str:
        """Why a descriptor is a hazard; empty when instances may have it, and it is noted how."""
        status = os.fstat(descriptor)
        target = os.readlink(f"/proc/self/fd/{descriptor}")
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFSOCK:
            if not sockets_die:
                return f"a socket is open (descriptor {descriptor})"
            self._sockets.append(descriptor)
            return ""
        if kind == stat.S_IFIFO:
            return f"a pipe is open (descriptor {descriptor})"
        if not target.startswith("/"):
            return _without_a_path(descriptor, target)
        if kind in {stat.S_IFCHR, stat.S_IFBLK} and not _flags(descriptor) & _LINUX_ONLY_PATH:
            if (os.major(status.st_rdev), os.minor(status.st_rdev)) not in _HARMLESS_DEVICES:
                return f"{'a CUDA device' if target.startswith('/dev/nvidia') else 'a device'} is open: {target}"
            self._devices.append(descriptor)
            return ""
        return self._take_file(descriptor, target, status)

    def _take_file(self, descriptor: int, path: str, status: os.stat_result) -> str:
        flags = _flags(descriptor)
        if not flags & _LINUX_ONLY_PATH and flags & os.O_ACCMODE != os.O_RDONLY:
            return f"a file is open for writing: {path}"
        if path.startswith("/proc/"):
            return f"a file of /proc is open: {path}"
        if "lock" in _about(descriptor):
            return f"a lock is held on {path}"
        try:
            named = os.stat(path, follow_symlinks=not stat.S_ISLNK(status.st_mode))
            if (named.st_dev, named.st_ino) != (status.st_dev, status.st_ino):
                raise FileNotFoundError
            file = _File(descriptor, path, flags & ~_ONCE, self._sharing(descriptor, status))
            os.close(_opened_again(file))
        except OSError as error:
            why = "it has no name any more" if isinstance(error, FileNotFoundError) else error.strerror
            return f"a file that cannot be opened again is open: {path} ({why})"
        self._files.append(file)
        return ""

    def _sharing(self, descriptor: int, status: os.stat_result) -> int | None:
        """A descriptor that was taken already and is another number of the same open file."""
        for other in self._files:
            if os.path.samestat(os.fstat(other.descriptor), status) and _have_one_offset(other.descriptor, descriptor):
                return other.descriptor
        return None

    def renew(self) -> None:
        """In an instance: files with offsets of their own; sockets that are dead (end of file, broken pipe)."""
        for file in self._files:
            if file.shares is None:
                again = _opened_again(file)
                _replace(file.descriptor, again)
                os.close(again)
            else:
                _replace(file.descriptor, file.shares)
        for descriptor in self._sockets:
            dead, other = socket.socketpair()
            other.close()
            _replace(descriptor, dead.fileno())
            dead.close()


def opened(kept: Collection[int]) -> list[int]:
    """All open descriptors but `kept`, in order."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # one is the listing's own
            os.fstat(int(name))
            if int(name) not in kept:
                found.append(int(name))
    return sorted(found)


def _without_a_path(descriptor: int, target: str) -> str:
    if target.startswith("anon_inode:"):
        return f"{target[11:].strip('[]')} is open (descriptor {descriptor})"
    kind = target.partition(":")[0]
    return f"a namespace is open: {target}" if kind in _NAMESPACES else f"{kind} is open (descriptor {descriptor})"


def _about(descriptor: int) -> dict[str, str]:
    """What /proc tells of an open file, by name."""
    with open(f"/proc/self/fdinfo/{descriptor}") as file:
        lines = [line.partition(":") for line in file]
    return {name: text.strip() for name, _, text in lines}


def _flags(descriptor: int) -> int:
    return int(_about(descriptor)["flags"], 8)


def _have_one_offset(one: int, other: int) -> bool:
    """Whether moving in one moves in the other."""
    try:
        before = os.lseek(one, 0, os.SEEK_CUR), os.lseek(other, 0, os.SEEK_CUR)
        if before[0] != before[1]:
            return False
        os.lseek(one, before[0] + 1, os.SEEK_SET)
        together = os.lseek(other, 0, os.SEEK_CUR) != before[1]
        os.lseek(one, before[0], os.SEEK_SET)
    except OSError:  # open for its name only: there is no offset
        return False
    return together


def _opened_again(file: _File) -> int:
    again = os.open(file.path, file.flags | os.O_CLOEXEC)
    if not file.flags & _LINUX_ONLY_PATH:
        try:
            os.lseek(again, os.lseek(file.descriptor, 0, os.SEEK_CUR), os.SEEK_SET)
        except OSError:
            os.close(again)
            raise
    return again


def _replace(descriptor: int, by: int) -> None:
    os.dup2(by, descriptor, inheritable=os.get_inheritable(descriptor))
