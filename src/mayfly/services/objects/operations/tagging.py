"""PutObjectTagging, GetObjectTagging, DeleteObjectTagging, PutBucketTagging, GetBucketTagging, DeleteBucketTagging."""

from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.objects import access, catalog, checks, tagging
from mayfly.services.objects.access import Found
from mayfly.services.objects.catalog import TAGGING
from mayfly.services.objects.errors import error
from mayfly.services.objects.model import Tags
from mayfly.services.objects.publishing import Publisher
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3


class TaggingOperations:
    """Tags of objects and of buckets."""

    def __init__(self, store: Store, publisher: Publisher) -> None:
        self._store = store
        self._publisher = publisher

    @operation("PutObjectTagging")
    async def put_object(self, context: RequestContext, request: "s3.PutObjectTaggingRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        tags = tagging.of_tag_set(request["Tagging"]["TagSet"], tagging.MAX_OBJECT_TAGS)
        return await self._tag(context, request, tags, "PUT")

    @operation("GetObjectTagging")
    async def get_object(self, context: RequestContext, request: "s3.GetObjectTaggingRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        found = await self._store.read(lambda reader: access.object_for(reader, context, request))
        return {"TagSet": tagging.to_tag_set(found.stored.description.tags), **found.version()}

    @operation("DeleteObjectTagging")
    async def delete_object(
        self, context: RequestContext, request: "s3.DeleteObjectTaggingRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        return await self._tag(context, request, (), "DELETE")

    @operation("PutBucketTagging")
    async def put_bucket(self, context: RequestContext, request: "s3.PutBucketTaggingRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        tags = tagging.of_tag_set(request["Tagging"]["TagSet"], tagging.MAX_BUCKET_TAGS)

        def body(tx: Tx) -> None:
            bucket = access.bucket_for(tx, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            catalog.put_setting(tx, bucket.name, TAGGING, tags)

        await self._store.write(body)
        return {}

    @operation("GetBucketTagging")
    async def get_bucket(self, context: RequestContext, request: "s3.GetBucketTaggingRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)

        def body(reader: Reader) -> Any:
            bucket = access.bucket_for(reader, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            return catalog.find_setting(reader, bucket.name, TAGGING)

        tags = await self._store.read(body)
        if not tags:
            raise error("NoSuchTagSet", BucketName=request["Bucket"])
        return {"TagSet": tagging.to_tag_set(tuple((key, value) for key, value in tags))}

    @operation("DeleteBucketTagging")
    async def delete_bucket(
        self, context: RequestContext, request: "s3.DeleteBucketTaggingRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)

        def body(tx: Tx) -> None:
            bucket = access.bucket_for(tx, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            catalog.delete_setting(tx, bucket.name, TAGGING)

        await self._store.write(body)
        return {}

    async def _tag(
        self,
        context: RequestContext,
        request: "s3.PutObjectTaggingRequestTypeDef | s3.DeleteObjectTaggingRequestTypeDef",
        tags: Tags,
        method: str,
    ) -> dict[str, Any]:
        def body(tx: Tx) -> Found:
            found = access.object_for(tx, context, request, method)
            self._publisher.tag(tx, context, found.bucket, found.stored, tags)
            return found

        return {**(await self._store.write(body)).version()}
