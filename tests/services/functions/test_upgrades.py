"""Databases of earlier versions keep what they hold."""

import sqlite3
from collections.abc import Iterator

import pytest

from mayfly.store.migrations import load, statements


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


def apply(database: sqlite3.Connection, number: int) -> None:
    (step,) = (step for step in load("mayfly.services.functions") if step.number == number)
    for statement in statements(step.sql):
        database.execute(statement)


def test_urls_of_functions_stay_when_aliases_come(database: sqlite3.Connection) -> None:
    apply(database, 1)
    database.executemany("INSERT INTO functions_url VALUES (?, ?)", [("u1", "f"), ("u2", "g")])
    apply(database, 2)
    rows = database.execute("SELECT url_id, function_name, alias FROM functions_url ORDER BY url_id").fetchall()
    assert rows == [("u1", "f", ""), ("u2", "g", "")]
    database.execute("INSERT INTO functions_url VALUES ('u3', 'f', 'live')")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("INSERT INTO functions_url VALUES ('u4', 'f', '')")


def test_versions_stay_as_they_are_when_scaling_comes(database: sqlite3.Connection) -> None:
    for number in (1, 2):
        apply(database, number)
    columns = "function_name, number, code_sha256, code_size, state, provisioned, has_settings, document"
    database.execute(f"INSERT INTO functions_version ({columns}) VALUES ('f', 1, 'x', 1, 'Active', 4, 0, '{{}}')")
    apply(database, 3)
    assert database.execute("SELECT provisioned, least FROM functions_version").fetchall() == [(4, None)]
