"""Capabilities and entering namespaces: the system calls that a nest needs beyond `kernel`. Linux only.

Functions raise OSError and hold no policy.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

from mayfly.sandbox.agent import kernel

CAP_SETPCAP = 8
CAP_NET_ADMIN = 12
CAP_SYS_CHROOT = 18
CAP_SYS_ADMIN = 21
_LAST_CAPABILITY = 63
_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522

# PyDLL, as in `kernel`: these calls are short, and some are made between a fork and what follows it.
_libc = ctypes.PyDLL(None, use_errno=True)
_capset = _libc.capset  # looked up once: a fork would look for it again


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


_CapabilityHalves = _CapabilityData * 2  # made once: a type takes longer to make than the call


def enter(descriptor: int, kinds: int) -> None:
    """`setns`: into the namespace that `descriptor` refers to, or those of the process, with a pidfd (Linux 5.8).

    A pid namespace is entered by children only.
    """
    if _libc.setns(descriptor, kinds) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns {kinds:#x}: {os.strerror(number)}")


def empty_bounding_set() -> None:
    """No program that is executed from here on has a capability, whatever its file says."""
    for capability in range(_LAST_CAPABILITY + 1):
        if _libc.prctl(kernel.PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break  # the kernel has no more


def keep_capabilities(*kept: int) -> None:
    """Give up all capabilities but these, for good."""
    bits = sum(1 << capability for capability in kept)
    _set(bits, 0)


class Renunciation:
    """All capabilities given up for good, later and at once: what the call needs is made here, because to make it in a
    fork would cost that a copy of forty pages."""

    def __init__(self) -> None:
        self._header, self._data = _CapabilityHeader(_CAPABILITY_VERSION_3, 0), (_CapabilityData * 2)()
        self._arguments = ctypes.byref(self._header), ctypes.byref(self._data)

    def carry_out(self) -> None:
        if _libc.capset(*self._arguments) < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"capset: {os.strerror(number)}")


def inherit(kept: Sequence[int]) -> None:
    """Give up all capabilities but these, which the next program that this process executes has too."""
    bits = sum(1 << capability for capability in kept)
    _set(bits, bits)
    for capability in kept:
        kernel.prctl(kernel.PR_CAP_AMBIENT, _AMBIENT_RAISE, capability)


def forget_inheritance() -> None:
    """What this process executes from here on has no capability that its file does not give it."""
    kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_CLEAR_ALL)


def own_user_namespace(uid: int, proc: int) -> None:
    """Enter a new user namespace in which one id exists, `uid`, which is the caller's. The caller must be dumpable, has
    all capabilities in there, and is to `renounce` them. `proc` is a descriptor of a /proc that can be written.

    What a process is before decides nothing here: the kernel lets anybody map the id that it has.
    """
    outside = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    map_ids(proc, (uid, uid), outside)


def renounce(renunciation: Renunciation) -> None:
    """Give up all capabilities, and the possibility of them, for good. Some forty system calls."""
    empty_bounding_set()
    renunciation.carry_out()


def map_ids(proc: int, inside: tuple[int, int], outside: tuple[int, int]) -> None:
    """Say who one is in the user namespace that one has just made: user and group id, `inside` and `outside`."""
    for name, text in (
        ("self/setgroups", "deny"),
        ("self/uid_map", f"{inside[0]} {outside[0]} 1"),
        ("self/gid_map", f"{inside[1]} {outside[1]} 1"),
    ):
        file = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)


def _set(bits: int, inheritable: int) -> None:
    data = _CapabilityHalves()
    for half in range(2):
        data[half].effective = data[half].permitted = bits >> 32 * half & 0xFFFFFFFF
        data[half].inheritable = inheritable >> 32 * half & 0xFFFFFFFF
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    if _capset(ctypes.byref(header), ctypes.byref(data)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")


def become(uid: int) -> None:
    """Change all user and group ids of this process to `uid`; other groups go."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
