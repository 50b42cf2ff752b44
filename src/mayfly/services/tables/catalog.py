"""Finding and changing table definitions.

Every operation on items begins by finding its table in the same snapshot or transaction that it then works in, so
that no operation acts on a definition that has changed meanwhile. The decoded form of equal bytes is kept, which
makes the look-up cheap without ever being stale.
"""

import re

import msgspec

from mayfly.ids import Arn
from mayfly.services.contract import RequestContext
from mayfly.services.tables import statements
from mayfly.services.tables.errors import InvalidError, ItemTableNotFoundError
from mayfly.services.tables.model import Table
from mayfly.store.api import Reader, Tx

_NAME = re.compile(r"[a-zA-Z0-9_.-]+\Z")


def name_of(reference: str) -> str:
    """The table's name in a `TableName` parameter, which may also be an ARN; `InvalidError`."""
    if not reference.startswith("arn:"):
        return checked_name(reference)
    try:
        arn = Arn.parse(reference)
    except ValueError:
        raise InvalidError(f"Invalid TableArn: Invalid ResourceArn provided as input {reference}") from None
    kind, _, name = arn.resource.partition("/")
    if arn.service != "dynamodb" or kind != "table" or "/" in name:
        raise InvalidError(f"Invalid TableArn: Invalid ResourceArn provided as input {reference}")
    return checked_name(name)


def checked_name(name: str) -> str:
    """`name` if a table may have it; `InvalidError`."""
    if not 3 <= len(name) <= 255:
        raise InvalidError("TableName must be at least 3 characters long and at most 255 characters long")
    if not _NAME.match(name):
        raise InvalidError(
            f"1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        )
    return name


class Catalog:
    """The definitions of all tables."""

    def __init__(self, remembered: int = 1024) -> None:
        self._decoder = msgspec.json.Decoder(Table)
        self._encoder = msgspec.json.Encoder()
        self._decoded: dict[bytes, Table] = {}  # by the stored bytes, at most `remembered`
        self._remembered = remembered

    def find(self, reader: Reader, context: RequestContext, reference: str) -> Table | None:
        """The caller's table of that name or ARN, or None; `InvalidError` for what cannot be a name."""
        row = reader.one(
            statements.FIND_TABLE,
            {"account": context.account, "region": context.region, "name": name_of(reference)},
        )
        return None if row is None else self.decode(row[0])

    def require(self, reader: Reader, context: RequestContext, reference: str) -> Table:
        """`find`, for operations on items: `ItemTableNotFoundError` instead of None."""
        table = self.find(reader, context, reference)
        if table is None:
            raise ItemTableNotFoundError
        return table

    def decode(self, definition: bytes) -> Table:
        """The table that stored bytes describe. Called from several threads; a lost race only decodes twice."""
        table = self._decoded.get(definition)
        if table is None:
            table = self._decoder.decode(definition)
            if len(self._decoded) >= self._remembered:
                self._decoded.clear()
            self._decoded[definition] = table
        return table

    def add(self, tx: Tx, table: Table) -> None:
        """Record a new table."""
        tx.run(
            statements.INSERT_TABLE,
            {
                "table_id": table.id,
                "account": table.account,
                "region": table.region,
                "name": table.name,
                "definition": self._encoder.encode(table),
            },
        )

    def replace(self, tx: Tx, table: Table) -> None:
        """Record a changed definition."""
        tx.run(statements.REPLACE_TABLE, {"table_id": table.id, "definition": self._encoder.encode(table)})
