"""Message move tasks: started, cancelled, listed."""

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, operation
from mayfly.services.queues import names, statements
from mayfly.services.queues.catalog import Catalog
from mayfly.services.queues.errors import InvalidValueError, NotFoundError, invalid
from mayfly.services.queues.model import Queue
from mayfly.services.queues.move_tasks import MoveTask, MoveTasks
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import (
        CancelMessageMoveTaskRequestTypeDef,
        ListMessageMoveTasksRequestTypeDef,
        StartMessageMoveTaskRequestTypeDef,
    )

MAX_PER_SECOND = 500
MAX_LISTED = 10


class MoveTaskOperations:
    """Handlers of operations on message move tasks."""

    def __init__(self, store: Store, clock: Clock, catalog: Catalog, tasks: MoveTasks) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog
        self._tasks = tasks

    @operation("StartMessageMoveTask")
    async def start_message_move_task(
        self, _context: RequestContext, request: "StartMessageMoveTaskRequestTypeDef"
    ) -> dict[str, Any]:
        """Begin to move the messages of a dead-letter queue back to where they came from, or to another queue."""
        source_arn, destination_arn = request["SourceArn"], request.get("DestinationArn")
        per_second = request.get("MaxNumberOfMessagesPerSecond")
        if per_second is not None and not 0 < per_second <= MAX_PER_SECOND:
            reason = f"You must enter a value that is > 0 and <= {MAX_PER_SECOND}."
            raise invalid(per_second, "MaxNumberOfMessagesPerSecond", reason)
        now = int(self._clock.now() * 1000)

        def body(tx: Tx) -> MoveTask:
            source = self._named(tx, "SourceArn", source_arn)
            if not tx.all(statements.LIST_SOURCES, {"arn": source_arn, "after": "", "count": 1}):
                raise InvalidValueError("Source queue must be configured as a Dead Letter Queue.")
            if destination_arn is not None:
                target = self._named(tx, "DestinationArn", destination_arn)
                if target.fifo != source.fifo:
                    raise InvalidValueError("The source and destination queues must be of the same type.")
                if target.no == source.no:
                    raise InvalidValueError("The source and destination queues must not be the same.")
            if tx.one(statements.ACTIVE_OF_SOURCE, {"source_arn": source_arn}) is not None:
                raise InvalidValueError(
                    "There is already a task running. Only one active task is allowed for a source queue arn at a "
                    "given time."
                )
            row = tx.one(statements.FIND_STORE, {"no": source.store})
            to_move = int(row[0]) if row is not None else 0
            task = MoveTask(ids.request_id(), source_arn, now, to_move, destination_arn, per_second)
            self._tasks.add(tx, task)
            return task

        return {"TaskHandle": _handle(await self._store.write(body))}

    @operation("CancelMessageMoveTask")
    async def cancel_message_move_task(
        self, _context: RequestContext, request: "CancelMessageMoveTaskRequestTypeDef"
    ) -> dict[str, Any]:
        """Stop a task; what it has moved stays where it is."""
        task_id, source_arn = _read(request["TaskHandle"])

        def body(tx: Tx) -> MoveTask:
            self._named(tx, "SourceArn", source_arn)
            task = self._tasks.find(tx, task_id)
            if task is None or task.source_arn != source_arn:
                raise NotFoundError("Task does not exist.")
            if task.status != "RUNNING":
                raise InvalidValueError("Only active tasks can be cancelled.")
            self._tasks.replace(tx, msgspec.structs.replace(task, status="CANCELLING"))
            return task

        return {"ApproximateNumberOfMessagesMoved": (await self._store.write(body)).moved}

    @operation("ListMessageMoveTasks")
    async def list_message_move_tasks(
        self, _context: RequestContext, request: "ListMessageMoveTasksRequestTypeDef"
    ) -> dict[str, Any]:
        """The latest tasks of a queue: one, unless more are asked for."""
        count = request.get("MaxResults", 1)
        if not 1 <= count <= MAX_LISTED:
            raise invalid(count, "MaxResults", f"MaxResults must be an integer between 1 and {MAX_LISTED}.")
        source_arn = request["SourceArn"]

        def body(reader: Reader) -> list[MoveTask]:
            self._named(reader, "SourceArn", source_arn)
            return self._tasks.of_source(reader, source_arn, count)

        return {"Results": [_described(task) for task in await self._store.read(body)]}

    def _named(self, reader: Reader, member: str, arn: str) -> Queue:
        if names.key_of_arn(arn) is None:
            form = "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
            raise InvalidValueError(f"You must use this format to specify the {member}: {form}")
        queue = self._catalog.find_arn(reader, arn)
        if queue is None:
            raise NotFoundError(f"The resource that you specified for the {member} parameter doesn't exist.")
        return queue


def _handle(task: MoveTask) -> str:
    return base64.b64encode(json.dumps({"taskId": task.id, "sourceArn": task.source_arn}).encode()).decode()


def _read(handle: str) -> tuple[str, str]:
    try:
        value = json.loads(base64.b64decode(handle, validate=True))
        return str(value["taskId"]), str(value["sourceArn"])
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        raise InvalidValueError("Value for parameter TaskHandle is invalid.") from None


def _described(task: MoveTask) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Status": task.status,
        "SourceArn": task.source_arn,
        "StartedTimestamp": task.started_at,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
    }
    if task.status == "RUNNING":
        found["TaskHandle"] = _handle(task)
    if task.destination_arn is not None:
        found["DestinationArn"] = task.destination_arn
    if task.per_second is not None:
        found["MaxNumberOfMessagesPerSecond"] = task.per_second
    if task.failure is not None:
        found["FailureReason"] = task.failure
    return found
