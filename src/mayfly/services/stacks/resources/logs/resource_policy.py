"""AWS::Logs::ResourcePolicy: which services may write to groups. Kept; services of Mayfly write with or without."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.iam.grants import text
from mayfly.services.stacks.resources.logs.log_group import GONE
from mayfly.services.stacks.resources.named import Named
from mayfly.services.stacks.resources.reading import document_seen
from mayfly.services.stacks.resources.schema import JSON, STRING, fields


class ResourcePolicy(Named):
    name = "AWS::Logs::ResourcePolicy"
    schema = fields("PolicyName PolicyDocument", PolicyDocument=JSON, PolicyName=STRING)
    replaced_by = frozenset({"PolicyName"})
    attributes: frozenset[str] = frozenset()
    named_by = "PolicyName"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._find(call, properties["PolicyName"]) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await self._put(call, properties)
        return Made(properties["PolicyName"])

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._put(call, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "logs", "DeleteResourcePolicy", policyName=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        document = await self._find(call, made.physical_id)
        if document is None:
            return None
        seen = document_seen(properties["PolicyDocument"], document)
        return {"PolicyName": made.physical_id, "PolicyDocument": seen}

    async def _put(self, call: Caller, properties: Mapping[str, Any]) -> None:
        document = text(properties["PolicyDocument"])
        await call("logs", "PutResourcePolicy", policyName=properties["PolicyName"], policyDocument=document)

    async def _find(self, call: Caller, name: str) -> str | None:
        """The document. There are ten policies at most, which is less than a page."""
        for one in (await call("logs", "DescribeResourcePolicies"))["resourcePolicies"]:
            if one["policyName"] == name:
                return str(one["policyDocument"])
        return None
