"""GetObjectAttributes."""

from typing import TYPE_CHECKING, Any

from mayfly.clock import utc
from mayfly.services import checksums
from mayfly.services.contract import RequestContext, operation
from mayfly.services.objects import access, checks, upload_catalog
from mayfly.services.objects.access import Found
from mayfly.services.objects.model import Part, StoredObject
from mayfly.services.objects.replies import checksum_members, natural, page_size
from mayfly.store.api import Reader, Store

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3


class AttributeOperations:
    """What is known of an object, in one reply without its bytes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("GetObjectAttributes")
    async def get(self, context: RequestContext, request: "s3.GetObjectAttributesRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        checks.check_served(request)
        limit = page_size(request.get("MaxParts"), "max-parts")
        marker = natural(request.get("PartNumberMarker", 0), "part-number-marker")

        def body(reader: Reader) -> tuple[Found, list[Part]]:
            found = access.object_for(reader, context, request)
            stored = found.stored
            wanted = stored.part_count and "ObjectParts" in request["ObjectAttributes"]
            return found, upload_catalog.list_parts(reader, stored.version, marker, limit + 1) if wanted else []

        found, parts = await self._store.read(body)
        stored = found.stored
        reply: dict[str, Any] = {"LastModified": utc(stored.modified_at), **found.version()}
        wanted = set(request["ObjectAttributes"])
        if "ETag" in wanted:
            reply["ETag"] = stored.etag
        if "ObjectSize" in wanted:
            reply["ObjectSize"] = stored.size
        if "StorageClass" in wanted:
            reply["StorageClass"] = "STANDARD"
        if "Checksum" in wanted and stored.checksum is not None:
            # Without the number of parts behind it, unlike everywhere else.
            reply["Checksum"] = {
                name: value.partition("-")[0] for name, value in checksum_members(stored.checksum).items()
            }
        if "ObjectParts" in wanted and stored.part_count:
            reply["ObjectParts"] = _parts(stored, parts, marker, limit)
        return reply


def _parts(stored: StoredObject, parts: list[Part], marker: int, limit: int) -> dict[str, Any]:
    shown = parts[:limit]
    reply: dict[str, Any] = {
        "TotalPartsCount": stored.part_count,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1].number if shown else 0,
        "MaxParts": limit,
        "IsTruncated": bool(shown) and len(parts) > limit,
    }
    # S3 lists the single parts only of objects whose parts have checksums of their own.
    if stored.checksum is not None and stored.checksum.type == "COMPOSITE":
        member = checksums.member(stored.checksum.algorithm)
        reply["Parts"] = [{"PartNumber": part.number, "Size": part.size, member: part.checksum} for part in shown]
    return reply
