"""One operation on one stack, as a walk through phases, each turn from one to the next one commit:

    create   forward ─→ done            update   forward ─→ cleanup ─→ done          delete   delete ─→ done
                └failure→ delete                    └failure→ rollback ─→ cleanup

Where alarms are to be looked at for a while, `watch` follows `forward`. An update of a nested stack is held before its
cleanup, until the stack around it is through or takes it back. A phase looks at the rows and does what they lack, so
beginning it again after a crash is going on with it. Made by the driver.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, suppress

import msgspec

from mayfly.services.contract import ServiceError
from mayfly.services.ports import Operations
from mayfly.services.stacks import statements
from mayfly.services.stacks.alarms import Triggers
from mayfly.services.stacks.board import Board
from mayfly.services.stacks.builder import Builder
from mayfly.services.stacks.graph import Places, walk
from mayfly.services.stacks.lookups import Lookups
from mayfly.services.stacks.model import ATTEMPTED, Definition, Operation, Phase, Resource, Role, Stack
from mayfly.services.stacks.planner import Draft, Types, draft, outputs
from mayfly.services.stacks.post import CUSTOM, forget_boxes
from mayfly.services.stacks.records import STACK_TYPE
from mayfly.services.stacks.resources.base import Around, Caller
from mayfly.services.stacks.sealing import Tx

_PARALLEL = 24


class Run:
    """One phase of one operation."""

    def __init__(self, board: Board, types: Types, operations: Operations, around: Around | None) -> None:
        self._board = board
        self._types = types
        self._places = Places(_PARALLEL)
        operation = board.operation
        self._call = Caller(
            operations,
            operation.context,
            back=operation.phase == "rollback",
            waiting=self._places.given_up,
            around=around,
        )
        self._lookups = Lookups(operations)
        self._builder = Builder(board, types, self._call, self._lookups)
        self._triggers = Triggers(board.stack.options.get("RollbackConfiguration", {}), self._call)
        self._objection = ""

    @property
    def held(self) -> bool:
        """Whether nothing is to be done now."""
        return self._board.operation.held and self._board.operation.phase == "cleanup"

    async def phase(self) -> None:
        """Do the phase that the operation is in, and turn to the next."""
        phase = self._board.operation.phase
        if phase == "forward":
            await self._forward()
        elif phase == "watch":
            await self._watch()
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
        removed = [row for row in board.rows if row.role == "current" and row.logical_id not in drafts]
        failed = {row.logical_id for row in removed if not await self._builder.permit_deletion(row)}
        if not failed:
            async with self._bounded():
                failed = await self._reconcile(operation.definition, drafts)
        if failed or self._objection:
            await self._failed(failed, self._objection)
            return
        try:
            outputs(operation.definition, board.place, board.lookup)
        except ServiceError as error:
            await self._failed(set(), error.message)
            return
        if self._triggers and self._triggers.minutes and operation.kind != "import":
            until = board.now() + 60 * self._triggers.minutes
            watching = msgspec.structs.replace(operation, watched_until=until)
            await board.turn(_turned(board.stack, board.stack.status, watching, "watch"), told=False)
        else:
            await self._reached(drafts)

    async def _watch(self) -> None:
        board, operation = self._board, self._board.operation
        left = operation.watched_until - board.now()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(left, 0.0)):
                await self._triggers.watch(self._object)
        if self._objection or operation.cancelled:
            await self._failed(set(), self._objection or "User Initiated")
        else:
            await self._reached(draft(operation.definition, board.place, self._types))

    async def _reached(self, drafts: Mapping[str, Draft]) -> None:
        """The new definition is in force: turn to deleting what it has no use for."""
        board, operation = self._board, self._board.operation
        removed: Role = "removed"
        roles = [(row, removed) for row in board.rows if row.role == "current" and row.logical_id not in drafts]
        before = board.stack.definition
        try:
            found = outputs(operation.definition, board.place, board.lookup)
            found = await self._lookups.plain(operation.context, found)
            stack = msgspec.structs.replace(board.stack, definition=operation.definition, outputs=found, reason="")
            if operation.kind == "update":
                kept = msgspec.structs.replace(operation, before=before if operation.held else None)
                await board.turn(_turned(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", kept, "cleanup"), roles=roles)
            else:
                status = f"{operation.kind.upper()}_COMPLETE"
                await board.turn(_ended(stack, status), self._forgotten, roles)
        except ServiceError as error:  # what it exports is another stack's, or another stack needs what it exported
            await self._failed(set(), error.message)

    async def _reconcile(self, definition: Definition, drafts: dict[str, Draft]) -> set[str]:
        """Bring every resource to what `definition` says, in order; those that failed."""
        builder, board = self._builder, self._board
        deadline, skip = board.operation.deadline, board.operation.skip

        async def work(name: str) -> bool:
            if self._objection or (deadline is not None and board.now() > deadline):
                return False
            if name in skip:
                await builder.skip(name)
                return True
            return await builder.ensure(definition, name, drafts[name])

        return await walk({name: item.depends_on for name, item in drafts.items()}, work, self._places, halt=True)

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        """Let nothing wait beyond the operation's time, or when an alarm objects."""
        loop, deadline = asyncio.get_running_loop(), self._board.operation.deadline
        timer = None
        if deadline is not None:
            timer = loop.call_later(max(deadline - self._board.now(), 0.0), self._places.give_up)
        watch = loop.create_task(self._triggers.watch(self._object)) if self._triggers else None
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
            if watch is not None:
                watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch

    def _object(self, reason: str) -> None:
        self._objection = reason
        self._places.give_up()

    async def _failed(self, names: Collection[str], because: str = "") -> None:
        """Turn after a failure on the way forward: back, or stand still if the caller wants to look at it."""
        board, operation = self._board, self._board.operation
        stack = board.stack
        reason = because or _failure(board, names)
        if operation.on_failure == "DO_NOTHING":
            await self._release()
            status = f"{operation.kind.upper()}_FAILED"
            await board.turn(_ended(_because(stack, reason), status), self._forgotten)
        elif operation.kind == "create":
            # What it was to be made from is shown as long as the stack is there.
            options = {**stack.options, ATTEMPTED: operation.definition.body}
            stack = msgspec.structs.replace(stack, options=options)
            back = operation.on_failure == "ROLLBACK"
            status = "ROLLBACK_IN_PROGRESS" if back else "DELETE_IN_PROGRESS"
            requested = f"{reason}. {'Rollback' if back else 'Delete'} requested by user."
            await board.turn(_turned(_because(stack, requested), status, operation, "delete"))
        else:
            status = f"{operation.kind.upper()}_ROLLBACK_IN_PROGRESS"
            stack = _turned(_because(stack, reason), status, operation, "rollback")
            kept = draft(stack.definition, board.place, self._types)
            await board.turn(stack, roles=restored(board.rows, kept))

    async def _rollback(self) -> None:
        board, operation = self._board, self._board.operation
        definition = board.stack.definition
        failed = await self._reconcile(definition, draft(definition, board.place, self._types))
        if failed:
            stack = _because(board.stack, _failure(board, failed))
            status = "IMPORT_ROLLBACK_FAILED" if operation.kind == "import" else "UPDATE_ROLLBACK_FAILED"
            await board.turn(_ended(stack, status))
            return
        found = board.stack.outputs
        with suppress(ServiceError):  # of what was skipped, something may be missing
            found = await self._lookups.plain(operation.context, outputs(definition, board.place, board.lookup))
        stack = msgspec.structs.replace(board.stack, outputs=found, reason="")
        importing = operation.kind == "import"
        status = stack.status if importing else "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
        free = msgspec.structs.replace(operation, held=False, before=None)
        await board.turn(_turned(stack, status, free, "cleanup"), told=not importing)

    async def _cleanup(self) -> None:
        """Delete what is not current; what cannot be deleted is left behind, and the events say so."""
        board, operation = self._board, self._board.operation
        await self._release()
        rows = {_key(row): row for row in board.rows if row.role != "current"}

        async def work(key: str) -> bool:
            row = rows[key]
            if not await self._builder.delete(row, keep=_kept(row, operation)):
                await board.forget(row, "DELETE_SKIPPED", "The resource could not be deleted and is left behind.")
            return True

        await _take_down(rows, work, self._places)
        status = board.stack.status.removesuffix("_CLEANUP_IN_PROGRESS")
        if operation.kind == "import":
            status = "IMPORT_ROLLBACK_COMPLETE"
        await board.turn(_ended(board.stack, status), self._forgotten)

    async def _release(self) -> None:
        """Let nested stacks delete what their updates replaced."""
        board = self._board
        for row in board.rows:
            if (row.type, row.role) == (STACK_TYPE, "current") and row.begun and board.operation.kind == "update":
                await self._call.around.children.release(self._call, board.target(row), board.made(row))

    async def _delete(self) -> None:
        """Delete everything: at the caller's wish, or because a creation failed."""
        board, operation = self._board, self._board.operation
        rows = {_key(row): row for row in board.rows}

        async def work(key: str) -> bool:
            row = rows[key]
            keep = _kept_by_deletion(row, operation) or row.logical_id in operation.retain
            if await self._builder.delete(row, keep=keep):
                return True
            if operation.force:
                await board.forget(row, "DELETE_SKIPPED", "The resource could not be deleted and is left behind.")
            return operation.force

        failed = await _take_down(rows, work, self._places)
        rolled_back = board.stack.status == "ROLLBACK_IN_PROGRESS"
        if failed:
            names = sorted({rows[key].logical_id for key in failed})
            failing = f"The following resource(s) failed to delete: [{', '.join(names)}]. "
            stack = _because(board.stack, failing + _way_out(board.stack, first=rolled_back))
            await board.turn(_ended(stack, "ROLLBACK_FAILED" if rolled_back else "DELETE_FAILED"))
        elif rolled_back:
            stack = msgspec.structs.replace(board.stack, reason="", outputs={})
            await board.turn(_ended(stack, "ROLLBACK_COMPLETE"), self._forgotten)
        else:
            stack = msgspec.structs.replace(board.stack, deleted_at=board.now(), reason="")
            await board.turn(_ended(stack, "DELETE_COMPLETE"), self._deleted)

    def _forgotten(self, tx: Tx) -> None:
        """What was asked of custom resources is settled."""
        forget_boxes(tx, self._board.stack.id, CUSTOM)

    def _deleted(self, tx: Tx) -> None:
        stack = {"stack_id": self._board.stack.id}
        forget_boxes(tx, self._board.stack.id)
        for statement in (statements.CHANGE_SETS_FORGET, statements.DRIFTS_FORGET, statements.DETECTIONS_FORGET):
            tx.run(statement, stack)


