"""AWS::SecretsManager::ResourcePolicy: the policy of a secret. Its Ref is the secret's ARN."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import document_seen, observed
from mayfly.services.stacks.resources.schema import BOOLEAN, JSON, STRING, fields
from mayfly.services.stacks.resources.secretsmanager.secret import GONE


class ResourcePolicy(Unnamed):
    name = "AWS::SecretsManager::ResourcePolicy"
    schema = fields("SecretId ResourcePolicy", SecretId=STRING, ResourcePolicy=JSON, BlockPublicPolicy=BOOLEAN)
    replaced_by = frozenset({"SecretId"})
    attributes = frozenset({"Id"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        return await self._put(call, properties)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        if changed(old, new, "ResourcePolicy", "BlockPublicPolicy"):
            await self._put(call, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        secret = made.physical_id if made.physical_id.startswith("arn:") else properties["SecretId"]
        await call.unless(f"{GONE} InvalidRequestException", "secretsmanager", "DeleteResourcePolicy", SecretId=secret)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "secretsmanager", "GetResourcePolicy", SecretId=made.physical_id)
        if found is None or "ResourcePolicy" not in found:
            return None
        seen = document_seen(properties["ResourcePolicy"], found["ResourcePolicy"])
        return observed(properties, {"ResourcePolicy": seen}, "SecretId", "BlockPublicPolicy")

    async def _put(self, call: Caller, properties: Mapping[str, Any]) -> Made:
        policy = properties["ResourcePolicy"]
        reply = await call(
            "secretsmanager",
            "PutResourcePolicy",
            SecretId=properties["SecretId"],
            ResourcePolicy=policy if isinstance(policy, str) else json.dumps(policy),
            BlockPublicPolicy=properties.get("BlockPublicPolicy", False),
        )
        return Made(reply["ARN"], {"Id": reply["ARN"]})
