"""Load whose next request depends on the reply to the last: many connections, in several processes, in a closed loop.

A conversation is a generator that yields requests and is sent the bodies of their replies.
"""

import asyncio
import multiprocessing
import multiprocessing.connection
import statistics
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import uvloop

from benchmarks.load import cpu_s

# The content of a reply, once all of it is there; RuntimeError for a failure.
Complete = Callable[[bytes], bytes | None]
Conversation = Generator[bytes, bytes, None]
Make = Callable[[float, Callable[[int], None]], Conversation]  # until when, and what to tell of items done


@dataclass(frozen=True)
class Held:
    """What several processes saw together."""

    items: int
    requests: int
    seconds: float
    p50_ms: float  # of a request
    p99_ms: float
    cpu_us: float  # of the server's process, an item

    @property
    def per_second(self) -> float:
        return self.items / self.seconds


def http_reply(buffer: bytes) -> bytes | None:
    """The body of a reply with status 200."""
    end = buffer.find(b"\r\n\r\n") + 4
    if end < 4:
        return None
    head = buffer[:end].lower()
    start = head.find(b"content-length: ") + 16
    if len(buffer) - end < int(head[start : head.index(b"\r\n", start)]):
        return None
    if not buffer.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(buffer.decode())
    return buffer[end:]


def hold(
    port: int, pid: int, makers: Sequence[Make], connections: int, seconds: float, complete: Complete = http_reply
) -> Held:
    """Hold each of `makers` on `connections` connections in a process of its own, for about `seconds`."""
    context = multiprocessing.get_context("fork")
    pipes, processes = [], []
    before, began = cpu_s(pid), time.perf_counter()
    until = time.time() + seconds
    for make in makers:
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(sending, port, make, connections, until, complete))
        process.start()
        pipes.append(receiving)
        processes.append(process)
    results = [pipe.recv() for pipe in pipes]
    elapsed, used = time.perf_counter() - began, cpu_s(pid) - before
    for process in processes:
        process.join()
    for result in results:
        if isinstance(result, str):
            raise RuntimeError(result)
    items = sum(found[0] for found in results)
    latencies = sorted(latency for found in results for latency in found[1])
    return Held(
        items,
        len(latencies),
        elapsed,
        statistics.median(latencies) * 1000,
        latencies[int(len(latencies) * 0.99)] * 1000,
        used / max(1, items) * 1e6,
    )


def median(runs: Sequence[Held]) -> Held:
    """The run in the middle."""
    return sorted(runs, key=lambda run: run.per_second)[len(runs) // 2]


def _child(
    pipe: multiprocessing.connection.Connection,
    port: int,
    make: Make,
    connections: int,
    until: float,
    complete: Complete,
) -> None:
    try:
        pipe.send(uvloop.run(_hold(port, make, connections, until, complete)))
    except Exception as error:
        pipe.send(f"load failed: {error!r}")


async def _hold(port: int, make: Make, connections: int, until: float, complete: Complete) -> tuple[int, list[float]]:
    loop = asyncio.get_running_loop()
    items = 0
    latencies: list[float] = []

    def count(done: int) -> None:
        nonlocal items
        items += done

    speakers = []
    for _ in range(connections):
        conversation = make(until, count)
        made = partial(Speaker, conversation, latencies, complete)
        _, speaker = await loop.create_connection(made, "127.0.0.1", port)
        speakers.append(speaker)
    await asyncio.gather(*(speaker.go() for speaker in speakers))
    return items, latencies


class Speaker(asyncio.Protocol):
    """One connection."""

    def __init__(self, conversation: Conversation, latencies: list[float], complete: Complete) -> None:
        self._complete = complete
        self._conversation = conversation
        self._latencies = latencies
        self._buffer = b""
        self._began = 0.0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed the connection"))

    def go(self) -> "asyncio.Future[None]":
        """Speak; the future is done with the conversation."""
        self._say(next(self._conversation))
        return self._done

    def _say(self, request: bytes) -> None:
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data if self._buffer else data
        try:
            content = self._complete(buffer)
        except RuntimeError as error:
            self._done.set_exception(error)
            return
        if content is None:
            return
        self._buffer = b""
        self._latencies.append(time.perf_counter() - self._began)
        try:
            self._say(self._conversation.send(content))
        except StopIteration:
            self._done.set_result(None)
