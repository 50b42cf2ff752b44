"""Resource policies of secrets."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.services.configs.secrets import access, shapes
from mayfly.services.configs.secrets.desk import Desk
from mayfly.services.configs.secrets.model import Place, Secret
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.store.api import Tx

# Asked of no policy: see `access`.
_ALWAYS = ""


class PolicyOperations:
    """Handlers; see the module."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @operation("PutResourcePolicy")
    async def put(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        access.check_policy(params["ResourcePolicy"], block_public=params.get("BlockPublicPolicy", False))
        return await self._set(context, params, params["ResourcePolicy"])

    @operation("DeleteResourcePolicy")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        return await self._set(context, params, None)

    @operation("GetResourcePolicy")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        place, secret = await self._desk.read(context, _ALWAYS, params)
        return shapes.brief(place, secret, **({"ResourcePolicy": secret.policy} if secret.policy is not None else {}))

    @operation("ValidateResourcePolicy")
    async def validate(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        if "SecretId" in params:
            await self._desk.read(context, _ALWAYS, params)
        try:
            access.check_policy(params["ResourcePolicy"], block_public=True)
        except ServiceError as error:
            return {
                "PolicyValidationPassed": False,
                "ValidationErrors": [{"CheckName": error.code, "ErrorMessage": error.message}],
            }
        return {"PolicyValidationPassed": True, "ValidationErrors": []}

    async def _set(self, context: RequestContext, params: Mapping[str, Any], text: str | None) -> dict[str, Any]:
        def change(_tx: Tx, _place: Place, secret: Secret) -> Secret:
            return msgspec.structs.replace(secret, policy=text)

        place, secret = await self._desk.change(context, _ALWAYS, params, change)
        return shapes.brief(place, secret)
