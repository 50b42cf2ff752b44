"""What lies outside in these tests: servers on this machine's loopback, and names that lead where a test says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address

from mayfly.policy.egress import Address


class Names:
    """A resolver. What it was asked, it keeps."""

    def __init__(self) -> None:
        self.lead: dict[str, list[str]] = {}
        self.asked: list[str] = []

    async def __call__(self, name: str) -> Sequence[Address]:
        self.asked.append(name)
        if name not in self.lead:
            raise OSError("no such name")
        return [ip_address(one) for one in self.lead[name]]


class Outside:
    """A server that answers every line with the same in capitals, and keeps what it heard."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[bytes] = []
        self.closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                self.heard.append(data)
                writer.write(data.upper())
                await writer.drain()
        writer.close()
        self.closed.set()


@contextlib.asynccontextmanager
async def outside(host: str = "127.0.0.1") -> AsyncIterator[Outside]:
    made = Outside()
    server = await asyncio.start_server(made.serve, host, 0)
    made.port = int(server.sockets[0].getsockname()[1])
    try:
        yield made
    finally:
        server.close()
