"""Operations on APIs themselves, quick creation and CORS included."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from mayfly import ids
from mayfly.services import page_tokens
from mayfly.services.apis.directory import Directory, new_id
from mayfly.services.apis.http import catalog, checks, deploying, faults
from mayfly.services.apis.http.editing import Editing, named, page_after, page_limit, picked
from mayfly.services.apis.http.model import DEFAULT, MAX_APIS, Api, Members, Part
from mayfly.services.apis.http.operations import integrations, routes, stages
from mayfly.services.apis.parts import PATH
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_apigatewayv2.type_defs import (
        CreateApiRequestTypeDef,
        DeleteApiRequestTypeDef,
        DeleteCorsConfigurationRequestTypeDef,
        GetApiRequestTypeDef,
        GetApisRequestTypeDef,
        UpdateApiRequestTypeDef,
    )

FIELDS: Final = (
    "ApiKeySelectionExpression",
    "CorsConfiguration",
    "Description",
    "DisableExecuteApiEndpoint",
    "DisableSchemaValidation",
    "IpAddressType",
    "Name",
    "RouteSelectionExpression",
    "Tags",
    "Version",
)


class ApiOperations:
    """APIs."""

    def __init__(self, editing: Editing, directory: Directory) -> None:
        self._editing = editing
        self._directory = directory

    @operation("CreateApi")
    async def create(self, context: RequestContext, request: "CreateApiRequestTypeDef") -> dict[str, Any]:
        protocol = request["ProtocolType"]
        if protocol not in ("HTTP", "WEBSOCKET"):
            raise faults.bad("Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]")
        given = named(context, 10)
        api = Api(given or new_id(), protocol, complete(protocol, picked(request, FIELDS), self._editing.now()))
        if request.get("Target") is None and (request.get("RouteKey") or request.get("CredentialsArn")):
            raise faults.bad("RouteKey and CredentialsArn require a target")

        def body(tx: Tx) -> Api:
            before = catalog.find_api(tx, api.id) if given is not None else None
            if before is not None:
                return before
            self.add(tx, api)
            if "Target" in request:
                self._quick(tx, api, request)
            return api

        return described(await self._editing.store.write(body), context)

    def add(self, tx: Tx, api: Api) -> None:
        """Enter a new API; BadRequestException where there are too many."""
        if catalog.count_apis(tx) >= MAX_APIS:
            raise faults.too_many("api", MAX_APIS)
        if not self._directory.add(tx, api.id, "http" if api.protocol == "HTTP" else "websocket"):
            raise faults.conflict(
                "Unable to complete operation due to concurrent modification. Please try again later."
            )
        catalog.put_api(tx, api)
        self._editing.tell(tx, api.id)

    @operation("GetApi")
    async def get(self, context: RequestContext, request: "GetApiRequestTypeDef") -> dict[str, Any]:
        found = await self._editing.store.read(lambda reader: catalog.api(reader, request["ApiId"]))
        return described(found, context)

    @operation("GetApis")
    async def list(self, context: RequestContext, request: "GetApisRequestTypeDef") -> dict[str, Any]:
        limit, after = page_limit(request), page_after(request)
        found = await self._editing.store.read(lambda reader: catalog.apis(reader, after, limit + 1))
        reply: dict[str, Any] = {"Items": [described(api, context) for api in found[:limit]]}
        if len(found) > limit:
            reply["NextToken"] = page_tokens.encode(found[limit - 1].id)
        return reply

    @operation("UpdateApi")
    async def update(self, context: RequestContext, request: "UpdateApiRequestTypeDef") -> dict[str, Any]:
        api_id = request["ApiId"]

        def body(tx: Tx) -> Api:
            before = catalog.api(tx, api_id)
            members = checks.updated(before.members, request, [name for name in FIELDS if name != "Tags"])
            check(before.protocol, members)
            after = replace(before, members=members)
            catalog.put_api(tx, after)
            if any(name in request for name in ("Target", "RouteKey", "CredentialsArn")):
                _change_quick(tx, after, request)
            self._editing.changed(tx, api_id)
            return after

        return described(await self._editing.store.write(body), context)

    @operation("DeleteApi")
    async def delete(self, context: RequestContext, request: "DeleteApiRequestTypeDef") -> dict[str, Any]:
        api_id = request["ApiId"]

        def body(tx: Tx) -> None:
            catalog.remove_api(tx, api_id)
            self._directory.remove(tx, api_id)
            self._editing.tell(tx, api_id)

        await self._editing.store.write(body)
        return {}

    @operation("DeleteCorsConfiguration")
    async def delete_cors(
        self, context: RequestContext, request: "DeleteCorsConfigurationRequestTypeDef"
    ) -> dict[str, Any]:
        def body(tx: Tx) -> None:
            api = catalog.api(tx, request["ApiId"])
            members = {name: value for name, value in api.members.items() if name != "CorsConfiguration"}
            catalog.put_api(tx, replace(api, members=members))
            self._editing.changed(tx, api.id)

        await self._editing.store.write(body)
        return {}

    def _quick(self, tx: Tx, api: Api, request: "CreateApiRequestTypeDef") -> None:
        """An integration with the target, a route to it and the stage `$default`, which follows changes."""
        if api.protocol != "HTTP":
            raise faults.bad("Quick create is only supported for HTTP APIs")
        members = quick_integration(request["Target"], request.get("CredentialsArn"))
        integrations.complete(api, members)
        integrations.check(api, members)
        integration = Part("integration", ids.token(7), members)
        catalog.put(tx, api.id, integration)
        route = Part(
            "route",
            ids.token(7),
            {
                "ApiGatewayManaged": True,
                "ApiKeyRequired": False,
                "AuthorizationType": "NONE",
                "RouteKey": request.get("RouteKey") or DEFAULT,
                "Target": f"integrations/{integration.id}",
            },
        )
        routes.check(tx, api, route)
        catalog.put(tx, api.id, route)
        now = self._editing.now()
        stage = Part("stage", DEFAULT, stages.fresh({"ApiGatewayManaged": True, "AutoDeploy": True}, now))
        catalog.put(tx, api.id, stage)
        deploying.follow(tx, api.id, [stage], now)


def quick_integration(target: str, credentials: str | None) -> Members:
    """The integration with a function or with an address."""
    members: Members = {"ApiGatewayManaged": True, "ConnectionType": "INTERNET", "IntegrationUri": target}
    if checks.function_of(target) is not None:
        members |= {"IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0"}
    else:
        members |= {"IntegrationType": "HTTP_PROXY", "PayloadFormatVersion": "1.0", "IntegrationMethod": route_method()}
    if credentials is not None:
        members["CredentialsArn"] = credentials
    return members


def route_method() -> str:
    """Of what a quickly created API sends on: the client's own."""
    return "ANY"


