"""Permissions in a function's resource policy."""

import json
from typing import TYPE_CHECKING

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import faults, resource_policy
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import LATEST, Statement, Subject
from mayfly.services.functions.names import Home
from mayfly.services.functions.resource_policy import INVOKE_URL, MAX_POLICY_BYTES
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        AddPermissionRequestTypeDef,
        GetPolicyRequestTypeDef,
        RemovePermissionRequestTypeDef,
    )


class PermissionOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, editor: Editor) -> None:
        self._home = home
        self._editor = editor

    @operation("AddPermission")
    async def add(self, context: RequestContext, params: "AddPermissionRequestTypeDef") -> dict[str, object]:
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        if reference.qualifier == LATEST:
            raise faults.invalid_parameter("We currently do not support adding policies for $LATEST.")
        await self._editor.resolve(reference, self._home.no_such(reference))
        added = _statement(params)
        arn = self._home.arn(reference.name, reference.qualifier)

        def change(subject: Subject, tx: Tx) -> Subject:
            if any(kept.sid == added.sid for kept in subject.policy):
                raise faults.conflict(
                    f"The statement id ({added.sid}) provided already exists. "
                    "Please provide a new statement id, or remove the existing statement."
                )
            policy = (*subject.policy, added)
            size = len(resource_policy.document(policy, arn, subject.policy_id).encode())
            if size > MAX_POLICY_BYTES:
                raise faults.policy_too_long(size, MAX_POLICY_BYTES)
            return msgspec.structs.replace(subject, policy=policy)

        await self._editor.change_subject(
            reference, change, revision=params.get("RevisionId"), revision_call="GetPolicy"
        )
        return {"Statement": json.dumps(resource_policy.statement(added, arn), separators=(",", ":"))}

    @operation("RemovePermission")
    async def remove(self, context: RequestContext, params: "RemovePermissionRequestTypeDef") -> dict[str, object]:
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        missing = faults.resource_not_found(f"No policy found for: {self._home.arn(reference.name)}")
        await self._editor.find(reference.name, missing)
        if reference.qualifier == LATEST:
            raise faults.invalid_parameter("We currently do not support adding policies for $LATEST.")
        sid = params["StatementId"]

        def change(subject: Subject, tx: Tx) -> Subject:
            if not subject.policy:
                raise faults.resource_not_found("No policy is associated with the given resource.")
            kept = tuple(value for value in subject.policy if value.sid != sid)
            if len(kept) == len(subject.policy):
                raise faults.resource_not_found(f"Statement {sid} is not found in resource policy.")
            return msgspec.structs.replace(subject, policy=kept)

        await self._editor.change_subject(
            reference, change, revision=params.get("RevisionId"), revision_call="GetPolicy"
        )
        return {}

    @operation("GetPolicy")
    async def get(self, context: RequestContext, params: "GetPolicyRequestTypeDef") -> dict[str, object]:
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        subject = (await self._editor.resolve(reference, faults.resource_not_found())).subject
        if not subject.policy or reference.qualifier == LATEST:
            raise faults.resource_not_found()
        arn = self._home.arn(reference.name, reference.qualifier)
        text = resource_policy.document(subject.policy, arn, subject.policy_id)
        return {"Policy": text, "RevisionId": subject.revision_id}


def _statement(params: "AddPermissionRequestTypeDef") -> Statement:
    """The permission that a request describes; `ServiceError`."""
    if not resource_policy.is_principal(params["Principal"]):
        raise faults.invalid_parameter("The provided principal was invalid. Please check the principal and try again.")
    if "FunctionUrlAuthType" in params and params["Action"] != INVOKE_URL:
        raise faults.invalid_parameter(f"FunctionUrlAuthType is only supported for {INVOKE_URL} action")
    return Statement(
        sid=params["StatementId"],
        action=params["Action"],
        principal=params["Principal"],
        source_arn=params.get("SourceArn"),
        source_account=params.get("SourceAccount"),
        organization=params.get("PrincipalOrgID"),
        event_source_token=params.get("EventSourceToken"),
        url_auth_type=params.get("FunctionUrlAuthType"),
        via_url=params.get("InvokedViaFunctionUrl"),
    )
