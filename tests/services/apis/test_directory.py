"""The ids of APIs, whatever their kind."""

import re

import pytest

from mayfly.services.apis.directory import Directory, new_id
from mayfly.store.api import Tx
from mayfly.store.sqlite import SqliteStore


@pytest.fixture
async def directory(store: SqliteStore) -> Directory:
    found = Directory(store)
    await found.open()
    return found


def test_an_id_is_ten_small_letters_and_digits() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch("[a-z0-9]{10}", each) for each in ids)


async def test_an_api_is_known_once_its_commit_is(directory: Directory, store: SqliteStore) -> None:
    def give_up(tx: Tx) -> None:
        assert directory.add(tx, "abc", "rest")
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(give_up)
    assert directory.kind("abc") is None
    assert await store.write(lambda tx: directory.add(tx, "abc", "http"))
    assert directory.kind("abc") == "http"


async def test_an_id_that_is_taken_stays_with_whom_it_is(directory: Directory, store: SqliteStore) -> None:
    await store.write(lambda tx: directory.add(tx, "abc", "http"))
    assert not await store.write(lambda tx: directory.add(tx, "abc", "rest"))
    assert directory.kind("abc") == "http"


async def test_a_restart_knows_what_there_was_and_no_more(directory: Directory, store: SqliteStore) -> None:
    await store.write(lambda tx: directory.add(tx, "abc", "websocket"))
    await store.write(lambda tx: directory.add(tx, "xyz", "http"))
    await store.write(lambda tx: directory.remove(tx, "xyz"))
    assert directory.kind("xyz") is None
    again = Directory(store)
    await again.open()
    assert (again.kind("abc"), again.kind("xyz")) == ("websocket", None)
