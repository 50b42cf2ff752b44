"""ReceiveMessage: at once, or as soon as there is something."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import Client, RequestContext, operation
from mayfly.services.queues import handles, message_attributes, names
from mayfly.services.queues.board import Board, Ticket
from mayfly.services.queues.catalog import Catalog
from mayfly.services.queues.errors import invalid
from mayfly.services.queues.handles import Handle
from mayfly.services.queues.holding import check_visibility
from mayfly.services.queues.model import Details, Queue, QueueKey, Stored, sequence_number
from mayfly.services.queues.operations.sending import unpacked
from mayfly.services.queues.receiving import Received, Receiving, Wanted
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import ReceiveMessageRequestTypeDef

MAX_WAIT_S = 20
_decode = msgspec.msgpack.Decoder(Details).decode


class ReceiveOperations:
    """The handler of ReceiveMessage."""

    def __init__(self, store: Store, clock: Clock, catalog: Catalog, board: Board, receiving: Receiving) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog
        self._board = board
        self._receiving = receiving

    @operation("ReceiveMessage")
    async def receive_message(self, context: RequestContext, request: "ReceiveMessageRequestTypeDef") -> dict[str, Any]:
        """Up to ten messages, which nobody else gets for as long as their visibility timeout lasts."""
        key = names.key_of(context, request["QueueUrl"])
        wait_s = request.get("WaitTimeSeconds")
        wanted = _wanted(request)
        if wait_s is not None and not 0 <= wait_s <= MAX_WAIT_S:
            raise invalid(wait_s, "WaitTimeSeconds", f"Must be >= 0 and <= {MAX_WAIT_S}, if provided.")
        received = await self.receive(key, wanted, wait_s, context.client)
        if not received.messages:
            return {}
        shown = Shown(request)
        return {"Messages": [shown.message(received.queue, row, received.at) for row in received.messages]}

    async def receive(
        self, key: QueueKey, wanted: Wanted, wait_s: float | None, client: Client | None = None
    ) -> Received:
        """What there is, as soon as there is something; at once for `wait_s` 0, None: what the queue says."""
        if wait_s == 0:
            return await self._take(key, wanted)
        ticket = self._board.join(key, wanted.most)
        if client is not None:
            client.when_gone(ticket.abandon)
        try:
            return await self._wait(ticket, wanted, wait_s)
        finally:
            self._board.leave(ticket)

    async def _take(self, key: QueueKey, wanted: Wanted) -> Received:
        def body(tx: Tx) -> Received:
            return self._receiving.receive(tx, self._catalog.require(tx, key), wanted)

        return await self._store.write(body)

    async def _wait(self, ticket: Ticket, wanted: Wanted, wait_s: float | None) -> Received:
        """Look, and look again whenever there is a reason, until there is something or the time is over."""
        started = self._clock.monotonic()
        wanted = wanted._replace(told=False)
        while True:
            ticket.looking()
            received = await self._take(ticket.key, wanted)
            if wait_s is None:
                wait_s = received.queue.wait_s
            left_s = started + wait_s - self._clock.monotonic()
            if received.messages or left_s <= 0:
                return received
            if received.next_due is not None:
                self._board.expect(ticket.key, received.next_due)
            if not await ticket.sleep(left_s):
                return received


def _wanted(request: "ReceiveMessageRequestTypeDef") -> Wanted:
    count = request.get("MaxNumberOfMessages", 1)
    if not 1 <= count <= 10:
        raise invalid(count, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
    visibility_s = request.get("VisibilityTimeout")
    if visibility_s is not None:
        check_visibility(visibility_s)
    attempt_id = request.get("ReceiveRequestAttemptId")
    if attempt_id is not None and not 1 <= len(attempt_id) <= 128:
        raise invalid(
            attempt_id,
            "ReceiveRequestAttemptId",
            "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
        )
    return Wanted(count, visibility_s, attempt_id)


class Shown:
    """Messages as one request wants to see them."""

    __slots__ = ("_attributes", "_every", "_system")

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._attributes: Sequence[str] = request.get("MessageAttributeNames", ())
        names: Iterable[str] = (
            *request.get("AttributeNames", ()),
            *request.get("MessageSystemAttributeNames", ()),
        )
        self._system = frozenset(names)
        self._every = "All" in self._system

    def message(self, queue: Queue, row: Stored, received_at: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "MessageId": unpacked(row.message_id),
            "ReceiptHandle": handles.written(Handle(queue.store, row.id, row.receives, received_at)),
            "MD5OfBody": hashlib.md5(row.body.encode(), usedforsecurity=False).hexdigest(),
            "Body": row.body,
        }
        if not self._system and not self._attributes:
            return found
        details = _decode(row.details)
        if self._system and (system := self._system_attributes(queue, row, details)):
            found["Attributes"] = system
        if self._attributes and details.attributes:
            chosen = message_attributes.selected(details.attributes, self._attributes)
            if chosen:
                found["MD5OfMessageAttributes"] = message_attributes.digest(chosen)
                found["MessageAttributes"] = message_attributes.shaped(chosen)
        return found

    def _system_attributes(self, queue: Queue, row: Stored, details: Details) -> dict[str, str]:
        found = {
            "SenderId": details.sender,
            "SentTimestamp": str(row.sent_at),
            "ApproximateReceiveCount": str(row.receives),
            "ApproximateFirstReceiveTimestamp": str(row.first_at),
        }
        if details.trace_header is not None:
            found[message_attributes.TRACE_HEADER] = details.trace_header
        if details.group is not None:
            found["MessageGroupId"] = details.group
        if details.dead_letter_source is not None:
            found["DeadLetterQueueSourceArn"] = details.dead_letter_source
        if queue.fifo:
            found["SequenceNumber"] = sequence_number(row.id)
            if details.deduplication_id is not None:
                found["MessageDeduplicationId"] = details.deduplication_id
        return found if self._every else {name: text for name, text in found.items() if name in self._system}
