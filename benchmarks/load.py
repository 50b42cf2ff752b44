"""A closed-loop HTTP load generator: a number of connections, each sending one request after the other.

The request is prepared once, signature included (a signature is valid for minutes), so that the generator costs little
beside the server that it shares the machine with.
"""

import asyncio
import multiprocessing
import statistics
import time
from dataclasses import dataclass

import uvloop


@dataclass(frozen=True)
class Load:
    """What a run of load saw."""

    requests: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def run(port: int, request: bytes, connections: int, seconds: float) -> Load:
    """Load `port` of loopback from a process of its own, so that generator and measuring code do not share a loop."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sending, port, request, connections, seconds))
    process.start()
    result = receiving.recv()
    process.join()
    if isinstance(result, str):
        raise RuntimeError(result)
    assert isinstance(result, Load)
    return result


def _child(
    pipe: "multiprocessing.connection.Connection", port: int, request: bytes, connections: int, s: float
) -> None:
    try:
        pipe.send(uvloop.run(_load(port, request, connections, s)))
    except Exception as error:
        pipe.send(f"load failed: {error!r}")


async def _load(port: int, request: bytes, connections: int, seconds: float) -> Load:
    await asyncio.gather(*(_client(port, request, time.perf_counter() + 0.3) for _ in range(connections)))
    started = time.perf_counter()
    results = await asyncio.gather(*(_client(port, request, started + seconds) for _ in range(connections)))
    elapsed = time.perf_counter() - started
    latencies = sorted(latency for found, _ in results for latency in found)
    errors = sum(failed for _, failed in results)
    return Load(
        requests=len(latencies),
        errors=errors,
        seconds=elapsed,
        p50_ms=statistics.median(latencies) * 1000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
    )


async def _client(port: int, request: bytes, until: float) -> tuple[list[float], int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies, errors = [], 0
    while time.perf_counter() < until:
        began = time.perf_counter()
        writer.write(request)
        status = await _reply(reader)
        latencies.append(time.perf_counter() - began)
        errors += status != 200
    writer.close()
    await writer.wait_closed()
    return latencies, errors


async def _reply(reader: asyncio.StreamReader) -> int:
    """Read one reply; its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    lowered = head.lower()
    start = lowered.find(b"content-length: ")
    if start >= 0:
        end = lowered.index(b"\r\n", start)
        await reader.readexactly(int(head[start + 16 : end]))
    return int(head[9:12])
