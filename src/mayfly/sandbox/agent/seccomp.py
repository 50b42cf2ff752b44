"""The filter of system calls: what `calls` lists, with the arguments that matter, compiled by libseccomp when the agent
starts.

The namespaces, the missing capabilities and no_new_privs already make most of what is refused fail. The filter takes
the rest of the kernel's surface away: it allows what is listed, and nothing else. Integers are compared in the 32 bits
that the kernel looks at, so that nothing can hide behind upper ones.

What is not allowed is *handed to a listener* (SECCOMP_RET_USER_NOTIF), so that somebody can be told of it by name; see
`sandbox.denials` for what the listener answers. Where nobody listens, or nobody does any more, the kernel answers
ENOSYS by itself. Kernels and libraries that know no listeners get EPERM and ENOSYS compiled in.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Collection, Iterable, Iterator

from mayfly.sandbox.agent import calls, kernel

_ALLOW = 0x7FFF0000
_LISTENER = 0x7FC00000
_ERRNO = 0x00050000
_MASKED_EQUAL = 7
INT = 0xFFFFFFFF  # the bits of an argument that the kernel takes for an integer
_OPTIMIZE = 8  # attribute: 2 makes a binary tree

NEW_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
_FAMILIES_KNOWN = 48
FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET and AF_INET6, as Linux numbers them
NETLINK = 16
NETLINK_ROUTE = 0  # which interfaces there are; all other protocols are administration
PERSONALITIES = (0, 8, 0xFFFFFFFF)  # Linux, 32 bits of it, and the question which; not: without randomized addresses
# Options of prctl by what they are for. PR_SET_PDEATHSIG is not among them: the agent's death must end every instance.
PRCTL = (
    *(2, 3, 4, 15, 16, 36, 37, 40),  # GET_PDEATHSIG, dumpable, name, sub-reaper, TID_ADDRESS
    *(13, 14, 25, 26, 29, 30, 41, 42),  # timing, TSC, timer slack, transparent huge pages
    *(7, 8, 21, 22, 23, 24, 27, 28, 38, 39, 47, 52, 53, 65, 66),  # taking from oneself: capabilities, calls, memory
    *(45, 46, 50, 51, 54, 55, 56, 60, 61, 63, 64),  # registers and pointers of ARM
    *(0x53564D41, 0x41555856, 0x59616D61),  # names of memory, the auxiliary vector, Yama's tracer
)

WITH_ARGUMENTS = ("clone", "prctl", "personality", "socket")  # calls that are allowed by what they are asked for

# What a shared template may do in addition: enter the namespaces of rooms, and have its forks die with the agent.
FOR_TEMPLATES = ("setns", "prctl")


class NoFilterError(Exception):
    """libseccomp is missing or refused; the message says which."""


class _Comparison(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


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
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p  # the caller frees it
    return library


def compile_filter(into: int, allowed: Collection[str] = (), listener: bool = True) -> bool:
    """Write the program (an array of `struct sock_filter`) to the descriptor `into`, which allows the calls `allowed`,
    whatever their arguments, in addition. Whether a listener hears of denials: not where `listener` is False, the
    kernel is older than 5.0, or libseccomp older than 2.5."""
    library = load_library()
    context = library.seccomp_init(_LISTENER) if listener else None
    heard = bool(context)
    with _program(library, context or library.seccomp_init(_ERRNO | errno.ENOSYS), into) as rules:
        rules.allow(*(name for name in calls.ALLOWED if name not in WITH_ARGUMENTS), *allowed)
        rules.answer(errno.ENOSYS, *(calls.FALLBACKS if heard else ()))
        rules.answer(errno.EPERM, *(() if heard else (name for name in calls.REFUSED if name not in allowed)))
        rules.allow("clone", _argument(0, 0, sum(NEW_NAMESPACES)))
        if "prctl" not in allowed:
            rules.allow_each("prctl", 0, PRCTL)
            rules.answer(errno.EPERM, "prctl", _argument(0, kernel.PR_SET_PDEATHSIG))
        rules.allow_each("personality", 0, PERSONALITIES)
        rules.allow_each("socket", 0, FAMILIES)
        rules.allow("socket", _argument(0, NETLINK), _argument(2, NETLINK_ROUTE))
        for family in range(_FAMILIES_KNOWN):
            if family not in {*FAMILIES, NETLINK}:
                rules.answer(errno.EAFNOSUPPORT, "socket", _argument(0, family))
    return heard


def compile_denial(into: int) -> None:
    """A program that refuses what `FOR_TEMPLATES` allows: to put on top of one."""
    library = load_library()
    with _program(library, library.seccomp_init(_ALLOW), into) as rules:
        rules.answer(errno.EPERM, "setns")
        rules.answer(errno.EPERM, "prctl", _argument(0, kernel.PR_SET_PDEATHSIG))


def refusal(name: str) -> int:
    """The errno for a call that is not allowed, as whoever listens should answer it."""
    if name in calls.REFUSED or name == "clone":  # the latter with a flag for a namespace
        return errno.EPERM
    return {"socket": errno.EPROTONOSUPPORT, "prctl": errno.EINVAL}.get(name, errno.ENOSYS)


def _argument(number: int, value: int, mask: int = INT) -> _Comparison:
    """That an argument, in the bits of `mask`, is `value`."""
    return _Comparison(number, _MASKED_EQUAL, mask, value)


class _Rules:
    """A filter that rules are added to."""

    def __init__(self, library: ctypes.CDLL, context: int) -> None:
        self._library = library
        self._context = context

    def allow(self, *what: str | _Comparison) -> None:
        self._add(_ALLOW, what)

    def allow_each(self, name: str, argument: int, values: Iterable[int]) -> None:
        for value in values:
            self._add(_ALLOW, (name, _argument(argument, value)))

    def answer(self, number: int, *what: str | _Comparison) -> None:
        self._add(_ERRNO | number, what)

    def _add(self, action: int, what: Iterable[str | _Comparison]) -> None:
        """`what`: names of calls, and comparisons that must all hold."""
        parts = tuple(what)
        when = [part for part in parts if isinstance(part, _Comparison)]
        array = (_Comparison * len(when))(*when)
        for name in (part for part in parts if isinstance(part, str)):
            number = self._library.seccomp_syscall_resolve_name(name.encode())
            if number < 0:
                continue  # not of this architecture, or newer than this libseccomp
            result = self._library.seccomp_rule_add_array(self._context, action, number, len(when), array)
            if result < 0:
                raise NoFilterError(f"libseccomp refused the rule for {name}: {os.strerror(-result)}")


@contextlib.contextmanager
def _program(library: ctypes.CDLL, context: int | None, into: int) -> Iterator[_Rules]:
    """A filter to add rules to; written to `into` at the end."""
    if not context:
        raise NoFilterError("libseccomp could not make a filter")
    try:
        library.seccomp_attr_set(context, _OPTIMIZE, 2)  # libseccomp before 2.5 cannot; the filter is the same
        yield _Rules(library, context)
        result = library.seccomp_export_bpf(context, into)
        if result < 0:
            raise NoFilterError(f"libseccomp could not compile the filter: {os.strerror(-result)}")
    finally:
        library.seccomp_release(context)
