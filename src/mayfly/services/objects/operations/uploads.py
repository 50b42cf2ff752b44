"""CreateMultipartUpload, UploadPart, UploadPartCopy, CompleteMultipartUpload, AbortMultipartUpload."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mayfly.clock import Clock, utc
from mayfly.ids import token
from mayfly.services import checksums
from mayfly.services.contract import RequestContext, operation
from mayfly.services.objects import (
    access,
    catalog,
    checks,
    claims,
    conditions,
    content,
    copying,
    descriptions,
    multipart,
    ranges,
    upload_catalog,
)
from mayfly.services.objects.access import Found
from mayfly.services.objects.conditions import Conditions
from mayfly.services.objects.content import Received
from mayfly.services.objects.copying import Source
from mayfly.services.objects.errors import error
from mayfly.services.objects.model import Part, StoredObject, Upload
from mayfly.services.objects.notifications import CREATED_COMPLETE
from mayfly.services.objects.publishing import Publisher, link_owner
from mayfly.services.objects.ranges import Span
from mayfly.services.objects.replies import checksum_members
from mayfly.store.api import Blobs, Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3

    _PartRequest = s3.UploadPartRequestTypeDef | s3.UploadPartCopyRequestTypeDef


class UploadOperations:
    """Objects made of parts. A part's bytes stay where they were put; completing only says which belong together."""

    def __init__(self, store: Store, blobs: Blobs, publisher: Publisher, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._publisher = publisher
        self._clock = clock

    @operation("CreateMultipartUpload")
    async def create(
        self, context: RequestContext, request: "s3.CreateMultipartUploadRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        checks.check_served(request)
        checks.check_key(request["Key"])
        wanted = request.get("ChecksumAlgorithm")
        algorithm = claims.known_algorithm(wanted.upper()) if wanted else ""
        now = self._clock.now()
        upload = Upload(
            # Ids sort by time, so that a listing has the uploads of one key in the order in which they were begun.
            id=f"{int(now * 1_000_000):014x}{token(34)}",
            bucket=request["Bucket"],
            key=request["Key"],
            initiated_at=int(now),
            initiator=context.principal.arn,
            checksum_algorithm=algorithm,
            checksum_type=multipart.checksum_type(algorithm, request.get("ChecksumType")),
            description=descriptions.of_request(request),
        )

        def body(tx: Tx) -> None:
            access.bucket_for(tx, context, upload.bucket, request.get("ExpectedBucketOwner"))
            upload_catalog.insert_upload(tx, upload)

        await self._store.write(body)
        reply: dict[str, Any] = {"Bucket": upload.bucket, "Key": upload.key, "UploadId": upload.id}
        if algorithm:
            reply |= {"ChecksumAlgorithm": algorithm, "ChecksumType": upload.checksum_type}
        return reply

    @operation("UploadPart")
    async def upload_part(self, context: RequestContext, request: "s3.UploadPartRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        checks.check_served(request)
        multipart.check_part_number(request["PartNumber"])
        claim = claims.of_request(request, context.headers)
        upload = await self._store.read(lambda reader: find_upload(reader, context, request))
        multipart.check_part_claim(upload, claim)
        # The caller may bring any checksum to an upload without one; only the upload's own kind can be combined.
        keep = multipart.part_algorithm(upload)
        received = await content.receive(self._blobs, content.stream_of(request), claim, keep)
        part = await self._keep(context, request, received)
        return {"ETag": f'"{part.etag}"', checksums.member(claim.algorithm): checksums.encode(received.checksum)}

    @operation("UploadPartCopy")
    async def upload_part_copy(
        self, context: RequestContext, request: "s3.UploadPartCopyRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        checks.check_served(request)
        multipart.check_part_number(request["PartNumber"])
        source = copying.source_of(str(request["CopySource"]))
        upload, found = await self._store.read(lambda reader: self._look(reader, context, request, source))
        wanted = request.get("CopySourceRange")
        size = found.stored.size
        span = Span(0, size) if wanted is None else ranges.parse_copy(wanted, size)
        copying.check_source_size(span.end - span.start)
        algorithm = multipart.part_algorithm(upload)
        received = await content.copy(self._store, self._blobs, found.stored, span, algorithm)
        part = await self._keep(context, request, received)
        result: dict[str, Any] = {"ETag": f'"{part.etag}"', "LastModified": utc(part.modified_at)}
        if upload.checksum_algorithm:
            result[checksums.member(algorithm)] = part.checksum
        source_version = {"CopySourceVersionId": found.stored.version_id} if found.bucket.versioning else {}
        return {"CopyPartResult": result, **source_version}

    @operation("CompleteMultipartUpload")
    async def complete(
        self, context: RequestContext, request: "s3.CompleteMultipartUploadRequestTypeDef"
    ) -> dict[str, Any]:
        """Answers the same again when it is repeated, as long as the object is still the one that it made."""
        checks.admit(context)
        checks.check_served(request)
        write_conditions = Conditions.of(request)
        conditions.validate_write(write_conditions)
        now = self._clock.now()

        def body(tx: Tx) -> Found:
            bucket = access.bucket_for(tx, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            upload = upload_catalog.find_upload(tx, bucket.name, request["Key"], request["UploadId"])
            if upload is None:
                return Found(bucket, _completed_before(tx, request))
            uploaded = upload_catalog.list_parts(tx, upload.id, 0, multipart.MAX_PARTS)
            assembly = multipart.assemble(upload, uploaded, request)
            stored = StoredObject(
                bucket=bucket.name,
                key=upload.key,
                version=upload.id,
                size=assembly.size,
                etag=assembly.etag,
                modified_at=int(now),
                digest="",
                part_count=len(assembly.parts),
                checksum=assembly.checksum,
                description=upload.description,
            )
            upload_catalog.place_parts(tx, upload.id, assembly.parts, aside=f"{upload.id}/unused", now=now)
            upload_catalog.delete_upload(tx, upload.id)
            made = self._publisher.put(
                tx, context, bucket, stored, event=CREATED_COMPLETE, write_conditions=write_conditions
            )
            return Found(bucket, made)

        completed = await self._store.write(body)
        stored = completed.stored
        return {
            "Location": f"{context.endpoint}/{stored.bucket}/{quote(stored.key)}",
            "Bucket": stored.bucket,
            "Key": stored.key,
            "ETag": stored.quoted_etag,
            **completed.made(),
            **checksum_members(stored.checksum),
        }

    @operation("AbortMultipartUpload")
    async def abort(self, context: RequestContext, request: "s3.AbortMultipartUploadRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        now = self._clock.now()

        def body(tx: Tx) -> None:
            upload = find_upload(tx, context, request)
            upload_catalog.delete_upload(tx, upload.id)
            catalog.discard(tx, upload.id, "", now)

        await self._store.write(body)
        return {}

    async def _keep(self, context: RequestContext, request: "_PartRequest", received: Received) -> Part:
        """Make received bytes a part of their upload, which may be gone by now."""
        part = Part(
            owner=request["UploadId"],
            number=request["PartNumber"],
            link=link_owner(token(32)),
            digest=received.digest,
            size=received.size,
            start=-1,
            etag=received.md5,
            checksum=checksums.encode(received.kept),
            modified_at=int(self._clock.now()),
        )

        def body(tx: Tx) -> None:
            find_upload(tx, context, request)
            self._publisher.put_part(tx, part)

        await self._store.write(body)
        return part

    def _look(
        self, reader: Reader, context: RequestContext, request: "s3.UploadPartCopyRequestTypeDef", source: Source
    ) -> tuple[Upload, Found]:
        upload = find_upload(reader, context, request)
        return upload, access.copy_source(reader, context, request, source, self._clock.now())


def find_upload(
    reader: Reader,
    context: RequestContext,
    request: "_PartRequest | s3.AbortMultipartUploadRequestTypeDef | s3.ListPartsRequestTypeDef",
) -> Upload:
    """The upload that a request names; NoSuchBucket, AccessDenied, NoSuchUpload."""
    bucket = access.bucket_for(reader, context, request["Bucket"], request.get("ExpectedBucketOwner"))
    upload = upload_catalog.find_upload(reader, bucket.name, request["Key"], request["UploadId"])
    if upload is None:
        raise error("NoSuchUpload", UploadId=request["UploadId"])
    return upload


def _completed_before(tx: Tx, request: "s3.CompleteMultipartUploadRequestTypeDef") -> StoredObject:
    """The object that the upload has become; NoSuchUpload when the key has another one, or none."""
    stored = catalog.find_object(tx, request["Bucket"], request["Key"])
    if stored is None or stored.version != request["UploadId"]:
        raise error("NoSuchUpload", UploadId=request["UploadId"])
    return stored
