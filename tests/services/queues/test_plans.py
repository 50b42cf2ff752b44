"""How much the database does for long queues: index seeks, in order, in transactions that are bounded.

Counted in steps of SQLite's virtual machine and in rows, which no busy machine changes.
"""

from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.queues import retiming, statements, sweeping
from mayfly.services.queues.model import MAX_IN_FLIGHT
from mayfly.services.queues.receiving import MOST_COUNTED
from mayfly.services.queues.service import QueuesService
from mayfly.store.sqlite import SqliteStore
from tests.services.queues.conftest import Queues

IN_ORDER = "queues_message_in_order"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            statements.SELECT_DUE,
            [
                f"SEARCH m USING INDEX {IN_ORDER} (store=? AND due_at>? AND due_at<?)",
                "SEARCH b USING INTEGER PRIMARY KEY (rowid=?)",
            ],
        ),
        (statements.EXPIRED, [f"SEARCH queues_message USING INDEX {IN_ORDER} (store=? AND due_at<?)"]),
        (statements.EARLIEST, [f"SEARCH queues_message USING COVERING INDEX {IN_ORDER} (store=? AND due_at>?)"]),
        (statements.COUNT_LATER, [f"SEARCH queues_message USING COVERING INDEX {IN_ORDER} (store=? AND due_at>?)"]),
        (
            statements.READY_GROUPS,
            ["SEARCH queues_group USING COVERING INDEX queues_group_in_order (store=? AND ready_at<?)"],
        ),
        (
            statements.EARLIEST_GROUP,
            ["SEARCH queues_group USING COVERING INDEX queues_group_in_order (store=? AND ready_at>?)"],
        ),
        (
            statements.SELECT_OF_GROUP,
            [
                "SEARCH m USING INDEX queues_message_of_group (group_no=?)",
                "SEARCH b USING INTEGER PRIMARY KEY (rowid=?)",
            ],
        ),
        (
            statements.FRESH_SINCE,
            [f"SEARCH queues_message USING INDEX {IN_ORDER} (store=? AND due_at>? AND due_at<?)"],
        ),
        (statements.HEAD_OF_GROUP, ["SEARCH queues_message USING INDEX queues_message_of_group (group_no=?)"]),
    ],
)
async def test_a_statement_on_a_long_queue_is_an_index_seek_without_a_sort(
    queues: Queues, statement: str, expected: list[str]
) -> None:
    values = dict.fromkeys(("store", "old", "now", "before", "group_no", "no", "count", "since", "at", "id"), 1)
    names = {name: value for name, value in values.items() if f":{name}" in statement}
    steps = await queues.store.read(lambda reader: reader.all(f"EXPLAIN QUERY PLAN {statement}", names))
    assert [step[3].removesuffix(" LEFT-JOIN") for step in steps] == expected


async def test_a_receive_costs_the_same_however_many_messages_too_old_lie_before(queues: Queues) -> None:
    url = await queues.make(MessageRetentionPeriod="60")
    steps = []
    for old in (10, 2000):
        await _put(queues, old)
        queues.clock.advance(100)  # the young one of before is too old as well
        await queues.send(url, "young")
        steps.append(await _steps(queues, statements.SELECT_DUE, await _due(queues)))
        assert await queues.bodies(url) == ["young"]
    assert steps[0] == steps[1]


async def test_counting_what_is_in_flight_reads_a_bounded_part_of_what_is_delayed(
    open_store: Any, clock: ManualClock
) -> None:
    store: SqliteStore = await open_store("mayfly.services.queues")
    queues = Queues(QueuesService(store, clock), store, clock)
    await queues.make()
    await _put(queues, 3000, delay_ms=60_000)
    params = {**await _due(queues), "most": 100}
    few = await _steps(queues, statements.COUNT_IN_FLIGHT, params)
    await _put(queues, 3000, delay_ms=60_000)
    assert await _steps(queues, statements.COUNT_IN_FLIGHT, params) == few
    assert MOST_COUNTED > MAX_IN_FLIGHT


@pytest.mark.parametrize("name", ["things", "things.fifo"])
async def test_a_purge_changes_few_rows_and_the_rest_goes_in_small_transactions(queues: Queues, name: str) -> None:
    url = await queues.make(name)
    if name == "things.fifo":
        for first in range(0, 20, 10):
            entries = [
                {"Id": str(n), "MessageBody": "x", "MessageGroupId": str(n), "MessageDeduplicationId": str(n)}
                for n in range(first, first + 10)
            ]
            await queues.call("SendMessageBatch", QueueUrl=url, Entries=entries)
        await _groups(queues, 1200)
    else:
        await _put(queues, 1200)
    assert max(await _writes(queues, "PurgeQueue", QueueUrl=url)) < 10
    assert max(await _writes(queues, None)) <= 2 * sweeping.CHUNK
    for table in ("queues_message", "queues_group", "queues_trash"):
        assert await queues.rows(table) == 0


