"""The floor of the warm path: a bare gateway that forwards each request to a worker and sends back the reply.

`python -m benchmarks.forwarding PORT WORKERS DEPTH` serves until it is terminated. uvloop and httptools in front, plain
Python functions behind, a Unix socket between each worker and the gateway; no isolation, no signature, no log, no
record of use. `DEPTH` requests may be under way at one worker: with one, a worker is idle while its reply is sent;
with more, those that wait at a busy worker are answered without a turn of the gateway's between them.
"""

import asyncio
import json
import os
import socket
import struct
import sys
from collections import deque
from typing import Any

import httptools
import uvloop

_SIZE = struct.Struct("<I")
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
# Requests forwarded in this many bytes or fewer at a time.
_CHUNK = 1 << 16


def _handler(event: object, context: object) -> object:
    return {"statusCode": 200, "body": "hello"}


def work(connection: socket.socket) -> None:
    """A worker: frames in, frames out, in order."""
    buffer = b""
    while data := connection.recv(_CHUNK):
        buffer += data
        replies, at = [], 0
        while len(buffer) >= at + 4:
            end = at + 4 + _SIZE.unpack_from(buffer, at)[0]
            if len(buffer) < end:
                break
            reply = json.dumps(_handler(json.loads(buffer[at + 4 : end] or b"{}"), None)).encode()
            replies += [_SIZE.pack(len(reply)), reply]
            at = end
        buffer = buffer[at:]
        if replies:
            connection.sendall(b"".join(replies))


class Worker(asyncio.Protocol):
    """The gateway's end of one worker."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._waiting: deque[Front] = deque()
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def send(self, front: "Front", payload: bytes) -> int:
        """Hand over a request; how many the worker has now."""
        self._waiting.append(front)
        self._transport.write(_SIZE.pack(len(payload)) + payload)
        return len(self._waiting)

    def data_received(self, data: bytes) -> None:
        buffer, at = self._buffer + data, 0
        while len(buffer) >= at + 4:
            end = at + 4 + _SIZE.unpack_from(buffer, at)[0]
            if len(buffer) < end:
                break
            self._waiting.popleft().reply(buffer[at + 4 : end])
            self._pool.free(self)
            at = end
        self._buffer = buffer[at:]


class Pool:
    """All workers, each with at most `depth` requests; others wait here."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._room: deque[Worker] = deque()
        self._waiting: deque[tuple[Front, bytes]] = deque()

    def add(self, worker: Worker) -> None:
        self._room.extend([worker] * self._depth)

    def submit(self, front: "Front", payload: bytes) -> None:
        if self._room:
            self._room.popleft().send(front, payload)
        else:
            self._waiting.append((front, payload))

    def free(self, worker: Worker) -> None:
        if self._waiting:
            worker.send(*self._waiting.popleft())
        else:
            self._room.appendleft(worker)


class Front(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self._pool.submit(self, self._body)

    def reply(self, payload: bytes) -> None:
        self._transport.write(_HEAD % len(payload) + payload)


async def _serve(port: int, connections: list[socket.socket], depth: int) -> None:
    loop = asyncio.get_running_loop()
    pool = Pool(depth)
    for connection in connections:
        _, worker = await loop.create_unix_connection(lambda: Worker(pool), sock=connection)
        pool.add(worker)
    server = await loop.create_server(lambda: Front(pool), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    port, workers, depth = (int(argument) for argument in sys.argv[1:4])
    connections: list[socket.socket] = []
    for _ in range(workers):
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            ours.close()
            for other in connections:
                other.close()
            work(theirs)
            os._exit(0)
        theirs.close()
        ours.setblocking(False)
        connections.append(ours)
    uvloop.run(_serve(port, connections, depth))


if __name__ == "__main__":
    main()
