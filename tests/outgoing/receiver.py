"""A server on this machine's loopback that requests are sent to, and what it keeps of them."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field


@dataclass
class Received:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Receiver:
    """Answers every request with what `answer` says; empty bytes: the connection ends instead."""

    answer: Callable[[Received], bytes] = lambda _: OK
    received: list[Received] = field(default_factory=list)
    last: bool = False  # a connection ends with its first answer
    connections: int = 0
    port: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                line, *fields = head.rstrip("\r\n").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                one = Received(line, headers, body)
                self.received.append(one)
                answer = self.answer(one)
                self.news.set()
                writer.write(answer)
                await writer.drain()
                if not answer or self.last:
                    break
        writer.close()

    async def close(self) -> None:
        """End every connection."""
        for writer in self.writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def until(self, count: int) -> None:
        """Return when `count` requests have come."""
        while len(self.received) < count:
            self.news.clear()
            await self.news.wait()


@contextlib.asynccontextmanager
async def receiver(
    answer: Callable[[Received], bytes] = lambda _: OK, *, last: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    made = Receiver(answer, last=last)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = int(server.sockets[0].getsockname()[1])
    try:
        yield made
    finally:
        server.close()
        await made.close()
