"""AWS::SQS::QueuePolicy and AWS::SQS::QueueInlinePolicy: who may do what with queues.

A queue has one policy, and the last that is put is it.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.attached_policy import Holder, PolicyOfOne, PolicyOfSeveral
from mayfly.services.stacks.resources.base import Caller, Target
from mayfly.services.stacks.resources.iam.grants import text
from mayfly.services.stacks.resources.reading import document_seen
from mayfly.services.stacks.resources.schema import JSON, STRING, STRINGS, fields
from mayfly.services.stacks.resources.sqs.queue import GONE


class _Queue(Holder):
    async def put(self, call: Caller, one: str, document: Any) -> None:
        await call("sqs", "SetQueueAttributes", QueueUrl=one, Attributes={"Policy": text(document)})

    async def remove(self, call: Caller, one: str) -> None:
        await call.unless(GONE, "sqs", "SetQueueAttributes", QueueUrl=one, Attributes={"Policy": ""})

    async def policy(self, call: Caller, one: str, given: Any) -> Any:
        reply = await call.unless(GONE, "sqs", "GetQueueAttributes", QueueUrl=one, AttributeNames=["Policy"])
        return None if reply is None else document_seen(given, reply.get("Attributes", {}).get("Policy"))


class QueuePolicy(_Queue, PolicyOfSeveral):
    name = "AWS::SQS::QueuePolicy"
    schema = fields("PolicyDocument Queues", PolicyDocument=JSON, Queues=STRINGS)
    member = "Queues"


class QueueInlinePolicy(_Queue, PolicyOfOne):
    name = "AWS::SQS::QueueInlinePolicy"
    schema = fields("PolicyDocument Queue", PolicyDocument=JSON, Queue=STRING)
    member = "Queue"
    replaced_by = frozenset({"Queue"})

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return str(properties["Queue"])

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self.policy(call, properties["Queue"], None) is not None
