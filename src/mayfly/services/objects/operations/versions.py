"""ListObjectVersions."""

from typing import TYPE_CHECKING, Any

from mayfly.clock import utc
from mayfly.services.contract import RequestContext, operation
from mayfly.services.objects import access, checks, listing, version_catalog, versioning
from mayfly.services.objects.errors import invalid_argument
from mayfly.services.objects.listing import Page, Position, Query
from mayfly.services.objects.model import ListedVersion
from mayfly.services.objects.owners import canonical_user
from mayfly.services.objects.replies import KeyEncoding, page_size
from mayfly.store.api import Reader, Store

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3


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

        def body(reader: Reader) -> Page[ListedVersion]:
            bucket = access.bucket_for(reader, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            after = _marked(reader, bucket.name, marker, version_marker) if version_marker else None
            query = Query(prefix, delimiter, listing.first_position(prefix, delimiter, marker, after), limit)
            return listing.walk(
                lambda position, stop, count: version_catalog.list_versions(
                    reader, bucket.name, position.key, int(position.after) if position.after else None, stop, count
                ),
                query,
                lambda row: Position(row.key, str(row.position)),
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
        owner = {"ID": canonical_user(context.account)}
        if versions := [_version(item, encoded, owner) for item in page.items if not item.marker]:
            reply["Versions"] = versions
        if markers := [_entry(item, encoded, owner) for item in page.items if item.marker]:
            reply["DeleteMarkers"] = markers
        if page.prefixes:
            reply["CommonPrefixes"] = [{"Prefix": encoded(common)} for common in page.prefixes]
        if page.truncated:
            last = page.entries[-1]
            reply["NextKeyMarker"] = encoded(last if isinstance(last, str) else last.key)
            if not isinstance(last, str):
                reply["NextVersionIdMarker"] = last.version_id
        return reply


def _marked(reader: Reader, bucket: str, key: str, version_id: str) -> str:
    """The position of the version behind which a page begins; "" for the beginning of the key."""
    position = versioning.position_of(version_id)
    if position is None:
        version = version_catalog.find_version(reader, bucket, key, version_id)
        # A null version that is gone says nothing of its place: rather show some versions twice than leave some out.
        position = None if version is None else version.position
    return "" if position is None else str(position)


def _entry(item: ListedVersion, encoded: KeyEncoding, owner: dict[str, Any]) -> dict[str, Any]:
    """What versions and delete markers have in common."""
    return {
        "Key": encoded(item.key),
        "VersionId": item.version_id,
        "IsLatest": bool(item.latest),
        "LastModified": utc(item.modified_at),
        "Owner": owner,
    }


def _version(item: ListedVersion, encoded: KeyEncoding, owner: dict[str, Any]) -> dict[str, Any]:
    version = _entry(item, encoded, owner)
    version |= {"ETag": f'"{item.etag}"', "Size": item.size, "StorageClass": "STANDARD"}
    if item.checksum_algorithm:
        version |= {"ChecksumAlgorithm": [item.checksum_algorithm], "ChecksumType": item.checksum_type}
    return version
