"""The control socket of one instance, as an asyncio protocol: bytes to frames, and frames to bytes.

Works the same on asyncio's own loop and on uvloop. It decides nothing; `instance` does.
"""

import array
import asyncio
import contextlib
import fcntl
import os
import socket
import termios
from collections.abc import Callable
from typing import cast

from mayfly.sandbox import frames

_NOTHING = b"\0\0\0\0"
_READ_BYTES = 64 << 10


class Channel(asyncio.Protocol):
    """One connection. `on_lost` is called once, after the last frame, with what was wrong (None: it ended)."""

    def __init__(
        self, on_frame: Callable[[frames.Frame], None], on_lost: Callable[[frames.FrameError | None], None]
    ) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._decoder = frames.Decoder()
        self._transport: asyncio.Transport | None = None
        self._garbage: frames.FrameError | None = None
        self.lost = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._together: list[bytes] = []  # frames that go out at the end of this turn of the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._garbage is not None:
            return
        try:
            for frame in self._decoder.feed(data):
                self._on_frame(frame)
        except frames.FrameError as error:
            self._garbage = error
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._read_rest()
        self._transport = None
        self.lost.set()
        self._on_lost(self._garbage)

    def _read_rest(self) -> None:
        """What was said before the connection broke. Who writes to somebody who has gone would lose it: the error of an
        init, or an answer, for a call that was sent ahead."""
        assert self._transport is not None
        descriptor = self._transport.get_extra_info("socket").fileno()
        with contextlib.suppress(OSError):
            while self._garbage is None and (data := os.read(descriptor, _READ_BYTES)):
                self.data_received(data)

    def send(self, frame: bytes) -> None:
        """Queue one frame. Nothing happens when the connection is gone: `on_lost` tells, or has told."""
        if self._together:
            self._flush()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

    def send_soon(self, frame: bytes) -> None:
        """The same, with all that is sent in this turn of the loop: one write, and one waking of the other side."""
        if not self._together:
            self._loop.call_soon(self._flush)
        self._together.append(frame)

    def _flush(self) -> None:
        together, self._together = self._together, []
        if together:
            self.send(b"".join(together))

    def send_with(self, frame: bytes, descriptor: int) -> bool:
        """Send one frame with a copy of a descriptor, now or not at all; whether it was sent."""
        if self._together or self._transport is None or self._transport.is_closing():
            return False
        if self._transport.get_write_buffer_size():
            return False
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        with socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno())) as same:
            try:
                return same.sendmsg([frame], rights, socket.MSG_DONTWAIT) == len(frame)
            except OSError:
                return False

    def heard(self) -> bool:
        """Whether everything has been read that the other side has sent until now."""
        if self._transport is None or self._transport.is_closing():
            return True
        return fcntl.ioctl(self._transport.get_extra_info("socket"), termios.FIONREAD, _NOTHING) == _NOTHING

    def pause(self) -> None:
        """Read nothing more until `resume`, the end of the connection included: somebody else reads."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Drop the connection, whatever is still unsent. Idempotent."""
        if self._transport is not None:
            self._transport.abort()
