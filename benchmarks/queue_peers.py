"""What queues are measured beside: a broker that syncs each write before it answers.

Optional: the case runs without it, and says what is lacking. moto's server, the SQS that many test with, closes the
connection after each reply, so that a load like this would measure connecting.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from benchmarks.conversations import Complete, Conversation, Make
from benchmarks.platform import free_port


@contextmanager
def redis() -> Iterator[tuple[int, int] | None]:
    """Port and process id of a Redis that syncs every write before it answers; None when there is none here."""
    binary = shutil.which("redis-server")
    if binary is None:
        yield None
        return
    port = free_port()
    with TemporaryDirectory(prefix="mayfly-bench-redis-") as directory:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "always"]
        server = subprocess.Popen([binary, *options, *durable], stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            yield port, server.pid
        finally:
            server.terminate()
            server.wait(20)


def adding(batch: int, body: str) -> tuple[Make, Complete]:
    """Add messages to a stream, `batch` in one write."""
    parts = ["XADD", "bench", "*", "body", body]
    one = f"*{len(parts)}\r\n" + "".join(f"${len(part)}\r\n{part}\r\n" for part in parts)
    request = one.encode() * batch

    def talk(until: float, count: Callable[[int], None]) -> Conversation:
        while time.time() < until:
            yield request
            count(batch)

    def complete(buffer: bytes) -> bytes | None:
        if buffer.startswith(b"-"):
            raise RuntimeError(buffer.decode())
        return buffer if buffer.count(b"\r\n") == 2 * batch else None

    return talk, complete
