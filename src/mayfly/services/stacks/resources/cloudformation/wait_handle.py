"""AWS::CloudFormation::WaitConditionHandle: a URL to which signals are put. `Ref` gives it."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.post import HANDLE, box_name
from mayfly.services.stacks.resources.base import Caller, Made, Target, Unreadable
from mayfly.services.stacks.resources.schema import fields

_LIFETIME_S = 10 * 365 * 86400.0  # as long as the stack, for all that matters


class WaitConditionHandle(Unreadable):
    name = "AWS::CloudFormation::WaitConditionHandle"
    schema = fields("")
    replaced_by: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(128)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        post = call.around.post
        box = await post.open(_name(target), target.stack_id, HANDLE, _LIFETIME_S)
        return Made(post.url(box, post.addresses.outside))

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.around.post.close(_name(target))


def _name(target: Target) -> str:
    return box_name(target.stack_id, target.logical_id, target.generation, HANDLE)
