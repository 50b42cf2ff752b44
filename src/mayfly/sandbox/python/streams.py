"""Standard output and error of a runtime: their emptying before an answer, and whose output it is among several calls.

Where one call runs at a time, both streams write into the output pipe, and the server knows whose turn it is. Where
several do, `Attributed` sends what is written on behalf of a call, with its number, over the control socket; what is
written past Python's streams (by C code, by children) is in the pipe, and whose it is nobody knows.
"""

from __future__ import annotations

import fcntl
import io
import os
import sys
import termios
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from mayfly.sandbox import frames

_NOTHING = b"\0\0\0\0"


class Call:
    """One of several calls that run at the same time, and the lines that it has begun on each stream."""

    __slots__ = ("number", "partial", "request_id", "sender", "trace_id")

    def __init__(self, number: int = 0, request_id: str = "", trace_id: str = "", sender: Sender | None = None) -> None:
        self.number = number
        self.sender = sender  # where it came from; None: wherever what belongs to no call goes
        self.request_id = request_id
        self.trace_id = trace_id
        self.partial: dict[int, str] = {}


# The call on whose behalf code runs; threads that were started without a copy of the context run for nobody.
running: ContextVar[Call] = ContextVar("call")


def flush() -> None:
    """Have everything that was printed in the pipe."""
    out, err = sys.stdout, sys.stderr
    for stream in (out, err):
        try:
            stream.flush()
        except Exception:  # noqa: S112 (a function may have put anything there, or closed it)
            continue
    if sys.__stdout__ is not out or sys.__stderr__ is not err:
        for real in (sys.__stdout__, sys.__stderr__):
            try:
                if real is not None:
                    real.flush()
            except Exception:  # noqa: S112
                continue


def settle() -> int:
    """`flush`; then `quiet`."""
    flush()
    return quiet()


def quiet() -> int:
    """`frames.QUIET` if the server has read all that is in the pipe already, or there was nothing."""
    try:
        waiting = fcntl.ioctl(1, termios.FIONREAD, _NOTHING)
    except OSError:
        return 0
    return frames.QUIET if waiting == _NOTHING else 0


class Sender:
    """Writes whole frames into the control socket, from whichever thread."""

    def __init__(self, send: Callable[[bytes], Any]) -> None:
        self._send = send
        self.closed = False  # nobody reads it any more
        self._lock = threading.Lock()
        self.forked = False

    def send(self, data: bytes) -> None:
        with self._lock:
            if not self.closed:
                self._send(data)

    def output(self, number: int, data: bytes) -> None:
        """What a call printed; in a child of this process, into the pipe, like everything a child prints."""
        if self.forked:
            os.write(1, data)
        else:
            self.send(frames.encode(frames.OUTPUT, None, data, number))

    def in_child(self) -> None:
        """This is a fork of the process that it was made in."""
        self.forked, self._lock = True, threading.Lock()


class _Raw(io.RawIOBase):
    """`sys.stdout.buffer`: bytes, sent as they come."""

    def __init__(self, sender: Sender, nobody: Call) -> None:
        self._sender = sender
        self._nobody = nobody

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        text = bytes(data)
        _output(running.get(self._nobody), self._sender, text)
        return len(text)


def _output(call: Call, otherwise: Sender, data: bytes) -> None:
    (call.sender or otherwise).output(call.number, data)


class Attributed(io.TextIOBase):
    """A text stream whose lines go to the server with the number of the call that wrote them."""

    errors = "backslashreplace"
    encoding = "utf-8"

    def __init__(self, sender: Sender, descriptor: int) -> None:
        self._sender = sender
        self._descriptor = descriptor
        self._nobody = Call()
        self.buffer = _Raw(sender, self._nobody)
        self.name = f"<{descriptor}>"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def reconfigure(self, **_: Any) -> None:
        """Lines are written as they end, in UTF-8, whatever is asked for."""

    def write(self, text: str) -> int:
        call = running.get(self._nobody)
        whole = call.partial.pop(self._descriptor, "") + text
        lines, end, rest = whole.rpartition("\n")
        if len(rest) >= io.DEFAULT_BUFFER_SIZE:
            lines, end, rest = whole, "", ""
        if rest:
            call.partial[self._descriptor] = rest
        if lines or end:
            _output(call, self._sender, (lines + end).encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        call = running.get(self._nobody)
        rest = call.partial.pop(self._descriptor, "")
        if rest:
            _output(call, self._sender, rest.encode("utf-8", "backslashreplace"))
