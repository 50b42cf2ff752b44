"""Connections that go over from a front to the core, or back, between two requests.

The kernel's socket itself is handed over, with what was read of a request that nobody has begun to answer. So the core
sees each client's own address, streams bodies of any size at the client's pace, and no byte of a request or a reply
passes through two processes. A connection that only ever makes calls never leaves its front, one that never makes any
leaves it once.
"""

import asyncio
import os
from collections.abc import Callable

from mayfly.front.intake import NOT_MINE, length_if_mine
from mayfly.http.body import HIGH_WATER_BYTES
from mayfly.http.exchange import Exchange
from mayfly.http.protocol import Connection
from mayfly.http.traffic import Traffic

HandOver = Callable[[int, bytes], None]  # takes a descriptor, which it owns, and what was read

_RETRY_S = 0.01


class Movable(Connection):
    """One that knows when nothing is under way on it. `arrived`: what was read before it came here."""

    def __init__(self, traffic: Traffic, arrived: bytes = b"") -> None:
        super().__init__(traffic)
        self._arrived = arrived
        self._begun = self._done = 0  # requests

    @property
    def quiet(self) -> bool:
        """Whether every byte that came was of a request that is answered."""
        return self._begun == self._done and not self._deaf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        arrived, self._arrived = self._arrived, b""
        if arrived and not transport.is_closing():
            self.adopted(arrived)

    def adopted(self, data: bytes) -> None:
        """`data` was read by who had the connection before, and is for this side whatever it is."""
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._begun += 1
        super().on_message_begin()

    def _answered(self, made: Exchange, *, close: bool) -> None:
        self._done += 1
        super()._answered(made, close=close)

    def _move(self, hand_over: HandOver, data: bytes) -> bool:
        """Give the connection away with `data`, unless a reply is still being sent."""
        transport = self._transport
        if transport.is_closing() or transport.get_write_buffer_size():
            return False
        transport.pause_reading()
        hand_over(os.dup(transport.get_extra_info("socket").fileno()), data)
        transport.abort()  # closes this process's descriptor of it, no more
        return True


class FrontConnection(Movable):
    """In a front: answers its own requests one by one, and goes over to the core with the first one that is not."""

    def __init__(self, traffic: Traffic, hand_over: HandOver, arrived: bytes = b"") -> None:
        super().__init__(traffic, arrived)
        self._hand_over = hand_over
        self._left = 0  # bytes of the current request that have not come
        self._held = b""  # of what the client sent ahead
        self._whole: list[bytes] = []  # the current request, as far as it came
        self._eof = False

    def adopted(self, data: bytes) -> None:
        self.data_received(data)

    def data_received(self, data: bytes) -> None:
        if self._left:
            part, data = data[: self._left], data[self._left :]
            self._left -= len(part)
            self._whole.append(part)
            super().data_received(part)
            if not data:
                return
        if self._held or not self.quiet:
            self._held += data
            if len(self._held) > HIGH_WATER_BYTES:
                self._transport.pause_reading()
        else:
            self._begin(data)

    def eof_received(self) -> bool:
        if self._held:
            self._eof = True
            return True
        return super().eof_received()

    def _begin(self, data: bytes) -> None:
        """`data` begins a request."""
        length = length_if_mine(data)
        if length == NOT_MINE:
            if not self._move(self._hand_over, data) and not self._transport.is_closing():
                self._held = data
                self._traffic.loop.call_later(_RETRY_S, self._go_on)
            return
        data, self._held = data[:length], data[length:]
        self._left = length - len(data)
        self._whole = [data]
        super().data_received(data)

    def _elsewhere(self, made: Exchange) -> None:
        """The core answers, as if it had read the request itself: all of it came, and nothing was said yet."""
        data = b"".join([*self._whole, self._held])
        if not self._transport.is_closing() and not self._move(self._hand_over, data):
            self._traffic.loop.call_later(_RETRY_S, self._elsewhere, made)

    def _answered(self, made: Exchange, *, close: bool) -> None:
        super()._answered(made, close=close)
        if self._held and not close:
            self._traffic.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Go on with what was sent ahead."""
        if not self._held or not self.quiet or self._transport.is_closing():
            return
        data, self._held = self._held, b""
        self._transport.resume_reading()
        self._begin(data)
        if self._eof and not self._held:
            super().eof_received()


class CoreConnection(Movable):
    """In the core: goes back to a front with the first request that is a front's, if there is one to take it."""

    def __init__(self, traffic: Traffic, front: Callable[[], HandOver | None], arrived: bytes = b"") -> None:
        super().__init__(traffic, arrived)
        self._front = front

    def data_received(self, data: bytes) -> None:
        hand_over = self._front() if self.quiet and length_if_mine(data) != NOT_MINE else None
        if hand_over is None or not self._move(hand_over, data):
            super().data_received(data)
