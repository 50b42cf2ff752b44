"""ListParts and ListMultipartUploads."""

from typing import TYPE_CHECKING, Any

from mayfly.clock import utc
from mayfly.services import checksums
from mayfly.services.contract import RequestContext, operation
from mayfly.services.objects import access, checks, listing, multipart, upload_catalog
from mayfly.services.objects.listing import Page, Position, Query
from mayfly.services.objects.model import Part, Upload
from mayfly.services.objects.operations.uploads import find_upload
from mayfly.services.objects.owners import canonical_user
from mayfly.services.objects.replies import KeyEncoding, natural, page_size
from mayfly.store.api import Reader, Store

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3


class UploadListingOperations:
    """What of uploads in progress is there."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("ListParts")
    async def list_parts(self, context: RequestContext, request: "s3.ListPartsRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        limit = page_size(request.get("MaxParts"), "max-parts")
        marker = natural(request.get("PartNumberMarker", 0), "part-number-marker")

        def body(reader: Reader) -> tuple[Upload, list[Part]]:
            upload = find_upload(reader, context, request)
            return upload, upload_catalog.list_parts(reader, upload.id, marker, limit + 1)

        upload, parts = await self._store.read(body)
        shown = parts[:limit]
        owner = canonical_user(context.account)
        reply: dict[str, Any] = {
            "Bucket": upload.bucket,
            "Key": upload.key,
            "UploadId": upload.id,
            "PartNumberMarker": marker,
            "NextPartNumberMarker": shown[-1].number if shown else 0,
            "MaxParts": limit,
            "IsTruncated": bool(shown) and len(parts) > limit,
            "Initiator": {"ID": upload.initiator},
            "Owner": {"ID": owner},
            "StorageClass": "STANDARD",
        }
        if shown:
            reply["Parts"] = [_listed_part(upload, part) for part in shown]
        if upload.checksum_algorithm:
            reply |= {"ChecksumAlgorithm": upload.checksum_algorithm, "ChecksumType": upload.checksum_type}
        return reply

    @operation("ListMultipartUploads")
    async def list_uploads(
        self, context: RequestContext, request: "s3.ListMultipartUploadsRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        encoded = KeyEncoding(request.get("EncodingType"))
        prefix, delimiter = request.get("Prefix", ""), request.get("Delimiter", "")
        key_marker = request.get("KeyMarker", "")
        # An upload's id means something only with its key.
        id_marker = (request.get("UploadIdMarker") or None) if key_marker else None
        limit = page_size(request.get("MaxUploads"), "max-uploads")
        query = Query(prefix, delimiter, listing.first_position(prefix, delimiter, key_marker, id_marker), limit)

        def body(reader: Reader) -> Page[Upload]:
            bucket = access.bucket_for(reader, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            return listing.walk(
                lambda position, stop, count: upload_catalog.list_uploads(
                    reader, bucket.name, position.key, position.after, stop, count
                ),
                query,
                lambda upload: Position(upload.key, upload.id),
            )

        page = await self._store.read(body)
        reply: dict[str, Any] = {
            "Bucket": request["Bucket"],
            "KeyMarker": encoded(key_marker),
            "UploadIdMarker": id_marker or "",
            "Prefix": encoded(prefix),
            "MaxUploads": limit,
            "IsTruncated": page.truncated,
            **encoded.members(),
        }
        if delimiter:
            reply["Delimiter"] = encoded(delimiter)
        if page.items:
            reply["Uploads"] = [_listed_upload(upload, encoded, context.account) for upload in page.items]
        if page.prefixes:
            reply["CommonPrefixes"] = [{"Prefix": encoded(common)} for common in page.prefixes]
        if page.truncated:
            last = page.entries[-1]
            key, upload_id = (last, "") if isinstance(last, str) else (last.key, last.id)
            reply |= {"NextKeyMarker": encoded(key), "NextUploadIdMarker": upload_id}
        return reply


def _listed_part(upload: Upload, part: Part) -> dict[str, Any]:
    listed: dict[str, Any] = {
        "PartNumber": part.number,
        "LastModified": utc(part.modified_at),
        "ETag": f'"{part.etag}"',
        "Size": part.size,
    }
    if part.checksum:
        listed[checksums.member(multipart.part_algorithm(upload))] = part.checksum
    return listed


def _listed_upload(upload: Upload, encoded: KeyEncoding, account: str) -> dict[str, Any]:
    listed: dict[str, Any] = {
        "UploadId": upload.id,
        "Key": encoded(upload.key),
        "Initiated": utc(upload.initiated_at),
        "StorageClass": "STANDARD",
        "Owner": {"ID": canonical_user(account)},
        "Initiator": {"ID": upload.initiator},
    }
    if upload.checksum_algorithm:
        listed |= {"ChecksumAlgorithm": upload.checksum_algorithm, "ChecksumType": upload.checksum_type}
    return listed