@pytest.mark.parametrize("delay_s", [0, 20, 60])
async def test_a_new_delay_is_given_to_all_messages_in_small_transactions(
    queues: Queues, monkeypatch: pytest.MonkeyPatch, delay_s: int
) -> None:
    monkeypatch.setattr(retiming, "CHUNK", 3)
    url = await queues.make("things.fifo", DelaySeconds="30")
    began = queues.clock.now()
    for number in range(20):  # several at the same moment, of several groups
        group = str(number % 4)
        await queues.send(url, str(number), MessageGroupId=group, MessageDeduplicationId=str(number))
        queues.clock.advance(0.5 if number % 3 == 0 else 0)
    times = await queues.store.read(lambda reader: reader.all("SELECT sent_at FROM queues_message ORDER BY id"))
    writes = await _writes(queues, "SetQueueAttributes", QueueUrl=url, Attributes={"DelaySeconds": str(delay_s)})
    assert max(writes) <= 3 + 3 + 1
    due = await queues.store.read(lambda reader: reader.all("SELECT due_at FROM queues_message ORDER BY id"))
    assert due == [(sent_at + delay_s * 1000,) for (sent_at,) in times]
    queues.clock.advance(began + delay_s + 10 - queues.clock.now())
    bodies = [int(body) for _ in range(2) for body in await queues.bodies(url)]
    assert len(bodies) == 20
    for first in range(4):
        assert [body for body in bodies if body % 4 == first] == list(range(first, 20, 4))


async def test_a_purge_forgets_deduplication_ids(queues: Queues) -> None:
    url = await queues.make("things.fifo")
    for _ in range(2):
        await queues.send(url, "one", MessageGroupId="a", MessageDeduplicationId="one")
        await queues.call("PurgeQueue", QueueUrl=url)
        queues.clock.advance(60)
    await queues.send(url, "one", MessageGroupId="a", MessageDeduplicationId="one")
    assert await queues.bodies(url) == ["one"]


async def _writes(queues: Queues, name: str | None, **request: Any) -> list[int]:
    """How many rows each transaction of a call changes; of a sweep, without a name."""
    changes: list[int] = []
    write = queues.store.write

    async def counted(body: Any) -> Any:
        def count(tx: Any) -> Any:
            before = tx.one("SELECT total_changes()")[0]
            value = body(tx)
            changes.append(tx.one("SELECT total_changes()")[0] - before)
            return value

        return await write(count)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(queues.store, "write", counted)
        if name is None:
            await queues.service.sweeper.sweep()
        else:
            await queues.call(name, **request)
    return changes


async def _due(queues: Queues) -> dict[str, int]:
    now = int(queues.clock.now() * 1000)
    return {"store": await _store(queues), "old": now - 60_000, "now": now, "count": 10}


async def _store(queues: Queues) -> int:
    row = await queues.store.read(lambda reader: reader.one("SELECT max(no) FROM queues_store"))
    assert row is not None
    return int(row[0])


async def _put(queues: Queues, count: int, delay_ms: int = 0) -> None:
    """Messages, as sending would put them there."""
    now, store = int(queues.clock.now() * 1000), await _store(queues)

    def body(tx: Any) -> None:
        last = tx.one(statements.NEXT_IDS, {"count": count})[0]
        fixed = {"store": store, "due_at": now + delay_ms, "sent_at": now, "message_id": bytes(16), "group_no": None}
        rows = [{"id": last - n, "details": b"\x80", "body": "old", **fixed} for n in range(count)]
        tx.many(statements.INSERT_MESSAGE, rows)
        tx.run(statements.ADD_TO_STORE, {"no": store, "messages": count, "received": 0})

    await queues.store.write(body)


async def _groups(queues: Queues, count: int) -> None:
    store = await _store(queues)
    rows = [{"no": 1_000_000 + n, "store": store, "name": f"g{n}", "ready_at": 0} for n in range(count)]
    await queues.store.write(lambda tx: tx.many(statements.INSERT_GROUP, rows))


async def _steps(queues: Queues, statement: str, params: dict[str, int]) -> int:
    counted = [0]

    def count() -> int:
        counted[0] += 1
        return 0

    def body(tx: Any) -> None:
        connection = tx._cursor.connection
        connection.set_progress_handler(count, 1)
        tx.all(statement, {name: value for name, value in params.items() if f":{name}" in statement})
        connection.set_progress_handler(None, 1)

    await queues.store.write(body)
    return counted[0]
