"""Change sets drawn up: what an update, a creation or an import would do, and what it has to know when it is done."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.ids import request_id
from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.ports import Operations
from mayfly.services.stacks import foreseeing, importing, statements
from mayfly.services.stacks.accepting import Acceptance, check_updatable, new_stack, place_of
from mayfly.services.stacks.driver import Driver
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.intake import Prepared
from mayfly.services.stacks.model import Definition, Resource, Stack
from mayfly.services.stacks.names import new_place
from mayfly.services.stacks.planner import Change, Types, changes, draft, told
from mayfly.services.stacks.predictions import Side, predict
from mayfly.services.stacks.records import STACK_TYPE, find_stack, insert_stack, resources_of
from mayfly.services.stacks.resources.base import Caller, Restless
from mayfly.services.stacks.sealing import Reader, Store, Tx
from mayfly.services.stacks.template.marks import has_unknown
from mayfly.store.api import Row

_NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
_NONE: Mapping[str, str] = MappingProxyType({})
_KINDS = ("CREATE", "UPDATE", "IMPORT")


class ChangeSet(msgspec.Struct, frozen=True):
    id: str
    stack_id: str
    name: str
    status: str  # "CREATE_COMPLETE" | "FAILED"
    reason: str
    execution: str  # "AVAILABLE" | "UNAVAILABLE" | "OBSOLETE" | "EXECUTE_COMPLETE"
    kind: str  # "CREATE" | "UPDATE" | "IMPORT"
    description: str
    created_at: float
    definition: Definition
    changes: list[dict[str, Any]]
    on_failure: str
    options: dict[str, Any]  # settings of the stack; Imported, Nested, ParentChangeSetId, RootChangeSetId, Fresh


class _Part(msgspec.Struct, frozen=True):
    """What is sealed of a change set's row."""

    reason: str
    description: str
    definition: Definition
    changes: list[dict[str, Any]]
    options: dict[str, Any]


_part = msgspec.json.Decoder(_Part).decode  # here and not in a thread: see `records`
_COLUMNS = statements.CHANGE_SET.removesuffix(", sealed").split(", ")


