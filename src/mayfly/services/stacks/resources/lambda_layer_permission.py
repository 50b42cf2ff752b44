"""AWS::Lambda::LayerVersionPermission: one statement of the policy of a version of a layer. Any change replaces it."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.schema import STRING, PropertyError, fields


class LayerPermission:
    name = "AWS::Lambda::LayerVersionPermission"
    schema = fields(
        "Action LayerVersionArn Principal",
        Action=STRING,
        LayerVersionArn=STRING,
        OrganizationId=STRING,
        Principal=STRING,
    )
    replaced_by = frozenset(schema.members)
    attributes: frozenset[str] = frozenset({"Id"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(100)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False  # the statement's name is this resource's own

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        statement = self.physical_id(target, properties)
        await call.unless(
            "ResourceConflictException",
            "lambda",
            "AddLayerVersionPermission",
            StatementId=statement,
            **_version(properties),
            **picked(properties, "Action", "OrganizationId", "Principal"),
        )
        return Made(statement, {"Id": statement})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return made  # nothing can be updated in place

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(
            "ResourceNotFoundException",
            "lambda",
            "RemoveLayerVersionPermission",
            StatementId=made.physical_id,
            **_version(properties),
        )


def _version(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The layer and the number that an ARN names; `PropertyError`."""
    layer, _, number = properties["LayerVersionArn"].rpartition(":")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise PropertyError(
            f"#/LayerVersionArn: {properties['LayerVersionArn']} is not the ARN of a version of a layer"
        )
    return {"LayerName": layer, "VersionNumber": int(number)}
