"""What queues are measured beside: brokers that sync each write before they answer.

Optional: the case runs without it, and says what is lacking. moto's server, the SQS that many test with, closes the
connection after each reply, so that a load like this would measure connecting.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
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


_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's; the one on the path asks for a user of its own
_RABBITMQ_STARTS_S = 60


@contextmanager
def rabbitmq() -> Iterator[tuple[int, int] | None]:
    """Port and process id of a RabbitMQ; None when there is none here."""
    if not _RABBITMQ.exists():
        yield None
        return
    port, names = free_port(), free_port()
    with TemporaryDirectory(prefix="mayfly-bench-rabbitmq-") as directory:
        settings = Path(directory, "rabbitmq.conf")
        settings.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\nlog.console = false\n", encoding="utf-8")
        own = {
            "RABBITMQ_NODENAME": "mayfly-bench@localhost",
            "RABBITMQ_CONFIG_FILE": str(settings),
            "RABBITMQ_MNESIA_BASE": f"{directory}/mnesia",
            "RABBITMQ_LOG_BASE": f"{directory}/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{directory}/plugins",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "HOME": directory,
        }
        environment = {**os.environ, **own}
        server = subprocess.Popen([str(_RABBITMQ)], env=environment, stdout=subprocess.DEVNULL)
        try:
            _await(port, server)
            yield port, _erlang(server.pid)
        finally:
            server.terminate()
            server.wait(60)
            subprocess.run(
                ["epmd", "-port", str(names), "-kill"], check=False, env=environment, stdout=subprocess.DEVNULL
            )


def _await(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Return once somebody listens."""
    for _ in range(_RABBITMQ_STARTS_S * 10):
        if server.poll() is not None:
            raise RuntimeError(f"RabbitMQ ended with {server.returncode}")
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("RabbitMQ did not start")


def _erlang(pid: int) -> int:
    """The process below the shell that started it, if there is one."""
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split():
        names = {child: Path(f"/proc/{child}/comm").read_text(encoding="utf-8").strip() for child in children}
        found = [child for child, name in names.items() if name.startswith("beam")] or children
        if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").startswith("beam"):
            return pid
        pid = int(found[0])
    return pid


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
