"""AWS::SNS::TopicPolicy and AWS::SNS::TopicInlinePolicy: who may do what with topics. A topic has one policy, and the
last that is put is it; without one it has the policy that every topic begins with."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.attached_policy import Holder, PolicyOfOne, PolicyOfSeveral
from mayfly.services.stacks.resources.base import Caller, Target
from mayfly.services.stacks.resources.iam.grants import text
from mayfly.services.stacks.resources.reading import document_seen
from mayfly.services.stacks.resources.schema import JSON, STRING, STRINGS, fields
from mayfly.services.stacks.resources.sns.subscriptions import GONE

_DEFAULT = "__default_policy_ID"


class _Topic(Holder):
    async def put(self, call: Caller, one: str, document: Any) -> None:
        await call("sns", "SetTopicAttributes", TopicArn=one, AttributeName="Policy", AttributeValue=text(document))

    async def remove(self, call: Caller, one: str) -> None:
        await call.unless(GONE, "sns", "SetTopicAttributes", TopicArn=one, AttributeName="Policy", AttributeValue="")

    async def policy(self, call: Caller, one: str, given: Any) -> Any:
        reply = await call.unless(GONE, "sns", "GetTopicAttributes", TopicArn=one)
        policy = None if reply is None else document_seen(given, reply["Attributes"]["Policy"])
        return None if isinstance(policy, dict) and policy.get("Id") == _DEFAULT and policy != given else policy


class TopicPolicy(_Topic, PolicyOfSeveral):
    name = "AWS::SNS::TopicPolicy"
    schema = fields("PolicyDocument Topics", PolicyDocument=JSON, Topics=STRINGS)
    member = "Topics"


class TopicInlinePolicy(_Topic, PolicyOfOne):
    name = "AWS::SNS::TopicInlinePolicy"
    schema = fields("PolicyDocument TopicArn", PolicyDocument=JSON, TopicArn=STRING)
    member = "TopicArn"
    replaced_by = frozenset({"TopicArn"})

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False  # a topic has a policy from the beginning
