"""Operations on routes."""

from typing import TYPE_CHECKING, Any, Final

from mayfly.services.apis.http import catalog, checks, faults
from mayfly.services.apis.http.editing import Editing, picked, shown
from mayfly.services.apis.http.model import Api, Members, Part
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Reader, Tx

if TYPE_CHECKING:
    from types_boto3_apigatewayv2.type_defs import (
        CreateRouteRequestTypeDef,
        DeleteRouteRequestParameterRequestTypeDef,
        DeleteRouteRequestTypeDef,
        GetRouteRequestTypeDef,
        GetRoutesRequestTypeDef,
        UpdateRouteRequestTypeDef,
    )

FIELDS: Final = (
    "ApiKeyRequired",
    "AuthorizationScopes",
    "AuthorizationType",
    "AuthorizerId",
    "ModelSelectionExpression",
    "OperationName",
    "RequestModels",
    "RequestParameters",
    "RouteKey",
    "RouteResponseSelectionExpression",
    "Target",
)
_AUTHORIZED = {"JWT": "JWT", "CUSTOM": "REQUEST"}


class RouteOperations:
    """Routes."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("CreateRoute")
    async def create(self, context: RequestContext, request: "CreateRouteRequestTypeDef") -> dict[str, Any]:
        members = {"ApiKeyRequired": False, "AuthorizationType": "NONE"} | picked(request, FIELDS)
        return shown(await self._editing.create(context, request["ApiId"], "route", members, check))

    @operation("GetRoute")
    async def get(self, context: RequestContext, request: "GetRouteRequestTypeDef") -> dict[str, Any]:
        return shown(await self._editing.get(request["ApiId"], "route", request["RouteId"]))

    @operation("GetRoutes")
    async def list(self, context: RequestContext, request: "GetRoutesRequestTypeDef") -> dict[str, Any]:
        return await self._editing.list(request, "route")

    @operation("UpdateRoute")
    async def update(self, context: RequestContext, request: "UpdateRouteRequestTypeDef") -> dict[str, Any]:
        def change(old: Members) -> Members:
            new = checks.updated(old, request, FIELDS)
            if new.get("AuthorizationType") in ("NONE", "AWS_IAM"):
                new.pop("AuthorizerId", None)
                new.pop("AuthorizationScopes", None)
            return {name: value for name, value in new.items() if value != ""}

        return shown(await self._editing.update(request["ApiId"], "route", request["RouteId"], change, check))

    @operation("DeleteRoute")
    async def delete(self, context: RequestContext, request: "DeleteRouteRequestTypeDef") -> dict[str, Any]:
        return await self._editing.delete(request["ApiId"], "route", request["RouteId"], children="route-response")

    @operation("DeleteRouteRequestParameter")
    async def delete_parameter(
        self, context: RequestContext, request: "DeleteRouteRequestParameterRequestTypeDef"
    ) -> dict[str, Any]:
        key = request["RequestParameterKey"]

        def change(old: Members) -> Members:
            given = dict(old.get("RequestParameters", {}))
            if given.pop(key, None) is None:
                raise faults.not_found(f"Invalid request parameter key specified {key}")
            return {**old, "RequestParameters": given}

        await self._editing.update(request["ApiId"], "route", request["RouteId"], change, check)
        return {}


def check(tx: Tx, api: Api, route: Part) -> None:
    """A route among those of its API; BadRequestException or ConflictException."""
    check_alone(tx, api, route.members)
    key = route.members["RouteKey"]
    for other in catalog.every(tx, api.id, "route"):
        if other.id != route.id and other.members["RouteKey"] == key:
            raise faults.conflict(f"Route with key {key} already exists for this API")


def check_alone(tx: Tx, api: Api, members: Members) -> None:
    """A route with all that it refers to; BadRequestException."""
    checks.check_route(api, members)
    target = members.get("Target")
    if target is not None and catalog.find(tx, api.id, "integration", target.partition("/")[2]) is None:
        raise faults.bad(f"Invalid integration identifier specified {target.partition('/')[2]}")
    _check_authorizer(tx, api, members)


def _check_authorizer(reader: Reader, api: Api, members: Members) -> None:
    kind = members.get("AuthorizationType", "NONE")
    wanted = _AUTHORIZED.get(kind)
    if wanted is None:
        if members.get("AuthorizerId"):
            raise faults.bad(f"Authorizers are not supported for authorization type {kind}")
        return
    found = catalog.find(reader, api.id, "authorizer", members.get("AuthorizerId", ""))
    if found is None or found.members["AuthorizerType"] != wanted:
        named = "JWT" if kind == "JWT" else "CUSTOM"
        raise faults.bad(
            f"Invalid authorizer ID specified. Setting the authorization type to {kind} requires a valid "
            f"{named} authorizer."
        )
