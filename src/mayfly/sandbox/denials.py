"""The system calls that functions were refused, by name, for whoever operates them.

A filter hands what it does not allow to a listener, whose descriptor comes out of the sandbox with its endpoint, or
from an OCI runtime a moment later. This answers the caller with the error that `agent.seccomp.refusal` names, and keeps
count. Used by the factories and their client of the agent; shown by `mayfly function NAME`.

Being heard must not become a weapon. The caller waits for its answer, and nobody else does; a listener answers
`MOST_HEARD` denials and is closed, and from then on the kernel answers ENOSYS by itself. So all that a hostile instance
can make this process do is some dozens of system calls. What is kept is bounded, too, and gone with the server.
"""

import asyncio
import ctypes
import errno
import fcntl
import logging
import os
import select
import struct
from dataclasses import dataclass

from mayfly.clock import Clock
from mayfly.sandbox.agent import seccomp

_log = logging.getLogger(__name__)

MOST_HEARD = 32  # by one listener: an instance's, or that of a template and all that is forked from it
MOST_NAMES = 64  # of one owner
MOST_OWNERS = 10_000
OTHERS = "others"
# struct seccomp_notif: id, pid, flags, and of struct seccomp_data: number, architecture, instruction, six arguments.
_NOTICE = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")  # struct seccomp_notif_resp: id, value, error, flags
_RECEIVE, _SEND = 0xC0502100, 0xC0182101


@dataclass(frozen=True, slots=True)
class Denied:
    """One call that was refused."""

    call: str
    count: int
    last_at: float


class Denials:
    """What was refused to whom, and the listeners."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of: dict[str, dict[str, Denied]] = {}
        self._names = _Names()

    def of(self, owner: str) -> list[Denied]:
        """What was refused to sandboxes of an owner (see `SandboxSpec.owner`) since the server started, by name."""
        return [self._of[owner][name] for name in sorted(self._of.get(owner, ()))]

    def listen(self, descriptor: int, owner: str) -> "Listener":
        """Answer at a listener's descriptor, which is the result's from here on, until it is closed or its last process
        ends."""
        return Listener(descriptor, owner, self)

    def heard(self, owner: str, number: int, architecture: int) -> int:
        """Note a denial; the errno to answer it with."""
        name = self._names.of(number, architecture)
        known = self._of.get(owner)
        if known is None:
            if len(self._of) >= MOST_OWNERS:
                self._of.pop(next(iter(self._of)))
            known = self._of[owner] = {}
        shown = name if name in known or len(known) < MOST_NAMES else OTHERS
        before = known.get(shown)
        if before is None:
            _log.warning("%s was refused the system call %s", owner or "a sandbox", shown)
        known[shown] = Denied(shown, before.count + 1 if before else 1, self._clock.now())
        return seccomp.refusal(name)


class Listener:
    """One listener of one filter."""

    def __init__(self, descriptor: int, owner: str, denials: Denials) -> None:
        """Use `Denials.listen`."""
        self._descriptor = descriptor
        self.owner = owner
        self._denials = denials
        self._left = MOST_HEARD
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._readable)

    def close(self) -> None:
        """Hear no more. Idempotent."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _readable(self) -> None:
        """One denial at most: receiving waits for one where there is none, so the descriptor is asked before."""
        events = dict(self._poll.poll(0)).get(self._descriptor, 0)
        if events & select.POLLIN:
            self._answer()
        elif events:
            self._left = 0  # nothing is left that it could be about
        if not self._left:
            self.close()

    def _answer(self) -> None:
        notice = bytearray(_NOTICE.size)
        try:
            fcntl.ioctl(self._descriptor, _RECEIVE, notice)
            number, _, _, call, architecture = _NOTICE.unpack(notice)[:5]
            self._left -= 1
            refusal = self._denials.heard(self.owner, call, architecture)
            fcntl.ioctl(self._descriptor, _SEND, bytearray(_ANSWER.pack(number, 0, -refusal, 0)))
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.EINTR}:  # ENOENT: the caller was killed meanwhile
                _log.warning("denials of %s are not heard any more: %s", self.owner, error)
                self._left = 0


class _Names:
    """Names of system calls, as libseccomp knows them."""

    def __init__(self) -> None:
        self._library: ctypes.CDLL | None = None

    def of(self, number: int, architecture: int) -> str:
        if self._library is None:
            self._library = seccomp.load_library()
        found = self._library.seccomp_syscall_resolve_num_arch(ctypes.c_uint32(architecture), ctypes.c_int(number))
        if not found:
            return f"number {number}"
        try:
            return ctypes.string_at(found).decode()
        finally:
            ctypes.CDLL(None).free(ctypes.c_void_p(found))