class Drawing:
    """Draws change sets up."""

    def __init__(
        self, store: Store, clock: Clock, accept: Acceptance, driver: Driver, types: Types, operations: Operations
    ) -> None:
        self._store = store
        self._clock = clock
        self._accept = accept
        self._driver = driver
        self._types = types
        self._operations = operations

    async def draw(
        self,
        context: RequestContext,
        params: Mapping[str, Any],
        above: ChangeSet | None = None,
        unknown: Mapping[str, str] = _NONE,
    ) -> ChangeSet:
        """A change set, durable; with those of nested stacks, where they are asked for. `ServiceError`.

        `unknown`: parameters whose values are not known before the change set `above` is carried out.
        """
        kind = params.get("ChangeSetType", "UPDATE")
        if kind not in _KINDS:
            raise validation(f"Invalid ChangeSetType {kind}")
        if params.get("ResourcesToImport") and kind != "IMPORT":
            raise validation("ResourcesToImport is for change sets of the type IMPORT")
        stack, fresh = await self._stack(context, params["StackName"], kind)
        before = None if fresh else stack.definition
        prepared = await self._accept.intake.prepare(context, params, place_of(stack), before, reviewed=True)
        settings = await self._accept.options(context, params, {})
        call = Caller(self._operations, await self._accept.acting(context, {**stack.options, **settings}))
        imported = await importing.chosen(call, params, stack, prepared, self._types)
        rows = await self._store.read(lambda reader: resources_of(reader, stack.id))
        current = {row.logical_id: row for row in rows if row.role == "current"}
        foresaw = foreseeing.foreseen(prepared, unknown, place_of(stack), self._types)
        change_set = self._drawn(context, params, stack, foresaw, imported, current)
        definition = foreseeing.shown(prepared.definition, unknown)
        change_set = msgspec.structs.replace(change_set, definition=definition)
        options = {**settings, "Imported": sorted(imported), "Fresh": fresh}
        if above is not None:
            root = above.options.get("RootChangeSetId", above.id)
            options |= {"ParentChangeSetId": above.id, "RootChangeSetId": root}
        options["IncludeNestedStacks"] = params.get("IncludeNestedStacks", False)
        change_set = msgspec.structs.replace(change_set, options=options)
        if options["IncludeNestedStacks"]:
            change_set = await self._with_nested(context, change_set, stack, foresaw, current)
        await self._store.write(lambda tx: self._write(tx, stack, change_set, fresh=fresh))
        return change_set

    def _drawn(
        self,
        context: RequestContext,
        params: Mapping[str, Any],
        stack: Stack,
        prepared: Prepared,
        imported: frozenset[str],
        rows: Mapping[str, Resource],
    ) -> ChangeSet:
        kind = params.get("ChangeSetType", "UPDATE")
        before = Side(stack.definition, draft(stack.definition, place_of(stack), self._types))
        after = Side(prepared.definition, prepared.drafts)
        found = changes(before.drafts, after.drafts, self._types)
        known = {change.logical_id for change in found}
        found += [
            Change("Modify", name, item.type, "False")
            for name, item in prepared.drafts.items()
            if name not in known and isinstance(self._types[item.type], Restless)
        ]
        predicted = predict(found, before, after, rows, place_of(stack), self._types)
        listed = [msgspec.to_builtins(change._asdict()) for change in predicted]
        for change in listed:
            if change["logical_id"] in imported:
                change["action"] = "Import"
        if kind == "IMPORT" and any(change["action"] in ("Add", "Remove") for change in listed):
            raise validation("As part of the import operation, you cannot create or delete resources: every resource "
                             "that the stack does not have has to be imported")  # fmt: skip
        same_rest = told(stack.definition, place_of(stack)) == told(prepared.definition, place_of(stack))
        empty = not listed and kind != "CREATE" and (same_rest or kind != "UPDATE")
        return ChangeSet(
            id=context.arn("cloudformation", f"changeSet/{params['ChangeSetName']}/{request_id()}"),
            stack_id=stack.id,
            name=params["ChangeSetName"],
            status="FAILED" if empty else "CREATE_COMPLETE",
            reason=_NO_CHANGES if empty else "",
            execution="UNAVAILABLE" if empty else "AVAILABLE",
            kind=kind,
            description=params.get("Description", ""),
            created_at=self._clock.now(),
            definition=prepared.definition,
            changes=listed,
            on_failure=params.get("OnStackFailure", "ROLLBACK"),
            options={},
        )

    async def _with_nested(
        self,
        context: RequestContext,
        change_set: ChangeSet,
        stack: Stack,
        prepared: Prepared,
        rows: Mapping[str, Resource],
    ) -> ChangeSet:
        """With a change set of each nested stack that there is and is not to go."""
        nested, place = {}, place_of(stack)
        changed = {change["logical_id"]: change["replacement"] or "False" for change in change_set.changes}
        for name, item in prepared.drafts.items():
            row = rows.get(name)
            if row is None or (item.type, row.type) != (STACK_TYPE, STACK_TYPE):
                continue
            properties = foreseeing.properties_of(prepared, place, self._types, name, rows, changed)
            if has_unknown(properties["TemplateURL"]):
                continue
            former = await self._store.read(partial(find_stack, context=context, name=row.physical_id))
            given, unknown = foreseeing.parameters(properties.get("Parameters", {}), former.definition.parameters)
            params = {
                "StackName": row.physical_id,
                "ChangeSetName": change_set.name,
                "TemplateURL": properties["TemplateURL"],
                "Parameters": given,
                "Capabilities": list(prepared.definition.capabilities),
                "IncludeNestedStacks": True,
            }
            child = await self.draw(context, params, change_set, unknown)
            nested[name] = child.id
            if child.status == "FAILED":  # nothing changes in it, so what it gives is known
                changed.pop(name, None)
        return msgspec.structs.replace(change_set, options={**change_set.options, "Nested": nested})

    def _write(self, tx: Tx, stack: Stack, change_set: ChangeSet, *, fresh: bool) -> None:
        if fresh and insert_stack(tx, stack):
            self._driver.telling.stack(tx, stack, self._clock.now())
        elif fresh:
            raise validation(f"Stack [{stack.name}] already exists and cannot be created again with the changeSet")
        tx.run(statements.CHANGE_SET_FAILED_FORGET, {"stack_id": stack.id, "name": change_set.name})
        if not tx.run(statements.CHANGE_SET_INSERT, _values(tx, change_set)):
            raise ServiceError("AlreadyExistsException", f"ChangeSet {change_set.name} already exists", status=400)

    async def _stack(self, context: RequestContext, name: str, kind: str) -> tuple[Stack, bool]:
        """The stack that a change set is for, and whether it has to be made."""

        def read(reader: Reader) -> Stack | None:
            try:
                return find_stack(reader, context, name)
            except ServiceError:
                if kind == "UPDATE":
                    raise
                return None

        stack = await self._store.read(read)
        if stack is None:
            place = new_place(context, name)
            return new_stack(context, place, self._clock.now(), "REVIEW_IN_PROGRESS", {}, None), True
        if kind == "CREATE":
            if stack.status != "REVIEW_IN_PROGRESS":
                raise validation(f"Stack [{stack.name}] already exists and cannot be created again with the changeSet ")
        elif kind == "UPDATE" or stack.status != "REVIEW_IN_PROGRESS":
            check_updatable(stack)
        return stack, False


def forget_nested(tx: Tx, found: ChangeSet) -> None:
    """Delete a change set and those below it."""
    for name in found.options.get("Nested", {}).values():
        row = tx.one(statements.CHANGE_SET_BY_ID, {"id": name})
        if row is not None:
            forget_nested(tx, found_of_row(tx, row))
    tx.run(statements.CHANGE_SET_FORGET, {"id": found.id})


def found_of_row(reader: Reader, row: Row) -> ChangeSet:
    *columns, sealed = row
    part = _part(reader.opened(sealed, f"change set {row[0]}"))
    members = {name: getattr(part, name) for name in part.__struct_fields__}
    return ChangeSet(**dict(zip(_COLUMNS, columns, strict=True)), **members)


def _values(tx: Tx, change_set: ChangeSet) -> dict[str, Any]:
    part = _Part(**{name: getattr(change_set, name) for name in _Part.__struct_fields__})
    sealed = tx.sealed(msgspec.json.encode(part), f"change set {change_set.id}")
    return {**{name: getattr(change_set, name) for name in _COLUMNS}, "sealed": sealed}


def not_found(name: str) -> ServiceError:
    return ServiceError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", status=404)


def summary(found: ChangeSet, stack: Stack) -> dict[str, Any]:
    """A `ChangeSetSummary`."""
    shape: dict[str, Any] = {
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": found.id,
        "ChangeSetName": found.name,
        "ExecutionStatus": found.execution,
        "Status": found.status,
        "CreationTime": utc(found.created_at),
        "IncludeNestedStacks": found.options.get("IncludeNestedStacks", False),
    }
    optional = {
        "StatusReason": found.reason,
        "Description": found.description,
        "ParentChangeSetId": found.options.get("ParentChangeSetId"),
        "RootChangeSetId": found.options.get("RootChangeSetId"),
    }
    return shape | {name: value for name, value in optional.items() if value}
