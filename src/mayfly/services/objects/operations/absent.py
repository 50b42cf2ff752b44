"""Reading what no bucket here can have: the true answer is that it is not configured.

Writing any of it is refused by the gateway as not implemented, so nothing can be there. Tools that reconcile a bucket
(Terraform, CDK) read all of these and take the absence for what it is.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.objects import access, checks
from mayfly.services.objects.errors import error
from mayfly.store.api import Store

_Request = Mapping[str, Any]  # every one of these requests is a Bucket and perhaps an ExpectedBucketOwner


class AbsentOperations:
    """Configurations that are not there: an error that says so, or an empty reply where S3 has no error for it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("GetBucketEncryption")
    async def encryption(self, context: RequestContext, request: _Request) -> dict[str, Any]:
        await self._admit(context, request)
        raise error("ServerSideEncryptionConfigurationNotFoundError", BucketName=request["Bucket"])

    @operation("GetBucketLifecycleConfiguration")
    async def lifecycle(self, context: RequestContext, request: _Request) -> dict[str, Any]:
        await self._admit(context, request)
        raise error("NoSuchLifecycleConfiguration", BucketName=request["Bucket"])

    @operation("GetBucketReplication")
    async def replication(self, context: RequestContext, request: _Request) -> dict[str, Any]:
        await self._admit(context, request)
        raise error("ReplicationConfigurationNotFoundError", BucketName=request["Bucket"])

    @operation("GetBucketWebsite")
    async def website(self, context: RequestContext, request: _Request) -> dict[str, Any]:
        await self._admit(context, request)
        raise error("NoSuchWebsiteConfiguration", BucketName=request["Bucket"])

    @operation("GetObjectLockConfiguration")
    async def object_lock(self, context: RequestContext, request: _Request) -> dict[str, Any]:
        await self._admit(context, request)
        raise error("ObjectLockConfigurationNotFoundError", BucketName=request["Bucket"])

    @operation("GetBucketAccelerateConfiguration")
    async def acceleration(self, context: RequestContext, request: _Request) -> dict[str, Any]:
        await self._admit(context, request)
        return {}

    @operation("GetBucketLogging")
    async def logging(self, context: RequestContext, request: _Request) -> dict[str, Any]:
        await self._admit(context, request)
        return {}

    @operation("GetBucketRequestPayment")
    async def request_payment(self, context: RequestContext, request: _Request) -> dict[str, Any]:
        await self._admit(context, request)
        return {"Payer": "BucketOwner"}

    async def _admit(self, context: RequestContext, request: _Request) -> None:
        checks.admit(context)
        name, owner = request["Bucket"], request.get("ExpectedBucketOwner")
        await self._store.read(lambda reader: access.bucket_for(reader, context, name, owner))
