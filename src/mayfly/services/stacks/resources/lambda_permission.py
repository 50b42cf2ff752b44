"""AWS::Lambda::Permission: one statement of a function's resource policy. Any change replaces it."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.schema import BOOLEAN, STRING, fields


class Permission:
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
            "ResourceConflictException", "lambda", "AddPermission", StatementId=statement, **dict(properties)
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
            "RemovePermission",
            FunctionName=properties["FunctionName"],
            StatementId=made.physical_id,
        )
