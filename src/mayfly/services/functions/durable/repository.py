"""Between rows and `model`, inside the caller's transaction or snapshot."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from mayfly.services.functions.durable import statements
from mayfly.services.functions.durable.model import (
    Began,
    Event,
    Execution,
    Operation,
    Outcome,
    State,
    Status,
)
from mayfly.store.api import Reader, Row, Tx

SWEPT_AT_ONCE = 500  # rows of one kind that go in one transaction
_FETCHED_AT_ONCE = 100

_encode = msgspec.msgpack.Encoder().encode
_began = msgspec.msgpack.Decoder(Began).decode
_state = msgspec.msgpack.Decoder(State).decode
_operation = msgspec.msgpack.Decoder(Operation).decode
_event = msgspec.msgpack.Decoder(Event).decode
_outcome = msgspec.msgpack.Decoder(Outcome).decode


class Wanted(NamedTuple):
    """Which executions of a function a list is of; None: any."""

    function: str
    name: str | None
    status: Status | None
    version: str | None
    after: float
    before: float


def insert(tx: Tx, execution: Execution, given: bytes) -> None:
    began = execution.began
    tx.run(
        statements.INSERT,
        {
            "execution_id": began.execution_id,
            "function": began.function,
            "name": began.name,
            "version": began.version,
            "status": execution.status,
            "started_at": began.started_at,
            "began": _encode(began),
            "state": _encode(execution.state),
        },
    )
    tx.run(statements.PUT_PAYLOAD, {"execution_id": began.execution_id, "kind": "input", "payload": given})


def update(tx: Tx, execution: Execution) -> None:
    tx.run(
        statements.UPDATE,
        {
            "status": execution.status,
            "ended_at": execution.ended_at,
            "state": _encode(execution.state),
            "execution_id": execution.began.execution_id,
        },
    )


def find(reader: Reader, execution_id: str) -> Execution | None:
    return _execution(reader.one(statements.FIND, {"execution_id": execution_id}))


def find_named(reader: Reader, function: str, name: str) -> Execution | None:
    return _execution(reader.one(statements.FIND_NAMED, {"function": function, "name": name}))


def listed(reader: Reader, wanted: Wanted, at: float, last: str, limit: int, *, newest: bool) -> list[Execution]:
    """Up to `limit` executions by the times of their starts, those that follow the one at `at` with the id `last`."""
    sql = statements.NEWEST if newest else statements.OLDEST
    rows = reader.all(sql, {**wanted._asdict(), "at": at, "last": last, "limit": limit})
    return [found for row in rows if (found := _execution(row)) is not None]


def given(reader: Reader, execution_id: str) -> bytes:
    """What the execution was given."""
    row = reader.one(statements.PAYLOAD, {"execution_id": execution_id, "kind": "input"})
    return bytes(row[0]) if row else b""


def put_outcome(tx: Tx, execution_id: str, outcome: Outcome) -> None:
    params = {"execution_id": execution_id, "kind": "outcome", "payload": _encode(outcome)}
    tx.run(statements.PUT_PAYLOAD, params)


def outcome(reader: Reader, execution_id: str) -> Outcome | None:
    row = reader.one(statements.PAYLOAD, {"execution_id": execution_id, "kind": "outcome"})
    return _outcome(row[0]) if row else None


def of_function(reader: Reader, function: str, until: float, limit: int) -> list[Execution]:
    """Some executions of a function that began by `until` and that nobody removes yet."""
    rows = reader.all(statements.OF_FUNCTION, {"function": function, "until": until, "limit": limit})
    return [found for row in rows if (found := _execution(row)) is not None]


def _execution(row: Row | None) -> Execution | None:
    return None if row is None else Execution(_began(row[0]), row[1], _state(row[2]), row[3])


# Operations.


class Found(NamedTuple):
    """An operation, and whether nobody needs it to replay."""

    operation: Operation
    hidden: bool


def operation(reader: Reader, execution_id: str, operation_id: str) -> Found | None:
    row = reader.one(statements.OPERATION, {"execution_id": execution_id, "operation_id": operation_id})
    return Found(_operation(row[0]), bool(row[1])) if row else None


def operation_numbered(reader: Reader, execution_id: str, number: int) -> Operation | None:
    row = reader.one(statements.OPERATION_NUMBERED, {"execution_id": execution_id, "number": number})
    return _operation(row[0]) if row else None


def insert_operation(tx: Tx, execution_id: str, of: Operation, changed: int, *, hidden: bool) -> None:
    tx.run(
        statements.INSERT_OPERATION,
        {
            "execution_id": execution_id,
            "number": of.number,
            "operation_id": of.id,
            "parent_id": of.parent,
            "changed": changed,
            "hidden": int(hidden),
            "due_at": of.due_at,
            "document": _encode(of),
        },
    )


def update_operation(tx: Tx, execution_id: str, of: Operation, changed: int) -> None:
    tx.run(
        statements.UPDATE_OPERATION,
        {
            "changed": changed,
            "due_at": of.due_at,
            "document": _encode(of),
            "execution_id": execution_id,
            "number": of.number,
        },
    )


def touch_operation(tx: Tx, execution_id: str, of: Operation) -> None:
    """Keep another time at which an operation is due, of which nobody is told."""
    params = {"due_at": of.due_at, "document": _encode(of), "execution_id": execution_id, "number": of.number}
    tx.run(statements.TOUCH_OPERATION, params)


def operations(reader: Reader, execution_id: str, first: int) -> Iterator[Operation]:
    """Those that are needed to replay, from the number `first` on; read as they are taken."""
    while True:
        rows = reader.all(
            statements.OPERATIONS, {"execution_id": execution_id, "first": first, "limit": _FETCHED_AT_ONCE}
        )
        found = [_operation(row[0]) for row in rows]
        yield from found
        if len(found) < _FETCHED_AT_ONCE:
            return
        first = found[-1].number + 1


def changed(reader: Reader, execution_id: str, seen: int) -> list[Operation]:
    """Those that changed after the state's clock showed `seen`."""
    return [_operation(row[0]) for row in reader.all(statements.CHANGED, {"execution_id": execution_id, "seen": seen})]


