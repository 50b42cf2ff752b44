"""The socket between the core and one front: messages in order, file descriptors beside them.

A Unix stream socket. A message is its length (unsigned 32 bits, little-endian), how many descriptors belong to it
(8 bits), and its msgpack. Descriptors are attached to the first byte of their message, so they are never later than it.
Both ends are written by Mayfly; what cannot be understood is a bug, and ends the link.
"""

import array
import asyncio
import collections
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

M = TypeVar("M")

_HEADER = struct.Struct("<IB")
_READ_BYTES = 256 * 1024
_MOST_DESCRIPTORS = 253  # of one sendmsg, by the kernel
_log = logging.getLogger(__name__)


class Link(Generic[M]):
    """One end. `on_message` gets each message and its descriptors, which it owns; `on_lost` is called once."""

    def __init__(
        self,
        end: socket.socket,
        kinds: Any,
        on_message: Callable[[M, list[int]], None],
        on_lost: Callable[[], None],
    ) -> None:
        """`kinds` is the union of the messages that arrive. Must be made on a running loop."""
        end.setblocking(False)
        self._socket = end
        self._encode = msgspec.msgpack.Encoder().encode
        self._decoder: msgspec.msgpack.Decoder[M] = msgspec.msgpack.Decoder(kinds)
        self._on_message = on_message
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._in = bytearray()
        self._descriptors: collections.deque[int] = collections.deque()
        self._out: collections.deque[tuple[memoryview, Sequence[int]]] = collections.deque()
        self._lost = False
        self._loop.add_reader(end.fileno(), self._readable)

    @property
    def lost(self) -> bool:
        return self._lost

    def send(self, message: object, descriptors: Sequence[int] = (), *, close: bool = False) -> None:
        """Queue one message. `close`: the descriptors are closed once they are sent, or will never be."""
        if self._lost:
            if close:
                _close(descriptors)
            return
        body = self._encode(message)
        kept = descriptors if close or not descriptors else [os.dup(descriptor) for descriptor in descriptors]
        self._out.append((memoryview(_HEADER.pack(len(body), len(kept)) + body), kept))
        if len(self._out) == 1:
            self._flush()

    def close(self) -> None:
        """End it; `on_lost` is not called. Idempotent."""
        if not self._lost:
            self._lost = True
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()
            for _, descriptors in self._out:
                _close(descriptors)
            _close(self._descriptors)
            self._out.clear()

    def _flush(self) -> None:
        while self._out:
            data, descriptors = self._out[0]
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
            try:
                sent = self._socket.sendmsg([data], rights)
            except BlockingIOError:
                self._loop.add_writer(self._socket.fileno(), self._writable)
                return
            except OSError:
                self._end()
                return
            _close(descriptors)
            if sent == len(data):
                self._out.popleft()
            else:
                self._out[0] = (data[sent:], ())

    def _writable(self) -> None:
        self._loop.remove_writer(self._socket.fileno())
        self._flush()

    def _readable(self) -> None:
        try:
            space = socket.CMSG_SPACE(_MOST_DESCRIPTORS * 4)
            data, rights, flags, _ = self._socket.recvmsg(_READ_BYTES, space, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            data, rights, flags = b"", [], 0
        for level, kind, content in rights:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
                self._descriptors.extend(numbers)
        if flags & socket.MSG_CTRUNC:
            _log.error("descriptors were lost: this process may have no more open files")
            data = b""
        if not data:
            self._end()
            return
        self._in += data
        try:
            self._deliver()
        except msgspec.MsgspecError:
            _log.exception("what came over a link was not understood")
            self._end()

    def _deliver(self) -> None:
        at = 0
        while len(self._in) - at >= _HEADER.size and not self._lost:
            length, count = _HEADER.unpack_from(self._in, at)
            start = at + _HEADER.size
            if len(self._in) < start + length:
                break
            descriptors = [self._descriptors.popleft() for _ in range(count)]
            at = start + length
            message = self._decoder.decode(memoryview(self._in)[start:at].tobytes())
            try:
                self._on_message(message, descriptors)
            except Exception:
                _log.exception("the message %s was not carried out", type(message).__name__)
        if at and not self._lost:
            del self._in[:at]

    def _end(self) -> None:
        if not self._lost:
            self.close()
            self._on_lost()


def _close(descriptors: Sequence[int] | collections.deque[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


class Questions:
    """Questions that wait for their answers."""

    def __init__(self) -> None:
        self._next = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    def new(self) -> tuple[int, "asyncio.Future[Any]"]:
        """The number of a new question, and its answer to come."""
        self._next += 1
        answer = self._waiting[self._next] = asyncio.get_running_loop().create_future()
        return self._next, answer

    def answer(self, number: int, value: object) -> bool:
        """Resolve a question; False when nobody waits any more, and whatever came with the answer is unclaimed."""
        waiting = self._waiting.pop(number, None)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(value)
        return True

    def fail(self, error: Exception) -> None:
        """No answer will come to any of them."""
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(error)
