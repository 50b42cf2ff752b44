"""What else S3 keeps of a bucket: CORS, ownership controls, the public access block, the policy; and its ACLs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.objects import access, bucket_policies, catalog, checks, cors
from mayfly.services.objects.catalog import CORS, OWNERSHIP, POLICY, PUBLIC_ACCESS
from mayfly.services.objects.cors import CorsRule
from mayfly.services.objects.errors import error
from mayfly.services.objects.model import Bucket
from mayfly.services.objects.owners import full_control
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3

    _BucketRequest = (
        s3.GetBucketCorsRequestTypeDef
        | s3.PutBucketCorsRequestTypeDef
        | s3.DeleteBucketCorsRequestTypeDef
        | s3.GetPublicAccessBlockRequestTypeDef
        | s3.PutPublicAccessBlockRequestTypeDef
        | s3.DeletePublicAccessBlockRequestTypeDef
        | s3.GetBucketOwnershipControlsRequestTypeDef
        | s3.PutBucketOwnershipControlsRequestTypeDef
        | s3.DeleteBucketOwnershipControlsRequestTypeDef
        | s3.GetBucketAclRequestTypeDef
        | s3.GetBucketPolicyRequestTypeDef
        | s3.GetBucketPolicyStatusRequestTypeDef
        | s3.PutBucketPolicyRequestTypeDef
        | s3.DeleteBucketPolicyRequestTypeDef
    )

_BLOCKS: Final = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


class SettingOperations:
    """Documents of a bucket. Nothing in Mayfly is public, whatever the public access block says."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("PutBucketCors")
    async def put_cors(self, context: RequestContext, request: "s3.PutBucketCorsRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        rules = cors.parse(request["CORSConfiguration"]["CORSRules"])
        await self._change(context, request, lambda tx, bucket: catalog.put_setting(tx, bucket.name, CORS, rules))
        return {}

    @operation("GetBucketCors")
    async def get_cors(self, context: RequestContext, request: "s3.GetBucketCorsRequestTypeDef") -> dict[str, Any]:
        document = await self._document(context, request, CORS)
        if document is None:
            raise error("NoSuchCORSConfiguration", BucketName=request["Bucket"])
        return {"CORSRules": cors.render(msgspec.convert(document, tuple[CorsRule, ...]))}

    @operation("DeleteBucketCors")
    async def delete_cors(
        self, context: RequestContext, request: "s3.DeleteBucketCorsRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        await self._change(context, request, lambda tx, bucket: catalog.delete_setting(tx, bucket.name, CORS))
        return {}

    @operation("PutPublicAccessBlock")
    async def put_public_access(
        self, context: RequestContext, request: "s3.PutPublicAccessBlockRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        configuration = request["PublicAccessBlockConfiguration"]
        document = {block: bool(configuration.get(block, False)) for block in _BLOCKS}
        await self._change(
            context, request, lambda tx, bucket: catalog.put_setting(tx, bucket.name, PUBLIC_ACCESS, document)
        )
        return {}

    @operation("GetPublicAccessBlock")
    async def get_public_access(
        self, context: RequestContext, request: "s3.GetPublicAccessBlockRequestTypeDef"
    ) -> dict[str, Any]:
        document = await self._document(context, request, PUBLIC_ACCESS)
        if document is None:
            raise error("NoSuchPublicAccessBlockConfiguration", BucketName=request["Bucket"])
        return {"PublicAccessBlockConfiguration": document}

    @operation("DeletePublicAccessBlock")
    async def delete_public_access(
        self, context: RequestContext, request: "s3.DeletePublicAccessBlockRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        await self._change(context, request, lambda tx, bucket: catalog.delete_setting(tx, bucket.name, PUBLIC_ACCESS))
        return {}

    @operation("PutBucketOwnershipControls")
    async def put_ownership(
        self, context: RequestContext, request: "s3.PutBucketOwnershipControlsRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        rules = request["OwnershipControls"]["Rules"]
        if len(rules) != 1:
            raise error("MalformedXML")
        ownership = rules[0]["ObjectOwnership"]
        checks.check_ownership(ownership)
        await self._change(
            context, request, lambda tx, bucket: catalog.put_setting(tx, bucket.name, OWNERSHIP, ownership)
        )
        return {}

    @operation("GetBucketOwnershipControls")
    async def get_ownership(
        self, context: RequestContext, request: "s3.GetBucketOwnershipControlsRequestTypeDef"
    ) -> dict[str, Any]:
        ownership = await self._document(context, request, OWNERSHIP)
        if ownership is None:
            raise error("OwnershipControlsNotFoundError", BucketName=request["Bucket"])
        return {"OwnershipControls": {"Rules": [{"ObjectOwnership": ownership}]}}

    @operation("DeleteBucketOwnershipControls")
    async def delete_ownership(
        self, context: RequestContext, request: "s3.DeleteBucketOwnershipControlsRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        await self._change(context, request, lambda tx, bucket: catalog.delete_setting(tx, bucket.name, OWNERSHIP))
        return {}

    @operation("PutBucketPolicy")
    async def put_policy(self, context: RequestContext, request: "s3.PutBucketPolicyRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        policy = request["Policy"]
        bucket_policies.check(request["Bucket"], policy)
        await self._change(context, request, lambda tx, bucket: catalog.put_setting(tx, bucket.name, POLICY, policy))
        return {}

    @operation("GetBucketPolicy")
    async def get_policy(self, context: RequestContext, request: "s3.GetBucketPolicyRequestTypeDef") -> dict[str, Any]:
        return {"Policy": await self._policy(context, request)}

    @operation("GetBucketPolicyStatus")
    async def get_policy_status(
        self, context: RequestContext, request: "s3.GetBucketPolicyStatusRequestTypeDef"
    ) -> dict[str, Any]:
        """Never public: a policy opens nothing here."""
        await self._policy(context, request)
        return {"PolicyStatus": {"IsPublic": False}}

    @operation("DeleteBucketPolicy")
    async def delete_policy(
        self, context: RequestContext, request: "s3.DeleteBucketPolicyRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        await self._change(context, request, lambda tx, bucket: catalog.delete_setting(tx, bucket.name, POLICY))
        return {}

    async def _policy(self, context: RequestContext, request: "_BucketRequest") -> str:
        """NoSuchBucketPolicy."""
        policy = await self._document(context, request, POLICY)
        if policy is None:
            raise error("NoSuchBucketPolicy", BucketName=request["Bucket"])
        return str(policy)

    @operation("GetBucketAcl")
    async def get_bucket_acl(self, context: RequestContext, request: "s3.GetBucketAclRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        bucket = await self._store.read(lambda reader: _bucket(reader, context, request))
        return full_control(bucket.account)

    @operation("GetObjectAcl")
    async def get_object_acl(self, context: RequestContext, request: "s3.GetObjectAclRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        await self._store.read(lambda reader: access.object_for(reader, context, request))
        return full_control(context.account)

    async def _change(
        self, context: RequestContext, request: "_BucketRequest", change: Callable[[Tx, Bucket], None]
    ) -> None:
        await self._store.write(lambda tx: change(tx, _bucket(tx, context, request)))

    async def _document(self, context: RequestContext, request: "_BucketRequest", kind: str) -> Any:
        checks.admit(context)
        return await self._store.read(
            lambda reader: catalog.find_setting(reader, _bucket(reader, context, request).name, kind)
        )


def _bucket(reader: Reader, context: RequestContext, request: "_BucketRequest") -> Bucket:
    return access.bucket_for(reader, context, request["Bucket"], request.get("ExpectedBucketOwner"))
