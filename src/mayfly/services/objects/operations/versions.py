"""ListObjectVersions: of buckets without versioning, where every object has the one version "null"."""

from typing import TYPE_CHECKING, Any

from mayfly.clock import utc
from mayfly.services.contract import RequestContext, operation
from mayfly.services.objects import access, catalog, checks, listing
from mayfly.services.objects.errors import invalid_argument
from mayfly.services.objects.listing import Page, Position, Query
from mayfly.services.objects.model import ListedObject
from mayfly.services.objects.owners import canonical_user
from mayfly.services.objects.replies import KeyEncoding, page_size
from mayfly.store.api import Reader, Store

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3

_ONLY_VERSION = "null"


class VersionOperations:
    """What tools read that empty a bucket before they delete it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("ListObjectVersions")
    async def list_versions(
        self, context: RequestContext, request: "s3.ListObjectVersionsRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        encoded = KeyEncoding(request.get("EncodingType"))
        prefix, delimiter = request.get("Prefix", ""), request.get("Delimiter", "")
        marker, version_marker = request.get("KeyMarker", ""), request.get("VersionIdMarker", "")
        if version_marker and not marker:
            raise invalid_argument(
                "A version-id marker cannot be specified without a key marker.", "version-id-marker", version_marker
            )
        limit = page_size(request.get("MaxKeys"), "max-keys")
        query = Query(prefix, delimiter, listing.first_position(prefix, delimiter, marker), limit)

        def body(reader: Reader) -> Page[ListedObject]:
            bucket = access.bucket_for(reader, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            return listing.walk(
                lambda position, stop, count: catalog.list_objects(reader, bucket.name, position.key, stop, count),
                query,
                lambda row: Position(row.key + "\0"),
            )

        page = await self._store.read(body)
        reply: dict[str, Any] = {
            "Name": request["Bucket"],
            "Prefix": encoded(prefix),
            "KeyMarker": encoded(marker),
            "VersionIdMarker": version_marker,
            "MaxKeys": limit,
            "IsTruncated": page.truncated,
            **encoded.members(),
        }
        if delimiter:
            reply["Delimiter"] = encoded(delimiter)
        if page.items:
            owner = {"ID": canonical_user(context.account)}
            reply["Versions"] = [_version(item, encoded, owner) for item in page.items]
        if page.prefixes:
            reply["CommonPrefixes"] = [{"Prefix": encoded(common)} for common in page.prefixes]
        if page.truncated:
            last = page.entries[-1]
            reply["NextKeyMarker"] = encoded(last if isinstance(last, str) else last.key)
            if not isinstance(last, str):
                reply["NextVersionIdMarker"] = _ONLY_VERSION
        return reply


def _version(item: ListedObject, encoded: KeyEncoding, owner: dict[str, Any]) -> dict[str, Any]:
    version: dict[str, Any] = {
        "Key": encoded(item.key),
        "VersionId": _ONLY_VERSION,
        "IsLatest": True,
        "LastModified": utc(item.modified_at),
        "ETag": f'"{item.etag}"',
        "Size": item.size,
        "StorageClass": "STANDARD",
        "Owner": owner,
    }
    if item.checksum_algorithm:
        version |= {"ChecksumAlgorithm": [item.checksum_algorithm], "ChecksumType": item.checksum_type}
    return version
