"""CopyObject."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock, utc
from mayfly.ids import token
from mayfly.services import checksums
from mayfly.services.contract import RequestContext, operation
from mayfly.services.objects import access, checks, claims, conditions, content, copying
from mayfly.services.objects.access import Found
from mayfly.services.objects.conditions import Conditions
from mayfly.services.objects.content import Received
from mayfly.services.objects.copying import Source
from mayfly.services.objects.model import Checksum, StoredObject
from mayfly.services.objects.notifications import CREATED_COPY
from mayfly.services.objects.publishing import Publisher
from mayfly.services.objects.replies import checksum_members
from mayfly.store.api import Blobs, Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3

_Publish = Callable[[Checksum, str, str], Callable[[Tx], Found]]  # of checksum, digest and ETag


class CopyOperations:
    """A copy of an object of one blob shares that blob; one of a multipart object becomes a single blob, as in S3."""

    def __init__(self, store: Store, blobs: Blobs, publisher: Publisher, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._publisher = publisher
        self._clock = clock

    @operation("CopyObject")
    async def copy(self, context: RequestContext, request: "s3.CopyObjectRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        checks.check_served(request)
        checks.check_key(request["Key"])
        write_conditions = Conditions.of(request)
        conditions.validate_write(write_conditions)
        source = copying.source_of(str(request["CopySource"]))
        copying.check_change(request, source)
        found = await self._store.read(lambda reader: self._look(reader, context, request, source))
        copying.check_source_size(found.stored.size)
        description = copying.description_of(request, found.stored)

        def publish(checksum: Checksum, digest: str, etag: str) -> Callable[[Tx], Found]:
            stored = StoredObject(
                bucket=request["Bucket"],
                key=request["Key"],
                version=token(32),
                size=found.stored.size,
                etag=etag,
                modified_at=int(self._clock.now()),
                digest=digest,
                part_count=0,
                checksum=checksum,
                description=description,
            )

            def write(tx: Tx) -> Found:
                # Should the source have been replaced meanwhile, its blob is still there for the grace of discards:
                # the copy is of the object as it was when the request looked.
                bucket = access.bucket_for(tx, context, stored.bucket, request.get("ExpectedBucketOwner"))
                copy = self._publisher.put(
                    tx, context, bucket, stored, event=CREATED_COPY, write_conditions=write_conditions
                )
                return Found(bucket, copy)

            return write

        copy = await self._write(found.stored, request.get("ChecksumAlgorithm"), publish)
        result = {
            "ETag": copy.stored.quoted_etag,
            "LastModified": utc(copy.stored.modified_at),
            **checksum_members(copy.stored.checksum),
        }
        reply = {"CopyObjectResult": result, **copy.made()}
        if found.bucket.versioning:
            reply["CopySourceVersionId"] = found.stored.version_id
        return reply

    def _look(
        self, reader: Reader, context: RequestContext, request: "s3.CopyObjectRequestTypeDef", source: Source
    ) -> Found:
        access.bucket_for(reader, context, request["Bucket"], request.get("ExpectedBucketOwner"))
        return access.copy_source(reader, context, request, source, self._clock.now())

    async def _write(self, found: StoredObject, wanted: str | None, publish: _Publish) -> Found:
        """Write the copy; the bytes are read only when something about them is not known yet."""
        present = found.checksum
        algorithm = claims.known_algorithm(wanted.upper()) if wanted else None
        if found.digest and present is not None and algorithm in (None, present.algorithm):
            return await self._store.write(publish(present, found.digest, found.etag))
        algorithm = algorithm or (present.algorithm if present else claims.DEFAULT_ALGORITHM)

        def then(received: Received) -> Callable[[Tx], Found]:
            checksum = Checksum(algorithm, "FULL_OBJECT", checksums.encode(received.checksum))
            return publish(checksum, received.digest, received.md5)

        return await content.copy_with(self._store, self._blobs, found, algorithm, then)
