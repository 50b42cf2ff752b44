"""Settings of asynchronous invocation: retries, age, destinations. EventInvokeConfig on the wire."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.functions import describe, faults, repository, version_repository
from mayfly.services.functions.destinations import Destinations
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import LATEST, AsyncSettings, Subject, Version
from mayfly.services.functions.names import Home, Reference
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        DeleteFunctionEventInvokeConfigRequestTypeDef,
        FunctionEventInvokeConfigTypeDef,
        GetFunctionEventInvokeConfigRequestTypeDef,
        ListFunctionEventInvokeConfigsRequestTypeDef,
        PutFunctionEventInvokeConfigRequestTypeDef,
        UpdateFunctionEventInvokeConfigRequestTypeDef,
    )


_PAGE = 50


class AsyncSettingsOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, editor: Editor, store: Store, clock: Clock, destinations: Destinations) -> None:
        self._home = home
        self._editor = editor
        self._store = store
        self._clock = clock
        self._destinations = destinations

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
        reference, missing = self._configured(params)
        subject = (await self._editor.resolve(reference, missing)).subject
        if subject.asynchronous is None:
            raise missing
        return describe.async_settings(reference.name, reference.qualifier, subject.asynchronous, self._home)

    @operation("DeleteFunctionEventInvokeConfig")
    async def delete(
        self, context: RequestContext, params: "DeleteFunctionEventInvokeConfigRequestTypeDef"
    ) -> dict[str, object]:
        reference, missing = self._configured(params)

        def change(subject: Subject, tx: Tx) -> Subject:
            if subject.asynchronous is None:
                raise missing
            return msgspec.structs.replace(subject, asynchronous=None)

        await self._editor.change_subject(reference, change, missing=missing)
        return {}

    @operation("ListFunctionEventInvokeConfigs")
    async def list(
        self, context: RequestContext, params: "ListFunctionEventInvokeConfigsRequestTypeDef"
    ) -> dict[str, object]:
        """By qualifier; a marker is the last one of the page before."""
        name = self._home.parse(params["FunctionName"]).name

        def body(reader: Reader) -> dict[str, AsyncSettings | None]:
            function = repository.find(reader, name)
            if function is None:
                raise _no_function()
            found = {LATEST: function.asynchronous}
            for each in version_repository.with_settings(reader, name):
                found[each.label if isinstance(each, Version) else each.name] = each.asynchronous
            return found

        found = await self._store.read(body)
        left = [each for each in sorted(found) if found[each] is not None and each > params.get("Marker", "")]
        limit = min(params.get("MaxItems", _PAGE), _PAGE)
        shown = [
            describe.async_settings(name, qualifier, settings, self._home)
            for qualifier in left[:limit]
            if (settings := found[qualifier]) is not None
        ]
        more = {"NextMarker": left[limit - 1]} if len(left) > limit else {}
        return {"FunctionEventInvokeConfigs": shown, **more}

    async def _set(self, params: Mapping[str, Any], *, keep: bool) -> "FunctionEventInvokeConfigTypeDef":
        """Replace the settings, or with `keep` only those that `params` names."""
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        if not {"MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig"} & params.keys():
            raise faults.invalid_parameter("You must specify at least one of error handling or destination setting.")
        now = self._clock.now()
        given = params.get("DestinationConfig", {})
        named: dict[str, str | None] = {
            field: given[member].get("Destination") or None
            for member, field in (("OnSuccess", "on_success"), ("OnFailure", "on_failure"))
            if member in given
        }
        await self._editor.resolve(reference, _no_function())
        await self._destinations.check(reference, named.get("on_success"), named.get("on_failure"))

        def change(subject: Subject, tx: Tx) -> Subject:
            base = subject.asynchronous if keep else AsyncSettings(now)
            if base is None:
                raise self._unconfigured(reference)
            changes: dict[str, Any] = {"modified_at": now}
            if "MaximumRetryAttempts" in params:
                changes["max_retries"] = params["MaximumRetryAttempts"]
            if "MaximumEventAgeInSeconds" in params:
                changes["max_age_s"] = params["MaximumEventAgeInSeconds"]
            changes.update(named)
            return msgspec.structs.replace(subject, asynchronous=msgspec.structs.replace(base, **changes))

        subject = await self._editor.change_subject(reference, change, missing=_no_function())
        assert subject.asynchronous is not None
        return describe.async_settings(reference.name, reference.qualifier, subject.asynchronous, self._home)

    def _configured(self, params: Mapping[str, Any]) -> tuple[Reference, ServiceError]:
        """What was named, and the error for when it has no settings."""
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        return reference, self._unconfigured(reference)

    def _unconfigured(self, reference: Reference) -> ServiceError:
        arn = self._home.arn(reference.name, reference.qualifier or LATEST)
        return faults.resource_not_found(f"The function {arn} doesn't have an EventInvokeConfig")


def _no_function() -> ServiceError:
    return faults.resource_not_found("The function doesn't exist.")
