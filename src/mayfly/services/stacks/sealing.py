"""The store as stacks see it: with what callers and services say sealed in the rows and open in the values.

Parameters, properties, attributes, outputs and answers hold secrets, and nobody can tell which of them do. So a row has
columns by which it is found, and one, sealed for that very row, with all the rest. `records` and whoever else writes
rows seals in the transaction and opens in the snapshot that these classes give; there is no other way to the tables.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from mayfly.services.ports import Vault
from mayfly.store import api
from mayfly.store.api import NO_PARAMS, Params, Row

T = TypeVar("T")


class Reader:
    """`store.api.Reader` that opens what was sealed."""

    __slots__ = ("_reader", "_vault")

    def __init__(self, reader: api.Reader, vault: Vault) -> None:
        self._reader = reader
        self._vault = vault

    def one(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        return self._reader.one(sql, params)

    def all(self, sql: str, params: Params = NO_PARAMS) -> list[Row]:
        return self._reader.all(sql, params)

    def opened(self, sealed: bytes, about: str) -> bytes:
        """What was sealed for the row that `about` names; `PlatformError` when it cannot be read any more."""
        return self._vault.open(sealed, about)


class Tx(Reader):
    """`store.api.Tx` that seals."""

    __slots__ = ("_tx",)

    def __init__(self, tx: api.Tx, vault: Vault) -> None:
        super().__init__(tx, vault)
        self._tx = tx

    def run(self, sql: str, params: Params = NO_PARAMS) -> int:
        return self._tx.run(sql, params)

    def many(self, sql: str, rows: Iterable[Params]) -> int:
        return self._tx.many(sql, rows)

    def after_commit(self, callback: Callable[[], None]) -> None:
        self._tx.after_commit(callback)

    def sealed(self, plain: bytes, about: str) -> bytes:
        """What to write into the row that `about` names, e.g. "stack <id>"."""
        return self._vault.seal(plain, about)


class Store:
    """`store.api.Store` whose bodies get these."""

    def __init__(self, store: api.Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def write(self, body: Callable[[Tx], T]) -> T:
        """See `store.api.Store`."""
        return await self._store.write(lambda tx: body(Tx(tx, self._vault)))

    def fingerprint(self, plain: bytes, about: str) -> bytes:
        """What to find a row by that is named after a secret; see `store.api.Vault`."""
        return self._vault.fingerprint(plain, about)

    async def read(self, body: Callable[[Reader], T]) -> T:
        """See `store.api.Store`."""
        return await self._store.read(lambda reader: body(Reader(reader, self._vault)))
