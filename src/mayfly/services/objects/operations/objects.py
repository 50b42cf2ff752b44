"""PutObject, GetObject, HeadObject."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from mayfly.clock import Clock
from mayfly.ids import token
from mayfly.services import checksums
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.objects import (
    access,
    catalog,
    checks,
    claims,
    conditions,
    content,
    descriptions,
    ranges,
    upload_catalog,
)
from mayfly.services.objects.access import Found
from mayfly.services.objects.conditions import UNCONDITIONAL, Conditions
from mayfly.services.objects.content import Received
from mayfly.services.objects.errors import error, invalid_argument
from mayfly.services.objects.model import Checksum, StoredObject
from mayfly.services.objects.notifications import CREATED_PUT
from mayfly.services.objects.publishing import Publisher
from mayfly.services.objects.ranges import Span
from mayfly.services.objects.replies import checksum_members
from mayfly.store.api import SMALL_BLOB_BYTES, Blobs, Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3

MAX_PARTS = 10_000


class View(NamedTuple):
    """An object and what of it a request asks for."""

    found: Found
    span: Span
    partial: bool  # a range or a part was asked for, so the reply is 206 and says which bytes
    checksum: Checksum | None  # of exactly these bytes
    parts_count: int | None = None  # answered only where a part was asked for

    @property
    def stored(self) -> StoredObject:
        return self.found.stored


class ObjectOperations:
    """One object at a time."""

    def __init__(self, store: Store, blobs: Blobs, publisher: Publisher, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._publisher = publisher
        self._clock = clock

    @operation("PutObject")
    async def put(self, context: RequestContext, request: "s3.PutObjectRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        checks.check_served(request)
        checks.check_key(request["Key"])
        write_conditions = Conditions.of(request)
        conditions.validate_write(write_conditions)
        description = descriptions.of_request(request)
        claim = claims.of_request(request, context.headers)
        body = content.stream_of(request)

        def admit(reader: Reader) -> None:
            bucket = access.bucket_for(reader, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            if write_conditions != UNCONDITIONAL:
                conditions.check_write(write_conditions, catalog.find_object(reader, bucket.name, request["Key"]))

        def publish(received: Received) -> Callable[[Tx], Found]:
            stored = StoredObject(
                bucket=request["Bucket"],
                key=request["Key"],
                version=token(32),
                size=received.size,
                etag=received.md5,
                modified_at=int(self._clock.now()),
                digest=received.digest,
                part_count=0,
                checksum=Checksum(claim.algorithm, "FULL_OBJECT", checksums.encode(received.checksum)),
                description=description,
            )

            def write(tx: Tx) -> Found:
                bucket = access.bucket_for(tx, context, stored.bucket, request.get("ExpectedBucketOwner"))
                put = self._publisher.put(
                    tx, context, bucket, stored, event=CREATED_PUT, write_conditions=write_conditions
                )
                return Found(bucket, put)

            return write

        # What could not be written anyway is refused before its body is read, unless reading it is the lesser effort.
        length = content.length_of(body)
        if length is None or length > SMALL_BLOB_BYTES:
            await self._store.read(admit)
        try:
            put = await content.receive_with(self._blobs, body, claim, publish)
        except ServiceError:
            await self._store.read(admit)  # whatever is wrong with the body: this comes first
            raise
        return {"ETag": put.stored.quoted_etag, **put.made(), **checksum_members(put.stored.checksum)}

    @operation("GetObject")
    async def get(self, context: RequestContext, request: "s3.GetObjectRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)

        def look(reader: Reader) -> tuple[View, bytes | None]:
            view = self._look(reader, context, request)
            return view, content.at_hand(reader, self._blobs, view.stored)

        view, data = await self._store.read(look)
        reply = _described(view, request)
        if data is None:
            reply["Body"] = content.body_of(self._store, self._blobs, view.stored, view.span)
        else:
            reply["Body"] = data[view.span.start : view.span.end]
        return reply

    @operation("HeadObject")
    async def head(self, context: RequestContext, request: "s3.HeadObjectRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        return _described(await self._store.read(lambda reader: self._look(reader, context, request)), request)

    def _look(
        self,
        reader: Reader,
        context: RequestContext,
        request: "s3.GetObjectRequestTypeDef | s3.HeadObjectRequestTypeDef",
    ) -> View:
        checks.check_served(request)
        found = access.object_for(reader, context, request)
        stored = found.stored
        conditions.check_read(Conditions.of(request), stored, self._clock.now())
        number = request.get("PartNumber")
        header = request.get("Range")
        if number is not None:
            if header is not None:
                raise error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
            return _part(reader, found, number)
        span = None if header is None else ranges.parse(header, stored.size)
        if span is not None:
            return View(found, span, partial=True, checksum=None)
        return View(found, Span(0, stored.size), partial=False, checksum=stored.checksum)


def _part(reader: Reader, found: Found, number: int) -> View:
    """The view of one part; an object that no multipart upload made is its own first part."""
    stored = found.stored
    if not 1 <= number <= MAX_PARTS:
        raise invalid_argument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", number)
    if stored.part_count == 0:
        if number > 1:
            raise error("InvalidPartNumber", ActualPartCount=1, PartNumberRequested=number)
        return View(found, Span(0, stored.size), partial=stored.size > 0, checksum=stored.checksum)
    part = upload_catalog.part_at(reader, stored.version, number - 1)
    if part is None:
        raise error("InvalidPartNumber", ActualPartCount=stored.part_count, PartNumberRequested=number)
    checksum = None
    if stored.checksum is not None and part.checksum:
        checksum = Checksum(stored.checksum.algorithm, stored.checksum.type, part.checksum)
    return View(
        found,
        Span(part.start, part.start + part.size),
        partial=part.size > 0,
        checksum=checksum,
        parts_count=stored.part_count,
    )


def _described(view: View, request: "s3.GetObjectRequestTypeDef | s3.HeadObjectRequestTypeDef") -> dict[str, Any]:
    reply = descriptions.to_reply(view.stored, request) | view.found.version()
    reply["ContentLength"] = view.span.end - view.span.start
    if view.partial:
        reply["ContentRange"] = view.span.content_range(view.stored.size)
    if view.parts_count is not None:
        reply["PartsCount"] = view.parts_count
    if request.get("ChecksumMode") == "ENABLED":
        reply.update(checksum_members(view.checksum))
    return reply
