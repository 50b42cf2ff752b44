"""Reading stacks: DescribeStacks, ListStacks, their events and resources."""

import base64
import binascii
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.stacks import shapes, statements
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.model import Resource, Stack
from mayfly.services.stacks.records import events_before, find_stack, resources_of, stack_of_id, stack_of_row
from mayfly.services.stacks.sealing import Reader, Store

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import (
        DescribeStackEventsInputTypeDef,
        DescribeStackResourceInputTypeDef,
        DescribeStackResourcesInputTypeDef,
        DescribeStacksInputTypeDef,
        ListStackResourcesInputTypeDef,
        ListStacksInputTypeDef,
    )

_PAGE = 100
_FIRST_TIME, _FIRST_NUMBER = 1e18, 2**62


class DescribingOperations:
    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("DescribeStacks")
    async def describe(self, context: RequestContext, params: "DescribeStacksInputTypeDef") -> dict[str, Any]:
        if "StackName" in params:
            name = params["StackName"]
            one = await self._store.read(lambda reader: find_stack(reader, context, name))
            return {"Stacks": [shapes.stack(one, context.endpoint)]}
        found, token = await self._page(context, params.get("NextToken"), living=True)
        return {"Stacks": [shapes.stack(item, context.endpoint) for item in found], **token}

    @operation("ListStacks")
    async def list_stacks(self, context: RequestContext, params: "ListStacksInputTypeDef") -> dict[str, Any]:
        wanted = set(params.get("StackStatusFilter", ()))
        found, token = await self._page(context, params.get("NextToken"), living=False)
        shown = [shapes.summary(item) for item in found if not wanted or item.status in wanted]
        return {"StackSummaries": shown, **token}

    async def _page(
        self, context: RequestContext, token: str | None, *, living: bool
    ) -> tuple[list[Stack], dict[str, str]]:
        before, before_id = (_FIRST_TIME, "") if token is None else _opened(token, tuple[float, str])
        bounds = {
            "account": context.account,
            "region": context.region,
            "living": int(living),
            "before": before,
            "before_id": before_id,
            "limit": _PAGE + 1,
        }

        def read(reader: Reader) -> list[Stack]:
            return [stack_of_row(reader, row) for row in reader.all(statements.STACKS_PAGE, bounds)]

        rows = await self._store.read(read)
        found = rows[:_PAGE]
        more = {"NextToken": _sealed((found[-1].created_at, found[-1].id))} if len(rows) > _PAGE else {}
        return found, more

    @operation("DescribeStackEvents")
    async def events(self, context: RequestContext, params: "DescribeStackEventsInputTypeDef") -> dict[str, Any]:
        token = params.get("NextToken")
        before = _FIRST_NUMBER if token is None else _opened(token, int)

        def read(reader: Reader) -> dict[str, Any]:
            stack = find_stack(reader, context, params["StackName"])
            found = events_before(reader, stack.id, before, _PAGE + 1)
            shown = [shapes.event(stack, item) for item in found[:_PAGE]]
            more = {"NextToken": _sealed(found[_PAGE - 1].number)} if len(found) > _PAGE else {}
            return {"StackEvents": shown, **more}

        return await self._store.read(read)

    @operation("DescribeStackResource")
    async def resource(self, context: RequestContext, params: "DescribeStackResourceInputTypeDef") -> dict[str, Any]:
        def read(reader: Reader) -> dict[str, Any]:
            stack = find_stack(reader, context, params["StackName"])
            row = _named(_current(resources_of(reader, stack.id)), stack, params["LogicalResourceId"])
            found = _drifts(reader, stack.id)
            detail = shapes.resource(stack, row, "LastUpdatedTimestamp", drift=found.get(row.logical_id))
            declared = stack.definition.template.resources.get(row.logical_id)
            if declared is not None and declared.metadata:
                detail["Metadata"] = msgspec.json.encode(declared.metadata).decode()
            return {"StackResourceDetail": detail}

        return await self._store.read(read)

    @operation("DescribeStackResources")
    async def resources(self, context: RequestContext, params: "DescribeStackResourcesInputTypeDef") -> dict[str, Any]:
        logical_id = params.get("LogicalResourceId")

        def read(reader: Reader) -> dict[str, Any]:
            stack = self._of(reader, context, params)
            rows = _current(resources_of(reader, stack.id))
            if logical_id is not None:
                rows = [_named(rows, stack, logical_id)]
            found = _drifts(reader, stack.id)
            shown = [shapes.resource(stack, row, drift=found.get(row.logical_id)) for row in rows[:_PAGE]]
            return {"StackResources": shown}

        return await self._store.read(read)

    def _of(self, reader: Reader, context: RequestContext, params: "DescribeStackResourcesInputTypeDef") -> Stack:
        if "StackName" in params:
            return find_stack(reader, context, params["StackName"])
        if "PhysicalResourceId" not in params:
            raise validation("Either StackName or PhysicalResourceId must be specified.")
        physical_id = params["PhysicalResourceId"]
        row = reader.one(statements.STACK_OF_PHYSICAL_ID, {"physical_id": physical_id})
        stack = None if row is None else stack_of_id(reader, row[0])
        if stack is None or (stack.account, stack.region) != (context.account, context.region):
            raise validation(f"Stack for {physical_id} does not exist")
        return stack

    @operation("ListStackResources")
    async def list_resources(self, context: RequestContext, params: "ListStackResourcesInputTypeDef") -> dict[str, Any]:
        after = "" if "NextToken" not in params else _opened(params["NextToken"], str)

        def read(reader: Reader) -> dict[str, Any]:
            stack = find_stack(reader, context, params["StackName"])
            rows = [row for row in _current(resources_of(reader, stack.id)) if row.logical_id > after]
            found = _drifts(reader, stack.id)
            shown = [
                shapes.resource(stack, row, "LastUpdatedTimestamp", summary=True, drift=found.get(row.logical_id))
                for row in rows[:_PAGE]
            ]
            more = {"NextToken": _sealed(rows[_PAGE - 1].logical_id)} if len(rows) > _PAGE else {}
            return {"StackResourceSummaries": shown, **more}

        return await self._store.read(read)


def _current(rows: list[Resource]) -> list[Resource]:
    return [row for row in rows if row.role == "current"]


def _drifts(reader: Reader, stack_id: str) -> dict[str, tuple[str, float]]:
    """What the last look for drift found, and when."""
    return {name: (status, at) for _, name, status, at, _ in reader.all(statements.DRIFTS_OF, {"stack_id": stack_id})}


def _named(rows: list[Resource], stack: Stack, logical_id: str) -> Resource:
    for row in rows:
        if row.logical_id == logical_id:
            return row
    raise validation(f"Resource {logical_id} does not exist for stack {stack.name}")


def _sealed(value: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode()


def _opened(token: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(base64.b64decode(token.encode(), altchars=b"-_", validate=True), type=kind)
    except (binascii.Error, ValueError) as error:
        raise validation("Invalid NextToken.") from error
