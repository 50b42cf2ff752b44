"""One transition of one execution: what it changes is gathered here, and written as a whole. Used by `executions`."""

from typing import Any

import msgspec

from mayfly.services.functions.durable import repository
from mayfly.services.functions.durable.model import (
    MAX_BYTES,
    MAX_OPERATIONS,
    Event,
    Execution,
    Operation,
    Outcome,
    State,
    Status,
)
from mayfly.services.functions.faults import invalid_parameter
from mayfly.store.api import Tx


class Turn:
    """`state`, `status` and `events` are as they will be; `changed` says whether the function has news."""

    def __init__(self, tx: Tx, execution: Execution, now: float) -> None:
        self.tx = tx
        self.began = execution.began
        self.now = now
        self.state: State = execution.state
        self.status: Status = execution.status
        self.ended_at = execution.ended_at
        self.events: list[Event] = []

    @property
    def execution_id(self) -> str:
        return self.began.execution_id

    @property
    def news(self) -> bool:
        """Whether an operation changed of which the function does not know."""
        return self.state.clock > self.state.seen

    def set(self, **changes: Any) -> None:
        """Change the state."""
        self.state = msgspec.structs.replace(self.state, **changes)

    def put(self, after: Operation, before: Operation | None, *, hidden: bool = False) -> None:
        """Keep an operation; `before` is None when it is new."""
        clock = self.state.clock + 1
        waiting = self.state.waiting + int(after.waits) - int(before is not None and before.waits)
        self.set(clock=clock, waiting=waiting)
        if before is None:
            repository.insert_operation(self.tx, self.execution_id, after, clock, hidden=hidden)
        else:
            repository.update_operation(self.tx, self.execution_id, after, clock)

    def number(self) -> int:
        """Of the next operation; `ServiceError` when there are too many."""
        if self.state.operations >= MAX_OPERATIONS:
            raise invalid_parameter(f"A durable execution can have at most {MAX_OPERATIONS} operations.")
        self.set(operations=self.state.operations + 1)
        return self.state.operations

    def weigh(self, size: int) -> None:
        """Account for bytes; `ServiceError` when they are too many."""
        self.set(bytes=self.state.bytes + size)
        if self.state.bytes > MAX_BYTES:
            raise invalid_parameter(f"A durable execution can write at most {MAX_BYTES} bytes.")

    def say(self, event: Event | None) -> None:
        """Add a line to the history."""
        if event is not None:
            self.events.append(event)

    def tell(self, kind: str, **more: Any) -> None:
        """Add a line about the execution itself."""
        self.say(Event(kind, self.now, self.execution_id, self.began.name, **more))

    def end(self, status: Status, outcome: Outcome, event: str) -> None:
        """Nothing more becomes of the execution."""
        repository.put_outcome(self.tx, self.execution_id, outcome)
        self.status, self.ended_at = status, self.now
        self.tell(event, kept="outcome")

    def save(self) -> Execution:
        """Write it all."""
        repository.append_events(self.tx, self.execution_id, self.state.events + 1, self.events)
        self.set(events=self.state.events + len(self.events))
        self.events = []
        execution = Execution(self.began, self.status, self.state, self.ended_at)
        repository.update(self.tx, execution)
        return execution
