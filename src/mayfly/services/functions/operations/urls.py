"""Function URL configurations."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import describe, faults, repository
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import Cors, Function, FunctionUrl
from mayfly.services.functions.names import Home
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        CreateFunctionUrlConfigRequestTypeDef,
        DeleteFunctionUrlConfigRequestTypeDef,
        FunctionUrlConfigTypeDef,
        GetFunctionUrlConfigRequestTypeDef,
        ListFunctionUrlConfigsRequestTypeDef,
        UpdateFunctionUrlConfigRequestTypeDef,
    )

_NO_FUNCTION = "Function does not exist"
_ID_LENGTH = 32


class UrlOperations:
    """Handlers; see the module. A URL belongs to $LATEST as long as there are no aliases."""

    def __init__(self, home: Home, editor: Editor, clock: Clock) -> None:
        self._home = home
        self._editor = editor
        self._clock = clock

    @operation("CreateFunctionUrlConfig")
    async def create(
        self, context: RequestContext, params: "CreateFunctionUrlConfigRequestTypeDef"
    ) -> dict[str, object]:
        missing = faults.resource_not_found(_NO_FUNCTION)
        name = self._name(params, _NO_FUNCTION)
        _refuse_streaming(params)
        now = self._clock.now()
        url = FunctionUrl(
            url_id=ids.token(_ID_LENGTH),
            auth_type=params["AuthType"],
            created_at=now,
            modified_at=now,
            cors=_cors(params["Cors"]) if "Cors" in params else None,
        )

        def change(function: Function, tx: Tx) -> Function:
            if function.url:
                raise faults.conflict(
                    f"Failed to create function url config for [functionArn = {self._home.arn(name)}]. "
                    "Error message:  FunctionUrlConfig exists for this Lambda function"
                )
            repository.link_url(tx, url.url_id, name)
            return msgspec.structs.replace(function, url=url)

        await self._editor.change(name, change, missing=missing)
        shown = describe.function_url(name, url, self._home, context.endpoint)
        return {member: value for member, value in shown.items() if member != "LastModifiedTime"}

    @operation("GetFunctionUrlConfig")
    async def get(
        self, context: RequestContext, params: "GetFunctionUrlConfigRequestTypeDef"
    ) -> "FunctionUrlConfigTypeDef":
        name = self._name(params)
        function = await self._editor.find(name, faults.resource_not_found())
        if function.url is None:
            raise faults.resource_not_found()
        return describe.function_url(name, function.url, self._home, context.endpoint)

    @operation("UpdateFunctionUrlConfig")
    async def update(
        self, context: RequestContext, params: "UpdateFunctionUrlConfigRequestTypeDef"
    ) -> "FunctionUrlConfigTypeDef":
        name = self._name(params, _NO_FUNCTION)
        _refuse_streaming(params)
        changes: dict[str, Any] = {"modified_at": self._clock.now()}
        if "AuthType" in params:
            changes["auth_type"] = params["AuthType"]
        if "Cors" in params:
            changes["cors"] = _cors(params["Cors"])

        def change(function: Function, tx: Tx) -> Function:
            if function.url is None:
                raise faults.resource_not_found()
            return msgspec.structs.replace(function, url=msgspec.structs.replace(function.url, **changes))

        function = await self._editor.change(name, change, missing=faults.resource_not_found(_NO_FUNCTION))
        assert function.url is not None
        return describe.function_url(name, function.url, self._home, context.endpoint)

    @operation("DeleteFunctionUrlConfig")
    async def delete(
        self, context: RequestContext, params: "DeleteFunctionUrlConfigRequestTypeDef"
    ) -> dict[str, object]:
        name = self._name(params)

        def change(function: Function, tx: Tx) -> Function:
            if function.url is None:
                raise faults.resource_not_found()
            repository.unlink_url(tx, name)
            return msgspec.structs.replace(function, url=None)

        await self._editor.change(name, change, missing=faults.resource_not_found())
        return {}

    @operation("ListFunctionUrlConfigs")
    async def list(self, context: RequestContext, params: "ListFunctionUrlConfigsRequestTypeDef") -> dict[str, object]:
        name = self._home.parse(params["FunctionName"]).name
        function = await self._editor.find(name, faults.resource_not_found(_NO_FUNCTION))
        if function.url is None or params.get("Marker"):
            return {"FunctionUrlConfigs": []}
        return {"FunctionUrlConfigs": [describe.function_url(name, function.url, self._home, context.endpoint)]}

    def _name(self, params: Mapping[str, Any], missing: str | None = None) -> str:
        """The function's name; a qualifier would be an alias, and there are none."""
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        if reference.qualifier:
            raise faults.resource_not_found(missing) if missing else faults.resource_not_found()
        return reference.name


def _refuse_streaming(params: Mapping[str, Any]) -> None:
    if params.get("InvokeMode", "BUFFERED") != "BUFFERED":
        raise faults.not_built("InvokeMode RESPONSE_STREAM of function URLs")


def _cors(given: Mapping[str, Any]) -> Cors:
    def names(member: str) -> tuple[str, ...] | None:
        return tuple(given[member]) if member in given else None

    return Cors(
        allow_credentials=given.get("AllowCredentials"),
        allow_headers=names("AllowHeaders"),
        allow_methods=names("AllowMethods"),
        allow_origins=names("AllowOrigins"),
        expose_headers=names("ExposeHeaders"),
        max_age_s=given.get("MaxAge"),
    )
