"""Operations on integrations."""

from typing import TYPE_CHECKING, Any, Final

from mayfly.services.apis import templates
from mayfly.services.apis.http import catalog, checks, faults
from mayfly.services.apis.http.editing import Editing, picked, shown
from mayfly.services.apis.http.model import HTTP_TIMEOUT_MS, WEBSOCKET_TIMEOUT_MS, Api, Members, Part
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_apigatewayv2.type_defs import (
        CreateIntegrationRequestTypeDef,
        DeleteIntegrationRequestTypeDef,
        GetIntegrationRequestTypeDef,
        GetIntegrationsRequestTypeDef,
        UpdateIntegrationRequestTypeDef,
    )

FIELDS: Final = (
    "ConnectionId",
    "ConnectionType",
    "ContentHandlingStrategy",
    "CredentialsArn",
    "Description",
    "IntegrationMethod",
    "IntegrationSubtype",
    "IntegrationType",
    "IntegrationUri",
    "PassthroughBehavior",
    "PayloadFormatVersion",
    "RequestParameters",
    "RequestTemplates",
    "ResponseParameters",
    "TemplateSelectionExpression",
    "TimeoutInMillis",
    "TlsConfig",
)


class IntegrationOperations:
    """Integrations."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("CreateIntegration")
    async def create(self, context: RequestContext, request: "CreateIntegrationRequestTypeDef") -> dict[str, Any]:
        members = picked(request, FIELDS)
        await templates.check_put(members.get("RequestTemplates"))
        return shown(await self._editing.create(context, request["ApiId"], "integration", members, _checked))

    @operation("GetIntegration")
    async def get(self, context: RequestContext, request: "GetIntegrationRequestTypeDef") -> dict[str, Any]:
        return shown(await self._editing.get(request["ApiId"], "integration", request["IntegrationId"]))

    @operation("GetIntegrations")
    async def list(self, context: RequestContext, request: "GetIntegrationsRequestTypeDef") -> dict[str, Any]:
        return await self._editing.list(request, "integration")

    @operation("UpdateIntegration")
    async def update(self, context: RequestContext, request: "UpdateIntegrationRequestTypeDef") -> dict[str, Any]:
        await templates.check_put(request.get("RequestTemplates"))

        def change(old: Members) -> Members:
            new = checks.updated(old, request, FIELDS)
            for name in ("RequestParameters", "RequestTemplates"):
                if name in request:
                    new[name] = checks.merged(old.get(name, {}), request[name])
            if "ResponseParameters" in request:
                responses = {**old.get("ResponseParameters", {}), **request["ResponseParameters"]}
                new["ResponseParameters"] = {status: changes for status, changes in responses.items() if changes}
            return new

        found = await self._editing.update(
            request["ApiId"],
            "integration",
            request["IntegrationId"],
            change,
            lambda tx, api, part: check(api, part.members),
        )
        return shown(found)

    @operation("DeleteIntegration")
    async def delete(self, context: RequestContext, request: "DeleteIntegrationRequestTypeDef") -> dict[str, Any]:
        api_id, part_id = request["ApiId"], request["IntegrationId"]

        def unused(tx: Tx) -> None:
            for route in catalog.every(tx, api_id, "route"):
                if route.members.get("Target") == f"integrations/{part_id}":
                    raise faults.conflict(
                        f"Cannot delete Integration '{part_id}', it is referenced by Routes: "
                        f"'{route.members['RouteKey']}'"
                    )

        return await self._editing.delete(api_id, "integration", part_id, check=unused, children="integration-response")


def complete(api: Api, members: Members) -> None:
    """Fill in what an integration has where nothing is said."""
    members.setdefault("ConnectionType", "INTERNET")
    if api.protocol == "HTTP":
        members.setdefault("TimeoutInMillis", HTTP_TIMEOUT_MS)
        if members["IntegrationType"] == "AWS_PROXY" and "IntegrationSubtype" not in members:
            members.setdefault("IntegrationMethod", "POST")
        return
    members.setdefault("TimeoutInMillis", WEBSOCKET_TIMEOUT_MS)
    members.setdefault("PassthroughBehavior", "WHEN_NO_MATCH")
    members.setdefault("PayloadFormatVersion", "1.0")
    if members["IntegrationType"] != "AWS_PROXY":
        members.setdefault("IntegrationResponseSelectionExpression", "${integration.response.statuscode}")


def check(api: Api, members: Members) -> None:
    checks.check_integration(api, members)


def _checked(tx: Tx, api: Api, part: Part) -> None:
    complete(api, part.members)
    check(api, part.members)
