"""RollbackStack and ContinueUpdateRollback: back to the last state that was good."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.stacks.accepting import Acceptance, marked, place_of, repeated
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.model import Operation, Stack
from mayfly.services.stacks.planner import Types, draft
from mayfly.services.stacks.records import find_stack, resources_of, save_resource
from mayfly.services.stacks.running import restored
from mayfly.services.stacks.sealing import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import ContinueUpdateRollbackInputTypeDef, RollbackStackInputTypeDef


class RollbackOperations:
    def __init__(self, store: Store, accept: Acceptance, types: Types) -> None:
        self._store = store
        self._accept = accept
        self._types = types

    @operation("ContinueUpdateRollback")
    async def roll_on(self, context: RequestContext, params: "ContinueUpdateRollbackInputTypeDef") -> dict[str, Any]:
        stack = await self._store.read(lambda reader: find_stack(reader, context, params["StackName"]))
        token = params.get("ClientRequestToken", "")
        if repeated(stack, "continue", token):
            return {}
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
        if "ParentId" in stack.options:
            raise validation("ContinueUpdateRollback is to be called on the root stack, which names the resources to "
                             "skip as NestedStackName.ResourceLogicalID")  # fmt: skip
        skip = tuple(params.get("ResourcesToSkip", ()))
        await self._store.read(lambda reader: _check_skipped(reader, stack, skip))
        options = marked(stack.options, "continue", token)
        options |= {"RoleARN": params["RoleARN"]} if "RoleARN" in params else {}
        acting = await self._accept.acting(context, options)
        wanted = Operation("update", "rollback", acting, stack.definition, token=token, skip=skip)
        await self._accept.begin(context, stack, "UPDATE_ROLLBACK_IN_PROGRESS", wanted, options)
        return {}

    @operation("RollbackStack")
    async def roll_back(self, context: RequestContext, params: "RollbackStackInputTypeDef") -> dict[str, Any]:
        stack = await self._store.read(lambda reader: find_stack(reader, context, params["StackName"]))
        token = params.get("ClientRequestToken", "")
        if repeated(stack, "rollback", token):
            return {"StackId": stack.id}
        options = marked(stack.options, "rollback", token)
        options |= {"RoleARN": params["RoleARN"]} if "RoleARN" in params else {}
        acting, spare_none = await self._accept.acting(context, options), params.get("RetainExceptOnCreate", False)
        if stack.status == "CREATE_FAILED":
            wanted = Operation("create", "delete", acting, stack.definition, token=token, spare_none=spare_none)
            await self._accept.begin(context, stack, "ROLLBACK_IN_PROGRESS", wanted, options)
        elif stack.status == "UPDATE_FAILED":
            wanted = Operation("update", "rollback", acting, stack.definition, token=token, spare_none=spare_none)
            await self._accept.begin(
                context, stack, "UPDATE_ROLLBACK_IN_PROGRESS", wanted, options, lambda tx: self._restore(tx, stack)
            )
        else:
            raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
        return {"StackId": stack.id}

    def _restore(self, tx: Tx, stack: Stack) -> None:
        kept = draft(stack.definition, place_of(stack), self._types)
        for row, role in restored(resources_of(tx, stack.id), kept):
            save_resource(tx, msgspec.structs.replace(row, role=role))


def _check_skipped(reader: Reader, stack: Stack, skip: Sequence[str]) -> None:
    """Only what failed may be skipped; what is in nested stacks is looked at when they are."""
    failed = {
        row.logical_id for row in resources_of(reader, stack.id) if row.role == "current" and "FAILED" in row.status
    }
    wrong = sorted(name for name in skip if "." not in name and name not in failed)
    if wrong:
        raise validation(
            f"Resources to skip must be in a failed state. The following are not, or do not exist: [{', '.join(wrong)}]"
        )
