import sqlite3
import textwrap
from pathlib import Path

import pytest

from mayfly.clock import ManualClock
from mayfly.store.migrations import Applied, Migration, MigrationError, load, pending, statements
from mayfly.store.sqlite import SqliteStore


def migration(number: int, checksum: str = "c") -> Migration:
    return Migration("some.package", number, f"step_{number}", "", checksum)


def applied(number: int, checksum: str = "c") -> Applied:
    return Applied(number, f"step_{number}", checksum)


CODE = [migration(1), migration(2), migration(3)]


@pytest.mark.parametrize(
    ("database", "numbers"),
    [([], [1, 2, 3]), ([applied(1)], [2, 3]), ([applied(1), applied(2), applied(3)], [])],
)
def test_what_is_not_applied_yet_is_pending_in_order(database: list[Applied], numbers: list[int]) -> None:
    assert [step.number for step in pending(CODE, database)] == numbers


def test_a_database_newer_than_the_code_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"newer than this version.*0004_step_4 of some\.package"):
        pending(CODE, [applied(1), applied(2), applied(3), applied(4)])


def test_an_applied_migration_that_was_changed_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"0002_step_2 of some\.package was changed"):
        pending(CODE, [applied(1), applied(2, "other")])


def test_an_applied_migration_that_was_renamed_is_missing_from_the_code() -> None:
    with pytest.raises(MigrationError, match=r"0001_another of some\.package was .* missing from the code"):
        pending(CODE, [Applied(1, "another", "c")])


def test_a_database_with_a_gap_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"lacks migrations \[1\]"):
        pending(CODE, [applied(2)])


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        ("-- nothing; here\n", []),
        ("SELECT 1; SELECT 2;\n", ["SELECT 1;", "SELECT 2;"]),
        ("SELECT ';'; -- a; b\nSELECT 2;", ["SELECT ';';", "-- a; b\nSELECT 2;"]),
        ("/* a; b */ SELECT 1;", ["/* a; b */ SELECT 1;"]),
        (
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; DELETE FROM c; END; SELECT 1;",
            ["CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; DELETE FROM c; END;", "SELECT 1;"],
        ),
    ],
)
def test_a_script_falls_into_its_statements(script: str, expected: list[str]) -> None:
    assert [statement.strip() for statement in statements(script)] == expected


def test_a_last_statement_without_its_semicolon_is_refused() -> None:
    with pytest.raises(MigrationError, match="lacks its semicolon"):
        list(statements("SELECT 1; SELECT 2"))


class Package:
    """A package made for one test, with migrations to change."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.folder = root / name / "migrations"
        self.folder.mkdir(parents=True)
        (root / name / "__init__.py").touch()

    def has(self, file: str, sql: str) -> None:
        (self.folder / file).write_text(textwrap.dedent(sql), encoding="utf-8")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Package:
    # A name of its own, because imported packages stay imported.
    monkeypatch.syspath_prepend(tmp_path / "packages")
    return Package(tmp_path / "packages", f"migrated_{abs(hash(request.node.name))}")


async def opened(path: Path, *packages: str) -> list[tuple[object, ...]]:
    """Open and close the store; what its database says is applied."""
    store = await SqliteStore.open(path, packages, ManualClock())
    rows = await store.read(lambda r: r.all("SELECT package, number, name, applied_at FROM schema_migrations"))
    await store.close()
    return rows


def tables(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    try:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        connection.close()


async def test_opening_applies_the_store_first_then_each_package_once(tmp_path: Path, package: Package) -> None:
    package.has("0001_first.sql", "CREATE TABLE one (a INTEGER);")
    path = tmp_path / "store.db"
    now = ManualClock().now()
    assert (package.name, 1, "first", now) in await opened(path, package.name)
    package.has("0002_second.sql", "ALTER TABLE one ADD COLUMN b TEXT; INSERT INTO one (a, b) VALUES (1, 'x');")
    for _ in range(2):
        rows = await opened(path, package.name)
        assert [row[1:3] for row in rows if row[0] == package.name] == [(1, "first"), (2, "second")]
        assert rows[0][0] == "mayfly.store"


async def test_a_migration_that_fails_leaves_nothing_of_itself(tmp_path: Path, package: Package) -> None:
    package.has("0001_first.sql", "CREATE TABLE one (a INTEGER);")
    package.has("0002_bad.sql", "CREATE TABLE two (a INTEGER); INSERT INTO nowhere VALUES (1);")
    path = tmp_path / "store.db"
    with pytest.raises(MigrationError, match=f"0002_bad of {package.name} failed: .*nowhere"):
        await opened(path, package.name)
    assert {"one", "two"} & tables(path) == {"one"}
    package.has("0002_bad.sql", "CREATE TABLE two (a INTEGER);")
    await opened(path, package.name)
    assert {"one", "two"} <= tables(path)


async def test_a_migration_changed_after_it_was_applied_is_refused_at_opening(tmp_path: Path, package: Package) -> None:
    package.has("0001_first.sql", "CREATE TABLE one (a INTEGER);")
    path = tmp_path / "store.db"
    await opened(path, package.name)
    package.has("0001_first.sql", "CREATE TABLE one (a TEXT);")
    with pytest.raises(MigrationError, match="was changed"):
        await opened(path, package.name)


async def test_line_endings_do_not_change_a_migration(tmp_path: Path, package: Package) -> None:
    path = tmp_path / "store.db"
    (package.folder / "0001_first.sql").write_bytes(b"CREATE TABLE one (\n a INTEGER\n);\n")
    await opened(path, package.name)
    (package.folder / "0001_first.sql").write_bytes(b"CREATE TABLE one (\r\n a INTEGER\r\n);\r\n")
    await opened(path, package.name)


def test_a_misnamed_file_is_refused(package: Package) -> None:
    package.has("1_first.sql", "SELECT 1;")
    with pytest.raises(MigrationError, match=r"1_first\.sql is not named"):
        load(package.name)


@pytest.mark.parametrize("files", [[], ["0002_a.sql"], ["0001_a.sql", "0001_b.sql"], ["0001_a.sql", "0003_c.sql"]])
def test_migrations_without_a_beginning_or_with_gaps_are_refused(package: Package, files: list[str]) -> None:
    for file in files:
        package.has(file, "SELECT 1;")
    with pytest.raises(MigrationError, match="without gaps"):
        load(package.name)


def test_a_package_without_migrations_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"mayfly\.policy has no folder"):
        load("mayfly.policy")
