"""The rows of tasks, within the transactions of those who accept, run and conclude them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mayfly.services.functions.delivery import AsyncEvent
from mayfly.services.functions.tasks import statements as sql
from mayfly.services.functions.tasks.model import NEVER, Attempt, Before, State, Task, packed, unpacked
from mayfly.store.api import Reader, Tx


class Ended(NamedTuple):
    """How a task ended."""

    item: int
    state: State
    started_at: float | None  # of its last attempt, if there was one
    ended_at: float
    version: str | None
    log_stream: str | None
    result: bytes | None  # JSON, sealed
    reason: str | None
    history: bytes | None
    failures: int


def accept(tx: Tx, items: Sequence[int], events: Sequence[AsyncEvent]) -> None:
    """New tasks, and their items in the ready queue."""
    tx.many(sql.INSERT, [_row(item, event) for item, event in zip(items, events, strict=True)])


def _row(item: int, event: AsyncEvent) -> dict[str, Any]:
    return {
        "item": item,
        "id": event.request_id,
        "name": event.name,
        "qualifier": event.qualifier,
        "tenant": event.sharer,
        "priority": event.priority,
        "batch": event.batch,
        "accepted_at": event.accepted_at,
        "deadline": event.deadline,
    }


def failed(tx: Tx, item: int, event: AsyncEvent, failures: int, history: tuple[Attempt, ...]) -> None:
    """An attempt failed, and there will be another."""
    row = _row(item, event) | {
        "failures": failures,
        "history": packed(history),
        "started_at": history[0].started_at if history else None,
    }
    del row["batch"], row["deadline"]
    tx.run(sql.FAILED, row)


def conclude(tx: Tx, ended: Iterable[Ended]) -> None:
    """There will be no further attempt."""
    tx.many(sql.CONCLUDE, [each._asdict() for each in ended])


def before(reader: Reader, items: Sequence[int]) -> dict[int, Before]:
    """What happened to events before."""
    found = {}
    for item in items:
        row = reader.one(sql.BEFORE, {"item": item})
        found[item] = Before(row[0], row[1], unpacked(row[2])) if row is not None else NEVER
    return found


def find(reader: Reader, task_id: str) -> Task | None:
    """The task of that id."""
    row = reader.one(sql.FIND, {"id": task_id})
    return Task(*row) if row is not None else None
