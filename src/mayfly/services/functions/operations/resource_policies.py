"""Whole resource policies: PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy.

They and the permissions that are added one by one are the same policy, seen in two ways: what is put replaces what was
added, and what is added later stands behind it.
"""

from typing import TYPE_CHECKING

import msgspec

from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.functions import faults, policy_statements, resource_policy
from mayfly.services.functions.editing import Editor, SubjectChange
from mayfly.services.functions.model import LATEST, Statement, Subject
from mayfly.services.functions.names import Home, Reference
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        DeleteResourcePolicyRequestTypeDef,
        GetResourcePolicyRequestTypeDef,
        PutResourcePolicyRequestTypeDef,
    )

_CALL = "GetResourcePolicy"


class ResourcePolicyOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, editor: Editor) -> None:
        self._home = home
        self._editor = editor

    @operation("PutResourcePolicy")
    async def put(self, context: RequestContext, params: "PutResourcePolicyRequestTypeDef") -> dict[str, object]:
        reference = self._reference(params["ResourceArn"])
        arn = self._arn(reference)
        parsed = policy_statements.parse(params["Policy"], arn)
        statements = tuple(Statement(sid, "", "", document=text) for sid, text in parsed.statements)
        size = len(resource_policy.document(statements, arn, parsed.identifier).encode())
        if size > resource_policy.MAX_POLICY_BYTES:
            raise faults.policy_too_long(size, resource_policy.MAX_POLICY_BYTES)

        def change(subject: Subject, tx: Tx) -> Subject:
            return msgspec.structs.replace(subject, policy=statements, policy_id=parsed.identifier)

        missing = self._home.no_such(reference)
        changed = await self._change(reference, change, params.get("RevisionId"), missing)
        return self._shown(changed, arn)

    @operation("GetResourcePolicy")
    async def get(self, context: RequestContext, params: "GetResourcePolicyRequestTypeDef") -> dict[str, object]:
        reference = self._reference(params["ResourceArn"])
        found = await self._editor.resolve(reference, self._home.no_such(reference))
        if not found.subject.policy:
            raise faults.resource_not_found()
        return self._shown(found.subject, self._arn(reference))

    @operation("DeleteResourcePolicy")
    async def delete(self, context: RequestContext, params: "DeleteResourcePolicyRequestTypeDef") -> dict[str, object]:
        reference = self._reference(params["ResourceArn"])

        def change(subject: Subject, tx: Tx) -> Subject:
            if not subject.policy:
                raise faults.resource_not_found()
            return msgspec.structs.replace(subject, policy=(), policy_id="default")

        await self._change(reference, change, params.get("RevisionId"), self._home.no_such(reference))
        return {}

    async def _change(
        self, reference: Reference, change: SubjectChange, revision: str | None, missing: ServiceError
    ) -> Subject:
        return await self._editor.change_subject(
            reference, change, revision=revision, revision_call=_CALL, missing=missing
        )

    def _reference(self, arn: str) -> Reference:
        if ":function:" not in arn:
            raise faults.invalid_parameter("Resource policies are those of functions, their versions and aliases.")
        reference = self._home.parse(arn)
        if reference.qualifier == LATEST:
            raise faults.invalid_parameter("We currently do not support adding policies for $LATEST.")
        return reference

    def _arn(self, reference: Reference) -> str:
        return self._home.arn(reference.name, reference.qualifier)

    def _shown(self, subject: Subject, arn: str) -> dict[str, object]:
        text = resource_policy.document(subject.policy, arn, subject.policy_id)
        return {"Policy": text, "RevisionId": subject.revision_id}