def _change_quick(tx: Tx, api: Api, request: Mapping[str, Any]) -> None:
    """Change what quick creation has made."""
    managed = [part for part in catalog.every(tx, api.id, "route") if part.members.get("ApiGatewayManaged")]
    if not managed:
        raise faults.bad("Target, RouteKey and CredentialsArn can only be updated for quick create APIs")
    route = managed[0]
    if "RouteKey" in request:
        route = replace(route, members={**route.members, "RouteKey": request["RouteKey"]})
        routes.check(tx, api, route)
        catalog.put(tx, api.id, route)
    integration = catalog.part(tx, api.id, "integration", route.members["Target"].partition("/")[2])
    if "Target" in request or "CredentialsArn" in request:
        target = request.get("Target", integration.members["IntegrationUri"])
        credentials = request.get("CredentialsArn", integration.members.get("CredentialsArn"))
        members = quick_integration(target, credentials)
        integrations.complete(api, members)
        integrations.check(api, members)
        catalog.put(tx, api.id, replace(integration, members=members))


def complete(protocol: str, members: Members, now: Any) -> Members:
    """The members of a new API; BadRequestException."""
    check(protocol, members)
    if protocol == "HTTP":
        members["RouteSelectionExpression"] = checks.HTTP_SELECTION
    return {
        "ApiKeySelectionExpression": checks.API_KEY_SELECTION,
        "CreatedDate": now,
        "DisableExecuteApiEndpoint": False,
        "IpAddressType": "ipv4",
        "Tags": {},
        **members,
    }


def check(protocol: str, members: Members) -> None:
    checks.check_selection(protocol, members)
    checks.check_cors(protocol, members.get("CorsConfiguration"))
    checks.check_tags(members.get("Tags", {}))


def described(api: Api, context: RequestContext) -> dict[str, Any]:
    """An API as the operations show it. Its endpoint is the form that needs no DNS;
    `<id>.execute-api.<region>.<any host>` reaches the same."""
    endpoint = f"{context.endpoint}{PATH}{api.id}"
    if api.protocol == "WEBSOCKET":
        endpoint = "ws" + endpoint.removeprefix("http")
    return {**api.members, "ApiId": api.id, "ProtocolType": api.protocol, "ApiEndpoint": endpoint}
