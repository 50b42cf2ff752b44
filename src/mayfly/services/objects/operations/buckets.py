"""CreateBucket, DeleteBucket, HeadBucket, ListBuckets, GetBucketLocation, GetBucketVersioning, PutBucketVersioning."""

from typing import TYPE_CHECKING, Any, Final

from mayfly.clock import Clock, utc
from mayfly.services.contract import RequestContext, operation
from mayfly.services.objects import access, catalog, checks, tagging, version_catalog
from mayfly.services.objects.catalog import OWNERSHIP, PUBLIC_ACCESS, TAGGING
from mayfly.services.objects.errors import error, invalid_argument, not_implemented
from mayfly.services.objects.model import Bucket
from mayfly.services.objects.notifications import bucket_arn
from mayfly.services.objects.owners import canonical_user
from mayfly.services.objects.tokens import decode_token, encode_token
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3

_MAX_BUCKETS: Final = 10_000
# S3 blocks public access to every new bucket.
_BLOCKED: Final = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


class BucketOperations:
    """Buckets as such; what is configured on them is in `settings`, `tagging` and `notifications`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateBucket")
    async def create(self, context: RequestContext, request: "s3.CreateBucketRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        checks.check_served(request)
        if request.get("ACL", "private") != "private":
            raise error("InvalidBucketAclWithObjectOwnership")
        name = request["Bucket"]
        checks.check_bucket_name(name)
        configuration = request.get("CreateBucketConfiguration", {})
        if "Location" in configuration or "Bucket" in configuration:
            raise not_implemented("Mayfly does not implement directory buckets.")
        region = checks.bucket_region(configuration.get("LocationConstraint"), context.region)
        tags = tagging.of_tag_set(configuration.get("Tags", ()), tagging.MAX_BUCKET_TAGS)
        bucket = Bucket(name, context.account, region, self._clock.now())
        ownership = request.get("ObjectOwnership", "BucketOwnerEnforced")
        checks.check_ownership(ownership)

        def body(tx: Tx) -> None:
            existing = catalog.find_bucket(tx, name)
            if existing is not None:
                _check_recreation(existing, bucket)
                return
            catalog.insert_bucket(tx, bucket)
            catalog.put_setting(tx, name, OWNERSHIP, ownership)
            catalog.put_setting(tx, name, PUBLIC_ACCESS, _BLOCKED)
            if tags:
                catalog.put_setting(tx, name, TAGGING, tags)

        await self._store.write(body)
        return {"Location": f"/{name}", "BucketArn": bucket_arn(name)}

    @operation("DeleteBucket")
    async def delete(self, context: RequestContext, request: "s3.DeleteBucketRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        name = request["Bucket"]
        now = self._clock.now()

        def body(tx: Tx) -> None:
            access.bucket_for(tx, context, name, request.get("ExpectedBucketOwner"))
            if not catalog.is_empty(tx, name) or version_catalog.any_older(tx, name):
                raise error("BucketNotEmpty", BucketName=name)
            catalog.delete_bucket(tx, name, now)

        await self._store.write(body)
        return {}

    @operation("HeadBucket")
    async def head(self, context: RequestContext, request: "s3.HeadBucketRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        bucket = await self._find(context, request["Bucket"], request.get("ExpectedBucketOwner"))
        return {"BucketRegion": bucket.region, "BucketArn": bucket_arn(bucket.name), "AccessPointAlias": False}

    @operation("GetBucketLocation")
    async def location(self, context: RequestContext, request: "s3.GetBucketLocationRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        bucket = await self._find(context, request["Bucket"], request.get("ExpectedBucketOwner"))
        return {} if bucket.region == "us-east-1" else {"LocationConstraint": bucket.region}

    @operation("ListBuckets")
    async def list(self, context: RequestContext, request: "s3.ListBucketsRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        limit = request.get("MaxBuckets", _MAX_BUCKETS)
        if not 1 <= limit <= _MAX_BUCKETS:
            raise invalid_argument(
                f"Argument max-buckets must be an integer between 1 and {_MAX_BUCKETS}.", "max-buckets", limit
            )
        after = decode_token(request.get("ContinuationToken"))
        prefix = request.get("Prefix", "")
        buckets = await self._store.read(
            lambda reader: catalog.list_buckets(
                reader,
                context.account,
                after=after,
                prefix=prefix,
                region=request.get("BucketRegion", ""),
                limit=limit + 1,
            )
        )
        reply: dict[str, Any] = {
            "Owner": {"ID": canonical_user(context.account)},
            "Buckets": [_listed(bucket) for bucket in buckets[:limit]],
        }
        if len(buckets) > limit:
            reply["ContinuationToken"] = encode_token(buckets[limit - 1].name)
        if prefix:
            reply["Prefix"] = prefix
        return reply

    @operation("GetBucketVersioning")
    async def get_versioning(
        self, context: RequestContext, request: "s3.GetBucketVersioningRequestTypeDef"
    ) -> dict[str, Any]:
        """An empty reply says that versioning was never enabled."""
        checks.admit(context)
        bucket = await self._find(context, request["Bucket"], request.get("ExpectedBucketOwner"))
        return {"Status": bucket.versioning} if bucket.versioning else {}

    @operation("PutBucketVersioning")
    async def put_versioning(
        self, context: RequestContext, request: "s3.PutBucketVersioningRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        checks.check_served(request)
        configuration = request["VersioningConfiguration"]
        if configuration.get("MFADelete", "Disabled") != "Disabled":
            raise not_implemented("Mayfly does not implement MFA delete.")
        status = configuration.get("Status")
        if status is None:
            raise error("IllegalVersioningConfigurationException")
        if status not in ("Enabled", "Suspended"):
            raise error("MalformedXML")

        def body(tx: Tx) -> None:
            bucket = access.bucket_for(tx, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            version_catalog.set_versioning(tx, bucket.name, status)

        await self._store.write(body)
        return {}

    async def _find(self, context: RequestContext, name: str, expected_owner: str | None) -> Bucket:
        return await self._store.read(lambda reader: access.bucket_for(reader, context, name, expected_owner))


def _check_recreation(existing: Bucket, wanted: Bucket) -> None:
    if existing.account != wanted.account:
        raise error("BucketAlreadyExists", BucketName=wanted.name)
    # In its oldest region S3 answers a repeated creation with success; everywhere else it is an error.
    if not existing.region == wanted.region == "us-east-1":
        raise error("BucketAlreadyOwnedByYou", BucketName=wanted.name)


def _listed(bucket: Bucket) -> dict[str, Any]:
    return {
        "Name": bucket.name,
        "CreationDate": utc(int(bucket.created_at)),
        "BucketRegion": bucket.region,
        "BucketArn": bucket_arn(bucket.name),
    }
