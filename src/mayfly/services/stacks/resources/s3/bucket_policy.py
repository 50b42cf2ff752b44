"""AWS::S3::BucketPolicy. A bucket has one policy; to put one where another is already is an error, as on AWS."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.iam.grants import text
from mayfly.services.stacks.resources.reading import document_seen
from mayfly.services.stacks.resources.schema import JSON, STRING, fields

_NONE = "NoSuchBucketPolicy NoSuchBucket"


class BucketPolicy:
    name = "AWS::S3::BucketPolicy"
    schema = fields("Bucket PolicyDocument", Bucket=STRING, PolicyDocument=JSON)
    replaced_by = frozenset({"Bucket"})
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties["Bucket"])

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return str(properties["Bucket"])

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await call.unless(_NONE, "s3", "GetBucketPolicy", Bucket=properties["Bucket"]) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await self._put(call, properties)
        return Made(properties["Bucket"])

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._put(call, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(_NONE, "s3", "DeleteBucketPolicy", Bucket=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        reply = await call.unless(_NONE, "s3", "GetBucketPolicy", Bucket=made.physical_id)
        if reply is None:
            return None
        document = document_seen(properties["PolicyDocument"], reply["Policy"])
        return {"Bucket": made.physical_id, "PolicyDocument": document}

    async def _put(self, call: Caller, properties: Mapping[str, Any]) -> None:
        policy = text(properties["PolicyDocument"])
        await call("s3", "PutBucketPolicy", Bucket=properties["Bucket"], Policy=policy)
