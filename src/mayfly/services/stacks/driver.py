"""Carries operations on stacks out, one task a stack, and goes on with what a restart finds unfinished.

An operation is a walk through phases, and each turn from one to the next is one commit:

    create   forward ─→ done            update   forward ─→ cleanup ─→ done          delete   delete ─→ done
                └failure→ delete                    └failure→ rollback ─→ cleanup

A phase looks at the rows and does what they lack, so beginning it again after a crash is going on with it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.ports import Operations
from mayfly.services.stacks import statements
from mayfly.services.stacks.board import Board
from mayfly.services.stacks.builder import Builder
from mayfly.services.stacks.graph import walk
from mayfly.services.stacks.model import Definition, Operation, Resource, Role, Stack
from mayfly.services.stacks.planner import Draft, Types, draft, outputs
from mayfly.services.stacks.telling import Telling
from mayfly.store.api import Reader, Store, StoreClosedError

_PARALLEL = 8
_PAUSE_S, _PAUSE_LIMIT_S = 1.0, 60.0  # after a failure of the platform itself
_log = logging.getLogger(__name__)


class Driver:
    """Owns the tasks of running operations."""

    def __init__(self, store: Store, clock: Clock, types: Types, operations: Operations, telling: Telling) -> None:
        self.telling = telling
        self._store = store
        self._clock = clock
        self._types = types
        self._operations = operations
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    async def start(self) -> None:
        """Go on with the operations that the last process left unfinished."""

        def unfinished(reader: Reader) -> list[str]:
            return [stack_id for (stack_id,) in reader.all(statements.STACKS_UNFINISHED)]

        for stack_id in await self._store.read(unfinished):
            self.launch(stack_id)

    def launch(self, stack_id: str) -> None:
        """Work on the operation of a stack, in the background. Nothing happens if that is going on already."""
        if self._stopping or stack_id in self._tasks:
            return
        task = asyncio.get_running_loop().create_task(self._run(stack_id), name=f"stack {stack_id}")
        self._tasks[stack_id] = task
        task.add_done_callback(lambda done: self._ended(stack_id, done))

    def _ended(self, stack_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(stack_id) is task:
            del self._tasks[stack_id]

    async def settled(self, stack_id: str) -> None:
        """Return when no operation of the stack is being worked on."""
        task = self._tasks.get(stack_id)
        if task is not None:
            await asyncio.wait([task])

    async def interrupt(self, stack_id: str) -> None:
        """Put the work on one stack down where it is, as a crash would; `launch` goes on with it."""
        task = self._tasks.get(stack_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            self._tasks.pop(stack_id, None)

    async def stop(self) -> None:
        """Put the work down where it is; a later start goes on with it."""
        self._stopping = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, stack_id: str) -> None:
        pause_s = _PAUSE_S
        while not await self._finished(stack_id):
            _log.error("the operation on %s goes on in %g s", stack_id, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _PAUSE_LIMIT_S)

    async def _finished(self, stack_id: str) -> bool:
        """Work on an operation; False if the platform failed and it has to be gone on with."""
        finished = True
        try:
            await self._finish(stack_id)
        except* StoreClosedError:
            pass  # the server is going down; the operation is still on the disk
        except* Exception:  # the boundary of the task
            _log.exception("the operation on %s was put down", stack_id)
            finished = False
        return finished

    async def _finish(self, stack_id: str) -> None:
        board = await Board.open(self._store, self._clock, self.telling, stack_id)
        while board.stack.operation is not None:
            await _Run(board, self._types, self._operations).phase()


class _Run:
    """One operation on one stack."""

    def __init__(self, board: Board, types: Types, operations: Operations) -> None:
        self._board = board
        self._types = types
        self._builder = Builder(board, types, operations)

    async def phase(self) -> None:
        """Do the phase that the operation is in, and turn to the next."""
        phase = self._board.operation.phase
        if phase == "forward":
            await self._forward()
        elif phase == "rollback":
            await self._rollback()
        elif phase == "cleanup":
            await self._cleanup()
        else:
            await self._delete()

    async def _forward(self) -> None:
        board, operation = self._board, self._board.operation
        if operation.cancelled:
            await self._failed(set(), "User Initiated")
            return
        drafts = draft(operation.definition, board.place, self._types)
        failed = await self._reconcile(operation.definition, drafts)
        if failed:
            await self._failed(failed)
            return
        try:
            found = outputs(operation.definition, board.place, board.lookup)
        except ServiceError as error:
            await self._failed(set(), error.message)
            return
        removed: Role = "removed"
        roles = [(row, removed) for row in board.rows if row.role == "current" and row.logical_id not in drafts]
        stack = msgspec.structs.replace(board.stack, definition=operation.definition, outputs=found, reason="")
        if operation.kind == "create":
            await board.turn(_ended(stack, "CREATE_COMPLETE"), roles=roles)
        else:
            await board.turn(_turned(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", operation, "cleanup"), roles=roles)

    async def _reconcile(self, definition: Definition, drafts: dict[str, Draft]) -> set[str]:
        """Bring every resource to what `definition` says, in order; those that failed."""
        builder, deadline = self._builder, self._board.operation.deadline

        async def work(name: str) -> bool:
            if deadline is not None and self._board.now() > deadline:
                return False
            return await builder.ensure(definition, name, drafts[name])

        return await walk({name: item.depends_on for name, item in drafts.items()}, work, _PARALLEL, halt=True)

    async def _failed(self, names: Collection[str], because: str = "") -> None:
        """Turn after a failure on the way forward: back, or stand still if the caller wants to look at it."""
        board, operation = self._board, self._board.operation
        stack = board.stack
        reason = because or _failure(board, names)
        if operation.on_failure == "DO_NOTHING":
            status = "CREATE_FAILED" if operation.kind == "create" else "UPDATE_FAILED"
            await board.turn(_ended(_because(stack, reason), status))
        elif operation.kind == "create":
            back = operation.on_failure == "ROLLBACK"
            status = "ROLLBACK_IN_PROGRESS" if back else "DELETE_IN_PROGRESS"
            requested = f"{reason}. {'Rollback' if back else 'Delete'} requested by user."
            await board.turn(_turned(_because(stack, requested), status, operation, "delete"))
        else:
            stack = _turned(_because(stack, reason), "UPDATE_ROLLBACK_IN_PROGRESS", operation, "rollback")
            kept = draft(stack.definition, board.place, self._types)
            await board.turn(stack, roles=restored(board.rows, kept))

    async def _rollback(self) -> None:
        board, operation = self._board, self._board.operation
        definition = board.stack.definition
        failed = await self._reconcile(definition, draft(definition, board.place, self._types))
        if failed:
            stack = _because(board.stack, _failure(board, failed))
            await board.turn(_ended(stack, "UPDATE_ROLLBACK_FAILED"))
            return
        status = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
        await board.turn(_turned(_because(board.stack, ""), status, operation, "cleanup"))

    async def _cleanup(self) -> None:
        """Delete what is not current; what cannot be deleted is left behind, and the events say so."""
        board = self._board
        rows = {_key(row): row for row in board.rows if row.role != "current"}

        async def work(key: str) -> bool:
            row = rows[key]
            policy = {"replaced": row.replace_policy, "discarded": row.deletion_policy}.get(
                row.role, row.deletion_policy
            )
            kept = policy == "Retain" or (policy == "RetainExceptOnCreate" and row.role != "discarded")
            if not await self._builder.delete(row, keep=kept):
                await board.forget(row, "DELETE_SKIPPED", "The resource could not be deleted and is left behind.")
            return True

        await _take_down(rows, work)
        status = board.stack.status.removesuffix("_CLEANUP_IN_PROGRESS")
        await board.turn(_ended(board.stack, status))

    async def _delete(self) -> None:
        """Delete everything: at the caller's wish, or because a creation failed."""
        board, operation = self._board, self._board.operation
        wished = operation.kind == "delete"
        rows = {_key(row): row for row in board.rows}

        async def work(key: str) -> bool:
            row = rows[key]
            kept = row.deletion_policy == "Retain" or (row.deletion_policy == "RetainExceptOnCreate" and wished)
            return await self._builder.delete(row, keep=kept or row.logical_id in operation.retain)

        failed = await _take_down(rows, work)
        rolled_back = board.stack.status == "ROLLBACK_IN_PROGRESS"
        if failed:
            names = sorted({rows[key].logical_id for key in failed})
            stack = _because(board.stack, f"The following resource(s) failed to delete: [{', '.join(names)}]. ")
            await board.turn(_ended(stack, "ROLLBACK_FAILED" if rolled_back else "DELETE_FAILED"))
        elif rolled_back:
            await board.turn(_ended(_because(board.stack, ""), "ROLLBACK_COMPLETE"))
        else:
            stack = msgspec.structs.replace(board.stack, deleted_at=board.now(), reason="")
            await board.turn(
                _ended(stack, "DELETE_COMPLETE"),
                lambda tx: void(tx.run(statements.CHANGE_SETS_FORGET, {"stack_id": stack.id})),
            )


