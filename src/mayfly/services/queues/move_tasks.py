"""Message move tasks: the content of a dead-letter queue on its way back, or elsewhere.

A task is a row; each step of it, some messages moved and how many that makes, is one transaction. So a task goes on
where it was after a restart, and no message is moved twice or lost. Tasks run side by side, each at its own pace.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.services.queues import moving, receiving, statements
from mayfly.services.queues.board import Board
from mayfly.services.queues.catalog import Catalog
from mayfly.services.queues.model import Queue, Stored
from mayfly.store.api import Reader, Store, StoreClosedError, Tx

CHUNK = 200  # messages in one transaction, where no pace is given: a few milliseconds
PAUSE_S = 0.005
STEPS_PER_S = 10  # where one is
RETRY_S = 1.0

Status = Literal["RUNNING", "COMPLETED", "CANCELLING", "CANCELLED", "FAILED"]

_log = logging.getLogger(__name__)


class MoveTask(Struct, frozen=True, omit_defaults=True):
    """A task as it is stored."""

    id: str
    source_arn: str
    started_at: int  # Unix milliseconds
    to_move: int
    destination_arn: str | None = None  # None: where each message came from
    per_second: int | None = None  # None: as fast as it goes
    status: Status = "RUNNING"
    moved: int = 0
    failure: str | None = None

    @property
    def active(self) -> bool:
        return self.status in {"RUNNING", "CANCELLING"}


class _StoppedError(Exception):
    """The task cannot go on; the reason is SQS's word for it."""


class MoveTasks:
    """Tasks as they are stored, and what carries them out: `run`, as a task of the service."""

    def __init__(self, store: Store, clock: Clock, catalog: Catalog, board: Board) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog
        self._board = board
        self._decoder = msgspec.json.Decoder(MoveTask)
        self._woken = asyncio.Event()

    def add(self, tx: Tx, task: MoveTask) -> None:
        """Record a new task, which begins once it is durable."""
        row = {"id": task.id, "source_arn": task.source_arn, "started_at": task.started_at}
        tx.run(statements.INSERT_TASK, {**row, "definition": msgspec.json.encode(task)})
        tx.after_commit(self._woken.set)

    def replace(self, tx: Tx, task: MoveTask) -> None:
        """Record a changed task."""
        tx.run(
            statements.UPDATE_TASK,
            {"id": task.id, "active": int(task.active), "definition": msgspec.json.encode(task)},
        )

    def find(self, reader: Reader, task_id: str) -> MoveTask | None:
        """The task of that id, or None."""
        row = reader.one(statements.FIND_TASK, {"id": task_id})
        return None if row is None else self._decoder.decode(row[0])

    def of_source(self, reader: Reader, source_arn: str, count: int) -> list[MoveTask]:
        """The latest tasks of a queue, latest first."""
        rows = reader.all(statements.TASKS_OF_SOURCE, {"source_arn": source_arn, "count": count})
        return [self._decoder.decode(definition) for (definition,) in rows]

    async def run(self) -> None:
        """Carry out what is recorded, also by a process before this one, until cancelled."""
        running: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()
                try:
                    rows = await self._store.read(lambda reader: reader.all(statements.ACTIVE_TASKS))
                except StoreClosedError:
                    return
                for (definition,) in rows:
                    task = self._decoder.decode(definition)
                    if task.id not in running or running[task.id].done():
                        running[task.id] = group.create_task(self._carry_out(task), name=f"move-{task.id}")
                for task_id in [each for each, carried in running.items() if carried.done()]:
                    del running[task_id]
                await self._woken.wait()

    async def _carry_out(self, task: MoveTask) -> None:
        count, pause_s = CHUNK, PAUSE_S
        if task.per_second is not None:
            count = max(1, task.per_second // STEPS_PER_S)
            pause_s = count / task.per_second
        while True:
            try:
                if not await self.step(task.id, count):
                    return
            except StoreClosedError:
                return
            except PlatformError:
                _log.exception("message move task %s pauses", task.id)
                await asyncio.sleep(RETRY_S)
            await asyncio.sleep(pause_s)

    async def step(self, task_id: str, count: int) -> bool:
        """Move up to `count` messages; whether the task goes on."""
        return await self._store.write(lambda tx: self._step(tx, task_id, count))

    def _step(self, tx: Tx, task_id: str, count: int) -> bool:
        task = self.find(tx, task_id)
        if task is None or not task.active:
            return False
        if task.status == "CANCELLING":
            self.replace(tx, msgspec.structs.replace(task, status="CANCELLED"))
            return False
        try:
            moved = self._move(tx, task, count)
        except _StoppedError as stopped:
            self.replace(tx, msgspec.structs.replace(task, status="FAILED", failure=str(stopped)))
            return False
        status: Status = "RUNNING" if moved else "COMPLETED"
        self.replace(tx, msgspec.structs.replace(task, status=status, moved=task.moved + moved))
        return moved > 0

    def _move(self, tx: Tx, task: MoveTask, count: int) -> int:
        """How many messages were moved; all of what was found has somewhere to go, or nothing is moved."""
        source = self._require(tx, task.source_arn)
        now = int(self._clock.now() * 1000)
        found = _of_groups(tx, source, count, now) if source.fifo else _due(tx, source, count, now)
        by_target: dict[str, list[Stored]] = {}
        for row in found:
            arn = task.destination_arn or moving.source_of(row)
            if arn is None:
                raise _StoppedError("CouldNotDetermineMessageSource")
            by_target.setdefault(arn, []).append(row)
        targets = {arn: self._require(tx, arn) for arn in by_target}
        if any(target.fifo != source.fifo for target in targets.values()):
            raise _StoppedError("AWS.SimpleQueueService.UnsupportedOperation")
        for arn, rows in by_target.items():
            moving.anew(tx, self._board, source, targets[arn], rows, now)
        for group_no in {row.group_no for row in found}:
            if group_no is not None:
                moving.settle_group(tx, group_no, now)
        return len(found)

    def _require(self, tx: Tx, arn: str) -> Queue:
        queue = self._catalog.find_arn(tx, arn)
        if queue is None:
            raise _StoppedError("AWS.SimpleQueueService.NonExistentQueue")
        return queue


def _due(tx: Tx, source: Queue, count: int, now: int) -> list[Stored]:
    rows = tx.all(statements.SELECT_DUE, receiving.due(source, now, count))
    return [Stored(*row) for row in rows]


def _of_groups(tx: Tx, source: Queue, count: int, now: int) -> Sequence[Stored]:
    """The first messages of groups, each group's in its order."""
    found: list[Stored] = []
    for (group_no,) in tx.all(statements.READY_GROUPS, {"store": source.store, "now": now, "count": count}):
        rows = tx.all(statements.SELECT_OF_GROUP, {"group_no": group_no, "count": count - len(found)})
        for row in rows:
            message = Stored(*row)
            if message.due_at > now:
                break
            found.append(message)
        if len(found) >= count:
            break
    return found
