"""What becomes of the executions of a function that is deleted: those under way are stopped, and all are removed.

There may be very many, so that is work for the ready queue, a few at a time; a function of the same name that is
created meanwhile keeps its own.
"""

import msgspec

from mayfly.services.functions.durable import repository
from mayfly.services.functions.durable.executions import Executions
from mayfly.services.functions.durable.running import Lease
from mayfly.services.functions.durable.turn import Turn
from mayfly.store.api import NewItem, ReadyQueue, Store, Tx

QUEUE = "functions.durable.deleted"
_AT_ONCE = 50


class Deleted(msgspec.Struct, frozen=True):
    """A function that is no more."""

    name: str
    at: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Deleted).decode


class Removal:
    """Removes executions."""

    def __init__(self, store: Store, queue: ReadyQueue, executions: Executions) -> None:
        self._store = store
        self._queue = queue
        self._executions = executions

    def begin(self, tx: Tx, name: str) -> None:
        """A function is deleted, in this transaction."""
        now = self._executions.clock.now()
        if repository.of_function(tx, name, now, 1):
            self._queue.enqueue(tx, [NewItem(QUEUE, _encode(Deleted(name, now)))])

    async def carry(self, lease: Lease) -> None:
        """Remove all of them."""
        deleted = _decode(lease.claim.payload)

        def some(tx: Tx) -> bool:
            found = repository.of_function(tx, deleted.name, deleted.at, _AT_ONCE)
            for execution in found:
                self._executions.remove(Turn(tx, execution, self._executions.clock.now()))
            if not found:
                self._queue.complete(tx, lease.claim)
            return bool(found)

        while await self._store.write(some):
            pass