def _way_out(stack: Stack, *, first: bool) -> str:
    """How to get rid of a stack of which something cannot be deleted; nothing for one that is a resource of another.

    `first`: nobody has asked for its deletion yet, and what is left behind can only be said of one that failed.
    """
    if "ParentId" in stack.options:
        return ""
    behind = "RetainResources, or with the DeletionMode FORCE_DELETE_STACK, to leave them behind."
    if first:
        return f"Mend the cause and delete the stack; if that fails, delete it once more with {behind}"
    return f"Mend the cause and delete the stack again, or delete it with {behind}"


def _kept(row: Resource, operation: Operation) -> bool:
    """Whether a row that is not current leaves its thing alone."""
    if row.role == "discarded":  # made in vain, so RetainExceptOnCreate means that it goes
        return row.logical_id in operation.imported or (row.deletion_policy == "Retain" and not operation.spare_none)
    policy = row.replace_policy if row.role == "replaced" else row.deletion_policy
    return policy.startswith("Retain")


def _kept_by_deletion(row: Resource, operation: Operation) -> bool:
    if operation.kind == "delete":
        return row.deletion_policy.startswith("Retain")
    return row.deletion_policy == "Retain" and not operation.spare_none


def restored(rows: Iterable[Resource], kept: Collection[str]) -> list[tuple[Resource, Role]]:
    """The roles after an update was given up: of what is `kept`, the oldest generation is current again."""
    result: list[tuple[Resource, Role]] = []
    seen: set[str] = set()
    for row in sorted(rows, key=lambda row: row.generation):
        current = row.logical_id in kept and row.logical_id not in seen
        seen.add(row.logical_id)
        result.append((row, "current" if current else "discarded"))
    return result


