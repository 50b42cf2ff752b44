"""Journals that one process writes and another folds: each record once, in order, whoever dies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mayfly.clock import ManualClock
from mayfly.store.api import Tx
from mayfly.store.journal_follow import FollowedJournal, Writer, names
from mayfly.store.journal_segments import frames
from mayfly.store.sqlite import SqliteStore
from tests.conftest import OpenStore


class Folded:
    """What was folded, in order."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    def __call__(self, tx: Tx, records: list[bytes]) -> None:
        tx.after_commit(lambda: self.records.extend(records))


@asynccontextmanager
async def followed(
    directory: Path, store: SqliteStore, fold: Folded, clock: ManualClock
) -> AsyncIterator[FollowedJournal]:
    journal = await FollowedJournal.open(directory, "logs-1", store, fold, clock)
    try:
        yield journal
    finally:
        await journal.close()


async def test_what_the_writer_wrote_is_folded(open_store: OpenStore, tmp_path: Path, clock: ManualClock) -> None:
    store, fold = await open_store(), Folded()
    async with followed(tmp_path / "j", store, fold, clock) as journal:
        writer = Writer(tmp_path / "j", "logs-1", journal.next_segment)
        writer.append([b"one", b"two"])
        await journal.flush()
        assert fold.records == [b"one", b"two"]
        writer.append([b"three"])
        await journal.flush()
        await writer.close()
    assert fold.records == [b"one", b"two", b"three"]


async def test_records_go_on_over_the_segments_of_the_writer(
    open_store: OpenStore, tmp_path: Path, clock: ManualClock
) -> None:
    store, fold = await open_store(), Folded()
    wanted = [b"%d" % number for number in range(50)]
    async with followed(tmp_path / "j", store, fold, clock) as journal:
        writer = Writer(tmp_path / "j", "logs-1", journal.next_segment, segment_bytes=100)
        for record in wanted:
            writer.append([record])
        await journal.flush()
        await writer.close()
    assert fold.records == wanted
    assert len(list((tmp_path / "j").iterdir())) <= 1


async def test_a_new_writer_goes_on_where_the_last_one_died(
    open_store: OpenStore, tmp_path: Path, clock: ManualClock
) -> None:
    store, fold = await open_store(), Folded()
    async with followed(tmp_path / "j", store, fold, clock) as journal:
        first = Writer(tmp_path / "j", "logs-1", journal.next_segment)
        first.append([b"one"])
        torn = frames([b"never whole"])[:-3]
        with next((tmp_path / "j").iterdir()).open("ab") as file:
            file.write(torn)
        journal.renew()
        second = Writer(tmp_path / "j", "logs-1", journal.next_segment)
        second.append([b"two"])
        await journal.flush()
        await first.close()
        await second.close()
    assert fold.records == [b"one", b"two"]


async def test_the_next_process_folds_what_this_one_did_not(
    open_store: OpenStore, tmp_path: Path, clock: ManualClock
) -> None:
    store, fold = await open_store(), Folded()
    async with followed(tmp_path / "j", store, fold, clock) as journal:
        writer = Writer(tmp_path / "j", "logs-1", journal.next_segment)
        writer.append([b"one"])
        await journal.flush()
    writer.append([b"two"])
    await writer.close()
    async with followed(tmp_path / "j", store, fold, clock) as journal:
        await journal.flush()
        assert journal.backlog == 0
    assert fold.records == [b"one", b"two"]


def test_journals_are_found_by_their_files(tmp_path: Path) -> None:
    for name in ("logs", "logs-front1", "usage-front1"):
        Writer(tmp_path, name, 1)

    assert names(tmp_path, "logs-front") == ["logs-front1"]
    assert names(tmp_path, "usage-front") == ["usage-front1"]
