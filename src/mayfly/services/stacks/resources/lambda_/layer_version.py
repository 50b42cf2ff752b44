"""AWS::Lambda::LayerVersion: a version of a layer. Any change replaces it."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.schema import STRING, STRINGS, Refused, fields


class LayerVersion:
    name = "AWS::Lambda::LayerVersion"
    schema = fields(
        "Content",
        Content=fields(
            "S3Bucket S3Key",
            S3Bucket=STRING,
            S3Key=STRING,
            S3ObjectStorageMode=Refused("Code is copied out of the bucket."),
            S3ObjectVersion=STRING,
        ),
        LayerName=STRING,
        Description=STRING,
        LicenseInfo=STRING,
        CompatibleRuntimes=STRINGS,
        CompatibleArchitectures=STRINGS,
    )
    replaced_by = frozenset(schema.members)
    attributes: frozenset[str] = frozenset({"LayerVersionArn"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(100)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False  # a new number is nobody else's

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        published = await call.once(
            target, "lambda", "PublishLayerVersion", **{"LayerName": target.logical_id, **properties}
        )
        arn = published["LayerVersionArn"]
        return Made(arn, {"LayerVersionArn": arn})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return made  # nothing can be updated in place

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(
            "ResourceNotFoundException",
            "lambda",
            "GetLayerVersionByArn",
            Arn=made.attributes.get("LayerVersionArn", ""),
        )
        return None if found is None else dict(properties)  # nothing of it can be changed

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        if not made.attributes:  # it was not published
            return
        layer, _, number = made.physical_id.rpartition(":")
        await call("lambda", "DeleteLayerVersion", LayerName=layer, VersionNumber=int(number))
