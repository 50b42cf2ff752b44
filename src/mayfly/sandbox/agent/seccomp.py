"""Which system calls a function may not make; compiled by libseccomp, once, when the agent starts.

The namespaces, the missing capabilities and no_new_privs already make most of these fail. The filter takes away the
rest of the kernel's surface that no function needs: making user namespaces (and with them all capabilities over new
ones), tracing, keyrings, BPF, io_uring, user-space page faults, and socket families that the network namespace does
not cover. What is refused answers EPERM; what a C library can do without (clone3) answers ENOSYS so that it falls back.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Collection, Iterator

from mayfly.sandbox.agent import kernel

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_EQUAL, _AT_LEAST, _MASKED_EQUAL = 4, 5, 7
_OPTIMIZE = 8  # attribute: 2 makes a binary tree

DENIED = (
    *("mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick"),
    *("mount_setattr", "open_tree_attr", "unshare", "setns", "ptrace", "process_vm_readv", "process_vm_writev"),
    *("process_madvise", "kcmp", "pidfd_getfd", "bpf", "perf_event_open", "keyctl", "add_key", "request_key"),
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "userfaultfd"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "open_by_handle_at", "name_to_handle_at"),
    *(
        "acct",
        "quotactl",
        "quotactl_fd",
        "swapon",
        "swapoff",
        "reboot",
        "sethostname",
        "setdomainname",
        "iopl",
        "ioperm",
    ),
    *("syslog", "vhangup", "fanotify_init", "lookup_dcookie", "nfsservctl", "uselib", "ustat", "sysfs", "_sysctl"),
    *("settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime", "move_pages", "migrate_pages"),
    *("modify_ldt", "vm86", "vm86old", "create_module", "get_kernel_syms", "query_module", "afs_syscall", "tuxcall"),
    *("landlock_create_ruleset", "memfd_secret", "lsm_set_self_attr", "statmount", "listmount"),
)
NEW_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
FAMILIES_KNOWN = 48
FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, as Linux numbers them


# What a shared template may do in addition: enter the namespaces of rooms, and have its forks die with the agent.
FOR_TEMPLATES = ("setns", "prctl")


class NoFilterError(Exception):
    """libseccomp is missing or refused; the message says which."""


class _Comparison(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


_PARENT_DEATH = _Comparison(0, _EQUAL, kernel.PR_SET_PDEATHSIG, 0)


def load_library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        raise NoFilterError("libseccomp.so.2 is not installed (Debian: libseccomp2, Fedora: libseccomp)") from error
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_rule_add_array.argtypes = (
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
        ctypes.POINTER(_Comparison),
    )
    library.seccomp_release.argtypes = (ctypes.c_void_p,)
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
    return library


def compile_filter(into: int, allowed: Collection[str] = ()) -> None:
    """Write the program (an array of `struct sock_filter`) to the descriptor `into`; `allowed` calls are not denied."""
    with _program(into) as (library, context):
        for name in DENIED:
            if name not in allowed:
                _deny(library, context, name, errno.EPERM)
        for flag in NEW_NAMESPACES:
            _deny(library, context, "clone", errno.EPERM, _Comparison(0, _MASKED_EQUAL, flag, flag))
        _deny(library, context, "clone3", errno.ENOSYS)  # its flags are in memory, where a filter cannot look
        if "prctl" not in allowed:
            _deny(library, context, "prctl", errno.EPERM, _PARENT_DEATH)
        for family in range(FAMILIES_KNOWN):
            if family not in FAMILIES:
                _deny(library, context, "socket", errno.EAFNOSUPPORT, _Comparison(0, _EQUAL, family, 0))
        _deny(library, context, "socket", errno.EAFNOSUPPORT, _Comparison(0, _AT_LEAST, FAMILIES_KNOWN, 0))


def compile_denial(into: int) -> None:
    """A program that refuses what `FOR_TEMPLATES` allows: to put on top of one."""
    with _program(into) as (library, context):
        _deny(library, context, "setns", errno.EPERM)
        _deny(library, context, "prctl", errno.EPERM, _PARENT_DEATH)


@contextlib.contextmanager
def _program(into: int) -> Iterator[tuple[ctypes.CDLL, int]]:
    """A filter to add rules to; written to `into` at the end."""
    library = load_library()
    context = library.seccomp_init(_ALLOW)
    if not context:
        raise NoFilterError("libseccomp could not make a filter")
    try:
        library.seccomp_attr_set(context, _OPTIMIZE, 2)  # libseccomp before 2.5 cannot; the filter is the same
        yield library, context
        result = library.seccomp_export_bpf(context, into)
        if result < 0:
            raise NoFilterError(f"libseccomp could not compile the filter: {os.strerror(-result)}")
    finally:
        library.seccomp_release(context)


def _deny(library: ctypes.CDLL, context: int, name: str, answer: int, *when: _Comparison) -> None:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number < 0:
        return  # not of this architecture, or newer than this libseccomp
    array = (_Comparison * len(when))(*when)
    result = library.seccomp_rule_add_array(context, _ERRNO | answer, number, len(when), array)
    if result < 0:
        raise NoFilterError(f"libseccomp refused the rule for {name}: {os.strerror(-result)}")