async def _take_down(rows: Mapping[str, Resource], work: Callable[[str], Awaitable[bool]], places: Places) -> set[str]:
    """Do `work` on all rows, dependents first; those that failed."""
    done: set[str] = set()

    async def noted(key: str) -> bool:
        done.add(key)
        return await work(key)

    failed = await walk(_dependents(rows.values()), noted, places, halt=False)
    if not failed:
        # Rows of different definitions can depend on one another in a circle; then no order is right.
        failed = await walk({key: () for key in rows if key not in done}, noted, places, halt=False)
    return failed


def _key(row: Resource) -> str:
    return f"{row.logical_id}/{row.generation}"


def _dependents(rows: Iterable[Resource]) -> dict[str, set[str]]:
    """By row, the rows that have to go before it: those that depend on it."""
    rows = list(rows)
    by_need: dict[str, set[str]] = {}
    for row in rows:
        for name in row.depends_on:
            by_need.setdefault(name, set()).add(_key(row))
    return {_key(row): by_need.get(row.logical_id, set()) - {_key(row)} for row in rows}


def _failure(board: Board, names: Collection[str]) -> str:
    """Which resources failed, in CloudFormation's words."""
    if board.operation.deadline is not None and board.now() > board.operation.deadline:
        return "Stack operation timed out"
    by_verb: dict[str, list[str]] = {}
    for name in sorted(names):
        row = board.current(name)
        verb = row.status.removesuffix("_FAILED").lower() if row else "create"
        by_verb.setdefault(verb if verb in ("create", "import") else "update", []).append(name)
    parts = [f"failed to {verb}: [{', '.join(found)}]" for verb, found in sorted(by_verb.items())]
    return f"The following resource(s) {' and '.join(parts)}"


def _because(stack: Stack, reason: str) -> Stack:
    return msgspec.structs.replace(stack, reason=reason)


def _turned(stack: Stack, status: str, operation: Operation, phase: Phase) -> Stack:
    return msgspec.structs.replace(stack, status=status, operation=msgspec.structs.replace(operation, phase=phase))


def _ended(stack: Stack, status: str) -> Stack:
    return msgspec.structs.replace(stack, status=status, operation=None)
