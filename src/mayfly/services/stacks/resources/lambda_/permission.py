"""AWS::Lambda::Permission: one statement of a function's resource policy. Any change replaces it."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.lambda_.statement import Statement
from mayfly.services.stacks.resources.schema import BOOLEAN, STRING, fields


class Permission(Statement):
    name = "AWS::Lambda::Permission"
    schema = fields(
        "Action FunctionName Principal",
        Action=STRING,
        FunctionName=STRING,
        Principal=STRING,
        SourceArn=STRING,
        SourceAccount=STRING,
        FunctionUrlAuthType=STRING,
        InvokedViaFunctionUrl=BOOLEAN,
        EventSourceToken=STRING,
        PrincipalOrgID=STRING,
    )
    replaced_by = frozenset(schema.members)
    add, remove, get = "AddPermission", "RemovePermission", "GetPolicy"

    def policy(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        return {"FunctionName": properties["FunctionName"]}

    def said(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in properties.items() if name != "FunctionName"}
