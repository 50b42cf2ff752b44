"""Chunks: events of one stream that are stored in one row, and how readers get back single events in order.

Cutting is pure. Reading merges: chunks come in order of their first event, and their spans may overlap, so an event is
handed out only once no chunk still to come can begin before it. A chunk spans a minute at most, which bounds what a
reader must look at besides what it was asked for, and what it holds in memory.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from mayfly.services.telemetry import statements as sql
from mayfly.services.telemetry.model import END, EVENT_OVERHEAD_BYTES, MAX_EVENT_BYTES, START, Event, Position
from mayfly.store.api import Reader, Row

MAX_SPAN_MS = 60_000
MAX_EVENTS = 4096
MAX_BYTES = 1 << 20
_ID_BITS = 20  # an event's id is its chunk's, shifted by this, and its place in the chunk
_BATCH = 64  # chunks fetched at a time

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[int, str]]).decode


class Chunk(NamedTuple):
    """A chunk to be stored."""

    first_ms: int
    last_ms: int
    size: int  # bytes, as CloudWatch Logs counts: the messages, and 26 bytes an event
    events: bytes


def cut(events: Sequence[tuple[int, str]]) -> Iterator[Chunk]:
    """Chunks of `events`, which are in order of time and not empty."""
    messages = [message for _, message in events]
    whole = sum(map(_size, messages)) + EVENT_OVERHEAD_BYTES * len(events)
    if len(events) <= MAX_EVENTS and whole <= MAX_BYTES and events[-1][0] - events[0][0] <= MAX_SPAN_MS:
        yield Chunk(events[0][0], events[-1][0], whole, _encode(events))  # no message can be longer than allowed
        return
    start, size = 0, 0
    for index, (timestamp_ms, message) in enumerate(events):
        weight = min(_size(message), MAX_EVENT_BYTES) + EVENT_OVERHEAD_BYTES
        full = index - start >= MAX_EVENTS or size + weight > MAX_BYTES
        if index > start and (full or timestamp_ms - events[start][0] > MAX_SPAN_MS):
            yield _chunk(events[start:index], size)
            start, size = index, 0
        size += weight
    yield _chunk(events[start:], size)


def numbered(chunk_id: int, chunk: Chunk) -> Iterator[tuple[int, int, str]]:
    """The events of a chunk that is stored under `chunk_id`: their ids, times and messages."""
    for index, (timestamp_ms, message) in enumerate(_decode(chunk.events)):
        yield chunk_id << _ID_BITS | index, timestamp_ms, message


def stream_forward(reader: Reader, stream_id: int, start_ms: int, end_ms: int, after: Position) -> Iterator[Event]:
    """Events of a stream in [start_ms, end_ms) beyond `after`, in order."""
    return _forward(reader, sql.STREAM_CHUNKS_FORWARD, stream_id, start_ms, end_ms, after)


def group_forward(reader: Reader, group_id: int, start_ms: int, end_ms: int, after: Position) -> Iterator[Event]:
    """Events of all streams of a group in [start_ms, end_ms) beyond `after`, in order."""
    return _forward(reader, sql.GROUP_CHUNKS_FORWARD, group_id, start_ms, end_ms, after)


def stream_backward(reader: Reader, stream_id: int, start_ms: int, end_ms: int, before: Position) -> Iterator[Event]:
    """Events of a stream in [start_ms, end_ms) ahead of `before`, the newest first."""
    high = min(end_ms, before.timestamp_ms + 1)
    parameters = {"owner": stream_id, "low": start_ms, "high": high, "from": high + MAX_SPAN_MS}
    heap: list[tuple[int, int, Event]] = []
    for chunk in _rows(reader, sql.STREAM_CHUNKS_BACKWARD, parameters, END, last=True):
        while heap and -heap[0][0] > chunk[3]:
            yield heapq.heappop(heap)[2]
        for event in _events(chunk):
            if start_ms <= event.timestamp_ms < end_ms and (event.timestamp_ms, event.id) < before:
                heapq.heappush(heap, (-event.timestamp_ms, -event.id, event))
    while heap:
        yield heapq.heappop(heap)[2]


def _forward(
    reader: Reader, statement: str, owner: int, start_ms: int, end_ms: int, after: Position
) -> Iterator[Event]:
    low = max(start_ms, after.timestamp_ms)
    parameters = {"owner": owner, "low": low, "high": end_ms, "from": low - MAX_SPAN_MS}
    heap: list[tuple[int, int, Event]] = []
    for chunk in _rows(reader, statement, parameters, START, last=False):
        while heap and heap[0][0] < chunk[2]:
            yield heapq.heappop(heap)[2]
        for event in _events(chunk):
            if low <= event.timestamp_ms < end_ms and (event.timestamp_ms, event.id) > after:
                heapq.heappush(heap, (event.timestamp_ms, event.id, event))
    while heap:
        yield heapq.heappop(heap)[2]


def _rows(reader: Reader, statement: str, parameters: dict[str, Any], place: Position, *, last: bool) -> Iterable[Row]:
    """All rows of a statement, fetched in batches; `last` says which column, first or last time, they go by."""
    while True:
        page = {**parameters, "after_ms": place.timestamp_ms, "after_id": place.id, "limit": _BATCH}
        rows = reader.all(statement, page)
        yield from rows
        if len(rows) < _BATCH:
            return
        place = Position(rows[-1][3 if last else 2], rows[-1][0])


def _events(row: Row) -> Iterator[Event]:
    chunk_id, stream, _, _, ingested_ms, content = row
    for index, (timestamp_ms, message) in enumerate(_decode(content)):
        yield Event(chunk_id << _ID_BITS | index, stream, timestamp_ms, ingested_ms, message)


def _chunk(events: Sequence[tuple[int, str]], size: int) -> Chunk:
    bounded = [(timestamp_ms, _bounded(message)) for timestamp_ms, message in events]
    return Chunk(events[0][0], events[-1][0], size, _encode(bounded))


def _size(message: str) -> int:
    return len(message) if message.isascii() else len(message.encode())


def _bounded(message: str) -> str:
    if len(message) * 4 <= MAX_EVENT_BYTES:
        return message
    return message.encode()[:MAX_EVENT_BYTES].decode(errors="ignore")
