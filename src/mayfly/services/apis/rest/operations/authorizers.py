"""Authorizers: who decides whether a request may go on."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.services.apis.rest import authorizer_checks, faults, naming, paging, patching
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.model import Api, Authorizer, shown
from mayfly.services.apis.rest.patching import integer, listed, scalar
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.store.api import Tx

_ANY = "add remove replace"
RULES = (
    scalar("name"),
    scalar("type"),
    listed("providerARNs"),
    scalar("authType", ops=_ANY),
    scalar("authorizerUri"),
    scalar("authorizerCredentials", lambda value: value or None, ops=_ANY),
    scalar("identitySource"),
    scalar("identityValidationExpression", lambda value: value or None, ops=_ANY),
    scalar("authorizerResultTtlInSeconds", integer("authorizerResultTtlInSeconds")),
)
_BUSY = "Unable to complete operation due to concurrent modification. Please try again later."


class AuthorizerOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("CreateAuthorizer")
    async def create(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        made = new_authorizer(naming.made_id(context, 6, "authorizer"), params)

        def body(api: Api, tx: Tx) -> Authorizer:
            authorizer_checks.authorizer(made)
            if (before := api.parts.authorizers.get(made.id)) is not None:
                return before
            if any(one.name == made.name for one in api.parts.authorizers.values()):
                raise faults.bad_request(
                    f"Authorizer name must be unique. Authorizer {made.name} already exists in this RestApi."
                )
            api.parts.authorizers[made.id] = made
            return made

        return shown(await self._editing.change(params["restApiId"], body, faults.conflict(_BUSY)))

    @operation("GetAuthorizer")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        return shown(await self._editing.read(params["restApiId"], lambda api: find(api, params), _unknown()))

    @operation("GetAuthorizers")
    async def list(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._editing.read(params["restApiId"], lambda api: sorted(api.parts.authorizers.items()))
        authorizers, more = paging.page(found, params)
        return {"items": [shown(one) for one in authorizers], **more}

    @operation("UpdateAuthorizer")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)

        def body(api: Api, tx: Tx) -> Authorizer:
            members = msgspec.to_builtins(find(api, params))
            patching.apply_curt(members, RULES, asked)
            changed = msgspec.convert(members, Authorizer)
            authorizer_checks.authorizer(changed)
            api.parts.authorizers[changed.id] = changed
            return changed

        return shown(await self._editing.change(params["restApiId"], body, _unknown()))

    @operation("DeleteAuthorizer")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api, tx: Tx) -> None:
            found = find(api, params)
            for resource in api.parts.resources.values():
                for verb, method in resource.methods.items():
                    if method.authorizer_id == found.id:
                        raise faults.conflict(
                            f"Cannot delete authorizer '{found.name}', is referenced in method: {resource.path}/{verb}"
                        )
            del api.parts.authorizers[found.id]

        await self._editing.change(params["restApiId"], body, _unknown())
        return {}


def new_authorizer(authorizer_id: str, params: Mapping[str, Any]) -> Authorizer:
    kind = params["type"]
    usual = None if kind == "REQUEST" else authorizer_checks.USUAL_SOURCE
    return Authorizer(
        id=authorizer_id,
        name=params["name"],
        type=kind,
        auth_type=params.get("authType") or ("cognito_user_pools" if kind == "COGNITO_USER_POOLS" else "custom"),
        provider_arns=params.get("providerARNs") or None,
        authorizer_uri=params.get("authorizerUri"),
        authorizer_credentials=params.get("authorizerCredentials"),
        identity_source=params.get("identitySource") or usual,
        identity_validation_expression=params.get("identityValidationExpression"),
        authorizer_result_ttl_in_seconds=params.get("authorizerResultTtlInSeconds"),
    )


def find(api: Api, params: Mapping[str, Any]) -> Authorizer:
    found = api.parts.authorizers.get(params["authorizerId"])
    if found is None:
        raise _unknown()
    return found


def _unknown() -> ServiceError:
    return faults.not_found("Invalid Authorizer identifier specified")
