"""Reading what no bucket here can have: the true answer is that it is not configured.

Writing any of it is refused by the gateway as not implemented, so nothing can be there. Tools that reconcile a bucket
(Terraform, CDK) read all of these and take the absence for what it is.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from mayfly.services.contract import Handler, RequestContext
from mayfly.services.objects import access, checks
from mayfly.services.objects.errors import error
from mayfly.store.api import Store

# The error that says so, by operation.
_ERRORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "GetBucketEncryption": "ServerSideEncryptionConfigurationNotFoundError",
        "GetBucketLifecycleConfiguration": "NoSuchLifecycleConfiguration",
        "GetBucketPolicy": "NoSuchBucketPolicy",
        "GetBucketPolicyStatus": "NoSuchBucketPolicy",
        "GetBucketReplication": "ReplicationConfigurationNotFoundError",
        "GetBucketWebsite": "NoSuchWebsiteConfiguration",
        "GetObjectLockConfiguration": "ObjectLockConfigurationNotFoundError",
    }
)
# The reply that says so, where S3 has no error for it.
_REPLIES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "GetBucketAccelerateConfiguration": {},
        "GetBucketLogging": {},
        "GetBucketRequestPayment": {"Payer": "BucketOwner"},
    }
)


def operations(store: Store) -> dict[str, Handler]:
    """The handlers by operation name."""
    return {name: _handler(store, name) for name in (*_ERRORS, *_REPLIES)}


def _handler(store: Store, name: str) -> Handler:
    async def handle(context: RequestContext, request: Mapping[str, Any]) -> dict[str, Any]:
        checks.admit(context)
        bucket = request["Bucket"]
        await store.read(lambda reader: access.bucket_for(reader, context, bucket, request.get("ExpectedBucketOwner")))
        if name in _ERRORS:
            raise error(_ERRORS[name], BucketName=bucket)
        return dict(_REPLIES[name])

    return handle
