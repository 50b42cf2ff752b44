"""One stack while an operation runs on it: its rows in memory, each change durable with its event before it counts.

The driver decides; the board remembers. A resource has a *current* row, and beside it rows of generations that were
replaced, removed or discarded and wait to be deleted.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from mayfly.clock import Clock
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.model import Operation, Resource, Role, Stack
from mayfly.services.stacks.planner import Draft, Place
from mayfly.services.stacks.records import (
    forget_resource,
    resources_of,
    save_resource,
    save_stack,
    secrets_of,
    stack_of_id,
)
from mayfly.services.stacks.resources import inert
from mayfly.services.stacks.resources.base import NO_ECHO, Made, Target
from mayfly.services.stacks.resources.inert import INERT
from mayfly.services.stacks.sealing import Reader, Store, Tx
from mayfly.services.stacks.telling import Telling
from mayfly.services.stacks.template.marks import placeholder
from mayfly.services.stacks.template.parameters import text_of


class Board:
    def __init__(self, store: Store, clock: Clock, telling: Telling, stack: Stack, rows: Iterable[Resource]) -> None:
        self._store = store
        self._clock = clock
        self._telling = telling
        self.stack = stack
        self._rows = {(row.logical_id, row.generation): row for row in rows}

    @classmethod
    async def open(cls, store: Store, clock: Clock, telling: Telling, stack_id: str) -> "Board":
        def read(reader: Reader) -> tuple[Stack, list[Resource]]:
            return stack_of_id(reader, stack_id), resources_of(reader, stack_id)

        return cls(store, clock, telling, *await store.read(read))

    @property
    def operation(self) -> Operation:
        assert self.stack.operation is not None
        return self.stack.operation

    @property
    def place(self) -> Place:
        return Place(self.stack.account, self.stack.region, self.stack.id, self.stack.name)

    @property
    def rows(self) -> list[Resource]:
        return list(self._rows.values())

    def now(self) -> float:
        return self._clock.now()

    def current(self, logical_id: str) -> Resource | None:
        return next((row for row in self.generations(logical_id) if row.role == "current"), None)

    def generations(self, logical_id: str) -> list[Resource]:
        """All rows of one resource, oldest first."""
        return sorted((row for (name, _), row in self._rows.items() if name == logical_id), key=_generation)

    def target(self, row: Resource) -> Target:
        place = self.place
        return Target(
            place.stack_id,
            place.stack_name,
            row.logical_id,
            row.generation,
            place.account,
            place.region,
            row.type,
            row.updated_at,
        )

    def lookup(self, logical_id: str, attribute: str | None) -> Any:
        """What a reference to a resource answers now: its name or attribute; a placeholder if it has none yet."""
        row = self.current(logical_id)
        if row is None or not row.begun:
            return placeholder(logical_id, attribute)
        if attribute is None:
            return row.physical_id
        if attribute not in row.attributes and INERT in row.attributes:
            return inert.attribute(row.physical_id, row.attributes[INERT], attribute)
        if attribute not in row.attributes and attribute in row.properties:
            return row.properties[attribute]
        if attribute not in row.attributes:
            raise validation(f"Resource {logical_id} has no attribute {attribute} as it is configured")
        return row.attributes[attribute]

    def fresh(self, logical_id: str, draft: Draft, properties: dict[str, Any]) -> Resource:
        """The row of the next generation of a resource, not saved yet."""
        generation = max((row.generation for row in self.generations(logical_id)), default=0) + 1
        return Resource(
            stack_id=self.stack.id,
            logical_id=logical_id,
            generation=generation,
            role="current",
            type=draft.type,
            physical_id="",
            status="CREATE_IN_PROGRESS",
            reason="",
            updated_at=self.now(),
            properties=properties,
            pending=None,
            attributes={},
            depends_on=tuple(sorted(draft.depends_on)),
            deletion_policy=draft.deletion_policy,
            replace_policy=draft.replace_policy,
            begun=False,
        )

    def now_of(self, row: Resource) -> Resource:
        """A row as it was saved last."""
        return self._rows[row.logical_id, row.generation]

    async def save(self, *rows: Resource, event: bool = True, then: Resource | None = None) -> None:
        """Make rows durable, each with an event that says where it stands; `then` always with one."""
        secrets = self._secrets()
        stamped = [msgspec.structs.replace(row, updated_at=self.now()) for row in (*rows, *([then] if then else []))]

        def write(tx: Tx) -> None:
            for row in stamped:
                save_resource(tx, row)
                if event or (then is not None and row is stamped[-1]):
                    self._telling.resource(tx, self.stack, row, self.operation.token, row.updated_at, secrets)

        await self._store.write(write)
        for row in stamped:
            self._rows[row.logical_id, row.generation] = row

    async def forget(self, row: Resource, status: str, reason: str = "") -> None:
        """Drop a row, with an event that says why."""
        secrets = self._secrets()
        last = msgspec.structs.replace(row, status=status, reason=reason, updated_at=self.now())

        def write(tx: Tx) -> None:
            forget_resource(tx, last)
            self._telling.resource(tx, self.stack, last, self.operation.token, last.updated_at, secrets)

        await self._store.write(write)
        self._rows.pop((row.logical_id, row.generation), None)

    async def turn(
        self,
        stack: Stack,
        also: Callable[[Tx], None] | None = None,
        roles: Iterable[tuple[Resource, Role]] = (),
        *,
        told: bool = True,
    ) -> None:
        """Move the stack as a whole: its row, its event if that is `told`, changed roles of resources and `also`, in
        one commit."""
        changed = [msgspec.structs.replace(row, role=role) for row, role in roles]
        at = self.now()

        def write(tx: Tx) -> None:
            # The event belongs to the operation, which the new row may have ended.
            if told:
                self._telling.stack(tx, msgspec.structs.replace(stack, operation=self.operation), at)
            save_stack(tx, stack)
            for row in changed:
                save_resource(tx, row)
            if also is not None:
                also(tx)

        await self._store.write(write)
        self.stack = stack
        for row in changed:
            self._rows[row.logical_id, row.generation] = row

    def _secrets(self) -> set[str]:
        found = secrets_of(self.stack.definition) | secrets_of(self.operation.definition)
        for row in self._rows.values():
            if NO_ECHO in row.attributes:
                found |= {text_of(value) for name, value in row.attributes.items() if name != NO_ECHO and value}
        return found

    def made(self, row: Resource) -> Made:
        return Made(row.physical_id, row.attributes)


def _generation(row: Resource) -> int:
    return row.generation
