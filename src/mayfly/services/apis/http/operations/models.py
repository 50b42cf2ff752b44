"""Operations on models, and on the responses of routes and integrations, which WebSocket APIs have."""

import json
from typing import TYPE_CHECKING, Any, Final

from mayfly.services.apis import templates
from mayfly.services.apis.http import catalog, checks, faults
from mayfly.services.apis.http.editing import Editing, picked, shown
from mayfly.services.apis.http.model import Api, Kind, Members, Part
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_apigatewayv2.type_defs import (
        CreateModelRequestTypeDef,
        DeleteModelRequestTypeDef,
        GetModelRequestTypeDef,
        GetModelsRequestTypeDef,
        GetModelTemplateRequestTypeDef,
        UpdateModelRequestTypeDef,
    )

FIELDS: Final = ("ContentType", "Description", "Name", "Schema")


class ModelOperations:
    """Models."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("CreateModel")
    async def create(self, context: RequestContext, request: "CreateModelRequestTypeDef") -> dict[str, Any]:
        members = {"ContentType": "application/json"} | picked(request, FIELDS)
        return shown(await self._editing.create(context, request["ApiId"], "model", members, _check))

    @operation("GetModel")
    async def get(self, context: RequestContext, request: "GetModelRequestTypeDef") -> dict[str, Any]:
        return shown(await self._editing.get(request["ApiId"], "model", request["ModelId"]))

    @operation("GetModels")
    async def list(self, context: RequestContext, request: "GetModelsRequestTypeDef") -> dict[str, Any]:
        return await self._editing.list(request, "model")

    @operation("GetModelTemplate")
    async def template(self, context: RequestContext, request: "GetModelTemplateRequestTypeDef") -> dict[str, Any]:
        found = await self._editing.get(request["ApiId"], "model", request["ModelId"])
        return {"Value": sample(json.loads(found.members.get("Schema") or "{}"))}

    @operation("UpdateModel")
    async def update(self, context: RequestContext, request: "UpdateModelRequestTypeDef") -> dict[str, Any]:
        def change(old: Members) -> Members:
            return checks.updated(old, request, FIELDS)

        return shown(await self._editing.update(request["ApiId"], "model", request["ModelId"], change, _check))

    @operation("DeleteModel")
    async def delete(self, context: RequestContext, request: "DeleteModelRequestTypeDef") -> dict[str, Any]:
        return await self._editing.delete(request["ApiId"], "model", request["ModelId"])


def _check(tx: Tx, api: Api, model: Part) -> None:
    checks.check_model(model.members)
    schema = model.members.get("Schema")
    if schema:
        try:
            known = isinstance(json.loads(schema), dict)
        except (ValueError, RecursionError):
            known = False
        if not known:
            raise faults.bad("Invalid model schema specified. It must be a JSON object")
    for other in catalog.every(tx, api.id, "model"):
        if other.id != model.id and other.members["Name"] == model.members["Name"]:
            raise faults.conflict(f"Model name must be unique. Model {other.members['Name']} already exists.")


def sample(schema: Any, name: str = "$inputRoot", depth: int = 0) -> str:
    """A mapping template that has every property of a schema once."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or depth > 16:
        return "{ }" if depth == 0 else '""'
    pad = "  " * (depth + 1)
    lines = []
    for key, each in properties.items():
        kind = each.get("type") if isinstance(each, dict) else None
        if kind == "object":
            value = sample(each, f"{name}.{key}", depth + 1)
        else:
            value = {"string": '"foo"', "integer": "42", "number": "42", "boolean": "true", "array": "[ ]"}.get(
                str(kind), '""'
            )
        lines.append(f"{pad}{json.dumps(key)} : {value}")
    return "{\n" + ",\n".join(lines) + "\n" + "  " * depth + "}"


