"""`ports.QueueSource`: how other services work through a queue, inside the process and within their transactions."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from mayfly.errors import MayflyError
from mayfly.ids import Arn
from mayfly.services.contract import ServiceError
from mayfly.services.ports import HeldMessage
from mayfly.services.queues import handles
from mayfly.services.queues.catalog import Catalog
from mayfly.services.queues.errors import NoQueueError
from mayfly.services.queues.handles import Handle
from mayfly.services.queues.holding import Holding, Outcome
from mayfly.services.queues.model import Queue, QueueKey
from mayfly.services.queues.operations.receiving import ReceiveOperations, Shown
from mayfly.services.queues.receiving import Received, Wanted
from mayfly.store.api import Reader, Store, Tx

_EVERYTHING = {"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}


class _Patience:
    """A `contract.Client` that waits until it is told not to."""

    def __init__(self) -> None:
        self._callback: Callable[[], None] | None = None
        self._ended = False

    def when_gone(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        if self._ended:
            callback()

    def end(self) -> None:
        self._ended = True
        if self._callback is not None:
            self._callback()


class QueueTaps:
    """Gives the port."""

    def __init__(self, store: Store, catalog: Catalog, receiving: ReceiveOperations, holding: Holding) -> None:
        self._store = store
        self._catalog = catalog
        self._receiving = receiving
        self._holding = holding
        self._shown = Shown(_EVERYTHING)

    async def visibility_s(self, queue_arn: str) -> int:
        return (await self._store.read(lambda reader: self._find(reader, queue_arn))).visibility_s

    async def receive(self, queue_arn: str, most: int, wait_s: float) -> Sequence[HeldMessage]:
        received = await self._received(_key(queue_arn), Wanted(most), wait_s)
        found = [self._shown.message(received.queue, row, received.at) for row in received.messages]
        return [HeldMessage(message["ReceiptHandle"], message) for message in found]

    async def _received(self, key: QueueKey, wanted: Wanted, wait_s: float) -> Received:
        """What there is. Whoever is cancelled gets nothing, and nothing is held for nobody."""
        patience = _Patience()
        receiving = asyncio.create_task(self._receiving.receive(key, wanted, wait_s, patience))
        try:
            return await asyncio.shield(receiving)
        except asyncio.CancelledError:
            patience.end()
            with suppress(MayflyError):
                received = await receiving
                handles = [Handle(received.queue.store, row.id, row.receives, received.at) for row in received.messages]
                if handles:
                    await self._store.write(lambda tx: self._undo(tx, received.queue, handles))
            raise

    def delete(self, tx: Tx, queue_arn: str, handles: Sequence[str]) -> int:
        queue, outcome = self._find(tx, queue_arn), Outcome()
        if not queue.fifo:
            self._holding.delete_all(tx, queue, [handle for handle, _ in _read(handles)], outcome)
        for handle, text in _read(handles) if queue.fifo else ():
            try:
                self._holding.delete(tx, queue, handle, text, outcome)
            except ServiceError:  # it is held no more, and comes again
                continue
        self._holding.settle(tx, queue, outcome)
        return outcome.deleted

    def hold(self, tx: Tx, queue_arn: str, handles: Sequence[str], visibility_s: int) -> int:
        queue, outcome, held = self._find(tx, queue_arn), Outcome(), 0
        for handle, text in _read(handles):
            try:
                self._holding.change(tx, queue, handle, text, visibility_s, outcome)
            except ServiceError:  # it is held no more, or longer than it may be
                continue
            held += 1
        self._holding.settle(tx, queue, outcome)
        return held

    def give_back(self, tx: Tx, queue_arn: str, handles: Sequence[str]) -> int:
        return self._undo(tx, self._find(tx, queue_arn), [handle for handle, _ in _read(handles)])

    def _undo(self, tx: Tx, queue: Queue, handles: Sequence[Handle]) -> int:
        outcome = Outcome()
        undone = self._holding.undo(tx, queue, handles, outcome)
        self._holding.settle(tx, queue, outcome)
        return undone

    def _find(self, reader: Reader, arn: str) -> Queue:
        queue = self._catalog.find_arn(reader, arn)
        if queue is None:
            raise NoQueueError
        return queue


def _key(arn: str) -> QueueKey:
    """What the queue of an ARN is called; `ServiceError` where that is none."""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        raise NoQueueError from None
    return QueueKey(parsed.account, parsed.region, parsed.resource)


def _read(texts: Sequence[str]) -> list[tuple[Handle, str]]:
    return [(handles.read(text), text) for text in texts]
