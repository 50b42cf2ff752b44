"""Operations on log streams."""

from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.telemetry import faults, tokens
from mayfly.services.telemetry import statements as sql
from mayfly.services.telemetry.book import Book, find_stream, prefix_range
from mayfly.services.telemetry.model import END, PAGE_GROUPS, START, STREAM_NAME, Stream
from mayfly.services.telemetry.operations.naming import existing_group, existing_stream, group_arn, requested_group
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        CreateLogStreamRequestTypeDef,
        DeleteLogStreamRequestTypeDef,
        DescribeLogStreamsRequestTypeDef,
        LogStreamTypeDef,
    )

_LAST_NAME = "\U0010ffff"


class StreamOperations:
    """Log streams."""

    def __init__(self, store: Store, book: Book) -> None:
        self._store = store
        self._book = book

    @operation("CreateLogStream")
    async def create(self, context: RequestContext, request: "CreateLogStreamRequestTypeDef") -> dict[str, Any]:
        name = request["logStreamName"]
        if not STREAM_NAME.fullmatch(name):
            raise faults.invalid(
                f"1 validation error detected: Value '{name}' at 'logStreamName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [^:*]*"
            )
        await self._book.settle()

        def body(tx: Tx) -> None:
            group = existing_group(tx, request["logGroupName"])
            if find_stream(tx, group.id, name):
                raise faults.stream_exists()
            self._book.make_stream(tx, group.id, name)

        await self._store.write(body)
        return {}

    @operation("DeleteLogStream")
    async def delete(self, context: RequestContext, request: "DeleteLogStreamRequestTypeDef") -> dict[str, Any]:
        await self._book.settle()

        def body(tx: Tx) -> None:
            group = existing_group(tx, request["logGroupName"])
            stream = existing_stream(tx, group, request["logStreamName"])
            freed = tx.one(sql.STREAM_BYTES, {"id": stream.id})
            tx.run(sql.GROW_GROUP, {"id": group.id, "bytes": -freed[0] if freed else 0})
            tx.run(sql.DELETE_STREAM_CHUNKS, {"id": stream.id})
            tx.run(sql.DELETE_STREAM, {"id": stream.id})

        await self._store.write(body)
        return {}

    @operation("DescribeLogStreams")
    async def describe(self, context: RequestContext, request: "DescribeLogStreamsRequestTypeDef") -> dict[str, Any]:
        by_time = request.get("orderBy", "LogStreamName") == "LastEventTime"
        if by_time and request.get("logStreamNamePrefix"):
            raise faults.invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        name = requested_group(request)
        await self._book.settle()
        limit = request.get("limit", PAGE_GROUPS)
        statement, parameters = _page(request, by_time, request.get("descending", False))

        def body(reader: Reader) -> list[Stream]:
            group = existing_group(reader, name)
            rows = reader.all(statement, {**parameters, "group": group.id, "limit": limit + 1})
            return [Stream(*row) for row in rows]

        streams = await self._store.read(body)
        arn = group_arn(context, name)
        reply: dict[str, Any] = {"logStreams": [_described(arn, stream) for stream in streams[:limit]]}
        if len(streams) > limit:
            last = streams[limit - 1]
            reply["nextToken"] = (
                tokens.encode("t", last.last_event_ms or 0, last.id) if by_time else tokens.encode("n", last.name)
            )
        return reply


def _page(request: "DescribeLogStreamsRequestTypeDef", by_time: bool, descending: bool) -> tuple[str, dict[str, Any]]:
    """The statement for the order that was asked for, and its parameters but for the group and the limit."""
    token = request.get("nextToken")
    if by_time:
        first = END if descending else START
        place = tokens.decode_position(token, "t")[1] if token else first
        statement = sql.LIST_STREAMS_BY_TIME_DOWN if descending else sql.LIST_STREAMS_BY_TIME
        return statement, {"after_ms": place.timestamp_ms, "after_id": place.id}
    after = tokens.decode(token, "n")[1][0] if token else (_LAST_NAME if descending else "")
    statement = sql.LIST_STREAMS_BY_NAME_DOWN if descending else sql.LIST_STREAMS_BY_NAME
    return statement, {"after": after, **prefix_range(request.get("logStreamNamePrefix", ""))}


def _described(arn: str, stream: Stream) -> "LogStreamTypeDef":
    described: LogStreamTypeDef = {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": f"{arn}:log-stream:{stream.name}",
        "storedBytes": 0,  # AWS reports 0 for streams since 2019; the group has the figure
    }
    if stream.first_event_ms is not None:
        described["firstEventTimestamp"] = stream.first_event_ms
    if stream.last_event_ms is not None:
        described["lastEventTimestamp"] = stream.last_event_ms
    if stream.last_ingestion_ms is not None:
        described["lastIngestionTime"] = stream.last_ingestion_ms
        described["uploadSequenceToken"] = str(stream.id)
    return described
