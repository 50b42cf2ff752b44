"""AWS::ApiGateway::Model: the JSON schema of a body."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE
from mayfly.services.stacks.resources.base import Caller, Made, Target, changed
from mayfly.services.stacks.resources.reading import document_seen, observed
from mayfly.services.stacks.resources.schema import JSON, STRING, fields


class Model:
    name = "AWS::ApiGateway::Model"
    schema = fields("RestApiId", ContentType=STRING, Description=STRING, Name=STRING, RestApiId=STRING, Schema=JSON)
    replaced_by = frozenset({"ContentType", "Name", "RestApiId"})
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        made_up = "".join(one for one in target.name(60) if one.isalnum())
        return str(properties.get("Name") or made_up)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        name = properties.get("Name")
        return f"{properties['RestApiId']}/{name}" if name else None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._find(call, self.physical_id(target, properties), properties) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        description = {"description": properties["Description"]} if "Description" in properties else {}
        await call.once(
            target,
            "apigateway",
            "CreateModel",
            restApiId=properties["RestApiId"],
            name=name,
            contentType=properties.get("ContentType", "application/json"),
            schema=_schema(properties),
            **description,
        )
        return Made(name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        patches = []
        if changed(old, new, "Schema"):
            patches.append({"op": "replace", "path": "/schema", "value": _schema(new)})
        if changed(old, new, "Description"):
            patches.append({"op": "replace", "path": "/description", "value": new.get("Description", "")})
        if patches:
            await call(
                "apigateway",
                "UpdateModel",
                restApiId=new["RestApiId"],
                modelName=made.physical_id,
                patchOperations=patches,
            )
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        where = {"restApiId": properties["RestApiId"], "modelName": made.physical_id}
        await call.unless(GONE, "apigateway", "DeleteModel", **where)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await self._find(call, made.physical_id, properties)
        if found is None:
            return None
        truth = {
            "ContentType": found["contentType"],
            "Description": found.get("description") or None,
            "Schema": document_seen(properties.get("Schema"), found.get("schema")),
        }
        defaults = {"ContentType": "application/json", "Schema": {"type": "object"}}
        return observed(properties, truth, "Name", "RestApiId", defaults=defaults)

    async def _find(self, call: Caller, name: str, properties: Mapping[str, Any]) -> dict[str, Any] | None:
        return await call.unless(GONE, "apigateway", "GetModel", restApiId=properties["RestApiId"], modelName=name)


def _schema(properties: Mapping[str, Any]) -> str:
    schema = properties.get("Schema", {"type": "object"})
    return schema if isinstance(schema, str) else json.dumps(schema)
