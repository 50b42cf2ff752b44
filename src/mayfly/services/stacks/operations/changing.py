"""CreateStack, UpdateStack, DeleteStack and their kin: each accepts an operation, which the driver carries out."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock
from mayfly.ids import request_id
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.stacks.driver import Driver
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.intake import Intake, refuse_unsupported
from mayfly.services.stacks.model import Definition, Operation, Stack, busy
from mayfly.services.stacks.planner import Place, Types, changes, draft
from mayfly.services.stacks.records import find_stack, insert_stack, resources_of, save_stack
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import (
        CancelUpdateStackInputTypeDef,
        ContinueUpdateRollbackInputTypeDef,
        CreateStackInputTypeDef,
        DeleteStackInputTypeDef,
        UpdateStackInputTypeDef,
        UpdateTerminationProtectionInputTypeDef,
    )

_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
_UPDATABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"}
NO_UPDATES = "No updates are to be performed."


class ChangingOperations:
    def __init__(self, store: Store, clock: Clock, intake: Intake, driver: Driver, types: Types) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._driver = driver
        self._types = types

    @operation("CreateStack")
    async def create(self, context: RequestContext, params: "CreateStackInputTypeDef") -> dict[str, Any]:
        place = new_place(context, params["StackName"])
        prepared = await self._intake.prepare(context, params, place, None)
        now = self._clock.now()
        minutes = params.get("TimeoutInMinutes")
        token = params.get("ClientRequestToken", "")
        stack = Stack(
            id=place.stack_id,
            account=context.account,
            region=context.region,
            name=place.stack_name,
            status="CREATE_IN_PROGRESS",
            reason="User Initiated",
            created_at=now,
            updated_at=None,
            deleted_at=None,
            definition=Definition(),
            outputs={},
            options=options_of(params) | {"Token": token},
            operation=Operation(
                "create",
                "forward",
                detached(context),
                prepared.definition,
                on_failure=on_failure(params),
                token=token,
                deadline=None if minutes is None else now + 60 * minutes,
            ),
        )

        def write(tx: Tx) -> str:
            if not insert_stack(tx, stack):
                found = find_stack(tx, context, stack.name)
                if token and found.options.get("Token") == token:
                    return found.id  # the same request once more
                raise ServiceError("AlreadyExistsException", f"Stack [{stack.name}] already exists", status=400)
            self._driver.telling.stack(tx, stack, now)
            tx.after_commit(lambda: self._driver.launch(stack.id))
            return stack.id

        return {"StackId": await self._store.write(write)}

    @operation("UpdateStack")
    async def update(self, context: RequestContext, params: "UpdateStackInputTypeDef") -> dict[str, Any]:
        stack = await self._store.read(lambda reader: find_stack(reader, context, params["StackName"]))
        check_updatable(stack)
        place = Place(stack.account, stack.region, stack.id, stack.name)
        prepared = await self._intake.prepare(context, params, place, stack.definition)
        now_drafts = draft(stack.definition, place, self._types)
        same = not changes(now_drafts, prepared.drafts, self._types) and not _differs(stack, prepared.definition)
        if same and stack.status != "UPDATE_FAILED":
            raise validation(NO_UPDATES)
        wanted = Operation(
            "update",
            "forward",
            detached(context),
            prepared.definition,
            on_failure="DO_NOTHING" if params.get("DisableRollback") else "ROLLBACK",
            token=params.get("ClientRequestToken", ""),
        )
        options = stack.options | {"DisableRollback": params.get("DisableRollback", False)}
        await self._begin(context, stack, "UPDATE_IN_PROGRESS", wanted, options)
        return {"StackId": stack.id}

    @operation("DeleteStack")
    async def delete(self, context: RequestContext, params: "DeleteStackInputTypeDef") -> dict[str, Any]:
        refuse_unsupported(params)
        if params.get("DeletionMode", "STANDARD") != "STANDARD":
            raise validation("Mayfly does not support DeletionMode FORCE_DELETE_STACK; use RetainResources.")

        stack_id = await self._interrupted(context, params["StackName"], "create")

        def write(tx: Tx) -> None:
            try:
                stack = find_stack(tx, context, stack_id or params["StackName"])
            except ServiceError:
                return  # deleting what is not there succeeds, as on AWS
            if stack.status == "DELETE_COMPLETE" or (stack.operation and stack.operation.kind == "delete"):
                return
            self._check_deletable(tx, stack, params.get("RetainResources", ()))
            now = self._clock.now()
            wanted = Operation(
                "delete",
                "delete",
                detached(context),
                retain=tuple(params.get("RetainResources", ())),
                token=params.get("ClientRequestToken", ""),
            )
            begun = msgspec.structs.replace(
                stack, status="DELETE_IN_PROGRESS", reason="User Initiated", operation=wanted
            )
            save_stack(tx, begun)
            self._driver.telling.stack(tx, begun, now)
            tx.after_commit(lambda: self._driver.launch(stack.id))

        try:
            await self._store.write(write)
        finally:
            if stack_id is not None:
                self._driver.launch(stack_id)  # also if the deletion was refused
        return {}

    @operation("CancelUpdateStack")
    async def cancel(self, context: RequestContext, params: "CancelUpdateStackInputTypeDef") -> dict[str, Any]:
        stack_id = await self._interrupted(context, params["StackName"], "update")

        def write(tx: Tx) -> None:
            stack = find_stack(tx, context, params["StackName"])
            running = stack.operation
            if running is None or running.kind != "update" or running.phase != "forward":
                raise validation(f"CancelUpdateStack cannot be called from current stack status, {stack.status}.")
            save_stack(tx, msgspec.structs.replace(stack, operation=msgspec.structs.replace(running, cancelled=True)))

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
            return stack.id if running and (running.kind, running.phase) == (kind, "forward") else None

        stack_id = await self._store.read(read)
        if stack_id is not None:
            await self._driver.interrupt(stack_id)
        return stack_id

    @operation("ContinueUpdateRollback")
    async def roll_on(self, context: RequestContext, params: "ContinueUpdateRollbackInputTypeDef") -> dict[str, Any]:
        refuse_unsupported(params)
        if params.get("ResourcesToSkip"):
            raise validation("Mayfly does not support ResourcesToSkip.")
        stack = await self._store.read(lambda reader: find_stack(reader, context, params["StackName"]))
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
        token = params.get("ClientRequestToken", "")
        wanted = Operation("update", "rollback", detached(context), stack.definition, token=token)
        await self._begin(context, stack, "UPDATE_ROLLBACK_IN_PROGRESS", wanted, stack.options)
        return {}

    @operation("UpdateTerminationProtection")
    async def protect(
        self, context: RequestContext, params: "UpdateTerminationProtectionInputTypeDef"
    ) -> dict[str, Any]:
        def write(tx: Tx) -> str:
            stack = find_stack(tx, context, params["StackName"])
            options = stack.options | {"EnableTerminationProtection": params["EnableTerminationProtection"]}
            save_stack(tx, msgspec.structs.replace(stack, options=options))
            return stack.id

        return {"StackId": await self._store.write(write)}

    async def _begin(
        self, context: RequestContext, seen: Stack, status: str, wanted: Operation, options: dict[str, Any]
    ) -> None:
        """Accept an operation on a stack that must still be as it was `seen`."""

        def write(tx: Tx) -> None:
            stack = find_stack(tx, context, seen.id)
            if stack != seen:
                raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
            now = self._clock.now()
            begun = msgspec.structs.replace(
                stack,
                status=status,
                reason="User Initiated",
                operation=wanted,
                updated_at=now,
                options=options,
            )
            save_stack(tx, begun)
            self._driver.telling.stack(tx, begun, now)
            tx.after_commit(lambda: self._driver.launch(stack.id))

        await self._store.write(write)

    def _check_deletable(self, tx: Tx, stack: Stack, retain: Any) -> None:
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
            known = {row.logical_id for row in resources_of(tx, stack.id)}
            if missing := sorted(set(retain) - known):
                raise validation(f"The specified resources to retain do not exist: [{', '.join(missing)}]")


def new_place(context: RequestContext, name: str) -> Place:
    """Where a new stack will be evaluated: its id is made here."""
    if not _NAME.fullmatch(name):
        raise validation(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    stack_id = context.arn("cloudformation", f"stack/{name}/{request_id()}")
    return Place(context.account, context.region, stack_id, name)


def check_updatable(stack: Stack) -> None:
    if stack.status not in _UPDATABLE:
        raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def on_failure(params: Mapping[str, Any]) -> Any:
    """What becomes of a creation that fails."""
    if "OnFailure" in params and "DisableRollback" in params:
        raise validation("Either OnFailure or DisableRollback can be specified, not both.")
    return "DO_NOTHING" if params.get("DisableRollback") else params.get("OnFailure", "ROLLBACK")


def options_of(params: Mapping[str, Any]) -> dict[str, Any]:
    names = ("DisableRollback", "EnableTerminationProtection", "TimeoutInMinutes")
    return {name: params[name] for name in names if name in params}


def detached(context: RequestContext) -> RequestContext:
    """The context without what belongs to the one request alone."""
    return RequestContext(
        context.request_id,
        context.account,
        context.region,
        context.principal,
        context.endpoint,
        context.source_ip,
        context.user_agent,
    )


def _differs(stack: Stack, definition: Definition) -> bool:
    """Whether something beside the resources is to change."""
    now = stack.definition
    return (now.template.outputs, now.template.description, now.tags) != (
        definition.template.outputs,
        definition.template.description,
        definition.tags,
    )
