"""Bytes from one connection to another and back, until both sides have ended or nothing was said for long.

What is on the way is bounded: a side that does not read stops the other. Used by `outlet`.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable

IDLE_S = 350.0  # as in the network of AWS
HELD_BYTES = 64 * 1024  # in each direction
_RESET = struct.pack("ii", 1, 0)


class Side:
    """One connection. It is closed with the context."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use `of`."""
        self.reader = reader
        self.writer = writer

    @classmethod
    async def of(cls, one: socket.socket) -> "Side":
        """Takes the socket over."""
        try:
            reader, writer = await asyncio.open_connection(sock=one, limit=HELD_BYTES)
        except BaseException:
            one.close()
            raise
        writer.transport.set_write_buffer_limits(HELD_BYTES)
        return cls(reader, writer)

    def reset(self) -> None:
        """Have the other end see that there is nobody, rather than an end in good order."""
        one = self.writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()


async def relay(inside: Side, outside: Side, count: Callable[[int, int], None], idle_s: float = IDLE_S) -> None:
    """`count` is told of bytes that were sent out, and that came in. Returns when it is over, for whatever reason."""
    loop = asyncio.get_running_loop()

    async def copy(source: Side, target: Side, note: Callable[[int], None]) -> None:
        while data := await source.reader.read(HELD_BYTES):
            note(len(data))
            bound.reschedule(loop.time() + idle_s)
            target.writer.write(data)
            await target.writer.drain()
        if target.writer.can_write_eof():
            target.writer.write_eof()

    with contextlib.suppress(TimeoutError, OSError):
        try:
            async with asyncio.timeout(idle_s) as bound, asyncio.TaskGroup() as group:
                group.create_task(copy(inside, outside, lambda size: count(size, 0)))
                group.create_task(copy(outside, inside, lambda size: count(0, size)))
        except* OSError:
            inside.reset()  # one side broke off, so the other hears of it as such
            outside.reset()
