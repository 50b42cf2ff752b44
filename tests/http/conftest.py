"""A front door on loopback over any application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
import uvloop

from mayfly.http.api import Answer
from mayfly.http.server import FrontDoor, bind
from mayfly.settings import HttpSettings

Serve = Callable[..., Awaitable[int]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Servers run on uvloop; the other loop differs in when it writes, reads and closes."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """`await serve(answer, max_connections=None)` listens on a free port of loopback and returns it."""
    doors: list[FrontDoor] = []

    async def start(answer: Answer, max_connections: int | None = None) -> int:
        settings = replace(HttpSettings(), port=0, header_bytes=8192)
        listener = bind(settings)
        door = FrontDoor(answer, settings)
        await door.listen(listener, max_connections)
        doors.append(door)
        port: int = listener.getsockname()[1]
        return port

    yield start
    for door in doors:
        await door.close()


class Wire:
    """A raw connection: what is sent is sent to the letter."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> str:
        """Status line and headers of the next reply, in lower case."""
        return (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        return await self.reader.read()


Dial = Callable[[int], Awaitable[Wire]]


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """`await dial(port)` is a raw connection to loopback."""
    open_: list[Wire] = []

    async def connect(port: int) -> Wire:
        open_.append(Wire(*await asyncio.open_connection("127.0.0.1", port)))
        return open_[-1]

    yield connect
    for wire in open_:
        wire.writer.close()
