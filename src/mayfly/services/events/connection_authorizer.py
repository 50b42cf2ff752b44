"""Finds out whether new connections of OAuth work: asks for a first token, and writes down what came of it.

A connection waits for that in the state AUTHORIZING, which is durable, so the next server goes on where this one
stopped. Its work is a task of the service.
"""

import asyncio
import logging

import msgspec

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.services.events import connection_records as records
from mayfly.services.events.connection_tokens import TokenError, Tokens
from mayfly.services.events.connections import ConnectionKey, Secret
from mayfly.services.ports import Vault
from mayfly.store.api import Store, StoreClosedError, Tx

ATTEMPTS = 3
BETWEEN_S = 2.0
AFTER_TROUBLE_S = 30.0
_AT_ONCE = 8
_MOST_REASON = 512

_log = logging.getLogger(__name__)
secret_of = msgspec.msgpack.Decoder(Secret).decode
packed = msgspec.msgpack.Encoder().encode


class Authorizer:
    """See the module. `run` must be a task for as long as the service is used."""

    def __init__(self, store: Store, vault: Vault, tokens: Tokens, clock: Clock, between_s: float = BETWEEN_S) -> None:
        self._store = store
        self._vault = vault
        self._tokens = tokens
        self._clock = clock
        self._between_s = between_s
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Connections may wait to be authorized."""
        self._woken.set()

    async def run(self) -> None:
        """Authorize whatever waits for it, until cancelled."""
        self._woken.set()
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._authorize_all()
            except StoreClosedError:
                return
            except PlatformError:
                _log.exception("connections were not authorized this time")
                await asyncio.sleep(AFTER_TROUBLE_S)
                self._woken.set()

    async def _authorize_all(self) -> None:
        while waiting := await self._store.read(lambda reader: records.connections_in(reader, "AUTHORIZING", _AT_ONCE)):
            tries = [asyncio.create_task(self._authorize(key), name="events-authorize") for key in waiting]
            try:
                await asyncio.gather(*tries)
            finally:
                for task in tries:
                    task.cancel()

    async def _authorize(self, key: ConnectionKey) -> None:
        stored = await self._store.read(lambda reader: records.find_connection(reader, key))
        if stored is None or stored.connection.state != "AUTHORIZING":
            return
        arn, revision = key.arn(stored.connection.id), stored.connection.revision
        reason: str | None = None
        for attempt in range(ATTEMPTS):
            try:
                secret = secret_of(self._vault.open(stored.sealed, arn))
                await self._tokens.of(arn, stored.connection, secret)
            except TokenError as error:
                reason = str(error)
                if error.final:
                    break
                if attempt + 1 < ATTEMPTS:
                    await asyncio.sleep(self._between_s)
            except PlatformError as error:
                _log.warning("connection %s cannot be authorized: %s", key.name, error)
                reason = str(error)
                break
            else:
                reason = None
                break
        await self._store.write(lambda tx: self._settle(tx, key, arn, revision, reason))

    def _settle(self, tx: Tx, key: ConnectionKey, arn: str, revision: int, reason: str | None) -> None:
        stored = records.find_connection(tx, key)
        if stored is None or key.arn(stored.connection.id) != arn or stored.connection.revision != revision:
            return  # it was changed meanwhile, and waits again
        if stored.connection.state != "AUTHORIZING":
            return
        if reason is None:
            settled = msgspec.structs.replace(
                stored.connection, state="AUTHORIZED", reason=None, authorized_at=self._clock.now()
            )
        else:
            settled = msgspec.structs.replace(stored.connection, state="DEAUTHORIZED", reason=reason[:_MOST_REASON])
        records.put_connection(tx, key, settled, stored.sealed)
