"""Function URL configurations."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import describe, faults, repository, tenancy, version_repository
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import Cors, FunctionUrl, Subject, Version
from mayfly.services.functions.names import Home, Reference
from mayfly.store.api import Reader, Store, Tx

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
_PAGE = 50


class UrlOperations:
    """Handlers; see the module. A URL belongs to a function, and then leads to $LATEST, or to an alias."""

    def __init__(self, home: Home, editor: Editor, store: Store, clock: Clock) -> None:
        self._home = home
        self._editor = editor
        self._store = store
        self._clock = clock

    @operation("CreateFunctionUrlConfig")
    async def create(
        self, context: RequestContext, params: "CreateFunctionUrlConfigRequestTypeDef"
    ) -> dict[str, object]:
        missing = faults.resource_not_found(_NO_FUNCTION)
        reference = self._reference(params, _NO_FUNCTION)
        now = self._clock.now()
        url = FunctionUrl(
            url_id=ids.token(_ID_LENGTH),
            auth_type=params["AuthType"],
            created_at=now,
            modified_at=now,
            cors=_cors(params["Cors"]) if "Cors" in params else None,
            streams=_streams(params),
        )

        def change(subject: Subject, tx: Tx) -> Subject:
            assert not isinstance(subject, Version)
            if subject.url:
                arn = self._home.arn(reference.name, reference.qualifier)
                raise faults.conflict(
                    f"Failed to create function url config for [functionArn = {arn}]. "
                    "Error message:  FunctionUrlConfig exists for this Lambda function"
                )
            function = repository.find(tx, reference.name)
            assert function is not None, "it was found in this transaction"
            tenancy.refuse(function.configuration, "A function URL")
            repository.link_url(tx, url.url_id, reference.name, reference.qualifier)
            return msgspec.structs.replace(subject, url=url)

        await self._editor.change_subject(reference, change, missing=missing)
        shown = describe.function_url(reference.name, reference.qualifier, url, self._home, context.endpoint)
        unsaid = {"LastModifiedTime"} if "InvokeMode" in params else {"LastModifiedTime", "InvokeMode"}
        return {member: value for member, value in shown.items() if member not in unsaid}

    @operation("GetFunctionUrlConfig")
    async def get(
        self, context: RequestContext, params: "GetFunctionUrlConfigRequestTypeDef"
    ) -> "FunctionUrlConfigTypeDef":
        reference = self._reference(params)
        subject = (await self._editor.resolve(reference, faults.resource_not_found())).subject
        return self._shown(reference, subject, context)

    @operation("UpdateFunctionUrlConfig")
    async def update(
        self, context: RequestContext, params: "UpdateFunctionUrlConfigRequestTypeDef"
    ) -> "FunctionUrlConfigTypeDef":
        reference = self._reference(params, _NO_FUNCTION)
        changes: dict[str, Any] = {"modified_at": self._clock.now()}
        if "AuthType" in params:
            changes["auth_type"] = params["AuthType"]
        if "Cors" in params:
            changes["cors"] = _cors(params["Cors"])
        if "InvokeMode" in params:
            changes["streams"] = _streams(params)

        def change(subject: Subject, tx: Tx) -> Subject:
            assert not isinstance(subject, Version)
            if subject.url is None:
                raise faults.resource_not_found()
            return msgspec.structs.replace(subject, url=msgspec.structs.replace(subject.url, **changes))

        missing = faults.resource_not_found(_NO_FUNCTION)
        subject = await self._editor.change_subject(reference, change, missing=missing)
        shown = self._shown(reference, subject, context)
        if "InvokeMode" not in params:
            shown.pop("InvokeMode", None)  # as AWS has it
        return shown

    @operation("DeleteFunctionUrlConfig")
    async def delete(
        self, context: RequestContext, params: "DeleteFunctionUrlConfigRequestTypeDef"
    ) -> dict[str, object]:
        reference = self._reference(params)

        def change(subject: Subject, tx: Tx) -> Subject:
            assert not isinstance(subject, Version)
            if subject.url is None:
                raise faults.resource_not_found()
            repository.unlink_url(tx, reference.name, reference.qualifier)
            return msgspec.structs.replace(subject, url=None)

        await self._editor.change_subject(reference, change, missing=faults.resource_not_found())
        return {}

    @operation("ListFunctionUrlConfigs")
    async def list(self, context: RequestContext, params: "ListFunctionUrlConfigsRequestTypeDef") -> dict[str, object]:
        """That of the function first, then those of aliases by name; a marker is the last one of the page before."""
        name = self._home.parse(params["FunctionName"]).name

        def body(reader: Reader) -> list[tuple[str, FunctionUrl]]:
            function = repository.find(reader, name)
            if function is None:
                raise faults.resource_not_found(_NO_FUNCTION)
            found = [("", function.url)] if function.url else []
            for alias_name in repository.aliases_with_url(reader, name):
                alias = version_repository.find_alias(reader, name, alias_name)
                if alias is not None and alias.url is not None:
                    found.append((alias_name, alias.url))
            return found

        found = await self._store.read(body)
        marker = params.get("Marker")
        left = [(alias, url) for alias, url in found if marker is None or alias > marker.removeprefix("/")]
        limit = min(params.get("MaxItems", _PAGE), _PAGE)
        shown = [
            describe.function_url(name, alias or None, url, self._home, context.endpoint) for alias, url in left[:limit]
        ]
        # The function's own has no name, and an empty marker would be none.
        more = {"NextMarker": f"/{left[limit - 1][0]}"} if len(left) > limit else {}
        return {"FunctionUrlConfigs": shown, **more}

    def _reference(self, params: Mapping[str, Any], missing: str | None = None) -> Reference:
        """The function or alias that was named; versions have no URLs."""
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        if reference.qualifier is not None and not reference.names_alias:
            raise faults.resource_not_found(missing) if missing else faults.resource_not_found()
        return reference

    def _shown(self, reference: Reference, subject: Subject, context: RequestContext) -> "FunctionUrlConfigTypeDef":
        if isinstance(subject, Version) or subject.url is None:
            raise faults.resource_not_found()
        return describe.function_url(reference.name, reference.qualifier, subject.url, self._home, context.endpoint)


def _streams(params: Mapping[str, Any]) -> bool:
    return bool(params.get("InvokeMode", "BUFFERED") == "RESPONSE_STREAM")


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
