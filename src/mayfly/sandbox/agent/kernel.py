"""The system calls that Python has no name for: clone with namespaces, mounts, prctl. Linux only.

Called by the agent, by templates and by an instance on its way in; holds no policy. Functions raise OSError.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal

CLONE_PARENT = 0x00008000
CLONE_CHILD_CLEARTID = 0x00200000
CLONE_CHILD_SETTID = 0x01000000
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000
CLONE_INTO_CGROUP = 0x200000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_NOSYMFOLLOW = 0x100
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 0x2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_GET_TID_ADDRESS = 40
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
SECCOMP_MODE_FILTER = 2
_SECCOMP_SET_MODE_FILTER, _SECCOMP_NEW_LISTENER = 1, 8

_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_AT_FDCWD = -100
_OPEN_TREE_CLONE = 1
_OPEN_TREE_CLOEXEC = os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
_MOUNT_ATTR = {MS_RDONLY: 0x1, MS_NOSUID: 0x2, MS_NODEV: 0x4, MS_NOEXEC: 0x8}
_KEYCTL_JOIN_SESSION_KEYRING = 1
_COVER = ctypes.c_ulong(MS_BIND)

# Numbers differ below 424 and are the same everywhere from there on.
_NUMBERS = {
    "x86_64": {"clone": 56, "pivot_root": 155, "keyctl": 250, "seccomp": 317},
    "aarch64": {"clone": 220, "pivot_root": 41, "keyctl": 219, "seccomp": 277},
}
_NUMBER = {
    **_NUMBERS.get(platform.machine(), {}),
    "open_tree": 428,
    "move_mount": 429,
    "clone3": 435,
    "close_range": 436,
    "mount_setattr": 442,
}

# What `clone` into a group answers where the kernel is too old, or a container's filter hides the call.
CANNOT_CLONE_INTO = (errno.ENOSYS, errno.E2BIG)

# PyDLL keeps the interpreter lock during a call: a fork in a call that had released it would start the child without.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def supported() -> bool:
    """Whether the numbers of this machine's system calls are known here."""
    return platform.machine() in _NUMBERS


def _syscall(name: str, *arguments: object) -> int:
    number = _NUMBER.get(name)
    if number is None:
        raise OSError(38, f"{name}: unknown on {platform.machine()}")
    return _check(_libc.syscall(ctypes.c_long(number), *arguments), name)


def prctl(option: int, *arguments: int) -> int:
    values = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    return _check(_libc.prctl(option, *values), f"prctl {option}")


def prctl_name(name: str) -> None:
    """What process lists show; 15 bytes are kept."""
    # Without a buffer: each length of one is a type of its own, which a fork would have to make.
    _check(_libc.prctl(PR_SET_NAME, name.encode()[:15]), "prctl_name")


def _tid_address() -> int:
    """Where the C library keeps this thread's id, so that the kernel can write the child's own there; 0 if not told."""
    address = ctypes.c_void_p()
    try:
        prctl(PR_GET_TID_ADDRESS, ctypes.addressof(address))
    except OSError:
        return 0
    return address.value or 0


class _CloneArguments(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            *("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls"),
            *("set_tid", "set_tid_size", "cgroup"),
        )
    )


def clone(flags: int, group: int = -1) -> int:
    """Fork into new namespaces: 0 in the child, the child's process id in the parent.

    `group` is a descriptor of a v2 control group's directory, for the child to be born in (Linux 5.7 and later; the
    errors of `CANNOT_CLONE_INTO` before). With `CLONE_PARENT` the child's parent is the caller's. Python is told as by
    `os.fork`, so its at-fork hooks run. The caller must have one thread only.
    """
    address = _tid_address()
    if address:
        flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID
    arguments = _arguments_of_clone(flags, address) if group < 0 else _arguments_of_clone3(flags, address, group)
    ctypes.pythonapi.PyOS_BeforeFork()
    result = _libc.syscall(*arguments)
    if result == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    error = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if result < 0:
        raise OSError(error, f"clone: {os.strerror(error)}")
    return int(result)


def rehearse_clone() -> None:
    """Do what the interpreter does around `clone`, hooks of modules for children included, but do not clone. The caller
    must have one thread only."""
    ctypes.pythonapi.PyOS_BeforeFork()
    ctypes.pythonapi.PyOS_AfterFork_Child()


def _arguments_of_clone(flags: int, tid_address: int) -> tuple[object, ...]:
    zero, tid = ctypes.c_void_p(0), ctypes.c_void_p(tid_address)
    last = (tid, zero) if platform.machine() == "x86_64" else (zero, tid)  # the order of tls and tid differs
    return ctypes.c_long(_NUMBER["clone"]), ctypes.c_ulong(flags | signal.SIGCHLD), zero, zero, *last


