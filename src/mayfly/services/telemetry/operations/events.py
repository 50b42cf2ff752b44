"""Operations on log events: put, get by stream, filter by group."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, operation
from mayfly.services.telemetry import chunks, faults, patterns, tokens
from mayfly.services.telemetry.book import Book
from mayfly.services.telemetry.model import (
    END,
    EVENT_OVERHEAD_BYTES,
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_EVENT_BYTES,
    NEWEST_MS,
    OLDEST_MS,
    PAGE_BYTES,
    PAGE_EVENTS,
    START,
    Event,
    Position,
)
from mayfly.services.telemetry.operations.naming import existing_group, existing_stream, requested_group
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        FilterLogEventsRequestTypeDef,
        GetLogEventsRequestTypeDef,
        PutLogEventsRequestTypeDef,
    )

_EVER = 2**62
_SCAN = 50_000  # events looked at before a page is handed out although it is not full, as AWS does


class EventOperations:
    """Log events."""

    def __init__(self, store: Store, book: Book, clock: Clock) -> None:
        self._store = store
        self._book = book
        self._clock = clock

    @operation("PutLogEvents")
    async def put(self, context: RequestContext, request: "PutLogEventsRequestTypeDef") -> dict[str, Any]:
        events = [(event["timestamp"], event["message"]) for event in request["logEvents"]]
        _check_batch(events)
        now = int(self._clock.now() * 1000)
        await self._book.settle()

        def body(tx: Tx) -> dict[str, Any]:
            group = existing_group(tx, request["logGroupName"])
            stream = existing_stream(tx, group, request["logStreamName"])
            expired_before = now - (group.retention_days or 10**6) * 86_400_000
            old = sum(timestamp < now - OLDEST_MS for timestamp, _ in events)
            expired = sum(timestamp < expired_before for timestamp, _ in events)
            new = sum(timestamp > now + NEWEST_MS for timestamp, _ in events)
            self._book.add(tx, group, [(stream, events[max(old, expired) : len(events) - new])])
            rejected: dict[str, int] = {}
            if old:
                rejected["tooOldLogEventEndIndex"] = old
            if expired:
                rejected["expiredLogEventEndIndex"] = expired
            if new:
                rejected["tooNewLogEventStartIndex"] = len(events) - new
            reply: dict[str, Any] = {"nextSequenceToken": str(stream.id)}
            return {**reply, "rejectedLogEventsInfo": rejected} if rejected else reply

        return await self._store.write(body)

    @operation("GetLogEvents")
    async def get(self, context: RequestContext, request: "GetLogEventsRequestTypeDef") -> dict[str, Any]:
        name = requested_group(request)
        await self._book.settle()
        limit = request.get("limit", PAGE_EVENTS)
        forward = request.get("startFromHead", False)
        place = START if forward else END
        if "nextToken" in request:
            kind, place = tokens.decode_position(request["nextToken"], "f", "b")
            forward = kind == "f"

        def body(reader: Reader) -> list[Event]:
            stream = existing_stream(reader, existing_group(reader, name), request["logStreamName"])
            start, end = request.get("startTime", 0), request.get("endTime", _EVER)
            read = chunks.stream_forward if forward else chunks.stream_backward
            page = _page(read(reader, stream.id, start, end, place), limit)
            return page if forward else page[::-1]

        events = await self._store.read(body)
        first = Position(events[0].timestamp_ms, events[0].id) if events else place
        last = Position(events[-1].timestamp_ms, events[-1].id) if events else place
        return {
            "events": [
                {"timestamp": e.timestamp_ms, "message": e.message, "ingestionTime": e.ingested_ms} for e in events
            ],
            "nextForwardToken": tokens.encode_position("f", last),
            "nextBackwardToken": tokens.encode_position("b", first),
        }

    @operation("FilterLogEvents")
    async def filter(self, context: RequestContext, request: "FilterLogEventsRequestTypeDef") -> dict[str, Any]:
        names, prefix = set(request.get("logStreamNames", ())), request.get("logStreamNamePrefix", "")
        if names and prefix:
            raise faults.invalid("logStreamNames and logStreamNamePrefix cannot both be specified")
        try:
            pattern = patterns.parse(request.get("filterPattern", ""))
        except patterns.PatternError as error:
            raise faults.invalid(str(error)) from error
        name, limit = requested_group(request), request.get("limit", PAGE_EVENTS)
        place = tokens.decode_position(request["nextToken"], "p")[1] if "nextToken" in request else START
        await self._book.settle()

        def wanted(event: Event) -> bool:
            chosen = event.stream in names if names else event.stream.startswith(prefix)
            return chosen and pattern.matches(event.message)

        def body(reader: Reader) -> tuple[list[Event], Position | None]:
            group = existing_group(reader, name)
            start, end = request.get("startTime", 0), request.get("endTime", _EVER)
            found: list[Event] = []
            size, after = 0, place
            for looked_at, event in enumerate(chunks.group_forward(reader, group.id, start, end + 1, place)):
                if looked_at == _SCAN:
                    return found, after
                if wanted(event):
                    size += _weight(event)
                    if found and (len(found) == limit or size > PAGE_BYTES):
                        return found, after
                    found.append(event)
                after = Position(event.timestamp_ms, event.id)
            return found, None

        events, rest = await self._store.read(body)
        reply: dict[str, Any] = {"events": [_found(event) for event in events], "searchedLogStreams": []}
        if rest is not None:
            reply["nextToken"] = tokens.encode_position("p", rest)
        return reply


def _check_batch(events: list[tuple[int, str]]) -> None:
    """The rules of PutLogEvents for one batch."""
    if len(events) > MAX_BATCH_EVENTS:
        raise faults.invalid(f"A batch can have at most {MAX_BATCH_EVENTS} log events")
    sizes = [len(message.encode()) for _, message in events]
    if any(size == 0 for size in sizes):
        raise faults.invalid("Log event message must not be empty")
    if any(size + EVENT_OVERHEAD_BYTES > MAX_EVENT_BYTES for size in sizes):
        raise faults.invalid(f"Log event too large: at most {MAX_EVENT_BYTES} bytes")
    if sum(sizes) + EVENT_OVERHEAD_BYTES * len(events) > MAX_BATCH_BYTES:
        raise faults.invalid(f"Upload too large: at most {MAX_BATCH_BYTES} bytes")
    times = [timestamp for timestamp, _ in events]
    if times != sorted(times):
        raise faults.invalid("Log events in a single PutLogEvents request must be in chronological order.")
    if times and times[-1] - times[0] > 86_400_000:
        raise faults.invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")


def _page(events: Iterator[Event], limit: int) -> list[Event]:
    """As many events as fit into a reply; at least one, if there is one."""
    page: list[Event] = []
    size = 0
    for event in events:
        size += _weight(event)
        if page and (len(page) == limit or size > PAGE_BYTES):
            break
        page.append(event)
    return page


def _weight(event: Event) -> int:
    return len(event.message.encode()) + EVENT_OVERHEAD_BYTES


def _found(event: Event) -> dict[str, Any]:
    return {
        "logStreamName": event.stream,
        "timestamp": event.timestamp_ms,
        "message": event.message,
        "ingestionTime": event.ingested_ms,
        "eventId": f"{event.timestamp_ms:020d}{event.id:036d}",
    }
