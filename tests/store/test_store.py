"""What every `Store` promises; runs against each implementation in conftest.py."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from mayfly.store.api import ConstraintError, Reader, Row, Store, StoreClosedError, Tx

CREATE = "CREATE TABLE letters (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, data BLOB)"
INSERT = "INSERT INTO letters (id, name) VALUES (:id, :name)"
NAMES = "SELECT name FROM letters ORDER BY id"


@pytest.fixture
async def letters(store: Store) -> Store:
    await store.write(lambda tx: tx.run(CREATE))
    return store


def names(reader: Reader) -> list[str]:
    return [row[0] for row in reader.all(NAMES)]


def inserting(id_: int, name: str) -> Callable[[Tx], int]:
    """A body that inserts one row."""
    return lambda tx: tx.run(INSERT, {"id": id_, "name": name})


def appending(numbers: list[int], number: int) -> Callable[[Tx], None]:
    """A body that leaves a trace in memory of its having run."""
    return lambda _: numbers.append(number)


async def test_a_write_answers_what_its_body_returned(letters: Store) -> None:
    assert await letters.write(inserting(1, "a")) == 1


async def test_a_read_sees_everything_acknowledged_before_it(letters: Store) -> None:
    for number in range(50):
        await letters.write(inserting(number, f"n{number}"))
        assert len(await letters.read(names)) == number + 1


async def test_a_body_that_raises_is_undone_and_its_error_reaches_its_caller_alone(letters: Store) -> None:
    def failing(tx: Tx) -> None:
        tx.run(INSERT, {"id": 100, "name": "half"})
        raise LookupError("changed my mind")

    results = await asyncio.gather(
        letters.write(inserting(1, "a")),
        letters.write(failing),
        letters.write(inserting(2, "b")),
        return_exceptions=True,
    )
    assert [results[0], results[2]] == [1, 1]
    assert isinstance(results[1], LookupError)
    assert await letters.read(names) == ["a", "b"]


async def test_bodies_run_in_order_of_arrival(letters: Store) -> None:
    order: list[int] = []
    await asyncio.gather(*(letters.write(appending(order, number)) for number in range(200)))
    assert order == list(range(200))


async def test_a_body_sees_its_own_writes_and_those_before_it(letters: Store) -> None:
    def body(tx: Tx) -> list[str]:
        tx.run(INSERT, {"id": 2, "name": "b"})
        return names(tx)

    first, second = await asyncio.gather(letters.write(inserting(1, "a")), letters.write(body))
    assert (first, second) == (1, ["a", "b"])


async def test_a_read_body_stays_on_one_snapshot(letters: Store) -> None:
    started, go_on = threading.Event(), threading.Event()

    def body(reader: Reader) -> tuple[list[str], list[str]]:
        before = names(reader)
        started.set()
        assert go_on.wait(30)
        return before, names(reader)

    reading = asyncio.create_task(letters.read(body))
    await asyncio.to_thread(started.wait, 30)
    await letters.write(inserting(1, "a"))
    go_on.set()
    assert await reading == ([], [])
    assert await letters.read(names) == ["a"]


async def test_a_reader_cannot_write(letters: Store) -> None:
    with pytest.raises(Exception, match=r"(?i)read.?only"):
        await letters.read(lambda reader: reader.all("INSERT INTO letters (id, name) VALUES (1, 'a') RETURNING id"))
    assert await letters.read(names) == []


async def test_after_commit_runs_on_the_loop_once_the_write_can_be_read_and_before_its_answer(letters: Store) -> None:
    events: list[object] = []
    loop_thread = threading.get_ident()

    def body(tx: Tx) -> None:
        tx.run(INSERT, {"id": 1, "name": "a"})
        tx.after_commit(lambda: events.append(threading.get_ident() == loop_thread))
        tx.after_commit(lambda: events.append("second"))

    await letters.write(body)
    assert events == [True, "second"]


async def test_after_commit_is_not_called_for_a_body_that_was_rolled_back(letters: Store) -> None:
    called: list[str] = []

    def body(tx: Tx) -> None:
        tx.after_commit(lambda: called.append("never"))
        raise LookupError

    with pytest.raises(LookupError):
        await letters.write(body)
    await letters.write(inserting(1, "a"))
    assert called == []


async def test_an_after_commit_that_raises_hurts_nobody(letters: Store, caplog: pytest.LogCaptureFixture) -> None:
    def failing() -> None:
        raise LookupError("in a callback")

    def body(tx: Tx) -> int:
        tx.after_commit(failing)
        return 7

    assert await letters.write(body) == 7
    assert "in a callback" in caplog.text


async def test_a_broken_constraint_is_a_constraint_error_and_undoes_the_body(letters: Store) -> None:
    await letters.write(inserting(1, "a"))

    def body(tx: Tx) -> None:
        tx.run(INSERT, {"id": 2, "name": "b"})
        tx.run(INSERT, {"id": 3, "name": "a"})

    with pytest.raises(ConstraintError):
        await letters.write(body)
    assert await letters.read(names) == ["a"]


async def test_a_mistake_in_the_sql_reaches_its_caller_and_leaves_the_store_usable(letters: Store) -> None:
    with pytest.raises(Exception, match="nowhere"):
        await letters.write(lambda tx: tx.run("DELETE FROM nowhere"))
    with pytest.raises(Exception, match="nowhere"):
        await letters.read(lambda reader: reader.all("SELECT 1 FROM nowhere"))
    assert await letters.write(inserting(1, "a")) == 1
    assert await letters.read(names) == ["a"]


async def test_run_counts_the_rows_it_changed(letters: Store) -> None:
    def body(tx: Tx) -> tuple[int, int, int]:
        tx.many(INSERT, ({"id": number, "name": f"n{number}"} for number in range(10)))
        changed = tx.run("UPDATE letters SET data = :data WHERE id < :id", {"data": b"\x00\xff", "id": 4})
        return changed, tx.run("DELETE FROM letters WHERE id = 99"), tx.run("DELETE FROM letters")

    assert await letters.write(body) == (4, 0, 10)


async def test_one_gives_the_first_row_or_none_and_returning_works(letters: Store) -> None:
    def body(tx: Tx) -> tuple[Row | None, Row | None, list[Row]]:
        none = tx.one("SELECT name FROM letters")
        inserted = tx.all("INSERT INTO letters (id, name) VALUES (1, 'a'), (2, 'b') RETURNING name")
        return none, tx.one(NAMES), inserted

    assert await letters.write(body) == (None, ("a",), [("a",), ("b",)])


async def test_bytes_text_numbers_and_null_come_back_as_they_went_in(letters: Store) -> None:
    values = {"a": b"\x00\xff", "b": "naïve \u2603 \U0001f40d", "c": 2**62, "d": 0.1, "e": None}
    assert await letters.read(lambda reader: reader.one("SELECT :a, :b, :c, :d, :e", values)) == tuple(values.values())


async def test_a_cancelled_write_ran_wholly_or_not_at_all(letters: Store) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        tx.run(INSERT, {"id": 1, "name": "a"})
        started.set()
        assert go_on.wait(30)
        tx.run(INSERT, {"id": 2, "name": "b"})

    running = asyncio.create_task(letters.write(slow))
    await asyncio.to_thread(started.wait, 30)
    queued = asyncio.create_task(letters.write(inserting(3, "c")))
    await asyncio.sleep(0)
    running.cancel()
    queued.cancel()
    await asyncio.wait([running, queued])
    go_on.set()
    assert running.cancelled()
    assert queued.cancelled()
    await letters.write(inserting(4, "d"))
    assert await letters.read(names) == ["a", "b", "d"]


async def test_concurrent_counters_end_exact(letters: Store) -> None:
    await letters.write(lambda tx: tx.run("CREATE TABLE counter (n INTEGER NOT NULL)"))
    await letters.write(lambda tx: tx.run("INSERT INTO counter (n) VALUES (0)"))

    def increment(tx: Tx) -> None:
        row = tx.one("SELECT n FROM counter")
        assert row is not None
        tx.run("UPDATE counter SET n = :n", {"n": row[0] + 1})

    await asyncio.gather(*(letters.write(increment) for _ in range(500)))
    assert await letters.read(lambda reader: reader.one("SELECT n FROM counter")) == (500,)


async def test_close_finishes_what_was_accepted_and_refuses_what_comes_later(letters: Store) -> None:
    done: list[int] = []
    writes = [asyncio.create_task(letters.write(appending(done, number))) for number in range(100)]
    await asyncio.sleep(0)
    await asyncio.gather(letters.close(), letters.close())
    await asyncio.gather(*writes)
    assert done == list(range(100))
    with pytest.raises(StoreClosedError):
        await letters.write(inserting(1, "a"))
    with pytest.raises(StoreClosedError):
        await letters.read(names)


async def test_a_body_that_raises_stop_iteration_is_an_error_and_not_a_hang(letters: Store) -> None:
    def body(_: Tx) -> None:
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        await letters.write(body)


async def test_a_transaction_kept_beyond_its_body_refuses_to_work(letters: Store) -> None:
    kept: list[Tx] = []
    await letters.write(kept.append)
    with pytest.raises(RuntimeError, match="over"):
        await letters.write(lambda _: kept[0].run(INSERT, {"id": 1, "name": "a"}))
    assert await letters.read(names) == []


async def test_writes_cancelled_at_any_moment_leave_no_half(letters: Store) -> None:
    def body(number: int) -> Callable[[Tx], None]:
        def both(tx: Tx) -> None:
            tx.run(INSERT, {"id": 2 * number, "name": f"{number} first"})
            tx.run(INSERT, {"id": 2 * number + 1, "name": f"{number} second"})

        return both

    async def cancelled_after(turns: int, number: int) -> bool:
        writing = asyncio.create_task(letters.write(body(number)))
        for _ in range(turns):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])
        return not writing.cancelled()

    answered = await asyncio.gather(*(cancelled_after(number % 40, number) for number in range(400)))
    found = set(await letters.read(names))
    for number in range(400):
        both = {f"{number} first", f"{number} second"}
        assert both <= found or (not both & found and not answered[number])


async def test_after_commit_runs_for_a_committed_body_though_its_caller_has_gone(letters: Store) -> None:
    started, go_on = threading.Event(), threading.Event()
    called = asyncio.Event()

    def body(tx: Tx) -> None:
        tx.after_commit(called.set)
        started.set()
        assert go_on.wait(30)

    writing = asyncio.create_task(letters.write(body))
    await asyncio.to_thread(started.wait, 30)
    writing.cancel()
    await asyncio.wait([writing])
    assert not called.is_set()
    go_on.set()
    await called.wait()
