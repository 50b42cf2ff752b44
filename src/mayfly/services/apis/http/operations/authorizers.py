"""Operations on authorizers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mayfly.services.apis.http import catalog, checks, faults
from mayfly.services.apis.http.editing import Editing, picked, shown
from mayfly.services.apis.http.model import Api, Members, Part
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_apigatewayv2.type_defs import (
        CreateAuthorizerRequestTypeDef,
        DeleteAuthorizerRequestTypeDef,
        GetAuthorizerRequestTypeDef,
        GetAuthorizersRequestTypeDef,
        ResetAuthorizersCacheRequestTypeDef,
        UpdateAuthorizerRequestTypeDef,
    )

FIELDS: Final = (
    "AuthorizerCredentialsArn",
    "AuthorizerPayloadFormatVersion",
    "AuthorizerResultTtlInSeconds",
    "AuthorizerType",
    "AuthorizerUri",
    "EnableSimpleResponses",
    "IdentitySource",
    "IdentityValidationExpression",
    "JwtConfiguration",
    "Name",
)


class AuthorizerOperations:
    """Authorizers. `reset` drops what the authorizers of a stage have decided."""

    def __init__(self, editing: Editing, reset: Callable[[str], None]) -> None:
        self._editing = editing
        self._reset = reset

    @operation("CreateAuthorizer")
    async def create(self, context: RequestContext, request: "CreateAuthorizerRequestTypeDef") -> dict[str, Any]:
        members = picked(request, FIELDS)
        return shown(await self._editing.create(context, request["ApiId"], "authorizer", members, check))

    @operation("GetAuthorizer")
    async def get(self, context: RequestContext, request: "GetAuthorizerRequestTypeDef") -> dict[str, Any]:
        return shown(await self._editing.get(request["ApiId"], "authorizer", request["AuthorizerId"]))

    @operation("GetAuthorizers")
    async def list(self, context: RequestContext, request: "GetAuthorizersRequestTypeDef") -> dict[str, Any]:
        return await self._editing.list(request, "authorizer")

    @operation("UpdateAuthorizer")
    async def update(self, context: RequestContext, request: "UpdateAuthorizerRequestTypeDef") -> dict[str, Any]:
        def change(old: Members) -> Members:
            return checks.updated(old, request, FIELDS)

        found = await self._editing.update(request["ApiId"], "authorizer", request["AuthorizerId"], change, check)
        return shown(found)

    @operation("DeleteAuthorizer")
    async def delete(self, context: RequestContext, request: "DeleteAuthorizerRequestTypeDef") -> dict[str, Any]:
        api_id, part_id = request["ApiId"], request["AuthorizerId"]

        def unused(tx: Tx) -> None:
            for route in catalog.every(tx, api_id, "route"):
                if route.members.get("AuthorizerId") == part_id:
                    raise faults.conflict(
                        f"Cannot delete Authorizer '{part_id}', it is referenced by Routes: "
                        f"'{route.members['RouteKey']}'"
                    )

        return await self._editing.delete(api_id, "authorizer", part_id, check=unused)

    @operation("ResetAuthorizersCache")
    async def reset_cache(
        self, context: RequestContext, request: "ResetAuthorizersCacheRequestTypeDef"
    ) -> dict[str, Any]:
        await self._editing.get(request["ApiId"], "stage", request["StageName"])
        self._reset(request["ApiId"])
        return {}


def check(tx: Tx, api: Api, authorizer: Part) -> None:
    """An authorizer among those of its API."""
    if authorizer.members["AuthorizerType"] == "REQUEST" and api.protocol == "HTTP":
        cached = bool(authorizer.members.get("IdentitySource"))
        authorizer.members.setdefault("AuthorizerResultTtlInSeconds", 300 if cached else 0)
        authorizer.members.setdefault("EnableSimpleResponses", False)
    checks.check_authorizer(api, authorizer.members)
    for other in catalog.every(tx, api.id, "authorizer"):
        if other.id != authorizer.id and other.members["Name"] == authorizer.members["Name"]:
            raise faults.conflict(f"Authorizer name must be unique. Authorizer {other.members['Name']} already exists.")
