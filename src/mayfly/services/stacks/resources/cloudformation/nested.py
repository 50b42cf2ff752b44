"""AWS::CloudFormation::Stack: a stack that is a resource of another. `stacks.children` carries it out."""

import uuid
from collections.abc import Mapping
from typing import Any

from mayfly.ids import PARTITION
from mayfly.services.stacks.records import STACK_TYPE
from mayfly.services.stacks.resources.base import Caller, Made, Open, Restless, Target, Unreadable
from mayfly.services.stacks.resources.schema import INTEGER, STRING, STRINGS, TAGS, Entries, fields


def child_id(target: Target) -> str:
    """The id of the stack, which is known before it is made: whoever follows events asks for the child's by it."""
    seed = uuid.uuid5(uuid.NAMESPACE_URL, f"{target.stack_id}/{target.logical_id}/{target.generation}")
    return f"arn:{PARTITION}:cloudformation:{target.region}:{target.account}:stack/{target.name(128)}/{seed}"


class NestedStack(Restless, Unreadable):
    name = STACK_TYPE
    schema = fields(
        "TemplateURL",
        TemplateURL=STRING,
        Parameters=Entries(STRING),
        NotificationARNs=STRINGS,
        Tags=TAGS,
        TimeoutInMinutes=INTEGER,
    )
    replaced_by: frozenset[str] = frozenset()
    attributes: frozenset[str] = Open.under("Outputs.")

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return child_id(target)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False  # its name is its own; a stack of that name which is no child is refused when it is made

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        return await call.around.children.create(call, target, properties)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return await call.around.children.update(call, target, made, new)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.around.children.delete(call, target, made)
