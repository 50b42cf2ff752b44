"""ListTypes and DescribeType: the resource types that there are."""

import json
from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.stacks.planner import Types
from mayfly.services.stacks.resources.base import Unreadable

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import DescribeTypeInputTypeDef, ListTypesInputTypeDef


class TypeOperations:
    def __init__(self, types: Types) -> None:
        self._types = types

    @operation("ListTypes")
    async def list_types(self, context: RequestContext, params: "ListTypesInputTypeDef") -> dict[str, Any]:
        prefix = params.get("Filters", {}).get("TypeNamePrefix", "")
        listed = params.get("Visibility", "PRIVATE") == "PUBLIC" and params.get("Type", "RESOURCE") == "RESOURCE"
        names = sorted(name for name in self._types if name.startswith(prefix)) if listed else []
        after, most = params.get("NextToken", ""), params.get("MaxResults", 100)
        left = [name for name in names if name > after]
        more = {"NextToken": left[most - 1]} if len(left) > most else {}
        return {"TypeSummaries": [self._summary(context, name) for name in left[:most]], **more}

    @operation("DescribeType")
    async def describe(self, context: RequestContext, params: "DescribeTypeInputTypeDef") -> dict[str, Any]:
        name = params.get("TypeName") or params.get("Arn", "").rpartition("/")[2].replace("-", "::")
        if name not in self._types:
            raise ServiceError("TypeNotFoundException", f"The type '{name}' cannot be found.", status=404)
        kind = self._types[name]
        schema = {
            "typeName": name,
            "properties": {member: {} for member in kind.schema.members if not member.startswith("$")},
            "required": sorted(kind.schema.required),
            "createOnlyProperties": [f"/properties/{member}" for member in sorted(kind.replaced_by)],
            "readOnlyProperties": [f"/properties/{member}" for member in sorted(kind.attributes)],
        }
        readable = not isinstance(kind, Unreadable)
        return {
            "Arn": _arn(context, name),
            "Type": "RESOURCE",
            "TypeName": name,
            "Schema": json.dumps(schema),
            "ProvisioningType": "FULLY_MUTABLE" if readable else "NON_PROVISIONABLE",
            "Visibility": "PUBLIC",
            "DeprecatedStatus": "LIVE",
        }

    def _summary(self, context: RequestContext, name: str) -> dict[str, Any]:
        return {"Type": "RESOURCE", "TypeName": name, "TypeArn": _arn(context, name)}


def _arn(context: RequestContext, name: str) -> str:
    return f"arn:aws:cloudformation:{context.region}::type/resource/{name.replace('::', '-')}"