class _ResponseOperations:
    """What the responses of routes and of integrations have in common."""

    kind: Kind
    parent_kind: Kind
    parent_id: str
    key: str
    fields: tuple[str, ...]

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    async def _create(self, context: RequestContext, request: Any) -> dict[str, Any]:
        parent = request[self.parent_id]
        members = picked(request, self.fields)
        found = await self._editing.create(context, request["ApiId"], self.kind, members, self._check, parent)
        return shown(found)

    async def _get(self, request: Any, part_id: str) -> dict[str, Any]:
        return shown(await self._editing.get(request["ApiId"], self.kind, part_id, request[self.parent_id]))

    async def _list(self, request: Any) -> dict[str, Any]:
        await self._editing.get(request["ApiId"], self.parent_kind, request[self.parent_id])
        return await self._editing.list(request, self.kind, request[self.parent_id])

    async def _update(self, request: Any, part_id: str) -> dict[str, Any]:
        def change(old: Members) -> Members:
            return checks.updated(old, request, self.fields)

        parent = request[self.parent_id]
        return shown(await self._editing.update(request["ApiId"], self.kind, part_id, change, self._check, parent))

    async def _delete(self, request: Any, part_id: str) -> dict[str, Any]:
        return await self._editing.delete(request["ApiId"], self.kind, part_id, request[self.parent_id])

    def _check(self, tx: Tx, api: Api, part: Part) -> None:
        catalog.part(tx, api.id, self.parent_kind, part.parent)
        if api.protocol != "WEBSOCKET":
            raise faults.bad(f"{self.key.removesuffix('Key')}s are only supported for WEBSOCKET APIs")
        for other in catalog.page(tx, api.id, self.kind, part.parent, "", 10_000):
            if other.id != part.id and other.members[self.key] == part.members[self.key]:
                raise faults.conflict(
                    f"{self.key.removesuffix('Key')} with key {part.members[self.key]} already exists"
                )


class RouteResponseOperations(_ResponseOperations):
    """Responses of routes."""

    kind = "route-response"
    parent_kind = "route"
    parent_id = "RouteId"
    key = "RouteResponseKey"
    fields = ("ModelSelectionExpression", "ResponseModels", "ResponseParameters", "RouteResponseKey")

    @operation("CreateRouteResponse")
    async def create(self, context: RequestContext, request: Any) -> dict[str, Any]:
        return await self._create(context, request)

    @operation("GetRouteResponse")
    async def get(self, context: RequestContext, request: Any) -> dict[str, Any]:
        return await self._get(request, request["RouteResponseId"])

    @operation("GetRouteResponses")
    async def list(self, context: RequestContext, request: Any) -> dict[str, Any]:
        return await self._list(request)

    @operation("UpdateRouteResponse")
    async def update(self, context: RequestContext, request: Any) -> dict[str, Any]:
        return await self._update(request, request["RouteResponseId"])

    @operation("DeleteRouteResponse")
    async def delete(self, context: RequestContext, request: Any) -> dict[str, Any]:
        return await self._delete(request, request["RouteResponseId"])


class IntegrationResponseOperations(_ResponseOperations):
    """Responses of integrations."""

    kind = "integration-response"
    parent_kind = "integration"
    parent_id = "IntegrationId"
    key = "IntegrationResponseKey"
    fields = (
        "ContentHandlingStrategy",
        "IntegrationResponseKey",
        "ResponseParameters",
        "ResponseTemplates",
        "TemplateSelectionExpression",
    )

    @operation("CreateIntegrationResponse")
    async def create(self, context: RequestContext, request: Any) -> dict[str, Any]:
        await templates.check_put(request.get("ResponseTemplates"))
        return await self._create(context, request)

    @operation("GetIntegrationResponse")
    async def get(self, context: RequestContext, request: Any) -> dict[str, Any]:
        return await self._get(request, request["IntegrationResponseId"])

    @operation("GetIntegrationResponses")
    async def list(self, context: RequestContext, request: Any) -> dict[str, Any]:
        return await self._list(request)

    @operation("UpdateIntegrationResponse")
    async def update(self, context: RequestContext, request: Any) -> dict[str, Any]:
        await templates.check_put(request.get("ResponseTemplates"))
        return await self._update(request, request["IntegrationResponseId"])

    @operation("DeleteIntegrationResponse")
    async def delete(self, context: RequestContext, request: Any) -> dict[str, Any]:
        return await self._delete(request, request["IntegrationResponseId"])
