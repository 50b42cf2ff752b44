"""Stacks that are resources of stacks: made, changed, taken back and deleted by the work on the stack around them.

An update of a child is *held* when it is through: what it replaced is there until the stack around it is through as
well (`release`), so that a failure elsewhere can take it back without loss. Each step looks at how the child stands,
so doing it again after a restart is going on with it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.stacks.accepting import NO_UPDATES, Acceptance, Parent, place_of
from mayfly.services.stacks.driver import Driver
from mayfly.services.stacks.model import Operation, Stack
from mayfly.services.stacks.planner import Types, draft
from mayfly.services.stacks.records import find_stack, resources_of, save_resource, save_stack, stack_of_id
from mayfly.services.stacks.resources.base import Caller, Made, NotMadeError, Target
from mayfly.services.stacks.resources.cloudformation.nested import child_id
from mayfly.services.stacks.running import restored
from mayfly.services.stacks.sealing import Reader, Store, Tx

_PAUSE_S = 0.02  # before another look, where a child's work ended without an end


class NestedStacks:
    """`resources.base.Children`."""

    def __init__(self, store: Store, clock: Clock, accept: Acceptance, driver: Driver, types: Types) -> None:
        self._store = store
        self._clock = clock
        self._accept = accept
        self._driver = driver
        self._types = types

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = target.name(128)
        child = await self._named(call.context, name)
        if child is None:
            params = await self._params(target, properties)
            around = await self._parent(call, target)
            try:
                made_id = await self._accept.create(call.context, {**params, "StackName": name}, around)
            except ServiceError as error:
                raise NotMadeError(error.message) from error
        elif child.options.get("ParentId") == target.stack_id:
            made_id = child.id
        else:
            raise NotMadeError(f"Stack [{name}] already exists")
        child = await self._settled(call, made_id)
        if child.status != "CREATE_COMPLETE":
            raise NotMadeError(f"Embedded stack {child.id} was not successfully created: {child.reason}", child.id)
        return _made(child)

    async def update(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> Made:
        if call.back:
            return await self._back(call, target, made)
        child = await self._of(made.physical_id)
        if child.options.get("ParentOperation") != call.operation_id:
            params = await self._params(target, properties)
            around = await self._parent(call, target)
            if around.fails_alone:
                params["DisableRollback"] = True
            try:
                await self._accept.update(call.context, child, params, around)
            except ServiceError as error:
                if error.message == NO_UPDATES:
                    return _made(child)
                raise NotMadeError(error.message) from error
        child = await self._settled(call, child.id)
        if not child.status.startswith("UPDATE_COMPLETE"):
            raise NotMadeError(
                f"Embedded stack {child.id} was not successfully updated. Currently in {child.status} with reason: "
                f"{child.reason}"
            )
        return _made(child)

    async def _back(self, call: Caller, target: Target, made: Made) -> Made:
        """Take the update of a child back that belongs to the operation that is taken back."""
        child = await self._of(made.physical_id)
        if child.operation is not None and child.operation.phase in ("forward", "watch"):
            await self._driver.interrupt(child.id)
            await self._store.write(lambda tx: _cancel(tx, child.id))
        child = await self._settled(call, child.id)
        if child.operation is not None:  # it is held
            await self._store.write(lambda tx: self._reverse(tx, child.id))
        elif child.status in ("UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"):
            skip = await self._skipped(target)
            await self._store.write(lambda tx: self._again(tx, call.context, child.id, skip))
        child = await self._settled(call, child.id)
        if child.status not in ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE", "CREATE_COMPLETE"):
            raise NotMadeError(f"Embedded stack {child.id} was not successfully rolled back: {child.reason}")
        return _made(child)

    async def delete(self, call: Caller, target: Target, made: Made) -> None:
        child = await self._child(call, target, made)
        if child is None:
            return
        stack_id, running = child.id, child.operation
        if running is not None and running.kind != "delete":
            await self._driver.interrupt(stack_id)
        if running is None or running.kind != "delete":
            wanted = Operation("delete", "delete", call.context)

            def write(tx: Tx) -> None:
                now = stack_of_id(tx, stack_id)
                begun = msgspec.structs.replace(now, status="DELETE_IN_PROGRESS", reason="", operation=wanted)
                save_stack(tx, begun)
                self._driver.telling.stack(tx, begun, self._clock.now())

            await self._store.write(write)
        gone = await self._settled(call, stack_id)
        if gone.status != "DELETE_COMPLETE":
            raise NotMadeError(f"Embedded stack {stack_id} could not be deleted: {gone.reason}")

    async def release(self, call: Caller, target: Target, made: Made) -> None:
        child = await self._child(call, target, made)
        if child is None:
            return
        stack_id = child.id

        def write(tx: Tx) -> None:
            now = stack_of_id(tx, stack_id)
            if now.operation is not None and now.operation.held:
                free = msgspec.structs.replace(now.operation, held=False, before=None)
                save_stack(tx, msgspec.structs.replace(now, operation=free))

        await self._store.write(write)
        await self._settled(call, stack_id)

    async def _settled(self, call: Caller, stack_id: str) -> Stack:
        """The child once nothing is to be done on it now."""
        async with call.waiting():
            while True:
                child = await self._of(stack_id)
                if child.operation is None or (child.operation.held and child.operation.phase == "cleanup"):
                    return child
                self._driver.launch(stack_id)
                await self._driver.settled(stack_id)
                await asyncio.sleep(_PAUSE_S)

    async def _params(self, target: Target, properties: Mapping[str, Any]) -> dict[str, Any]:
        """What a child is asked for: its own properties, and what it has of the stack around it."""
        around = await self._of(target.stack_id)
        definition = around.operation.definition if around.operation else around.definition
        own = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}
        given = properties.get("Parameters", {})
        params: dict[str, Any] = {
            "TemplateURL": properties["TemplateURL"],
            "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
            "Capabilities": list(definition.capabilities),
            "Tags": [{"Key": key, "Value": value} for key, value in {**definition.tags, **own}.items()],
        }
        for name in ("NotificationARNs", "TimeoutInMinutes"):
            if name in properties:
                params[name] = properties[name]
        if "RoleARN" in around.options:
            params["RoleARN"] = around.options["RoleARN"]
        return params

    async def _parent(self, call: Caller, target: Target) -> Parent:
        around = await self._of(target.stack_id)
        alone = around.operation is not None and around.operation.on_failure == "DO_NOTHING"
        root_id = around.options.get("RootId", around.id)
        return Parent(child_id(target), around.id, root_id, call.operation_id, alone)

    async def _skipped(self, target: Target) -> tuple[str, ...]:
        """What of the child a continued rollback leaves alone: `Child.Resource` in the words of the stack around."""
        around = await self._of(target.stack_id)
        names = around.operation.skip if around.operation is not None else ()
        prefix = f"{target.logical_id}."
        return tuple(name.removeprefix(prefix) for name in names if name.startswith(prefix))

    def _reverse(self, tx: Tx, stack_id: str) -> None:
        """Turn a held update back."""
        child = stack_of_id(tx, stack_id)
        assert child.operation is not None
        before = child.operation.before or child.definition
        back = msgspec.structs.replace(
            child,
            definition=before,
            status="UPDATE_ROLLBACK_IN_PROGRESS",
            reason="",
            operation=msgspec.structs.replace(child.operation, phase="rollback", held=False, before=None),
        )
        save_stack(tx, back)
        self._driver.telling.stack(tx, back, self._clock.now())
        for row, role in restored(resources_of(tx, stack_id), draft(before, place_of(child), self._types)):
            save_resource(tx, msgspec.structs.replace(row, role=role))

    def _again(self, tx: Tx, context: RequestContext, stack_id: str, skip: tuple[str, ...]) -> None:
        """Have a rollback that failed, or did not happen, done again."""
        child = stack_of_id(tx, stack_id)
        wanted = Operation("update", "rollback", context, child.definition, skip=skip)
        kept = draft(child.definition, place_of(child), self._types)
        back = msgspec.structs.replace(child, status="UPDATE_ROLLBACK_IN_PROGRESS", operation=wanted)
        save_stack(tx, back)
        self._driver.telling.stack(tx, back, self._clock.now())
        for row, role in restored(resources_of(tx, stack_id), kept):
            save_resource(tx, msgspec.structs.replace(row, role=role))

    async def _child(self, call: Caller, target: Target, made: Made) -> Stack | None:
        """The child, by its id or, if nobody noted that, by its name; None: there is none, or none any more."""
        known = made.physical_id
        found = await self._named(call.context, known if known.startswith("arn:") else target.name(128))
        if found is not None and found.status == "DELETE_COMPLETE":
            return None
        return found if found is not None and found.options.get("ParentId") == target.stack_id else None

    async def _of(self, stack_id: str) -> Stack:
        return await self._store.read(lambda reader: stack_of_id(reader, stack_id))

    async def _named(self, context: RequestContext, name: str) -> Stack | None:
        def read(reader: Reader) -> Stack | None:
            try:
                return find_stack(reader, context, name)
            except ServiceError:
                return None

        return await self._store.read(read)


def _cancel(tx: Tx, stack_id: str) -> None:
    child = stack_of_id(tx, stack_id)
    running = child.operation
    if running is not None and running.phase in ("forward", "watch"):
        save_stack(tx, msgspec.structs.replace(child, operation=msgspec.structs.replace(running, cancelled=True)))


def _made(child: Stack) -> Made:
    return Made(child.id, {f"Outputs.{name}": value for name, value in child.outputs.items()})
