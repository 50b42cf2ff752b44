"""Settings of asynchronous invocation: retries, age, destinations. EventInvokeConfig on the wire."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.functions import describe, faults, repository
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import LATEST, AsyncSettings, Function
from mayfly.services.functions.names import Home
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        DeleteFunctionEventInvokeConfigRequestTypeDef,
        FunctionEventInvokeConfigTypeDef,
        GetFunctionEventInvokeConfigRequestTypeDef,
        ListFunctionEventInvokeConfigsRequestTypeDef,
        PutFunctionEventInvokeConfigRequestTypeDef,
        UpdateFunctionEventInvokeConfigRequestTypeDef,
    )


class AsyncSettingsOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, editor: Editor, clock: Clock) -> None:
        self._home = home
        self._editor = editor
        self._clock = clock

    @operation("PutFunctionEventInvokeConfig")
    async def put(
        self, context: RequestContext, params: "PutFunctionEventInvokeConfigRequestTypeDef"
    ) -> "FunctionEventInvokeConfigTypeDef":
        return await self._set(params, keep=False)

    @operation("UpdateFunctionEventInvokeConfig")
    async def update(
        self, context: RequestContext, params: "UpdateFunctionEventInvokeConfigRequestTypeDef"
    ) -> "FunctionEventInvokeConfigTypeDef":
        return await self._set(params, keep=True)

    @operation("GetFunctionEventInvokeConfig")
    async def get(
        self, context: RequestContext, params: "GetFunctionEventInvokeConfigRequestTypeDef"
    ) -> "FunctionEventInvokeConfigTypeDef":
        name, missing = self._configured(params)
        function = await self._editor.find(name, missing)
        if function.asynchronous is None:
            raise missing
        return describe.async_settings(name, function.asynchronous, self._home)

    @operation("DeleteFunctionEventInvokeConfig")
    async def delete(
        self, context: RequestContext, params: "DeleteFunctionEventInvokeConfigRequestTypeDef"
    ) -> dict[str, object]:
        name, missing = self._configured(params)

        def change(function: Function, tx: Tx) -> Function:
            if function.asynchronous is None:
                raise missing
            return msgspec.structs.replace(function, asynchronous=None)

        await self._editor.change(name, change, missing=missing)
        return {}

    @operation("ListFunctionEventInvokeConfigs")
    async def list(
        self, context: RequestContext, params: "ListFunctionEventInvokeConfigsRequestTypeDef"
    ) -> dict[str, object]:
        name = self._home.parse(params["FunctionName"]).name
        function = await self._editor.find(name, _no_function())
        if function.asynchronous is None or params.get("Marker"):
            return {"FunctionEventInvokeConfigs": []}
        return {"FunctionEventInvokeConfigs": [describe.async_settings(name, function.asynchronous, self._home)]}

    async def _set(self, params: Mapping[str, Any], *, keep: bool) -> "FunctionEventInvokeConfigTypeDef":
        """Replace the settings, or with `keep` only those that `params` names."""
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        name = reference.name
        if reference.qualifier not in (None, LATEST):
            raise _no_function()
        if not {"MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig"} & params.keys():
            raise faults.invalid_parameter("You must specify at least one of error handling or destination setting.")
        now = self._clock.now()

        def change(function: Function, tx: Tx) -> Function:
            base = function.asynchronous if keep else AsyncSettings(now)
            if base is None:
                raise self._unconfigured(name, LATEST)
            changes: dict[str, Any] = {"modified_at": now}
            if "MaximumRetryAttempts" in params:
                changes["max_retries"] = params["MaximumRetryAttempts"]
            if "MaximumEventAgeInSeconds" in params:
                changes["max_age_s"] = params["MaximumEventAgeInSeconds"]
            for member, field in (("OnSuccess", "on_success"), ("OnFailure", "on_failure")):
                if member in params.get("DestinationConfig", {}):
                    changes[field] = self._destination(tx, name, params["DestinationConfig"][member])
            return msgspec.structs.replace(function, asynchronous=msgspec.structs.replace(base, **changes))

        function = await self._editor.change(name, change, missing=_no_function())
        assert function.asynchronous is not None
        return describe.async_settings(name, function.asynchronous, self._home)

    def _destination(self, tx: Tx, name: str, given: Mapping[str, str]) -> str | None:
        """The ARN of the function that records go to; None when the request clears it."""
        arn = given.get("Destination")
        if not arn:
            return None
        if arn.split(":")[2:3] != ["lambda"] or ":function:" not in arn:
            raise faults.not_built(f"destinations other than functions ({arn})")
        target = self._home.latest(arn).name
        if target == name:
            raise faults.invalid_parameter("You can't specify the function as a destination for itself.")
        if repository.find(tx, target) is None:
            raise faults.invalid_parameter(f"The destination ARN {arn} is invalid.")
        return arn

    def _configured(self, params: Mapping[str, Any]) -> tuple[str, ServiceError]:
        """The function's name, and the error for when it has no settings."""
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        missing = self._unconfigured(reference.name, reference.qualifier or LATEST)
        if reference.qualifier not in (None, LATEST):
            raise missing
        return reference.name, missing

    def _unconfigured(self, name: str, qualifier: str) -> ServiceError:
        arn = self._home.arn(name, qualifier)
        return faults.resource_not_found(f"The function {arn} doesn't have an EventInvokeConfig")


def _no_function() -> ServiceError:
    return faults.resource_not_found("The function doesn't exist.")
