"""The interfaces of one sandbox, served on loopback, and clients as they are inside."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest

from mayfly.clock import SystemClock
from mayfly.runtime_api.invocation import Invocation
from mayfly.runtime_api.server import RuntimeApi

PATIENCE_S = 20.0
RUNTIME = "/2018-06-01/runtime"
EXTENSION = "/2020-01-01/extension"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        """Names of headers with underscores for hyphens."""
        lines = [f"{method} {path} HTTP/1.1", "Host: sandbox"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if "Transfer_Encoding" not in headers and "Content_Length" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join([*lines, "\r\n"]).encode() + body)

    async def receive(self) -> Answer:
        async with asyncio.timeout(PATIENCE_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split()[1]), headers, body)

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        self.send(method, path, body, **headers)
        return await self.receive()

    async def next(self) -> Answer:
        return await self.ask("GET", f"{RUNTIME}/invocation/next")

    async def respond(self, request_id: str, body: bytes = b"1", **headers: str) -> Answer:
        return await self.ask("POST", f"{RUNTIME}/invocation/{request_id}/response", body, **headers)

    async def fail(self, request_id: str, body: bytes = b"{}", **headers: str) -> Answer:
        return await self.ask("POST", f"{RUNTIME}/invocation/{request_id}/error", body, **headers)

    async def register(self, name: str, *events: str, **headers: str) -> Answer:
        body = json.dumps({"events": events}).encode()
        return await self.ask("POST", f"{EXTENSION}/register", body, Lambda_Extension_Name=name, **headers)

    def poll(self, identifier: str) -> None:
        self.send("GET", f"{EXTENSION}/event/next", Lambda_Extension_Identifier=identifier)

    async def closed(self) -> bool:
        """Whether the other side ends the connection."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self._reader.read() == b""
            except ConnectionError:
                return True

    def close(self) -> None:
        self.writer.close()


class Heard:
    """Keeps what a runtime says."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.events: list[tuple[Any, ...]] = []
        self.hold: Callable[[bool], None] = lambda held: None
        self._changed = asyncio.Event()

    def _add(self, *event: Any) -> None:
        self.events.append(event)
        self._changed.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.events) < count:
                self._changed.clear()
                await self._changed.wait()

    def ready(self) -> None:
        self._add("ready")

    def polled(self) -> None:
        self._add("polled")

    def registered(self) -> None:
        self._add("registered")

    def extension_polled(self) -> None:
        self._add("extension polled")

    def init_failed(self, error_type: str, payload: bytes, *, restoring: bool) -> None:
        self._add("restore failed" if restoring else "init failed", error_type, payload)

    def answered(self, invocation: Invocation, payload: bytes) -> None:
        self._add("answered", invocation.request_id, payload)

    def failed(self, invocation: Invocation, error_type: str, payload: bytes) -> None:
        self._add("failed", invocation.request_id, error_type, payload)

    def begins(self, invocation: Invocation, content_type: str, hold: Callable[[bool], None]) -> None:
        self.hold = hold
        self._add("begins", invocation.request_id, content_type)

    def part(self, invocation: Invocation, data: bytes) -> None:
        self._add("part", data)

    def ended(self, invocation: Invocation) -> None:
        self._add("ended", invocation.request_id)


class Stage:
    """The server and its clients."""

    def __init__(self, heard: Heard, api: RuntimeApi, address: tuple[str, int]) -> None:
        self.heard = heard
        self.api = api
        self._address = address
        self._clients: list[Client] = []

    async def client(self) -> Client:
        self._clients.append(Client(*await asyncio.open_connection(*self._address)))
        return self._clients[-1]

    async def running(self, request_id: str = "r1", payload: bytes = b"{}") -> Client:
        """A client that was given a call."""
        client = await self.client()
        self.api.invoke(invocation(request_id, payload))
        await client.next()
        self.heard.events.clear()
        return client

    async def close(self) -> None:
        self.api.close()
        for client in self._clients:
            client.close()
            await asyncio.gather(client.writer.wait_closed(), return_exceptions=True)


def invocation(request_id: str = "r1", payload: bytes = b"{}", **more: Any) -> Invocation:
    return Invocation(1, request_id, 1_700_000_000_123, "arn:of:it", payload, **more)


async def serve(heard: Heard, **options: Any) -> Stage:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    address = listener.getsockname()
    numbers = itertools.count(1)
    api = RuntimeApi(
        heard, lambda: f"00000000-0000-4000-8000-{next(numbers):012}", SystemClock(), heard.lines.append, **options
    )
    await api.listen(listener)
    return Stage(heard, api, address)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def stage(heard: Heard) -> AsyncIterator[Stage]:
    made = await serve(heard)
    yield made
    await made.close()


@pytest.fixture
async def restoring(heard: Heard) -> AsyncIterator[Stage]:
    """Of a function that is made a snapshot of."""
    made = await serve(heard, restores=True)
    yield made
    await made.close()
