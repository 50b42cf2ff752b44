"""ListObjects and ListObjectsV2."""

from typing import TYPE_CHECKING, Any

from mayfly.clock import utc
from mayfly.services.contract import RequestContext, operation
from mayfly.services.objects import access, catalog, checks, listing
from mayfly.services.objects.errors import invalid_argument
from mayfly.services.objects.listing import Page, Position, Query
from mayfly.services.objects.model import ListedObject
from mayfly.services.objects.owners import canonical_user
from mayfly.services.objects.replies import KeyEncoding, page_size
from mayfly.services.objects.tokens import decode_token, encode_token
from mayfly.store.api import Reader, Store

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3


class ListingOperations:
    """Listings of objects; each page is one consistent snapshot."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("ListObjectsV2")
    async def list_v2(self, context: RequestContext, request: "s3.ListObjectsV2RequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        encoded = KeyEncoding(request.get("EncodingType"))
        prefix, delimiter = request.get("Prefix", ""), request.get("Delimiter", "")
        start_after = request.get("StartAfter", "")
        token = request.get("ContinuationToken")
        if token == "":
            raise invalid_argument("The continuation token provided is incorrect", "continuation-token", token)
        marker = decode_token(token) or start_after
        limit = page_size(request.get("MaxKeys"), "max-keys")
        page = await self._page(context, request, prefix, delimiter, marker, limit)
        owner = {"Owner": {"ID": canonical_user(context.account)}} if request.get("FetchOwner", False) else {}
        reply: dict[str, Any] = {
            **_common(request["Bucket"], prefix, delimiter, limit, page, encoded, owner),
            "KeyCount": len(page.entries),
        }
        if token is not None:
            reply["ContinuationToken"] = token
        if start_after:
            reply["StartAfter"] = encoded(start_after)
        if page.truncated:
            reply["NextContinuationToken"] = encode_token(_last(page))
        return reply

    @operation("ListObjects")
    async def list_v1(self, context: RequestContext, request: "s3.ListObjectsRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        encoded = KeyEncoding(request.get("EncodingType"))
        prefix, delimiter = request.get("Prefix", ""), request.get("Delimiter", "")
        marker = request.get("Marker", "")
        limit = page_size(request.get("MaxKeys"), "max-keys")
        page = await self._page(context, request, prefix, delimiter, marker, limit)
        owner = {"Owner": {"ID": canonical_user(context.account)}}
        reply = {
            **_common(request["Bucket"], prefix, delimiter, limit, page, encoded, owner),
            "Marker": encoded(marker),
        }
        # Without a delimiter the last key is the marker, and S3 leaves it to the caller to see that.
        if page.truncated and delimiter:
            reply["NextMarker"] = encoded(_last(page))
        return reply

    async def _page(
        self,
        context: RequestContext,
        request: "s3.ListObjectsRequestTypeDef | s3.ListObjectsV2RequestTypeDef",
        prefix: str,
        delimiter: str,
        marker: str,
        limit: int,
    ) -> Page[ListedObject]:
        query = Query(prefix, delimiter, listing.first_position(prefix, delimiter, marker), limit)

        def body(reader: Reader) -> Page[ListedObject]:
            bucket = access.bucket_for(reader, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            return listing.walk(
                lambda position, stop, count: catalog.list_objects(reader, bucket.name, position.key, stop, count),
                query,
                lambda row: Position(row.key + "\0"),
            )

        return await self._store.read(body)


def _common(
    bucket: str,
    prefix: str,
    delimiter: str,
    limit: int,
    page: Page[ListedObject],
    encoded: KeyEncoding,
    owner: dict[str, Any],
) -> dict[str, Any]:
    """What both versions of the listing answer."""
    reply: dict[str, Any] = {
        "Name": bucket,
        "Prefix": encoded(prefix),
        "MaxKeys": limit,
        "IsTruncated": page.truncated,
        **encoded.members(),
    }
    if delimiter:
        reply["Delimiter"] = encoded(delimiter)
    if page.items:
        reply["Contents"] = [_listed(item, encoded) | owner for item in page.items]
    if page.prefixes:
        reply["CommonPrefixes"] = [{"Prefix": encoded(common)} for common in page.prefixes]
    return reply


def _listed(item: ListedObject, encoded: KeyEncoding) -> dict[str, Any]:
    listed: dict[str, Any] = {
        "Key": encoded(item.key),
        "LastModified": utc(item.modified_at),
        "ETag": f'"{item.etag}"',
        "Size": item.size,
        "StorageClass": "STANDARD",
    }
    if item.checksum_algorithm:
        listed["ChecksumAlgorithm"] = [item.checksum_algorithm]
        listed["ChecksumType"] = item.checksum_type
    return listed


def _last(page: Page[ListedObject]) -> str:
    last = page.entries[-1]
    return last if isinstance(last, str) else last.key
