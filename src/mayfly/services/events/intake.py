"""Events that come in otherwise than by operations: put on a bus as they are, all of a request or none.

Also the tokens by which those who cannot sign may do that. Used by the pages of the composition root.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.events import records
from mayfly.services.events.errors import limit, not_found
from mayfly.services.events.model import BusKey, Event
from mayfly.store.api import Reader, Store, Tx

MOST_TOKENS = 100  # of a bus
_PREFIX: Final = "mft_"
_SHOWN: Final = 12

_BUS: Final = "account = :account AND region = :region AND bus = :bus"
_INSERT: Final = """
INSERT INTO events_tokens (account, region, bus, digest, prefix, description, created_at)
VALUES (:account, :region, :bus, :digest, :prefix, :description, :now)
"""
_FIND: Final = f"SELECT 1 FROM events_tokens WHERE {_BUS} AND digest = :digest"
_LIST: Final = (
    f"SELECT prefix, description, created_at FROM events_tokens WHERE {_BUS} ORDER BY created_at, prefix LIMIT 100"
)
_COUNT: Final = f"SELECT COUNT(*) FROM events_tokens WHERE {_BUS}"
_DELETE: Final = f"DELETE FROM events_tokens WHERE {_BUS} AND prefix = :prefix"


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without what is secret of it."""

    prefix: str  # what it begins with, by which it is named
    description: str
    created_at: float


class Intake:
    """See the module. `route` puts one event on a bus, in a transaction."""

    def __init__(self, store: Store, route: Callable[[Tx, BusKey, Event], None], clock: Clock) -> None:
        self._store = store
        self._route = route
        self._clock = clock

    async def put(self, bus: BusKey, events: Sequence[Event], also: Callable[[Tx], None] | None = None) -> None:
        """Put events on a bus, in one commit with `also`; ResourceNotFoundException."""

        def body(tx: Tx) -> None:
            records.bus_of(tx, bus)
            if also is not None:
                also(tx)
            for event in events:
                self._route(tx, bus, event)

        await self._store.write(body)

    async def make_token(self, bus: BusKey, description: str) -> str:
        """A new token for a bus, which nobody can be told again; ResourceNotFoundException, LimitExceededException."""
        token = _PREFIX + secrets.token_urlsafe(32)

        def body(tx: Tx) -> None:
            records.bus_of(tx, bus)
            row = tx.one(_COUNT, _key(bus))
            if row is not None and row[0] >= MOST_TOKENS:
                raise limit()
            known = {"digest": _digest(token), "prefix": token[:_SHOWN], "description": description}
            tx.run(_INSERT, {**_key(bus), **known, "now": self._clock.now()})

        await self._store.write(body)
        return token

    async def tokens(self, bus: BusKey) -> list[Token]:
        """The tokens of a bus; ResourceNotFoundException."""

        def body(reader: Reader) -> list[Token]:
            records.bus_of(reader, bus)
            return [Token(*row) for row in reader.all(_LIST, _key(bus))]

        return await self._store.read(body)

    async def remove_token(self, bus: BusKey, prefix: str) -> None:
        """Forget a token; ResourceNotFoundException."""

        def body(tx: Tx) -> None:
            if not tx.run(_DELETE, {**_key(bus), "prefix": prefix}):
                raise not_found(f"Event bus {bus.name} has no token {prefix}.")

        await self._store.write(body)

    async def is_token(self, bus: BusKey, token: str) -> bool:
        """Whether this token lets events onto this bus. By its digest, so that time tells nothing of it."""
        if not token.startswith(_PREFIX) or len(token) > 100 or not token.isascii():
            return False
        wanted = {**_key(bus), "digest": _digest(token)}
        return await self._store.read(lambda reader: reader.one(_FIND, wanted)) is not None


def missing(error: ServiceError) -> bool:
    """Whether an error says that something is not there."""
    return error.code == "ResourceNotFoundException"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _key(bus: BusKey) -> dict[str, str]:
    return {"account": bus.account, "region": bus.region, "bus": bus.name}


__all__ = ["Intake", "Token", "missing"]
