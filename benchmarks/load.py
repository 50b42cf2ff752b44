"""A closed-loop HTTP load generator: a number of connections, each sending one request after the other.

The request is prepared once, signature included (a signature is valid for minutes), and a reply is taken apart no
further than it takes to hold its status and its body against what they must be, so that the generator costs little
beside the server that it shares the machine with.
"""

import asyncio
import multiprocessing
import multiprocessing.connection
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop

WARM_UP_S = 0.3
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """What a run of load saw."""

    requests: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # of the server's process, a request

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


@dataclass(frozen=True)
class Subject:
    """A server, what it is asked, and what it must answer."""

    port: int
    pid: int
    request: bytes
    reply: bytes
    host: str = "127.0.0.1"
    status: int = 200


def rounds(subjects: Mapping[str, Subject], connections: int, count: int, seconds: float) -> dict[str, Load]:
    """`count` rounds of load, each subject once a round, so that a machine's moods meet all; the medians."""
    runs: dict[str, list[Load]] = {what: [] for what in subjects}
    for _ in range(count):
        for what, subject in subjects.items():
            runs[what].append(run(subject, connections, seconds))
    return {what: median(found) for what, found in runs.items()}


def median(runs: Sequence[Load]) -> Load:
    """The median of each figure; all the errors."""
    return Load(
        requests=statistics.median_low([load.requests for load in runs]),
        errors=sum(load.errors for load in runs),
        seconds=statistics.median([load.seconds for load in runs]),
        p50_ms=statistics.median([load.p50_ms for load in runs]),
        p99_ms=statistics.median([load.p99_ms for load in runs]),
        cpu_us=statistics.median([load.cpu_us for load in runs]),
    )


def run(subject: Subject, connections: int, seconds: float) -> Load:
    """Load a server from a process of its own, so that generator and measuring code do not share a loop."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sending, subject, connections, seconds))
    process.start()
    result = receiving.recv()
    process.join()
    if isinstance(result, str):
        raise RuntimeError(result)
    assert isinstance(result, Load)
    return result


def cpu_s(pid: int) -> float:
    """Processor seconds that a process, all its threads, has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _child(pipe: multiprocessing.connection.Connection, subject: Subject, connections: int, seconds: float) -> None:
    try:
        pipe.send(uvloop.run(_load(subject, connections, seconds)))
    except Exception as error:
        pipe.send(f"load failed: {error!r}")


async def _load(subject: Subject, connections: int, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: Client(subject), subject.host, subject.port)
        clients.append(client)
    await _drive(clients, WARM_UP_S)
    for client in clients:
        client.latencies.clear()
        client.errors = 0
    cpu_before, started = cpu_s(subject.pid), time.perf_counter()
    await _drive(clients, seconds)
    elapsed, cpu_used = time.perf_counter() - started, cpu_s(subject.pid) - cpu_before
    latencies = sorted(latency for client in clients for latency in client.latencies)
    return Load(
        requests=len(latencies),
        errors=sum(client.errors for client in clients),
        seconds=elapsed,
        p50_ms=statistics.median(latencies) * 1000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
        cpu_us=cpu_used / len(latencies) * 1e6,
    )


async def _drive(clients: "Sequence[Client]", seconds: float) -> None:
    """Have all clients ask for `seconds`, and wait for their last replies."""
    until = time.perf_counter() + seconds
    await asyncio.gather(*(client.go(until) for client in clients))


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, subject: Subject) -> None:
        self.latencies: list[float] = []
        self.errors = 0
        self._request = subject.request
        self._body = subject.reply
        self._head = f"HTTP/1.1 {subject.status} ".encode()
        self._buffer = b""
        self._began = 0.0
        self._until = 0.0
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed the connection"))

    def go(self, until: float) -> "asyncio.Future[None]":
        """Ask again and again until `until`; the future is done with the reply after that."""
        self._until = until
        self._done = asyncio.get_running_loop().create_future()
        self._ask(time.perf_counter())
        return self._done

    def _ask(self, now: float) -> None:
        self._began = now
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        # Nearly always the whole reply, as expected: its end is where the expected body's end would be.
        body = self._body
        right = len(buffer) - end == len(body) and buffer.endswith(body)
        if not right and len(buffer) - end < _length(buffer[:end]):
            return
        now = time.perf_counter()
        self.latencies.append(now - self._began)
        if not buffer.startswith(self._head) or not right:
            self.errors += 1
        self._buffer = b""
        if now < self._until:
            self._ask(now)
        elif self._done is not None:
            self._done.set_result(None)


def _length(head: bytes) -> int:
    """What a reply's head says of its body."""
    lowered = head.lower()
    start = lowered.find(b"content-length: ")
    return int(head[start + 16 : lowered.index(b"\r\n", start)]) if start >= 0 else 0
