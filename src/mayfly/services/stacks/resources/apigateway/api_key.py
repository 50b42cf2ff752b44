"""AWS::ApiGateway::ApiKey: a key that clients send, so that a usage plan can count them."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE, scalars
from mayfly.services.stacks.resources.apigateway.tagging import retag, tags_in
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import observed, tags_seen
from mayfly.services.stacks.resources.schema import BOOLEAN, STRING, TAGS, Items, fields

_PATHS = {"CustomerId": "/customerId", "Description": "/description", "Enabled": "/enabled", "Name": "/name"}
_WIRE = {"CustomerId": "customerId", "Description": "description", "Enabled": "enabled", "Value": "value"}


class ApiKey(Unnamed):
    name = "AWS::ApiGateway::ApiKey"
    schema = fields(
        "",
        CustomerId=STRING,
        Description=STRING,
        Enabled=BOOLEAN,
        GenerateDistinctId=BOOLEAN,
        Name=STRING,
        StageKeys=Items(fields("", RestApiId=STRING, StageName=STRING)),
        Tags=TAGS,
        Value=STRING,
    )
    replaced_by = frozenset({"GenerateDistinctId", "Name", "StageKeys", "Value"})
    attributes = frozenset({"APIKeyId"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        said = {wire: properties[name] for name, wire in _WIRE.items() if name in properties}
        stages = [
            {"restApiId": one["RestApiId"], "stageName": one["StageName"]} for one in properties.get("StageKeys", ())
        ]
        made = await call.once(
            target,
            "apigateway",
            "CreateApiKey",
            name=properties.get("Name", target.name(128)),
            **said,
            **tags_in(properties),
            **({"stageKeys": stages} if stages else {}),
        )
        return Made(made["id"], {"APIKeyId": made["id"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        defaults = {"CustomerId": "", "Description": "", "Enabled": "false"}
        if patches := scalars(old, new, {one: path for one, path in _PATHS.items() if one != "Name"}, defaults):
            await call("apigateway", "UpdateApiKey", apiKey=made.physical_id, patchOperations=patches)
        await retag(call, target, f"/apikeys/{made.physical_id}", old, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "apigateway", "DeleteApiKey", apiKey=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "apigateway", "GetApiKey", apiKey=made.physical_id)
        if found is None:
            return None
        truth = {
            "CustomerId": found.get("customerId") or None,
            "Description": found.get("description") or None,
            "Enabled": found["enabled"],
        }
        unseen = ("GenerateDistinctId", "Name", "StageKeys", "Value")
        return observed(properties, truth, *unseen, defaults={"Enabled": False}) | tags_seen(
            properties, found.get("tags", {})
        )
