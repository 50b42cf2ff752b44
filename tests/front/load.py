"""Load on a server: connections that call again and again, and keep what they were answered."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Answers:
    """What one connection, or all of them together, got."""

    bodies: list[Any] = field(default_factory=list)  # of replies with status 200
    ids: list[str] = field(default_factory=list)  # of those requests
    refused: int = 0  # throttled
    others: list[tuple[int, bytes]] = field(default_factory=list)
    broken: int = 0  # connections that ended in the middle


class Client:
    """One keep-alive connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the reply; `ConnectionError`, `asyncio.IncompleteReadError`."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(*self._address)
        assert self._reader is not None
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        return int(first.split()[1]), headers, body

    @property
    def socket(self) -> Any:
        assert self._writer is not None
        return self._writer.get_extra_info("socket")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def call_until(url: str, request: bytes, done: Callable[[], bool], answers: Answers) -> None:
    """One connection's calls, until `done`."""
    client = Client(url)
    try:
        while not done():
            try:
                status, headers, body = await client.ask(request)
            except (OSError, asyncio.IncompleteReadError):
                answers.broken += 1
                client.close()
                await asyncio.sleep(0.02)
                continue
            if status == 200 and "x-amz-function-error" not in headers:
                answers.bodies.append(json.loads(body))
                answers.ids.append(headers["x-amzn-requestid"])
            elif status == 429:
                answers.refused += 1
            else:
                answers.others.append((status, body))
    finally:
        client.close()


async def crowd(url: str, request: bytes, clients: int, calls: int) -> Answers:
    """So many clients at once, until that many calls were answered."""
    answers = Answers()
    async with asyncio.timeout(90):
        await asyncio.gather(
            *(call_until(url, request, lambda: len(answers.bodies) >= calls, answers) for _ in range(clients))
        )
    return answers


def most_at_once(bodies: list[Any]) -> int:
    """How many of the calls, each [began, ended], ran at the same time at the worst moment."""
    events = sorted((at, step) for began, ended in bodies for at, step in ((began, 1), (ended, -1)))
    most = running = 0
    for _, step in events:
        running += step
        most = max(most, running)
    return most
