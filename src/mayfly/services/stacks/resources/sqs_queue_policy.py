"""AWS::SQS::QueuePolicy: who may do what with some queues. A queue has one policy, and the last that is put is it."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.iam_role import text
from mayfly.services.stacks.resources.schema import JSON, STRINGS, fields
from mayfly.services.stacks.resources.sqs_queue import GONE


class QueuePolicy:
    name = "AWS::SQS::QueuePolicy"
    schema = fields("PolicyDocument Queues", PolicyDocument=JSON, Queues=STRINGS)
    replaced_by: frozenset[str] = frozenset()
    attributes = frozenset({"Id"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(80)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False  # it has a name of its own, which nobody else sees

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await self._put(call, properties)
        name = self.physical_id(target, properties)
        return Made(name, {"Id": name})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._remove(call, [url for url in old["Queues"] if url not in new["Queues"]])
        await self._put(call, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await self._remove(call, properties["Queues"])

    async def _put(self, call: Caller, properties: Mapping[str, Any]) -> None:
        policy = text(properties["PolicyDocument"])
        for url in properties["Queues"]:
            await call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": policy})

    async def _remove(self, call: Caller, urls: list[str]) -> None:
        for url in urls:
            await call.unless(GONE, "sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ""})
