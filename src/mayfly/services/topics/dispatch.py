"""One message to one subscription, within a transaction: to a queue or a function at once, to a URL by the ready queue.

What cannot be delivered goes to the subscription's dead letters, or is dropped, as SNS does; it never fails a publish.
Called by whoever publishes, fans out and replays, all of them in the store's writer thread.
"""

import base64
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.ports import (
    PLAIN,
    EventTargets,
    MessageAttribute,
    QueueMessage,
    QueueSink,
    Source,
    TargetOptions,
)
from mayfly.services.topics import statements as sql
from mayfly.services.topics.model import PRINCIPAL, Attribute, Delivery, Message, Subscription, Topic, lane_queue
from mayfly.services.topics.plans import Planned
from mayfly.services.topics.rendering import Rendering
from mayfly.services.topics.status import Outcome, StatusLog
from mayfly.store.api import NewItem, ReadyQueue, Tx

MAX_QUEUE_ATTRIBUTES = 10


class Dispatch:
    """Hands messages over."""

    def __init__(
        self,
        queues: QueueSink,
        targets: EventTargets,
        ready: ReadyQueue,
        status: StatusLog,
        clock: Clock,
        wake: Callable[[int], None],
    ) -> None:
        """`wake` is told, on the event loop, which URL there is a delivery for."""
        self._queues = queues
        self._targets = targets
        self._ready = ready
        self._status = status
        self._clock = clock
        self._wake = wake

    def hand_over(self, tx: Tx, rendering: Rendering, planned: Planned) -> None:
        """Deliver, or see to it that it will be."""
        subscription = planned.subscription
        if subscription.protocol not in ("sqs", "lambda"):
            self.enqueue(tx, Delivery(subscription.id, self._clock.now(), rendering.message))
            return
        try:
            answer = self._local(tx, rendering, subscription)
        except ServiceError as error:
            self.give_up(tx, rendering, planned)
            outcome = Outcome(error.status or 400, error.message, attempts=1)
        else:
            outcome = Outcome(200, answer, attempts=1)
        self._status.note(tx, rendering.topic, rendering.message, subscription, outcome)

    def enqueue(self, tx: Tx, delivery: Delivery, ready_at: float | None = None) -> None:
        """Have a URL get something."""
        tx.run(sql.ADD_WAITING, {"subscription_id": delivery.subscription_id})
        self.enqueue_again(tx, delivery, ready_at)

    def enqueue_again(self, tx: Tx, delivery: Delivery, ready_at: float | None) -> None:
        """`enqueue` for a delivery that is counted already."""
        queue = lane_queue(delivery.subscription_id)
        self._ready.enqueue(tx, [NewItem(queue, msgspec.json.encode(delivery), ready_at)])
        wake, subscription_id = self._wake, delivery.subscription_id
        tx.after_commit(lambda: wake(subscription_id))

    def give_up(self, tx: Tx, rendering: Rendering, planned: Planned) -> bool:
        """Put what was not delivered among the dead letters; False: there is no place for it."""
        if planned.dead_letters is None:
            return False
        subscription = planned.subscription
        if subscription.protocol == "lambda":
            body = rendering.event(subscription).decode()
        else:
            body = rendering.body(subscription)
        attributes = rendering.message.attributes if subscription.raw else ()
        try:
            self._queues.send(
                tx,
                planned.dead_letters,
                queue_message(planned.dead_letters, rendering.topic, rendering.message, body, attributes),
            )
        except ServiceError:
            return False
        return True

    def _local(self, tx: Tx, rendering: Rendering, subscription: Subscription) -> str:
        if subscription.protocol == "lambda":
            options = PLAIN if rendering.message.trace is None else TargetOptions(trace_header=rendering.message.trace)
            self._targets.accept(tx, subscription.endpoint, rendering.event(subscription), options)
            return "accepted"
        message = rendering.message
        attributes = message.attributes if subscription.raw else ()
        if subscription.raw and message.replayed:
            attributes = (*attributes, Attribute("Replayed", "String", "true"))
        if len(attributes) > MAX_QUEUE_ATTRIBUTES:
            raise ServiceError(
                "InvalidParameterValue", f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum"
            )
        if message.replayed and message.deduplication_id is not None:
            # The queue may have had the original within its interval, and is to get this one all the same.
            message = replace(message, deduplication_id=f"{message.deduplication_id[:90]}-{message.id}")
        sent = self._queues.send(
            tx,
            subscription.endpoint,
            queue_message(subscription.endpoint, rendering.topic, message, rendering.body(subscription), attributes),
        )
        return sent.message_id


def queue_message(
    queue_arn: str, topic: Topic, message: Message, body: str, attributes: tuple[Attribute, ...]
) -> QueueMessage:
    """The message that a queue gets; a standard one takes no deduplication id."""
    return QueueMessage(
        body,
        {one.name: MessageAttribute(one.type, _value(one)) for one in attributes},
        group_id=message.group_id,
        deduplication_id=message.deduplication_id if queue_arn.endswith(".fifo") else None,
        trace_header=message.trace,
        sender_id=message.sender,
        source=Source(PRINCIPAL, topic.arn, topic.account),
    )


def _value(attribute: Attribute) -> str | bytes:
    return base64.b64decode(attribute.value) if attribute.binary else attribute.value
