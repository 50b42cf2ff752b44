"""AWS::ApiGateway::UsagePlanKey: a key in a usage plan."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import STRING, fields


class UsagePlanKey:
    name = "AWS::ApiGateway::UsagePlanKey"
    schema = fields("KeyId KeyType UsagePlanId", KeyId=STRING, KeyType=STRING, UsagePlanId=STRING)
    replaced_by = frozenset({"KeyId", "KeyType", "UsagePlanId"})
    attributes = frozenset({"Id"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(80)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return f"{properties['KeyId']}:{properties['UsagePlanId']}"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await call.unless(GONE, "apigateway", "GetUsagePlanKey", **_where(properties)) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        kind = {"keyType": properties["KeyType"]}
        await call.once(target, "apigateway", "CreateUsagePlanKey", **_where(properties), **kind)
        name = f"{properties['KeyId']}:{properties['UsagePlanId']}"
        return Made(name, {"Id": name})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "apigateway", "DeleteUsagePlanKey", **_where(properties))

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "apigateway", "GetUsagePlanKey", **_where(properties))
        if found is None:
            return None
        return observed(properties, {"KeyType": found["type"]}, "KeyId", "UsagePlanId")


def _where(properties: Mapping[str, Any]) -> dict[str, str]:
    return {"usagePlanId": properties["UsagePlanId"], "keyId": properties["KeyId"]}
