"""AWS::ApiGateway::DocumentationPart and ::DocumentationVersion: what is said of an API, and copies of all of it."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE
from mayfly.services.stacks.resources.base import Caller, Made, Target, changed
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import STRING, fields

_PLACE = {"Method": "method", "Name": "name", "Path": "path", "StatusCode": "statusCode", "Type": "type"}


class DocumentationPart(Unnamed):
    name = "AWS::ApiGateway::DocumentationPart"
    schema = fields(
        "Location Properties RestApiId",
        Location=fields("", Method=STRING, Name=STRING, Path=STRING, StatusCode=STRING, Type=STRING),
        Properties=STRING,
        RestApiId=STRING,
    )
    replaced_by = frozenset({"Location", "RestApiId"})
    attributes = frozenset({"DocumentationPartId"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        location = {_PLACE[name]: value for name, value in properties["Location"].items()}
        made = await call.once(
            target,
            "apigateway",
            "CreateDocumentationPart",
            restApiId=properties["RestApiId"],
            location=location,
            properties=properties["Properties"],
        )
        return Made(made["id"], {"DocumentationPartId": made["id"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        if changed(old, new, "Properties"):
            patch = {"op": "replace", "path": "/properties", "value": new["Properties"]}
            await call("apigateway", "UpdateDocumentationPart", **_part(made, new), patchOperations=[patch])
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "apigateway", "DeleteDocumentationPart", **_part(made, properties))

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "apigateway", "GetDocumentationPart", **_part(made, properties))
        if found is None:
            return None
        return observed(properties, {"Properties": found["properties"]}, "Location", "RestApiId")


class DocumentationVersion:
    name = "AWS::ApiGateway::DocumentationVersion"
    schema = fields("DocumentationVersion RestApiId", Description=STRING, DocumentationVersion=STRING, RestApiId=STRING)
    replaced_by = frozenset({"DocumentationVersion", "RestApiId"})
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties["DocumentationVersion"])

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return f"{properties['RestApiId']}/{properties['DocumentationVersion']}"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await call.unless(GONE, "apigateway", "GetDocumentationVersion", **_version(properties)) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        description = {"description": properties["Description"]} if "Description" in properties else {}
        await call.once(target, "apigateway", "CreateDocumentationVersion", **_version(properties), **description)
        return Made(self.physical_id(target, properties))

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        if changed(old, new, "Description"):
            patch = {"op": "replace", "path": "/description", "value": new.get("Description", "")}
            await call("apigateway", "UpdateDocumentationVersion", **_version(new), patchOperations=[patch])
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "apigateway", "DeleteDocumentationVersion", **_version(properties))

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "apigateway", "GetDocumentationVersion", **_version(properties))
        if found is None:
            return None
        truth = {"Description": found.get("description") or None}
        return observed(properties, truth, "DocumentationVersion", "RestApiId")


def _part(made: Made, properties: Mapping[str, Any]) -> dict[str, str]:
    return {"restApiId": properties["RestApiId"], "documentationPartId": made.physical_id}


def _version(properties: Mapping[str, Any]) -> dict[str, str]:
    return {"restApiId": properties["RestApiId"], "documentationVersion": properties["DocumentationVersion"]}
