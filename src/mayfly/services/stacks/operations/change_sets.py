"""Change sets: an update, or a creation, that is looked at before it is carried out."""

import base64
import binascii
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.ids import request_id
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.stacks import shapes, statements
from mayfly.services.stacks.driver import Driver
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.intake import Intake
from mayfly.services.stacks.model import Definition, Operation, Stack
from mayfly.services.stacks.operations.changing import check_updatable, detached, new_place
from mayfly.services.stacks.planner import Change, Place, Types, changes, draft
from mayfly.services.stacks.records import (
    find_stack,
    insert_stack,
    resources_of,
    save_stack,
    stack_of_id,
)
from mayfly.store.api import Reader, Row, Store, Tx

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import (
        CreateChangeSetInputTypeDef,
        DeleteChangeSetInputTypeDef,
        DescribeChangeSetInputTypeDef,
        ExecuteChangeSetInputTypeDef,
        ListChangeSetsInputTypeDef,
    )

_NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
_PAGE = 100


class ChangeSet(msgspec.Struct, frozen=True):
    id: str
    stack_id: str
    name: str
    status: str  # "CREATE_COMPLETE" | "FAILED"
    reason: str
    execution: str  # "AVAILABLE" | "UNAVAILABLE" | "EXECUTE_COMPLETE"
    kind: str  # "CREATE" | "UPDATE"
    description: str
    created_at: float
    definition: Definition
    changes: list[dict[str, Any]]
    on_failure: str


class ChangeSetOperations:
    def __init__(self, store: Store, clock: Clock, intake: Intake, driver: Driver, types: Types) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._driver = driver
        self._types = types

    @operation("CreateChangeSet")
    async def create(self, context: RequestContext, params: "CreateChangeSetInputTypeDef") -> dict[str, Any]:
        kind = params.get("ChangeSetType", "UPDATE")
        if kind not in ("CREATE", "UPDATE"):
            raise validation(f"Mayfly does not support change sets of type {kind}.")
        stack, fresh = await self._stack(context, params["StackName"], kind)
        place = Place(stack.account, stack.region, stack.id, stack.name)
        prepared = await self._intake.prepare(
            context, params, place, None if fresh else stack.definition, reviewed=True
        )
        found = changes(draft(stack.definition, place, self._types), prepared.drafts, self._types)
        same_rest = (stack.definition.tags, stack.definition.template.outputs) == (
            prepared.definition.tags,
            prepared.definition.template.outputs,
        )
        empty = not found and (same_rest or kind == "CREATE")
        change_set = ChangeSet(
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
            changes=[msgspec.to_builtins(change._asdict()) for change in found],
            on_failure=params.get("OnStackFailure", "ROLLBACK"),
        )

        def write(tx: Tx) -> None:
            if fresh and insert_stack(tx, stack):
                self._driver.telling.stack(tx, stack, self._clock.now())
            elif fresh:
                raise validation(f"Stack [{stack.name}] already exists and cannot be created again with the changeSet")
            tx.run(statements.CHANGE_SET_FAILED_FORGET, {"stack_id": stack.id, "name": change_set.name})
            if not tx.run(statements.CHANGE_SET_INSERT, _values(change_set)):
                raise ServiceError("AlreadyExistsException", f"ChangeSet {change_set.name} already exists", status=400)

        await self._store.write(write)
        return {"Id": change_set.id, "StackId": stack.id}

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
            return self._draft_stack(context, name), True
        if kind == "CREATE":
            if stack.status != "REVIEW_IN_PROGRESS":
                raise validation(f"Stack [{stack.name}] already exists and cannot be created again with the changeSet ")
        else:
            check_updatable(stack)
        return stack, False

    def _draft_stack(self, context: RequestContext, name: str) -> Stack:
        place = new_place(context, name)
        return Stack(
            id=place.stack_id,
            account=context.account,
            region=context.region,
            name=place.stack_name,
            status="REVIEW_IN_PROGRESS",
            reason="User Initiated",
            created_at=self._clock.now(),
            updated_at=None,
            deleted_at=None,
            definition=Definition(),
            outputs={},
            options={},
            operation=None,
        )

    @operation("DescribeChangeSet")
    async def describe(self, context: RequestContext, params: "DescribeChangeSetInputTypeDef") -> dict[str, Any]:
        def read(reader: Reader) -> tuple[ChangeSet, Stack, dict[str, str]]:
            found = find_change_set(reader, context, params["ChangeSetName"], params.get("StackName"))
            rows = resources_of(reader, found.stack_id)
            names = {row.logical_id: row.physical_id for row in rows if row.role == "current"}
            return found, stack_of_id(reader, found.stack_id), names

        found, stack, physical_ids = await self._store.read(read)
        return _summary(found, stack) | {
            "Parameters": shapes.parameters(found.definition),
            "Capabilities": list(found.definition.capabilities),
            "Tags": shapes.tags(found.definition),
            "NotificationARNs": [],
            "RollbackConfiguration": {},
            "Changes": [_change(change, physical_ids) for change in found.changes],
        }

    @operation("ListChangeSets")
    async def list(self, context: RequestContext, params: "ListChangeSetsInputTypeDef") -> dict[str, Any]:
        after = _opened(params["NextToken"]) if "NextToken" in params else ""

        def read(reader: Reader) -> dict[str, Any]:
            stack = find_stack(reader, context, params["StackName"])
            bounds = {"stack_id": stack.id, "after": after, "limit": _PAGE + 1}
            found = [_of_row(row) for row in reader.all(statements.CHANGE_SETS_PAGE, bounds)]
            more = {"NextToken": _sealed(found[_PAGE - 1].name)} if len(found) > _PAGE else {}
            return {"Summaries": [_summary(item, stack) for item in found[:_PAGE]], **more}

        return await self._store.read(read)

    @operation("DeleteChangeSet")
    async def delete(self, context: RequestContext, params: "DeleteChangeSetInputTypeDef") -> dict[str, Any]:
        def write(tx: Tx) -> None:
            try:
                found = find_change_set(tx, context, params["ChangeSetName"], params.get("StackName"))
            except ServiceError as error:
                if error.code == "ChangeSetNotFound":
                    return
                raise
            tx.run(statements.CHANGE_SET_FORGET, {"id": found.id})

        await self._store.write(write)
        return {}

    @operation("ExecuteChangeSet")
    async def execute(self, context: RequestContext, params: "ExecuteChangeSetInputTypeDef") -> dict[str, Any]:
        def write(tx: Tx) -> None:
            found = find_change_set(tx, context, params["ChangeSetName"], params.get("StackName"))
            stack = stack_of_id(tx, found.stack_id)
            if found.execution != "AVAILABLE":
                raise ServiceError(
                    "InvalidChangeSetStatus",
                    f"ChangeSet [{found.id}] cannot be executed in its current status of [{found.status}]",
                    status=400,
                )
            creating = found.kind == "CREATE"
            if not creating:
                check_updatable(stack)
            elif stack.status != "REVIEW_IN_PROGRESS":
                raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
            now = self._clock.now()
            begun = msgspec.structs.replace(
                stack,
                status="CREATE_IN_PROGRESS" if creating else "UPDATE_IN_PROGRESS",
                reason="User Initiated",
                updated_at=now,
                options=stack.options
                | {"ChangeSetId": found.id, "DisableRollback": params.get("DisableRollback", False)},
                operation=Operation(
                    "create" if creating else "update",
                    "forward",
                    detached(context),
                    found.definition,
                    on_failure="DO_NOTHING" if params.get("DisableRollback") else _on_failure(found),
                    token=params.get("ClientRequestToken", ""),
                ),
            )
            save_stack(tx, begun)
            self._driver.telling.stack(tx, begun, now)
            # The other change sets were drawn up against what is about to change.
            tx.run(statements.CHANGE_SETS_OBSOLETE, {"stack_id": stack.id, "id": found.id})
            tx.run(statements.CHANGE_SET_EXECUTED, {"id": found.id, "execution": "EXECUTE_COMPLETE"})
            tx.after_commit(lambda: self._driver.launch(stack.id))

        await self._store.write(write)
        return {}