def restored(rows: Iterable[Resource], kept: Collection[str]) -> list[tuple[Resource, Role]]:
    """The roles after an update was given up: of what is `kept`, the oldest generation is current again."""
    result: list[tuple[Resource, Role]] = []
    seen: set[str] = set()
    for row in sorted(rows, key=lambda row: row.generation):
        current = row.logical_id in kept and row.logical_id not in seen
        seen.add(row.logical_id)
        result.append((row, "current" if current else "discarded"))
    return result


async def _take_down(rows: Mapping[str, Resource], work: Callable[[str], Awaitable[bool]]) -> set[str]:
    """Do `work` on all rows, dependents first; those that failed."""
    done: set[str] = set()

    async def noted(key: str) -> bool:
        done.add(key)
        return await work(key)

    failed = await walk(_dependents(rows.values()), noted, _PARALLEL, halt=False)
    if not failed:
        # Rows of different definitions can depend on one another in a circle; then no order is right.
        failed = await walk({key: () for key in rows if key not in done}, noted, _PARALLEL, halt=False)
    return failed


def void(_: object) -> None:
    """Drop a value where none is wanted."""


def _key(row: Resource) -> str:
    return f"{row.logical_id}/{row.generation}"


def _dependents(rows: Iterable[Resource]) -> dict[str, set[str]]:
    """By row, the rows that have to go before it: those that depend on it."""
    rows = list(rows)
    return {
        _key(row): {_key(other) for other in rows if row.logical_id in other.depends_on and other is not row}
        for row in rows
    }


def _failure(board: Board, names: Collection[str]) -> str:
    """Which resources failed, in CloudFormation's words."""
    if board.operation.deadline is not None and board.now() > board.operation.deadline:
        return "Stack operation timed out"
    created = sorted(name for name in names if (row := board.current(name)) and row.status == "CREATE_FAILED")
    updated = sorted(set(names) - set(created))
    parts = [f"failed to create: [{', '.join(created)}]"] * bool(created)
    parts += [f"failed to update: [{', '.join(updated)}]"] * bool(updated)
    return f"The following resource(s) {' and '.join(parts)}"


def _because(stack: Stack, reason: str) -> Stack:
    return msgspec.structs.replace(stack, reason=reason)


def _turned(stack: Stack, status: str, operation: Operation, phase: str) -> Stack:
    return msgspec.structs.replace(stack, status=status, operation=msgspec.structs.replace(operation, phase=phase))


def _ended(stack: Stack, status: str) -> Stack:
    return msgspec.structs.replace(stack, status=status, operation=None)
