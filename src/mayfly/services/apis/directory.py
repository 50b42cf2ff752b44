"""Which APIs there are, by id: the one namespace that all kinds share, since a host name says nothing but the id.

In memory as a whole, because every request asks it; this process alone writes it.
"""

import secrets
from typing import Literal

from mayfly.services.apis import statements
from mayfly.store.api import Store, Tx

Kind = Literal["http", "rest", "websocket"]
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_LENGTH = 10


def new_id() -> str:
    """An id as AWS gives them: ten small letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


class Directory:
    """`open` it before anything is served."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kinds: dict[str, Kind] = {}

    async def open(self) -> None:
        """Read what there is."""
        self._kinds = dict(await self._store.read(lambda reader: reader.all(statements.DIRECTORY_ALL)))

    def kind(self, api_id: str) -> Kind | None:
        """Of an API; None: there is none of that id."""
        return self._kinds.get(api_id)

    def add(self, tx: Tx, api_id: str, kind: Kind) -> bool:
        """Enter a new API with the caller's commit; False: the id is taken, and nothing was written."""
        if tx.run(statements.DIRECTORY_INSERT, {"api_id": api_id, "kind": kind}) == 0:
            return False

        def enter() -> None:
            self._kinds[api_id] = kind

        tx.after_commit(enter)
        return True

    def remove(self, tx: Tx, api_id: str) -> None:
        """Strike an API out with the caller's commit."""
        tx.run(statements.DIRECTORY_DELETE, {"api_id": api_id})

        def strike() -> None:
            self._kinds.pop(api_id, None)

        tx.after_commit(strike)
