"""DetectStackDrift and its kin: what was changed behind a stack's back."""

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from mayfly.clock import utc
from mayfly.services.contract import RequestContext, operation
from mayfly.services.stacks import statements
from mayfly.services.stacks.accepting import detached
from mayfly.services.stacks.detection import Detection, Detector, Drift, drifts_of
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.model import Resource, Stack
from mayfly.services.stacks.records import find_stack, resources_of
from mayfly.services.stacks.sealing import Reader, Store

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import (
        DescribeStackDriftDetectionStatusInputTypeDef,
        DescribeStackResourceDriftsInputTypeDef,
        DetectStackDriftInputTypeDef,
        DetectStackResourceDriftInputTypeDef,
    )

_PAGE = 100


class DriftOperations:
    def __init__(self, store: Store, detector: Detector) -> None:
        self._store = store
        self._detector = detector

    @operation("DetectStackDrift")
    async def detect(self, context: RequestContext, params: "DetectStackDriftInputTypeDef") -> dict[str, Any]:
        names = params.get("LogicalResourceIds")
        if names is not None:
            known = await self._store.read(lambda reader: _names(reader, context, params["StackName"]))
            if missing := sorted(set(names) - known):
                raise validation(f"Resources [{', '.join(missing)}] do not exist in the stack")
        made = await self._detector.begin(detached(context), params["StackName"], names)
        return {"StackDriftDetectionId": made}

    @operation("DetectStackResourceDrift")
    async def detect_one(
        self, context: RequestContext, params: "DetectStackResourceDriftInputTypeDef"
    ) -> dict[str, Any]:
        name = params["LogicalResourceId"]

        def read(reader: Reader) -> tuple[Stack, Resource]:
            stack = find_stack(reader, context, params["StackName"])
            for row in resources_of(reader, stack.id):
                if (row.logical_id, row.role) == (name, "current") and row.begun:
                    return stack, row
            raise validation(f"Resource {name} does not exist for stack {stack.name}")

        stack, row = await self._store.read(read)
        if stack.operation is not None:
            raise validation(f"Drift detection cannot be performed on stack [{stack.id}] while it is in {stack.status}")
        found = await self._detector.look(context, stack, row)
        if found["StackResourceDriftStatus"] == "NOT_CHECKED":
            raise validation(f"Drift detection is not supported for {row.type}: {found['DriftStatusReason']}")
        return {"StackResourceDrift": found}

    @operation("DescribeStackDriftDetectionStatus")
    async def status(
        self, context: RequestContext, params: "DescribeStackDriftDetectionStatusInputTypeDef"
    ) -> dict[str, Any]:
        named = {"id": params["StackDriftDetectionId"]}
        row = await self._store.read(lambda reader: reader.one(statements.DETECTION_BY_ID, named))
        found = None if row is None else Detection(*row)
        if found is None or not found.stack_id.startswith(context.arn("cloudformation", "stack/")):
            raise validation(f"StackDriftDetectionId {named['id']} does not exist")
        shape: dict[str, Any] = {
            "StackId": found.stack_id,
            "StackDriftDetectionId": found.id,
            "DetectionStatus": found.status,
            "Timestamp": utc(found.at),
        }
        if found.status == "DETECTION_COMPLETE":
            shape |= {"StackDriftStatus": found.drift, "DriftedStackResourceCount": found.drifted}
        return shape | ({"DetectionStatusReason": found.reason} if found.reason else {})

    @operation("DescribeStackResourceDrifts")
    async def describe(
        self, context: RequestContext, params: "DescribeStackResourceDriftsInputTypeDef"
    ) -> dict[str, Any]:
        wanted = set(params.get("StackResourceDriftStatusFilters", ()))
        after = _opened(params["NextToken"]) if "NextToken" in params else ""
        most = params.get("MaxResults", _PAGE)

        def read(reader: Reader) -> list[Drift]:
            stack = find_stack(reader, context, params["StackName"])
            known = {row.logical_id for row in resources_of(reader, stack.id) if row.role == "current"}
            rows = [row for row in drifts_of(reader, stack.id) if row.logical_id in known and row.logical_id > after]
            return [row for row in rows if not wanted or row.status in wanted]

        rows = await self._store.read(read)
        shown = [json.loads(row.detail) | {"Timestamp": utc(row.at)} for row in rows[:most]]
        more = {}
        if len(rows) > most:
            more = {"NextToken": base64.urlsafe_b64encode(rows[most - 1].logical_id.encode()).decode()}
        return {"StackResourceDrifts": shown, **more}


def _opened(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise validation("Invalid NextToken.") from error


def _names(reader: Reader, context: RequestContext, name: str) -> set[str]:
    stack = find_stack(reader, context, name)
    return {row.logical_id for row in resources_of(reader, stack.id) if row.role == "current"}
