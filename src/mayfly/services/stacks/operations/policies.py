"""Stack policies (SetStackPolicy, GetStackPolicy) and signals (SignalResource)."""

from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.stacks import stack_policy
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.intake import Intake
from mayfly.services.stacks.post import Post, letters_of, signal_of
from mayfly.services.stacks.records import find_stack, resources_of, save_stack
from mayfly.services.stacks.resources.base import CREATION_POLICY, Target
from mayfly.services.stacks.resources.cloudformation.wait_condition import signals_of
from mayfly.services.stacks.sealing import Store, Tx

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import (
        GetStackPolicyInputTypeDef,
        SetStackPolicyInputTypeDef,
        SignalResourceInputTypeDef,
    )


class PolicyOperations:
    def __init__(self, store: Store, intake: Intake, post: Post) -> None:
        self._store = store
        self._intake = intake
        self._post = post

    @operation("SetStackPolicy")
    async def set_policy(self, context: RequestContext, params: "SetStackPolicyInputTypeDef") -> dict[str, Any]:
        body, url = params.get("StackPolicyBody"), params.get("StackPolicyURL")
        if (body is None) == (url is None):
            raise validation("You must specify either a StackPolicyBody or a StackPolicyURL, and not both")
        text = await self._intake.text(context, {"TemplateURL": url}) if url is not None else body or ""
        policy = stack_policy.parse(text)

        def write(tx: Tx) -> None:
            stack = find_stack(tx, context, params["StackName"])
            save_stack(tx, msgspec.structs.replace(stack, options=stack.options | {"StackPolicy": policy}))

        await self._store.write(write)
        return {}

    @operation("GetStackPolicy")
    async def get_policy(self, context: RequestContext, params: "GetStackPolicyInputTypeDef") -> dict[str, Any]:
        stack = await self._store.read(lambda reader: find_stack(reader, context, params["StackName"]))
        policy = stack.options.get("StackPolicy")
        return {"StackPolicyBody": policy} if policy else {}

    @operation("SignalResource")
    async def signal(self, context: RequestContext, params: "SignalResourceInputTypeDef") -> dict[str, Any]:
        letter = params["UniqueId"]

        def write(tx: Tx) -> None:
            stack = find_stack(tx, context, params["StackName"])
            rows = {row.logical_id: row for row in resources_of(tx, stack.id) if row.role == "current"}
            row = rows.get(params["LogicalResourceId"])
            if row is None:
                raise validation(f"Resource {params['LogicalResourceId']} does not exist for stack {stack.name}")
            if CREATION_POLICY not in row.properties or row.status != "CREATE_IN_PROGRESS":
                raise validation(
                    f"Resource {row.logical_id} in stack {stack.name} is in {row.status} state and does not wait for "
                    "signals"
                )
            target = Target(stack.id, stack.name, row.logical_id, row.generation, stack.account, stack.region)
            box = signals_of(target)
            if any(found.id == letter for found in letters_of(tx, box)):
                raise validation(f"Signal with ID {letter} for resource {row.logical_id} already exists. Signals may "
                                 "only be updated with a FAILURE status.")  # fmt: skip
            status = "SUCCESS" if params["Status"] == "SUCCESS" else "FAILURE"
            self._post.put(tx, box, letter, signal_of(status, letter))

        await self._store.write(write)
        return {}
