"""Work on one resource: create it, change it, replace it, delete it, so that a crash at any point can be gone over.

Before an effect its intent is durable. `begun` says that a creation may have had an effect; `pending` holds the
properties of a change that may have. What an interrupted run left is taken over, never what somebody else made: before
the first attempt the name is looked up.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from mayfly.errors import MayflyError, PlatformError
from mayfly.services.contract import ServiceError
from mayfly.services.stacks.board import Board
from mayfly.services.stacks.graph import GivenUpError
from mayfly.services.stacks.lookups import Lookups
from mayfly.services.stacks.model import Definition, Resource, Role
from mayfly.services.stacks.planner import Draft, Types, needs_replacement, resolve
from mayfly.services.stacks.resources.base import (
    Caller,
    HalfMadeError,
    Made,
    Moving,
    NotMadeError,
    ResourceType,
    Restless,
)
from mayfly.services.stacks.resources.schema import PropertyError, shape, without_effect
from mayfly.services.stacks.stack_policy import objection
from mayfly.store.api import StoreClosedError

T = TypeVar("T")
_log = logging.getLogger(__name__)
_TRANSIENT = {"TooManyRequestsException", "ThrottlingException", "Throttling", "SlowDown", "ServiceUnavailable"}
_ATTEMPTS = 5
_BACKOFF_S = 0.1
_NOUNS = MappingProxyType({"CREATE": "creation", "UPDATE": "update", "DELETE": "deletion", "IMPORT": "import"})


class WorkFailedError(MayflyError):
    """A resource could not be brought where it should be; the message goes into its event."""


class Builder:
    def __init__(self, board: Board, types: Types, call: Caller, lookups: Lookups) -> None:
        self._board = board
        self._lookups = lookups
        self._types = types
        self._call = call

    async def ensure(self, definition: Definition, logical_id: str, draft: Draft) -> bool:
        """Bring a resource to what `definition` says; whether that worked. The row tells the reason if not."""
        try:
            await self._ensure(definition, logical_id, draft)
        except WorkFailedError:
            return False
        return True

    async def skip(self, logical_id: str) -> None:
        """Take a resource for good as it is."""
        row = self._board.current(logical_id)
        if row is not None:
            skipped = msgspec.structs.replace(row, pending=None, status="UPDATE_COMPLETE", reason="")
            await self._board.save(skipped)

    async def _ensure(self, definition: Definition, logical_id: str, draft: Draft) -> None:
        row = self._board.current(logical_id)
        try:
            wanted = resolve(definition, self._board.place, self._types, logical_id, self._board.lookup)
            known = await self._lookups.plain(self._board.operation.context, wanted)
            if known is not wanted:
                wanted = shape(known, self._types[draft.type].schema)
        except (PropertyError, ServiceError) as error:
            await self._fail(
                row or self._board.fresh(logical_id, draft, {}), "CREATE" if row is None else "UPDATE", error
            )
            raise WorkFailedError from error
        if row is None:
            await self._create(self._board.fresh(logical_id, draft, wanted))
            return
        if row.status in ("CREATE_IN_PROGRESS", "CREATE_FAILED", "IMPORT_IN_PROGRESS", "IMPORT_FAILED"):
            await self._create_again(row, draft, wanted)
            return
        if row.pending is not None and row.pending != wanted:
            row = await self._change(row, row.properties, revert=True)
        differing = [
            name for name in row.properties.keys() | wanted.keys() if row.properties.get(name) != wanted.get(name)
        ]
        row = _arranged(row, draft)
        replacing = row.type != draft.type or needs_replacement(self._types[draft.type], differing)
        if differing or replacing:
            await self._permit(row, "Update:Replace" if replacing else "Update:Modify")
        if replacing:
            await self._replace(row, draft, wanted)
        elif differing or row.pending is not None or isinstance(self._types[draft.type], Restless):
            await self._change(row, wanted)
        else:
            # Nothing to do, also where a try before failed without effect.
            await self._board.save(_settled(row), event=False)

    async def permit_deletion(self, row: Resource) -> bool:
        """Whether the stack's policy lets an update delete a resource; if not, its events say so."""
        try:
            await self._permit(row, "Update:Delete")
        except WorkFailedError:
            return False
        return True

    async def _permit(self, row: Resource, action: str) -> None:
        """`WorkFailedError` if the stack's policy says no."""
        operation = self._board.operation
        if (operation.kind, operation.phase) != ("update", "forward"):
            return
        policy = operation.policy or self._board.stack.options.get("StackPolicy", "")
        denied = objection(policy, action, row.logical_id, row.type)
        if denied is not None:
            await self._fail(row, "UPDATE", PropertyError(denied))
            raise WorkFailedError(denied)

    async def _create_again(self, row: Resource, draft: Draft, wanted: dict[str, Any]) -> None:
        """Go on with a creation that was interrupted, or that failed in an earlier operation."""
        if not row.begun or row.properties == wanted:
            await self._create(msgspec.structs.replace(_arranged(row, draft), properties=wanted))
            return
        discarded: Role = "discarded"
        fresh = self._board.fresh(row.logical_id, draft, wanted)
        await self._board.save(msgspec.structs.replace(row, role=discarded), fresh, event=False)
        await self._create(fresh)

    async def _create(self, row: Resource) -> None:
        verb = "IMPORT" if row.logical_id in self._board.operation.imported else "CREATE"
        if not row.begun:
            row = await self._begin(row, verb)
        kind, target, properties = self._types[row.type], self._board.target(row), row.properties
        made = await self._attempt(row, verb, lambda: kind.create(self._call, target, properties))
        await self._board.save(_done(row, _noted(made, kind, properties), f"{verb}_COMPLETE"))

    async def _begin(self, row: Resource, verb: str) -> Resource:
        """Look whether the name is free, or taken where the thing is to be imported; say that a creation begins."""
        kind = self._types[row.type]
        target, properties = self._board.target(row), row.properties
        named = msgspec.structs.replace(row, physical_id="", status=f"{verb}_IN_PROGRESS", reason="")
        await self._board.save(named)
        name = kind.physical_id(target, properties)
        found = await self._attempt(named, verb, lambda: kind.exists(self._call, target, properties))
        if found != (verb == "IMPORT"):
            wrong = "already exists" if found else "does not exist, so it cannot be imported"
            await self._fail(named, verb, PropertyError(f"{name} {wrong}"))
            raise WorkFailedError
        begun = "Resource import started." if verb == "IMPORT" else "Resource creation Initiated"
        await self._board.save(msgspec.structs.replace(named, physical_id=name, begun=True, reason=begun))
        return self._board.now_of(named)

    async def _change(self, row: Resource, wanted: dict[str, Any], *, revert: bool = False) -> Resource:
        """Apply `wanted`; with `revert`, take a change back that may or may not have been applied."""
        before = row.pending if revert and row.pending is not None else row.properties
        again = (row.status, row.pending) == ("UPDATE_IN_PROGRESS", wanted)  # a restart, which does not begin it anew
        if not revert and not again:
            row = msgspec.structs.replace(row, pending=wanted, status="UPDATE_IN_PROGRESS", reason="")
            await self._board.save(row)
            row = self._board.now_of(row)
        kind, target, made = self._types[row.type], self._board.target(row), self._board.made(row)
        result = await self._attempt(row, "UPDATE", lambda: kind.update(self._call, target, made, before, wanted))
        done = _done(row, _noted(result, kind, wanted), "UPDATE_COMPLETE")
        changed = msgspec.structs.replace(done, properties=wanted, pending=None)
        if isinstance(kind, Moving) and result.physical_id != made.physical_id:
            await self._move(row, changed)
            return self._board.current(row.logical_id) or changed
        await self._board.save(changed)
        return changed

    async def _move(self, row: Resource, changed: Resource) -> None:
        """What an update made under another name is a new resource; the old one goes at the end of the operation."""
        number = max(other.generation for other in self._board.generations(row.logical_id)) + 1
        replaced: Role = "replaced"
        old = msgspec.structs.replace(_settled(row), role=replaced, pending=None, status="UPDATE_COMPLETE")
        await self._board.save(old, event=False, then=msgspec.structs.replace(changed, generation=number))

    async def _replace(self, row: Resource, draft: Draft, wanted: dict[str, Any]) -> None:
        """Make the next generation beside the old one, which is deleted at the end of the operation."""
        kind = self._types[draft.type]
        name = kind.custom_name(wanted)
        if name is not None and draft.type == row.type and name == kind.custom_name(row.properties):
            error = PropertyError(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {name} and update the stack again."
            )
            await self._fail(row, "UPDATE", error)
            raise WorkFailedError from error
        notice = msgspec.structs.replace(
            row,
            status="UPDATE_IN_PROGRESS",
            reason="Requested update requires the creation of a new physical resource; hence creating one.",
        )
        await self._board.save(notice)
        fresh = self._board.fresh(row.logical_id, draft, wanted)
        replaced: Role = "replaced"
        await self._board.save(msgspec.structs.replace(_settled(row), role=replaced), fresh, event=False)
        await self._create(fresh)

    async def delete(self, row: Resource, *, keep: bool) -> bool:
        """Delete what a row stands for and drop the row; whether that worked. `keep`: leave the thing alone."""
        if keep:
            await self._board.forget(row, "DELETE_SKIPPED")
            return True
        if not row.begun:
            await self._board.forget(row, "DELETE_COMPLETE")
            return True
        if row.status != "DELETE_IN_PROGRESS":  # a restart does not begin it anew
            await self._board.save(msgspec.structs.replace(row, status="DELETE_IN_PROGRESS", reason=""))
            row = self._board.now_of(row)
        kind, target, made = self._types[row.type], self._board.target(row), self._board.made(row)
        properties = row.properties
        try:
            await self._attempt(row, "DELETE", lambda: kind.delete(self._call, target, made, properties))
        except WorkFailedError:
            return False
        await self._board.forget(row, "DELETE_COMPLETE")
        return True

    async def _attempt(self, row: Resource, verb: str, act: Callable[[], Awaitable[T]]) -> T:
        """What `act` answers, tried again while the platform is merely busy; `WorkFailedError`, with the row failed."""
        attempt = 1
        while True:
            try:
                try:
                    return await act()
                except HalfMadeError as half:
                    row = msgspec.structs.replace(row, physical_id=half.physical_id)
                    raise half.cause from half
            except StoreClosedError:
                raise  # the server is going down: the next start goes on from here
            except GivenUpError as error:
                await self._fail(row, verb, PropertyError(f"Resource {_NOUNS[verb]} cancelled"))
                raise WorkFailedError from error
            except (ServiceError, PlatformError) as error:
                transient = error.code in _TRANSIENT if isinstance(error, ServiceError) else True
                if not transient or attempt == _ATTEMPTS:
                    await self._fail(row, verb, error)
                    raise WorkFailedError from error
            except PropertyError as error:
                await self._fail(row, verb, error)
                raise WorkFailedError from error
            except Exception as error:
                _log.exception("%s of %s in %s", verb, row.logical_id, row.stack_id)
                await self._fail(row, verb, error)
                raise WorkFailedError from error
            await asyncio.sleep(_BACKOFF_S * 2**attempt)
            attempt += 1

    async def _fail(self, row: Resource, verb: str, error: Exception) -> None:
        if isinstance(error, NotMadeError) and error.physical_id:
            row = msgspec.structs.replace(row, physical_id=error.physical_id)
        await self._board.save(msgspec.structs.replace(row, status=f"{verb}_FAILED", reason=_reason(error)))