def find_change_set(reader: Reader, context: RequestContext, name: str, stack_name: str | None) -> ChangeSet:
    """A change set by its id, or by its name and stack; `ServiceError` ChangeSetNotFound, ValidationError."""
    if name.startswith("arn:"):
        row = reader.one(statements.CHANGE_SET_BY_ID, {"id": name})
    elif stack_name is None:
        raise validation("StackName must be specified if ChangeSetName is not specified as an ARN.")
    else:
        stack = find_stack(reader, context, stack_name)
        row = reader.one(statements.CHANGE_SET_BY_NAME, {"stack_id": stack.id, "name": name})
    found = None if row is None else _of_row(row)
    if found is None or not found.id.startswith(context.arn("cloudformation", "changeSet/")):
        raise ServiceError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", status=404)
    return found


def _on_failure(found: ChangeSet) -> Any:
    # A stack that exists is never deleted because an update failed.
    return found.on_failure if found.kind == "CREATE" else "ROLLBACK"


def _of_row(row: Row) -> ChangeSet:
    values = dict(zip(ChangeSet.__struct_fields__, row, strict=True))
    values["definition"] = msgspec.json.decode(values["definition"], type=Definition)
    values["changes"] = msgspec.json.decode(values["changes"])
    return ChangeSet(**values)


def _values(change_set: ChangeSet) -> dict[str, Any]:
    values = {name: getattr(change_set, name) for name in change_set.__struct_fields__}
    for name in ("definition", "changes"):
        values[name] = msgspec.json.encode(values[name]).decode()
    return values


def _summary(found: ChangeSet, stack: Stack) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": found.id,
        "ChangeSetName": found.name,
        "ExecutionStatus": found.execution,
        "Status": found.status,
        "CreationTime": utc(found.created_at),
        "IncludeNestedStacks": False,
    }
    optional = {"StatusReason": found.reason, "Description": found.description}
    return shape | {name: value for name, value in optional.items() if value}


def _change(stored: dict[str, Any], physical_ids: dict[str, str]) -> dict[str, Any]:
    change = Change(**stored | {"properties": tuple(stored["properties"])})
    resource: dict[str, Any] = {
        "Action": change.action,
        "LogicalResourceId": change.logical_id,
        "ResourceType": change.type,
        "Scope": [],
        "Details": [],
    }
    if physical_ids.get(change.logical_id) and change.action != "Add":
        resource["PhysicalResourceId"] = physical_ids[change.logical_id]
    if change.action == "Modify":
        resource["Replacement"] = change.replacement
        resource["Scope"] = ["Properties"]
        resource["Details"] = [
            {"Target": {"Attribute": "Properties", "Name": name}, "Evaluation": "Static",
             "ChangeSource": "DirectModification"}
            for name in change.properties
        ]  # fmt: skip
    return {"Type": "Resource", "ResourceChange": resource}


def _sealed(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _opened(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise validation("Invalid NextToken.") from error
