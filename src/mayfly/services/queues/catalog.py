"""Finding and changing queues.

Every operation finds its queue in the snapshot or transaction that it then works in, so that none acts on a definition
that has changed meanwhile. The decoded form of equal bytes is kept, which makes the look-up cheap and never stale.
"""

import msgspec

from mayfly.services.queues import names, statements
from mayfly.services.queues.errors import NoQueueError
from mayfly.services.queues.model import Queue, QueueKey
from mayfly.store.api import Reader, Tx

REMEMBERED = 1024


class Catalog:
    """The queues of everybody."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(Queue)
        self._encoder = msgspec.json.Encoder()
        self._decoded: dict[bytes, Queue] = {}  # by the stored bytes, at most `REMEMBERED`

    def find(self, reader: Reader, key: QueueKey) -> Queue | None:
        """The queue of that name, or None."""
        params = {"account": key.account, "region": key.region, "name": key.name}
        row = reader.one(statements.FIND_QUEUE, params)
        return None if row is None else self.decode(row[0])

    def require(self, reader: Reader, key: QueueKey) -> Queue:
        """`find`, with `NoQueueError` instead of None."""
        queue = self.find(reader, key)
        if queue is None:
            raise NoQueueError
        return queue

    def find_arn(self, reader: Reader, arn: str) -> Queue | None:
        """The queue with that ARN, or None."""
        key = names.key_of_arn(arn)
        return None if key is None else self.find(reader, key)

    def decode(self, definition: bytes) -> Queue:
        """The queue that stored bytes describe. Called from several threads; a lost race only decodes twice."""
        queue = self._decoded.get(definition)
        if queue is None:
            queue = self._decoder.decode(definition)
            if len(self._decoded) >= REMEMBERED:
                self._decoded.clear()
            self._decoded[definition] = queue
        return queue

    def add(self, tx: Tx, queue: Queue) -> None:
        """Record a new queue."""
        where = {"account": queue.account, "region": queue.region, "name": queue.name}
        tx.run(statements.INSERT_QUEUE, {**where, **self._row(queue)})
        tx.run(statements.INSERT_STORE, {"no": queue.store})

    def replace(self, tx: Tx, queue: Queue) -> None:
        """Record a changed definition."""
        tx.run(statements.REPLACE_QUEUE, self._row(queue))

    def discard_content(self, tx: Tx, queue: Queue) -> None:
        """Put what the queue's store holds out of reach, at once, however much it is; sweeping removes it."""
        tx.run(statements.PUT_TRASH, {"store": queue.store})

    def delete(self, tx: Tx, queue: Queue) -> None:
        """Remove the queue and put its messages out of reach."""
        tx.run(statements.DELETE_QUEUE, {"no": queue.no})
        self.discard_content(tx, queue)

    def _row(self, queue: Queue) -> dict[str, object]:
        target = queue.redrive.target_arn if queue.redrive is not None else None
        return {"no": queue.no, "dead_letter_arn": target, "definition": self._encoder.encode(queue)}


def next_ids(tx: Tx, count: int) -> int:
    """The first of `count` fresh numbers in a row."""
    row = tx.one(statements.NEXT_IDS, {"count": count})
    assert row is not None, "the migration makes the row"
    return int(row[0]) - count + 1
