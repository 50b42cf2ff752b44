"""AWS::CloudFormation::Macro: a function under a name by which templates of the account call it. The row of the
resource is all there is of it (`macros` looks there)."""

from collections.abc import Mapping
from typing import Any, Final

from mayfly.services.stacks import statements
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.schema import STRING, fields

NAME: Final = "AWS::CloudFormation::Macro"


class Macro:
    name = NAME
    schema = fields(
        "Name FunctionName",
        Name=STRING,
        FunctionName=STRING,
        Description=STRING,
        LogGroupName=STRING,
        LogRoleARN=STRING,
    )
    replaced_by = frozenset({"Name"})
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties["Name"])

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("Name")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        place = {
            "type": self.name,
            "physical_id": properties["Name"],
            "account": target.account,
            "region": target.region,
        }
        rows = await call.around.store.read(lambda reader: reader.all(statements.MADE_BY_NAME, place))
        return any((stack_id, name) != (target.stack_id, target.logical_id) for stack_id, name in rows)

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        return Made(properties["Name"])

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        """Its row goes."""

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        return properties  # nobody else can change it
