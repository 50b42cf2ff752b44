"""Which services somebody uses: those that have left something in the database, which may be work to go on with.

Asked once, at the start, of services that are otherwise built with their first request. What the schema of a package
makes by itself is no trace, and neither is what `Traces.unless` names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mayfly.store import migrations
from mayfly.store.api import Reader, Store

_CHANGE: Final = re.compile(
    r"^\s*(?:CREATE TABLE (?:IF NOT EXISTS )?(?P<made>\w+)|DROP TABLE (?:IF EXISTS )?(?P<dropped>\w+)"
    r"|ALTER TABLE (?P<before>\w+) RENAME TO (?P<after>\w+)|INSERT INTO (?P<seeded>\w+)[^;]*?\bVALUES\b)",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True)
class Traces:
    """What a service leaves. `packages` have its tables; in the ready queue it uses names that begin with `queues`."""

    packages: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    unless: Mapping[str, str] = field(default_factory=dict)  # rows that say nothing: a condition by table


def tables(package: str) -> set[str]:
    """The tables of a package that are empty until it is used."""
    found: set[str] = set()
    seeded: set[str] = set()
    for migration in migrations.load(package):
        for change in _CHANGE.finditer(migration.sql):
            found -= {change["dropped"], change["before"]}
            found |= {name for name in (change["made"], change["after"]) if name is not None}
            seeded |= {change["seeded"]} - {None}
    return found - seeded


async def in_use(store: Store, traces: Mapping[str, Traces]) -> set[str]:
    """The names of those services that have left something."""

    def look(reader: Reader) -> set[str]:
        return {name for name, left in traces.items() if _left(reader, left)}

    return await store.read(look)


def _left(reader: Reader, traces: Traces) -> bool:
    for package in traces.packages:
        for table in sorted(tables(package)):
            condition = f" WHERE NOT ({traces.unless[table]})" if table in traces.unless else ""
            if reader.one(f"SELECT 1 FROM {table}{condition} LIMIT 1") is not None:
                return True
    return any(
        reader.one("SELECT 1 FROM queue_items WHERE queue >= :first AND queue < :last LIMIT 1", _range(prefix))
        is not None
        for prefix in traces.queues
    )


def _range(prefix: str) -> dict[str, str]:
    return {"first": prefix, "last": prefix + "\U0010ffff"}
