"""Numbered migrations: which ones a package has, which a database still needs, and when to refuse.

A package keeps them in its folder `migrations/` as `NNNN_name.sql`, numbered from 1 without gaps. What was applied is
recorded with a checksum in `schema_migrations`; an applied file never changes again. A dialect reads `Applied` rows,
asks `pending` what to do, and applies each migration with its row in one transaction. Called as stores open.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import NamedTuple

from mayfly.errors import PlatformError

FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    package TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (package, number)
)
"""
SELECT_APPLIED = "SELECT number, name, checksum FROM schema_migrations WHERE package = :package ORDER BY number"
INSERT_APPLIED = """
INSERT INTO schema_migrations (package, number, name, checksum, applied_at)
VALUES (:package, :number, :name, :checksum, :applied_at)
"""


class MigrationError(PlatformError):
    """The database and this version of the code do not fit together; nothing was changed."""


class Migration(NamedTuple):
    """One step of a package's schema."""

    package: str
    number: int
    name: str
    sql: str
    checksum: str


class Applied(NamedTuple):
    """A step that a database has behind it."""

    number: int
    name: str
    checksum: str


def load(package: str) -> list[Migration]:
    """The migrations of a dotted package, in order; `MigrationError` if it has none or they are misnumbered."""
    folder = resources.files(package) / "migrations"
    if not folder.is_dir():
        raise MigrationError(f"the package {package} has no folder `migrations`")
    found: list[Migration] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(".sql"):
            continue
        match = FILE_NAME.fullmatch(entry.name)
        if match is None:
            raise MigrationError(f"{package}: {entry.name} is not named NNNN_name.sql")
        sql = entry.read_text(encoding="utf-8").replace("\r\n", "\n")
        found.append(Migration(package, int(match[1]), match[2], sql, hashlib.sha256(sql.encode()).hexdigest()))
    numbers = [migration.number for migration in found]
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        raise MigrationError(f"the migrations of {package} are not numbered 1, 2, 3, … without gaps: {numbers}")
    return found


def pending(available: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    """What must still be applied; `MigrationError` if what was applied is not what the code has."""
    package = available[0].package
    by_number = {migration.number: migration for migration in available}
    newest = available[-1].number
    for step in applied:
        label = f"{step.number:04d}_{step.name} of {package}"
        if step.number > newest:
            raise MigrationError(
                f"the database is newer than this version of Mayfly: it has {label}, the code ends at {newest:04d}; "
                "install the version that wrote it, or a later one"
            )
        migration = by_number.get(step.number)
        if migration is None or migration.name != step.name:
            raise MigrationError(f"{label} was applied to the database but is missing from the code")
        if migration.checksum != step.checksum:
            raise MigrationError(
                f"{label} was changed after it was applied to the database; put it back and add a new migration"
            )
    done = {step.number for step in applied}
    missing = [number for number in range(1, max(done, default=0)) if number not in done]
    if missing:
        raise MigrationError(f"the database lacks migrations {missing} of {package}, but has later ones")
    return [migration for migration in available if migration.number not in done]


def is_vacuum(statement: str) -> bool:
    """Whether a statement, apart from comments, is VACUUM."""
    return re.sub(r"--[^\n]*", "", statement).strip().rstrip(";").upper() == "VACUUM"


def statements(sql: str) -> Iterator[str]:
    """The single statements of a script; a semicolon in a literal, a comment or a trigger does not end one."""
    text = ""
    for piece in re.split(r"(?<=;)", sql):
        text += piece
        if sqlite3.complete_statement(text):
            yield text
            text = ""
    if re.sub(r"--[^\n]*", "", text).strip():
        raise MigrationError(f"a statement lacks its semicolon: {text.strip()[:80]!r}")
