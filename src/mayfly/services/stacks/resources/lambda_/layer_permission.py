"""AWS::Lambda::LayerVersionPermission: one statement of the policy of a version of a layer. Any change replaces it."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import picked
from mayfly.services.stacks.resources.lambda_.statement import Statement
from mayfly.services.stacks.resources.schema import STRING, PropertyError, fields


class LayerPermission(Statement):
    name = "AWS::Lambda::LayerVersionPermission"
    schema = fields(
        "Action LayerVersionArn Principal",
        Action=STRING,
        LayerVersionArn=STRING,
        OrganizationId=STRING,
        Principal=STRING,
    )
    replaced_by = frozenset(schema.members)
    add, remove = "AddLayerVersionPermission", "RemoveLayerVersionPermission"
    get = "GetLayerVersionPolicy"

    def policy(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """The layer and the number that an ARN names; `PropertyError`."""
        layer, _, number = properties["LayerVersionArn"].rpartition(":")
        if not (number.isascii() and number.isdecimal() and len(number) < 19):
            raise PropertyError(
                f"#/LayerVersionArn: {properties['LayerVersionArn']} is not the ARN of a version of a layer"
            )
        return {"LayerName": layer, "VersionNumber": int(number)}

    def said(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        return picked(properties, "Action", "OrganizationId", "Principal")
