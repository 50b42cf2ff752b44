"""Change sets: an update, a creation or an import that is looked at before it is carried out."""

import base64
import binascii
from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.stacks import shapes, statements
from mayfly.services.stacks.accepting import Acceptance, check_updatable, marked, repeated
from mayfly.services.stacks.change_sets import (
    ChangeSet,
    Drawing,
    forget_nested,
    found_of_row,
    not_found,
    summary,
)
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.model import Operation, Stack
from mayfly.services.stacks.records import find_stack, resources_of, stack_of_id
from mayfly.services.stacks.sealing import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import (
        CreateChangeSetInputTypeDef,
        DeleteChangeSetInputTypeDef,
        DescribeChangeSetInputTypeDef,
        ExecuteChangeSetInputTypeDef,
        ListChangeSetsInputTypeDef,
    )

_PAGE = 100
_BEGUN = {"CREATE": "create", "UPDATE": "update", "IMPORT": "import"}


class ChangeSetOperations:
    def __init__(self, store: Store, accept: Acceptance, drawing: Drawing) -> None:
        self._store = store
        self._accept = accept
        self._drawing = drawing

    @operation("CreateChangeSet")
    async def create(self, context: RequestContext, params: "CreateChangeSetInputTypeDef") -> dict[str, Any]:
        change_set = await self._drawing.draw(context, params)
        return {"Id": change_set.id, "StackId": change_set.stack_id}

    @operation("DescribeChangeSet")
    async def describe(self, context: RequestContext, params: "DescribeChangeSetInputTypeDef") -> dict[str, Any]:
        after = int(_opened(params["NextToken"])) if "NextToken" in params else 0

        def read(reader: Reader) -> tuple[ChangeSet, Stack, dict[str, str]]:
            found = find_change_set(reader, context, params["ChangeSetName"], params.get("StackName"))
            rows = resources_of(reader, found.stack_id)
            names = {row.logical_id: row.physical_id for row in rows if row.role == "current"}
            return found, stack_of_id(reader, found.stack_id), names

        found, stack, physical_ids = await self._store.read(read)
        nested, values = found.options.get("Nested", {}), params.get("IncludePropertyValues", False)
        views = [shapes.change(change, physical_ids, nested, values=values) for change in found.changes]
        listed = [view for view in views if view is not None]
        more = {"NextToken": _sealed(str(after + _PAGE))} if len(listed) > after + _PAGE else {}
        return summary(found, stack) | {
            "Parameters": shapes.parameters(found.definition),
            "Capabilities": list(found.definition.capabilities),
            "Tags": shapes.tags(found.definition),
            "NotificationARNs": list(found.definition.notifications),
            "RollbackConfiguration": found.options.get("RollbackConfiguration", {}),
            "Changes": listed[after : after + _PAGE],
            "OnStackFailure": found.on_failure,
            **more,
        }

    @operation("ListChangeSets")
    async def list(self, context: RequestContext, params: "ListChangeSetsInputTypeDef") -> dict[str, Any]:
        after = _opened(params["NextToken"]) if "NextToken" in params else ""

        def read(reader: Reader) -> dict[str, Any]:
            stack = find_stack(reader, context, params["StackName"])
            bounds = {"stack_id": stack.id, "after": after, "limit": _PAGE + 1}
            found = [found_of_row(reader, row) for row in reader.all(statements.CHANGE_SETS_PAGE, bounds)]
            more = {"NextToken": _sealed(found[_PAGE - 1].name)} if len(found) > _PAGE else {}
            return {"Summaries": [summary(item, stack) for item in found[:_PAGE]], **more}

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
            if "ParentChangeSetId" in found.options:
                raise validation(f"ChangeSet {found.id} belongs to a change set of a stack around it: delete that one")
            forget_nested(tx, found)

        await self._store.write(write)
        return {}

    @operation("ExecuteChangeSet")
    async def execute(self, context: RequestContext, params: "ExecuteChangeSetInputTypeDef") -> dict[str, Any]:
        token = params.get("ClientRequestToken", "")
        name, stack_name = params["ChangeSetName"], params.get("StackName")
        if params.get("DisableRollback") and "RetainExceptOnCreate" in params and params["RetainExceptOnCreate"]:
            raise validation("You cannot specify both DisableRollback and RetainExceptOnCreate")

        def read(reader: Reader) -> tuple[ChangeSet, Stack]:
            found = find_change_set(reader, context, name, stack_name)
            return found, stack_of_id(reader, found.stack_id)

        found, stack = await self._store.read(read)
        if repeated(stack, "execute", token):
            return {}
        if "ParentChangeSetId" in found.options:
            raise validation(f"ChangeSet {found.id} belongs to a change set of a stack around it: execute that one")
        _check_executable(found, stack)
        settings = {key: value for key, value in found.options.items() if key in shapes.SETTINGS}
        options = marked(stack.options | settings, "execute", token)
        options |= {"ChangeSetId": found.id, "DisableRollback": params.get("DisableRollback", False)}
        wanted = Operation(
            "create" if found.kind == "CREATE" else "import" if found.kind == "IMPORT" else "update",
            "forward",
            await self._accept.acting(context, options),
            found.definition,
            on_failure="DO_NOTHING" if params.get("DisableRollback") else _on_failure(found),
            token=token,
            spare_none=params.get("RetainExceptOnCreate", False),
            imported=tuple(found.options.get("Imported", ())),
        )

        def settle(tx: Tx) -> None:
            # The other change sets were drawn up against what is about to change.
            tx.run(statements.CHANGE_SETS_OTHERS_FORGET, {"stack_id": stack.id, "id": found.id})
            tx.run(statements.CHANGE_SET_EXECUTED, {"id": found.id, "execution": "EXECUTE_COMPLETE"})

        await self._accept.begin(context, stack, f"{_BEGUN[found.kind].upper()}_IN_PROGRESS", wanted, options, settle)
        return {}


def _check_executable(found: ChangeSet, stack: Stack) -> None:
    if found.execution != "AVAILABLE":
        raise ServiceError(
            "InvalidChangeSetStatus",
            f"ChangeSet [{found.id}] cannot be executed in its current execution status of [{found.execution}]",
            status=400,
        )
    if found.options.get("Fresh") or found.kind == "CREATE":
        if stack.status != "REVIEW_IN_PROGRESS":
            raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
    else:
        check_updatable(stack)


def find_change_set(reader: Reader, context: RequestContext, name: str, stack_name: str | None) -> ChangeSet:
    """A change set by its id, or by its name and stack; `ServiceError` ChangeSetNotFound, ValidationError."""
    if name.startswith("arn:"):
        row = reader.one(statements.CHANGE_SET_BY_ID, {"id": name})
    elif stack_name is None:
        raise validation("StackName must be specified if ChangeSetName is not specified as an ARN.")
    else:
        stack = find_stack(reader, context, stack_name)
        row = reader.one(statements.CHANGE_SET_BY_NAME, {"stack_id": stack.id, "name": name})
    found = None if row is None else found_of_row(reader, row)
    if found is None or not found.id.startswith(context.arn("cloudformation", "changeSet/")):
        raise not_found(name)
    return found


def _on_failure(found: ChangeSet) -> Any:
    # A stack that exists is never deleted because an update failed.
    return found.on_failure if found.kind == "CREATE" else "ROLLBACK"


def _sealed(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _opened(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise validation("Invalid NextToken.") from error


__all__ = ["ChangeSetOperations", "find_change_set"]
