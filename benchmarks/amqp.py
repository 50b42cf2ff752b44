"""As much of AMQP 0-9-1 as it takes to publish persistent messages to a durable queue and to hear that they are kept.

Written from the protocol's specification; a client library would be measured in the broker's place.
"""

import struct
import time
from collections.abc import Callable, Iterator

from benchmarks.conversations import Complete, Conversation, Make

_METHOD, _HEADER, _BODY, _END = 1, 2, 3, 0xCE
_ACK, _NACK = (60, 80), (60, 120)
_CONNECTION_CLOSE, _CHANNEL_CLOSE = (10, 50), (20, 40)
_PERSISTENT = 2
_QUEUE = b"bench"


def publishing(batch: int, body: str) -> tuple[Make, Complete]:
    """Publish messages, `batch` in one write, and wait until the broker has confirmed each."""
    request = _publish(body.encode()) * batch

    def talk(until: float, count: Callable[[int], None]) -> Conversation:
        yield from _openings()
        while time.time() < until:
            yield request
            count(batch)

    def complete(buffer: bytes) -> bytes | None:
        confirmed: set[int] = set()
        for method, arguments in _methods(buffer):
            if method in {_NACK, _CONNECTION_CLOSE, _CHANNEL_CLOSE}:
                raise RuntimeError(f"the broker refused: {method} {arguments!r}")
            if method != _ACK:
                return buffer
            tag, several = struct.unpack(">QB", arguments[:9])
            first = (tag - 1) // batch * batch + 1 if several & 1 else tag
            confirmed.update(range(first, tag + 1))
        return buffer if len(confirmed) == batch else None

    return talk, complete


def _openings() -> Conversation:
    """What a client says before it publishes, each to be answered with one method."""
    yield b"AMQP\x00\x00\x09\x01"
    properties = struct.pack(">I", 0)
    yield _method(0, (10, 11), properties + _short(b"PLAIN") + _long(b"\0guest\0guest") + _short(b"en_US"))
    tuned = _method(0, (10, 31), struct.pack(">HIH", 2047, 131072, 0))
    yield tuned + _method(0, (10, 40), _short(b"/") + _short(b"") + b"\0")
    yield _method(1, (20, 10), _short(b""))
    yield _method(1, (50, 10), struct.pack(">H", 0) + _short(_QUEUE) + b"\x02" + properties)  # durable
    yield _method(1, (85, 10), b"\0")


def _publish(body: bytes) -> bytes:
    method = _method(1, (60, 40), struct.pack(">H", 0) + _short(b"") + _short(_QUEUE) + b"\0")
    properties = struct.pack(">HHQHB", 60, 0, len(body), 1 << 12, _PERSISTENT)
    return method + _frame(_HEADER, 1, properties) + _frame(_BODY, 1, body)


def _method(channel: int, method: tuple[int, int], arguments: bytes) -> bytes:
    return _frame(_METHOD, channel, struct.pack(">HH", *method) + arguments)


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + bytes((_END,))


def _methods(buffer: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """The methods whose frames are complete."""
    at = 0
    while at + 7 <= len(buffer):
        kind, _, length = struct.unpack(">BHI", buffer[at : at + 7])
        if len(buffer) < at + 8 + length:
            return
        if kind == _METHOD:
            class_id, method_id = struct.unpack(">HH", buffer[at + 7 : at + 11])
            yield (class_id, method_id), buffer[at + 11 : at + 7 + length]
        at += 8 + length


def _short(text: bytes) -> bytes:
    return bytes((len(text),)) + text


def _long(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text
