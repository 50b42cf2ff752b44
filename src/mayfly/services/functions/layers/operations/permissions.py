"""Permissions in the policies of versions of layers.

There is one account here, so they let nobody in: they are kept, and shown, for the tools that manage them.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly import ids
from mayfly.ids import PARTITION
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.functions import faults
from mayfly.services.functions.layers import names, repository
from mayfly.services.functions.layers.model import LayerVersion, Statement
from mayfly.services.functions.layers.operations.versions import check_number
from mayfly.services.functions.names import Home
from mayfly.services.functions.resource_policy import MAX_POLICY_BYTES
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        AddLayerVersionPermissionRequestTypeDef,
        GetLayerVersionPolicyRequestTypeDef,
        RemoveLayerVersionPermissionRequestTypeDef,
    )


class LayerPermissionOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, store: Store) -> None:
        self._home = home
        self._store = store

    @operation("AddLayerVersionPermission")
    async def add(
        self, context: RequestContext, params: "AddLayerVersionPermissionRequestTypeDef"
    ) -> dict[str, object]:
        if "OrganizationId" in params and params["Principal"] != "*":
            raise faults.invalid_parameter("OrganizationId can only be given with the principal *.")
        name = names.layer_name(self._home, params["LayerName"], context, "AddLayerVersionPermission")
        added = Statement(params["StatementId"], params["Action"], params["Principal"], params.get("OrganizationId"))
        revision_id = ids.request_id()

        def body(tx: Tx) -> LayerVersion:
            version = self._find(tx, name, params["VersionNumber"])
            _check_revision(version, params.get("RevisionId"))
            if any(kept.sid == added.sid for kept in version.policy):
                raise faults.conflict(
                    f"The statement id ({added.sid}) provided already exists. "
                    "Please provide a new statement id, or remove the existing statement."
                )
            policy = (*version.policy, added)
            size = len(_document(policy, self._arn(version)).encode())
            if size > MAX_POLICY_BYTES:
                raise ServiceError(
                    "PolicyLengthExceededException",
                    f"The final policy size ({size}) is bigger than the limit ({MAX_POLICY_BYTES}).",
                    status=400,
                    members={"Type": "User"},
                )
            changed = msgspec.structs.replace(version, policy=policy, revision_id=revision_id)
            repository.update(tx, changed)
            return changed

        version = await self._store.write(body)
        return {"Statement": _text(_statement(added, self._arn(version))), "RevisionId": revision_id}

    @operation("RemoveLayerVersionPermission")
    async def remove(
        self, context: RequestContext, params: "RemoveLayerVersionPermissionRequestTypeDef"
    ) -> dict[str, object]:
        name = names.layer_name(self._home, params["LayerName"], context, "RemoveLayerVersionPermission")
        sid, revision_id = params["StatementId"], ids.request_id()

        def body(tx: Tx) -> None:
            version = self._find(tx, name, params["VersionNumber"])
            _check_revision(version, params.get("RevisionId"))
            kept = tuple(value for value in version.policy if value.sid != sid)
            if len(kept) == len(version.policy):
                raise faults.resource_not_found(f"Statement {sid} is not found in resource policy.")
            repository.update(tx, msgspec.structs.replace(version, policy=kept, revision_id=revision_id))

        await self._store.write(body)
        return {}

    @operation("GetLayerVersionPolicy")
    async def get(self, context: RequestContext, params: "GetLayerVersionPolicyRequestTypeDef") -> dict[str, object]:
        name = names.layer_name(self._home, params["LayerName"], context, "GetLayerVersionPolicy")
        version = await self._store.read(lambda reader: self._find(reader, name, params["VersionNumber"]))
        if not version.policy:
            raise faults.resource_not_found("No policy is associated with the given resource.")
        return {"Policy": _document(version.policy, self._arn(version)), "RevisionId": version.revision_id}

    def _find(self, reader: Reader, name: str, number: int) -> LayerVersion:
        check_number(number)
        version = repository.find(reader, name, number)
        if version is None:
            arn = names.version_arn(self._home, name, number)
            raise faults.resource_not_found(f"Layer version {arn} does not exist.")
        return version

    def _arn(self, version: LayerVersion) -> str:
        return names.version_arn(self._home, version.name, version.number)


def _check_revision(version: LayerVersion, expected: str | None) -> None:
    if expected is not None and expected != version.revision_id:
        raise faults.stale_revision("GetLayerPolicy")


def _statement(value: Statement, arn: str) -> dict[str, Any]:
    principal = value.principal
    if principal.isdecimal():
        principal = f"arn:{PARTITION}:iam::{principal}:root"
    shown: dict[str, Any] = {
        "Sid": value.sid,
        "Effect": "Allow",
        "Principal": principal if principal == "*" else {"AWS": principal},
        "Action": value.action,
        "Resource": arn,
    }
    if value.organization is not None:
        shown["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": value.organization}}
    return shown


def _document(statements: Iterable[Statement], arn: str) -> str:
    shown = [_statement(value, arn) for value in statements]
    return _text({"Version": "2012-10-17", "Id": "default", "Statement": shown})


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
