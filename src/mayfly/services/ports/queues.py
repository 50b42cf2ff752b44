"""Messages into queues and out of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mayfly.services.ports.events import MessageAttribute, Source
from mayfly.store.api import Tx


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message for a queue from inside the platform, with all that a sender outside may say of it."""

    body: str
    attributes: Mapping[str, MessageAttribute] = field(default_factory=dict)
    group_id: str | None = None  # FIFO queues demand one; fair queueing on standard ones
    deduplication_id: str | None = None  # FIFO queues demand one, unless they deduplicate by content
    delay_s: int | None = None  # None: what the queue says; standard queues only
    trace_header: str | None = None  # the system attribute AWSTraceHeader
    sender_id: str = ""  # the system attribute SenderId; empty: the platform
    source: Source | None = None  # whom a Deny of the queue's policy may keep out; None: nobody asks


@dataclass(frozen=True, slots=True)
class SentMessage:
    """What a queue made of a message."""

    message_id: str
    sequence_number: str | None = None  # of FIFO queues


class QueueSink(Protocol):
    """Given by queues, used by services that hand messages over with more than a body."""

    def send(self, tx: Tx, queue_arn: str, message: QueueMessage) -> SentMessage:
        """Send one message as part of the caller's transaction: durable with it, received after it.

        A message that a FIFO queue has had within its deduplication interval is not sent again, and no error.
        `ServiceError` when the queue cannot take it (there is none; the body or an attribute breaks a rule; a FIFO
        queue without a group); nothing was written then.
        """


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message that was received, and is held until its visibility timeout ends."""

    handle: str
    shown: Mapping[str, Any]  # a `Message` of ReceiveMessage, with every attribute


class QueueSource(Protocol):
    """Given by queues, used by whoever works through a queue inside the platform: pipes, event source mappings."""

    async def visibility_s(self, queue_arn: str) -> int:
        """How long the queue holds what was received; `ServiceError` when there is no such queue."""

    async def receive(self, queue_arn: str, most: int, wait_s: float) -> Sequence[HeldMessage]:
        """Up to `most` messages, as soon as there are any, none after `wait_s` (≤ 20); of a FIFO queue, in order and
        none that follows one in flight. `ServiceError` when there is no such queue. Nothing is held for who is
        cancelled."""

    def delete(self, tx: Tx, queue_arn: str, handles: Sequence[str]) -> int:
        """Delete messages that are held, as part of the caller's transaction; how many were. Fewer than there are
        handles: the others are held no more, and may have been received again."""

    def give_back(self, tx: Tx, queue_arn: str, handles: Sequence[str]) -> int:
        """Make messages visible that nobody has looked at, as if they had not been received; how many were held still.
        Their handles must not be used any more."""

    def hold(self, tx: Tx, queue_arn: str, handles: Sequence[str], visibility_s: int) -> int:
        """Hold messages until `visibility_s` from now, 0 to give them back; of how many that was possible."""