def _arguments_of_clone3(flags: int, tid_address: int, group: int) -> tuple[object, ...]:
    # A sibling (CLONE_PARENT) takes over the caller's exit signal and must not name one.
    ending = 0 if flags & CLONE_PARENT else signal.SIGCHLD
    how = _CloneArguments(flags=flags | CLONE_INTO_CGROUP, child_tid=tid_address, exit_signal=ending, cgroup=group)
    return ctypes.c_long(_NUMBER["clone3"]), ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how))


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    kind_text = kind.encode() if kind else None
    result = _libc.mount(
        os.fsencode(source), os.fsencode(target), kind_text, ctypes.c_ulong(flags), data.encode() or None
    )
    _check(result, f"mount {source} on {target}")


def cover(source: bytes, target: bytes) -> None:
    """Show the file or directory `source` instead of `target`. As cheap as can be, and so with prepared paths."""
    if _libc.mount(source, target, None, _COVER, None) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"covering {os.fsdecode(target)}: {os.strerror(number)}")


def unmount(target: str) -> None:
    """Take a mount out of sight at once; it goes when its last user is gone."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"unmount {target}")


def pivot_root(new: str, old: str) -> None:
    _syscall("pivot_root", os.fsencode(new), os.fsencode(old))


def open_tree(path: str) -> int:
    """A descriptor of a private, unattached copy of the mount at `path`; other mounts below it are not in the copy."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC
    try:
        return _syscall("open_tree", _AT_FDCWD, os.fsencode(path), ctypes.c_uint(flags))
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), path) from None


def attach(tree: int, target: str, flags: int) -> None:
    """Attach a copy from `open_tree` at `target`, restricted by `flags` (MS_RDONLY and the like)."""
    restricted = True
    try:
        _set_attributes(tree, b"", _AT_EMPTY_PATH, flags)
    except OSError:
        restricted = False  # before Linux 5.12
    _syscall("move_mount", tree, b"", _AT_FDCWD, os.fsencode(target), ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH))
    if not restricted:
        mount("none", target, None, MS_REMOUNT | MS_BIND | flags)


def _set_attributes(directory: int, path: bytes, how: int, flags: int) -> None:
    """Restrict a mount by `flags`, beyond what it may be restricted by already."""
    attributes = _MountAttributes(sum(bit for flag, bit in _MOUNT_ATTR.items() if flags & flag), 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    _syscall("mount_setattr", directory, path, ctypes.c_uint(how), ctypes.byref(attributes), size)


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user_namespace", ctypes.c_uint64),
    )


def bind(source: str, target: str, flags: int) -> None:
    """Show `source`, and what is mounted below it, at `target`, restricted by `flags`."""
    mount(source, target, None, MS_BIND | MS_REC)
    try:
        _set_attributes(_AT_FDCWD, os.fsencode(target), _AT_RECURSIVE, flags)
    except OSError:
        # Before Linux 5.12: without what is mounted below, so that nothing stays writable.
        unmount(target)
        mount(source, target, None, MS_BIND)
        mount("none", target, None, MS_REMOUNT | MS_BIND | flags)


def close_from(first: int) -> None:
    """Close every descriptor from `first` on."""
    try:
        _syscall("close_range", ctypes.c_uint(first), ctypes.c_uint(0xFFFFFFFF), ctypes.c_uint(0))
    except OSError:
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def new_session_keyring() -> None:
    """Leave the keyrings of the host behind. Kernels without keyrings have nothing to leave."""
    try:
        _syscall("keyctl", _KEYCTL_JOIN_SESSION_KEYRING, ctypes.c_void_p(0))
    except OSError as error:
        if error.errno != 38:
            raise


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class SystemCallFilter:
    """A compiled seccomp filter (an array of `struct sock_filter`), kept ready for `install`."""

    def __init__(self, program: bytes) -> None:
        self._buffer = ctypes.create_string_buffer(program, len(program))
        self._program = _FilterProgram(len(program) // 8, ctypes.addressof(self._buffer))

    def install(self) -> None:
        """Bind this process, and all that it starts, to the filter; needs no_new_privs."""
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(self._program))

    def install_heard(self) -> int:
        """`install`, and a descriptor for whoever is to hear of denials; -1 where there can be none: the kernel is
        older than 5.0, or whoever made this machine's container listens already."""
        try:
            flags = ctypes.c_uint(_SECCOMP_NEW_LISTENER)
            return _syscall("seccomp", ctypes.c_uint(_SECCOMP_SET_MODE_FILTER), flags, ctypes.byref(self._program))
        except OSError:
            self.install()
            return -1