def changed_ids(reader: Reader, execution_id: str, seen: int) -> list[str]:
    return [row[0] for row in reader.all(statements.CHANGED_IDS, {"execution_id": execution_id, "seen": seen})]


def due(reader: Reader, execution_id: str, now: float) -> list[Operation]:
    """Those whose time has come; if there are very many, the first of them."""
    params = {"execution_id": execution_id, "now": now, "limit": SWEPT_AT_ONCE}
    return [_operation(row[0]) for row in reader.all(statements.DUE, params)]


def next_due(reader: Reader, execution_id: str) -> float | None:
    row = reader.one(statements.NEXT_DUE, {"execution_id": execution_id})
    return None if row is None else row[0]


def hide_below(tx: Tx, execution_id: str, context: str) -> None:
    """Nobody needs what is part of a context to replay any more."""
    tx.run(statements.HIDE_BELOW, {"execution_id": execution_id, "parent": context})


# Events.


def append_events(tx: Tx, execution_id: str, first: int, events: Sequence[Event]) -> None:
    """Add lines to the history, numbered from `first` on."""
    tx.many(
        statements.INSERT_EVENT,
        [
            {"execution_id": execution_id, "number": first + at, "document": _encode(each)}
            for at, each in enumerate(events)
        ],
    )


def events(reader: Reader, execution_id: str, first: int, limit: int, *, backwards: bool) -> list[tuple[int, Event]]:
    """Up to `limit` lines from `first` on, with their numbers."""
    sql = statements.EVENTS_BACKWARDS if backwards else statements.EVENTS
    rows = reader.all(sql, {"execution_id": execution_id, "first": first, "limit": limit})
    return [(row[0], _event(row[1])) for row in rows]


# Removal.


def remove_begins(tx: Tx, execution_id: str) -> None:
    """An execution is being removed; its name is free."""
    tx.run(statements.REMOVE_BEGINS, {"execution_id": execution_id})


def remove_some(tx: Tx, execution_id: str) -> bool:
    """Remove part of an execution; whether that was the last of it."""
    place = {"execution_id": execution_id, "limit": SWEPT_AT_ONCE}
    if any(tx.run(sql, place) == SWEPT_AT_ONCE for sql in statements.REMOVE_SOME):
        return False
    for sql in statements.REMOVE:
        tx.run(sql, {"execution_id": execution_id})
    return True
