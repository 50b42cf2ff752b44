"""One request on a connection of its own, timed, and its reply checked."""

import socket
import time

from benchmarks.peers.subject import Target

POLL_S = 0.0005


def once(target: Target, timeout_s: float = 60.0) -> float:
    """Milliseconds from connecting to the whole reply; `RuntimeError` unless it is the right one."""
    began = time.perf_counter()
    with socket.create_connection((target.host, target.port), timeout_s) as connection:
        _exchange(connection, target)
    return (time.perf_counter() - began) * 1000


def first_reply(target: Target, timeout_s: float = 60.0) -> None:
    """Ask from now on, every half millisecond, until something listens, and have its reply."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            connection = socket.create_connection((target.host, target.port), timeout_s)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)
            continue
        with connection:
            return _exchange(connection, target)


def _exchange(connection: socket.socket, target: Target) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(target.request)
    received = b""
    while (length := reply_length(received)) is None or len(received) < length:
        if not (data := connection.recv(65536)):
            raise RuntimeError(f"the connection ended within a reply: {received[:200]!r}")
        received += data
    if not received.startswith(b"HTTP/1.1 200") or received.partition(b"\r\n\r\n")[2] != target.body:
        raise RuntimeError(f"the wrong reply, where {target.body!r} is right: {received[:300]!r}")


def reply_length(received: bytes) -> int | None:
    """How long a reply is, head and body, judged by its beginning; None while that does not say."""
    head, end, _ = received.partition(b"\r\n\r\n")
    if not end:
        return None
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(head) + 4 + int(value)
    raise RuntimeError(f"a reply does not say how long it is: {received[:200]!r}")