def _arranged(row: Resource, draft: Draft) -> Resource:
    """The row with what the definition says about it beside its properties."""
    return msgspec.structs.replace(
        row,
        depends_on=tuple(sorted(draft.depends_on)),
        deletion_policy=draft.deletion_policy,
        replace_policy=draft.replace_policy,
    )


def _settled(row: Resource) -> Resource:
    return msgspec.structs.replace(row, status="UPDATE_COMPLETE", reason="") if row.status == "UPDATE_FAILED" else row


def _noted(made: Made, kind: ResourceType, properties: Mapping[str, Any]) -> Made:
    """With a note of the properties that have no effect here, if there is none of its own."""
    silent = without_effect(properties, kind.schema)
    if made.note or not silent:
        return made
    told = "; ".join(f"{path} ({why.rstrip('.')})" for path, why in sorted(silent.items()))
    return made._replace(note=f"Without effect here: {told}.")


def _done(row: Resource, made: Made, status: str) -> Resource:
    return msgspec.structs.replace(
        row, physical_id=made.physical_id, attributes=dict(made.attributes), status=status, reason=made.note
    )


def _reason(error: Exception) -> str:
    if isinstance(error, NotMadeError):
        return error.message
    if isinstance(error, ServiceError):
        return f'Resource handler returned message: "{error.message}" (HandlerErrorCode: {error.code})'
    if isinstance(error, PropertyError | PlatformError):
        return str(error)
    return "Internal Failure"
