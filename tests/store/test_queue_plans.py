"""How SQLite carries out the queue's statements: by index seeks, in order, whatever the length of the queue."""

from collections.abc import Callable
from typing import Any

import pytest

from mayfly.store import queue
from mayfly.store.sqlite import SqliteStore

PARAMS = {
    "queue": "q",
    "priority": 0,
    "now": 1.0,
    "count": 10,
    "id": 1,
    "epoch": 1,
    "until": 1.0,
    "attempt": 1,
    "ready_at": 1.0,
    "after_id": 0,
    "after": "a",
    "end": "b",
}


async def plan(store: SqliteStore, statement: str) -> list[str]:
    names = {name: value for name, value in PARAMS.items() if f":{name}" in statement}
    steps = await store.read(lambda reader: reader.all(f"EXPLAIN QUERY PLAN {statement}", names))
    return [step[3].removesuffix(" LEFT-JOIN") for step in steps]  # which older versions of SQLite do not say


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (queue.HIGHEST_PRIORITY, ["SEARCH queue_items USING COVERING INDEX queue_items_in_order (queue=?)"]),
        (
            queue.NEXT_PRIORITY,
            ["SEARCH queue_items USING COVERING INDEX queue_items_in_order (queue=? AND priority<?)"],
        ),
        (queue.EARLIEST, ["SEARCH queue_items USING COVERING INDEX queue_items_in_order (queue=? AND priority=?)"]),
        (
            queue.SELECT_DUE,
            [
                "SEARCH i USING INDEX queue_items_in_order (queue=? AND priority=? AND due_at<?)",
                "SEARCH p USING INTEGER PRIMARY KEY (rowid=?)",
            ],
        ),
        (queue.LEASE, ["SEARCH queue_items USING INTEGER PRIMARY KEY (rowid=?)"]),
        (queue.EXTEND, ["SEARCH queue_items USING INTEGER PRIMARY KEY (rowid=?)"]),
        (queue.GIVE_BACK, ["SEARCH queue_items USING INTEGER PRIMARY KEY (rowid=?)"]),
        (queue.DELETE_ITEM, ["SEARCH queue_items USING INTEGER PRIMARY KEY (rowid=?)"]),
        (queue.DELETE_PAYLOAD, ["SEARCH queue_payloads USING INTEGER PRIMARY KEY (rowid=?)"]),
        (queue.SELECT_DEAD, ["SEARCH queue_dead_items USING INDEX queue_dead_items_in_order (queue=? AND id>?)"]),
        (queue.COUNT, ["SEARCH queue_items USING COVERING INDEX queue_items_in_order (queue=?)"]),
        (queue.NEXT_QUEUE, ["SEARCH queue_items USING COVERING INDEX queue_items_in_order (queue>? AND queue<?)"]),
        (queue.FIRST_QUEUE, ["SEARCH queue_items USING COVERING INDEX queue_items_in_order (queue>? AND queue<?)"]),
        (
            queue.SELECT_ITEM,
            ["SEARCH i USING INTEGER PRIMARY KEY (rowid=?)", "SEARCH p USING INTEGER PRIMARY KEY (rowid=?)"],
        ),
        (queue.DELETE_DEAD, ["SEARCH queue_dead_items USING INTEGER PRIMARY KEY (rowid=?)"]),
        (queue.RELEASE_ALL, ["SCAN queue_items USING INDEX queue_items_leased"]),
    ],
)
async def test_a_statement_is_an_index_seek_without_a_sort(
    open_store: Callable[..., Any], statement: str, expected: list[str]
) -> None:
    assert await plan(await open_store(), statement) == expected


async def test_a_claim_costs_the_same_however_long_the_queue_is(open_store: Callable[..., Any]) -> None:
    """Counted in steps of SQLite's virtual machine, which no busy machine changes."""
    store: SqliteStore = await open_store()
    insert = (
        "INSERT INTO queue_items (id, queue, priority, due_at, leased, attempt, epoch, enqueued_at, payload) "
        "VALUES (:id, :queue, :priority, :due_at, 0, 0, 0, 0, :payload)"
    )

    async def fill(first: int, last: int) -> None:
        rows = [
            {"id": n, "queue": f"q{n % 3}", "priority": n % 2, "due_at": float(n), "payload": b"p"}
            for n in range(first, last)
        ]
        await store.write(lambda tx: tx.many(insert, rows))

    async def steps() -> int:
        """Of one claim's statements, on a queue of which half is due."""
        counted = [0]

        def count() -> int:
            counted[0] += 1
            return 0

        def body(tx: Any) -> None:
            connection = tx._cursor.connection
            connection.set_progress_handler(count, 1)
            due = {"queue": "q1", "priority": 1, "now": 1e9, "count": 10}
            assert len(tx.all(queue.SELECT_DUE, due)) == 10
            tx.one(queue.HIGHEST_PRIORITY, {"queue": "q1"})
            tx.one(queue.NEXT_PRIORITY, {"queue": "q1", "priority": 1})
            connection.set_progress_handler(None, 1)

        await store.write(body)
        return counted[0]

    await fill(1, 1000)
    short = await steps()
    await fill(1000, 50_000)
    assert await steps() == short
