"""CreateStack, UpdateStack, DeleteStack and their kin: each accepts an operation, which the driver carries out."""

from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.stacks.accepting import Acceptance, marked, repeated
from mayfly.services.stacks.driver import Driver
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.model import Operation, Stack, busy
from mayfly.services.stacks.records import find_stack, resources_of, save_stack
from mayfly.services.stacks.sealing import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import (
        CancelUpdateStackInputTypeDef,
        CreateStackInputTypeDef,
        DeleteStackInputTypeDef,
        UpdateStackInputTypeDef,
        UpdateTerminationProtectionInputTypeDef,
    )


class ChangingOperations:
    def __init__(self, store: Store, accept: Acceptance, driver: Driver) -> None:
        self._store = store
        self._accept = accept
        self._driver = driver

    @operation("CreateStack")
    async def create(self, context: RequestContext, params: "CreateStackInputTypeDef") -> dict[str, Any]:
        return {"StackId": await self._accept.create(context, params)}

    @operation("UpdateStack")
    async def update(self, context: RequestContext, params: "UpdateStackInputTypeDef") -> dict[str, Any]:
        stack = await self._store.read(lambda reader: find_stack(reader, context, params["StackName"]))
        await self._accept.update(context, stack, params)
        return {"StackId": stack.id}

    @operation("DeleteStack")
    async def delete(self, context: RequestContext, params: "DeleteStackInputTypeDef") -> dict[str, Any]:
        stack_id = await self._interrupted(context, params["StackName"], "create")
        try:
            await self._delete(context, params, stack_id or params["StackName"])
        finally:
            if stack_id is not None:
                self._driver.launch(stack_id)  # also if the deletion was refused
        return {}

    async def _delete(self, context: RequestContext, params: "DeleteStackInputTypeDef", name: str) -> None:
        token = params.get("ClientRequestToken", "")

        def read(reader: Reader) -> Stack | None:
            try:
                return find_stack(reader, context, name)
            except ServiceError:
                return None  # deleting what is not there succeeds, as on AWS

        stack = await self._store.read(read)
        if stack is None or stack.status == "DELETE_COMPLETE" or (stack.operation and stack.operation.kind == "delete"):
            return
        options = marked(stack.options, "delete", token)
        options |= {"RoleARN": params["RoleARN"]} if "RoleARN" in params else {}
        force = params.get("DeletionMode", "STANDARD") == "FORCE_DELETE_STACK"
        if force and stack.status != "DELETE_FAILED":
            raise validation(
                f"Invalid operation on stack [{stack.id}]: DeletionMode FORCE_DELETE_STACK is for stacks in the "
                "DELETE_FAILED state."
            )
        retain = tuple(params.get("RetainResources", ()))
        known = await self._store.read(lambda reader: {row.logical_id for row in resources_of(reader, stack.id)})
        _check_deletable(stack, retain, known)
        wanted = Operation(
            "delete", "delete", await self._accept.acting(context, options), retain=retain, token=token, force=force
        )
        await self._accept.begin(context, stack, "DELETE_IN_PROGRESS", wanted, options)

    @operation("CancelUpdateStack")
    async def cancel(self, context: RequestContext, params: "CancelUpdateStackInputTypeDef") -> dict[str, Any]:
        token = params.get("ClientRequestToken", "")
        seen = await self._store.read(lambda reader: find_stack(reader, context, params["StackName"]))
        if repeated(seen, "cancel", token):
            return {}
        stack_id = await self._interrupted(context, params["StackName"], "update")

        def write(tx: Tx) -> None:
            stack = find_stack(tx, context, params["StackName"])
            running = stack.operation
            if running is None or running.kind != "update" or running.phase not in ("forward", "watch"):
                raise validation(f"CancelUpdateStack cannot be called from current stack status, {stack.status}.")
            cancelled = msgspec.structs.replace(running, cancelled=True, on_failure="ROLLBACK")
            options = marked(stack.options, "cancel", token)
            save_stack(tx, msgspec.structs.replace(stack, operation=cancelled, options=options))

        try:
            await self._store.write(write)
        finally:
            if stack_id is not None:
                self._driver.launch(stack_id)
        return {}

    async def _interrupted(self, context: RequestContext, name: str, kind: str) -> str | None:
        """Put down an operation of `kind` that is on its way forward; the stack's id if there was one.

        Between this and the next `launch` nobody works on the stack, so what is written about it there holds.
        """

        def read(reader: Reader) -> str | None:
            try:
                stack = find_stack(reader, context, name)
            except ServiceError:
                return None
            running = stack.operation
            forward = running is not None and running.kind == kind and running.phase in ("forward", "watch")
            return stack.id if forward else None

        stack_id = await self._store.read(read)
        if stack_id is not None:
            await self._driver.interrupt(stack_id)
        return stack_id

    @operation("UpdateTerminationProtection")
    async def protect(
        self, context: RequestContext, params: "UpdateTerminationProtectionInputTypeDef"
    ) -> dict[str, Any]:
        def write(tx: Tx) -> str:
            stack = find_stack(tx, context, params["StackName"])
            if stack.status == "DELETE_COMPLETE":
                raise validation(f"Stack [{stack.id}] does not exist")
            if "RootId" in stack.options:
                raise validation(
                    f"Termination protection cannot be updated on nested stack {stack.name}: update it on its root "
                    f"stack {stack.options['RootId']}"
                )
            options = stack.options | {"EnableTerminationProtection": params["EnableTerminationProtection"]}
            save_stack(tx, msgspec.structs.replace(stack, options=options))
            return stack.id

        return {"StackId": await self._store.write(write)}


def _check_deletable(stack: Stack, retain: tuple[str, ...], known: set[str]) -> None:
    if stack.options.get("EnableTerminationProtection"):
        raise validation(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    creating = stack.operation is not None and stack.operation.kind == "create"
    if busy(stack.status) and not (creating and stack.status == "CREATE_IN_PROGRESS"):
        raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be deleted.")
    if retain:
        if stack.status != "DELETE_FAILED":
            raise validation(
                "Invalid operation on stack [" + stack.id + "]: specify which resources to retain only when the "
                "stack is in the DELETE_FAILED state."
            )
        if missing := sorted(set(retain) - known):
            raise validation(f"The specified resources to retain do not exist: [{', '.join(missing)}]")
