"""Looking for drift: each resource of a stack is asked how it stands. A look at a whole stack is a row, and goes on in
the background; a restart looks once more."""

import asyncio
import json
import logging
from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec

from mayfly.clock import Clock, utc
from mayfly.ids import request_id
from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.ports import Operations
from mayfly.services.stacks import drift, statements
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.model import Resource, Stack
from mayfly.services.stacks.planner import Types
from mayfly.services.stacks.records import (
    find_stack,
    masked,
    resources_of,
    save_stack,
    secrets_of,
    stack_of_id,
)
from mayfly.services.stacks.resources.base import Around, Caller, Made, Target, UnreadableError
from mayfly.services.stacks.sealing import Reader, Store, Tx
from mayfly.services.stacks.template.dynamic import concealed

_AT_ONCE = 8
_log = logging.getLogger(__name__)


class Detection(NamedTuple):
    id: str
    stack_id: str
    status: str  # "DETECTION_IN_PROGRESS" | "DETECTION_COMPLETE" | "DETECTION_FAILED"
    reason: str
    drift: str
    drifted: int
    at: float
    names: str  # JSON: logical ids, or null for all
    context: str  # JSON: in whose name


class Drift(NamedTuple):
    """What the last look at a resource found."""

    logical_id: str
    status: str
    at: float
    detail: bytes  # JSON: a `StackResourceDrift` without its time


class Detector:
    """Owns the looks under way."""

    def __init__(self, store: Store, clock: Clock, types: Types, operations: Operations, around: Around) -> None:
        self._store = store
        self._clock = clock
        self._types = types
        self._operations = operations
        self._around = around
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Look once more where the last process did not get to the end."""
        rows = await self._store.read(lambda reader: reader.all(statements.DETECTIONS_UNFINISHED))
        for row in rows:
            self._launch(Detection(*row))

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def begin(self, context: RequestContext, name: str, names: Collection[str] | None) -> str:
        """Begin a look at a stack, or at some of its resources; its id. `ServiceError` ValidationError."""
        made = request_id()

        def write(tx: Tx) -> Detection:
            stack = find_stack(tx, context, name)
            _check_standing(stack)
            if tx.one(statements.DETECTION_OF_STACK, {"stack_id": stack.id}) is not None:
                raise validation(f"Drift detection is already in progress for stack [{stack.id}]")
            wanted = None if names is None else sorted(names)
            text = msgspec.json.encode(context).decode()
            at = self._clock.now()
            found = Detection(made, stack.id, "DETECTION_IN_PROGRESS", "", "", 0, at, json.dumps(wanted), text)
            tx.run(statements.DETECTION_SAVE, found._asdict())
            return found

        self._launch(await self._store.write(write))
        return made

    def _launch(self, detection: Detection) -> None:
        task = asyncio.get_running_loop().create_task(self._run(detection), name=f"drift of {detection.stack_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, detection: Detection) -> None:
        try:
            found = await self._looked(detection)
        except Exception:  # the boundary of the task
            _log.exception("looking for the drift of %s", detection.stack_id)
            found = detection._replace(status="DETECTION_FAILED", reason="Internal Failure")
            values = found._asdict()
            await self._store.write(lambda tx: tx.run(statements.DETECTION_SAVE, values))

    async def _looked(self, detection: Detection) -> Detection:
        stack = await self._store.read(lambda reader: stack_of_id(reader, detection.stack_id))
        names = json.loads(detection.names)
        context = msgspec.json.decode(detection.context, type=RequestContext)
        rows = await self._store.read(lambda reader: _current(reader, stack.id, names))
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(row: Resource) -> dict[str, Any]:
            async with places:
                return await self.look(context, stack, row)

        shapes = await asyncio.gather(*(one(row) for row in rows))
        drifted = sum(shape["StackResourceDriftStatus"] in (drift.MODIFIED, drift.DELETED) for shape in shapes)
        status = "DRIFTED" if drifted else "IN_SYNC"
        done = detection._replace(status="DETECTION_COMPLETE", drift=status, drifted=drifted)

        def write(tx: Tx) -> None:
            tx.run(statements.DETECTION_SAVE, done._asdict())
            now = stack_of_id(tx, stack.id)
            known = {"status": status, "at": detection.at}
            save_stack(tx, msgspec.structs.replace(now, options=now.options | {"Drift": known}))

        await self._store.write(write)
        return done

    async def look(self, context: RequestContext, stack: Stack, row: Resource) -> dict[str, Any]:
        """How a resource stands, as a `StackResourceDrift`; durable."""
        kind = self._types[row.type]
        target = Target(
            stack.id, stack.name, row.logical_id, row.generation, stack.account, stack.region, row.type, row.updated_at
        )
        call = Caller(self._operations, context, around=self._around)
        expected = drift.said(row.properties)
        shape: dict[str, Any] = {"StackResourceDriftStatus": drift.NOT_CHECKED}
        try:
            actual = await kind.read(call, target, Made(row.physical_id, row.attributes), row.properties)
            shape = _shape(expected, actual, secrets_of(stack.definition))
        except UnreadableError as error:
            shape["DriftStatusReason"] = str(error)
        except ServiceError as error:
            shape["DriftStatusReason"] = error.message
        shape |= {
            "StackId": stack.id,
            "LogicalResourceId": row.logical_id,
            "PhysicalResourceId": row.physical_id,
            "ResourceType": row.type,
        }
        at = self._clock.now()

        def write(tx: Tx) -> None:
            place = {"stack_id": stack.id, "logical_id": row.logical_id}
            found = {"status": shape["StackResourceDriftStatus"], "at": at}
            sealed = tx.sealed(json.dumps(shape).encode(), _drift_about(stack.id, row.logical_id))
            tx.run(statements.DRIFT_SAVE, {**place, **found, "sealed_detail": sealed})

        await self._store.write(write)
        return shape | {"Timestamp": utc(at)}


def drifts_of(reader: Reader, stack_id: str) -> list[Drift]:
    """What was found of the resources of a stack, by logical id."""
    return [
        Drift(name, status, at, reader.opened(sealed, _drift_about(stack_id, name)))
        for _, name, status, at, sealed in reader.all(statements.DRIFTS_OF, {"stack_id": stack_id})
    ]


def _drift_about(stack_id: str, logical_id: str) -> str:
    return f"drift {stack_id} {logical_id}"


def _shape(expected: dict[str, Any], actual: Any, secrets: Collection[str]) -> dict[str, Any]:
    if actual is None:
        return {"StackResourceDriftStatus": drift.DELETED, "ExpectedProperties": json.dumps(masked(expected, secrets))}
    shown = {name: concealed(expected[name], actual[name]) for name in actual if name in expected}
    found = drift.differences(expected, shown)
    return {
        "StackResourceDriftStatus": drift.MODIFIED if found else drift.IN_SYNC,
        "ExpectedProperties": json.dumps(masked(expected, secrets)),
        "ActualProperties": json.dumps(masked(shown, secrets)),
        "PropertyDifferences": masked([item.shape() for item in found], secrets),
    }


def _check_standing(stack: Stack) -> None:
    if stack.operation is not None or stack.status in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):
        raise validation(f"Drift detection cannot be performed on stack [{stack.id}] while it is in {stack.status}")


def _current(reader: Reader, stack_id: str, names: Collection[str] | None) -> list[Resource]:
    rows = [row for row in resources_of(reader, stack_id) if row.role == "current" and row.begun]
    return [row for row in rows if names is None or row.logical_id in names]
