"""Publishing: what is accepted is durable, and on its way, with the one transaction that accepts it.

Subscriptions that are few get their messages in that transaction; those of a topic with many by work in the ready
queue, a batch a transaction (`fanout`). The order of a FIFO topic is the order of transactions, which the store runs
one after another, and its subscriptions are few; so every subscriber gets the messages of a group in their order.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.topics import messages
from mayfly.services.topics import statements as sql
from mayfly.services.topics.catalog import Found
from mayfly.services.topics.dispatch import Dispatch
from mayfly.services.topics.filters import Seen
from mayfly.services.topics.messages import Draft
from mayfly.services.topics.model import DEDUPLICATION_S, FANOUT, FanOut, Message, Topic
from mayfly.services.topics.plans import Page, Plans
from mayfly.services.topics.rendering import Rendering
from mayfly.services.topics.signatures import Signatures
from mayfly.store.api import NewItem, ReadyQueue, Tx

MOST_KNOWN = 4096
AT_ONCE = 100  # subscriptions that get a message in the transaction of its publish


class Published(NamedTuple):
    """What a publisher is told."""

    message_id: str
    sequence_number: str | None


class Publisher:
    """Accepts messages for topics."""

    def __init__(
        self, plans: Plans, dispatch: Dispatch, signatures: Signatures, ready: ReadyQueue, clock: Clock
    ) -> None:
        self._plans = plans
        self._dispatch = dispatch
        self._signatures = signatures
        self._ready = ready
        self._clock = clock
        self._known: dict[str, Topic] = {}  # by ARN, as they were published to last; to get ready, never the truth

    async def prepare(self, arn: str, drafts: Sequence[Draft]) -> list[Rendering | None]:
        """Renderings for `publish`, with what the topic's subscribers probably want signed, off the event loop and out
        of the transaction; None where nothing is known of the topic yet."""
        signer = await self._signatures.ready()
        topic = self._known.get(arn)
        page = None if topic is None else self._plans.glance(topic.id)
        if topic is None or page is None or not page.signed:
            return [None] * len(drafts)
        made = [Rendering(topic, draft.message, signer) for draft in drafts]
        protocols = {one.subscription.protocol for one in page.planned if not one.subscription.raw}

        def sign() -> None:
            for rendering in made:
                for protocol in protocols:
                    rendering.signature(rendering.message.text_for(protocol))

        await asyncio.get_running_loop().run_in_executor(None, sign)
        return list(made)

    def publish(self, tx: Tx, found: Found, draft: Draft, prepared: Rendering | None = None) -> Published:
        """Accept one message; `ServiceError` where the topic cannot take it, with nothing written."""
        topic = found.topic
        message = messages.for_topic(draft, topic)
        if topic.fifo:
            before = self._before(tx, topic, message)
            if before is not None:
                return before
            message = self._sequenced(tx, topic, message)
            self._to_subscriptions(tx, found, Rendering(topic, message, None))
            return Published(message.id, message.sequence_number)
        self._remember(topic)
        signer = self._signatures.at_hand
        if prepared is not None and prepared.topic == topic:
            self._to_subscriptions(tx, found, prepared)
        elif signer is not None:
            self._to_subscriptions(tx, found, Rendering(topic, message, signer))
        else:
            self.enqueue(tx, FanOut(topic.id, message))  # the first of all, by a caller that cannot wait for a signer
        return Published(message.id, None)

    def _remember(self, topic: Topic) -> None:
        if len(self._known) >= MOST_KNOWN and topic.arn not in self._known:
            self._known.clear()
        self._known[topic.arn] = topic

    def _to_subscriptions(self, tx: Tx, found: Found, rendering: Rendering) -> None:
        page = self._plans.page(tx, found.topic.id, found.revision)
        wanted = page.wanted(Seen(rendering.message))
        if not found.topic.fifo and (page.last is not None or len(wanted) > AT_ONCE):
            self.enqueue(tx, FanOut(found.topic.id, rendering.message))
            return
        for one in wanted:
            if one.subscription.replay is None or not one.subscription.replay.holds:
                self._dispatch.hand_over(tx, rendering, one)

    def fan_out(self, tx: Tx, found: Found, work: FanOut, rendering: Rendering) -> FanOut | None:
        """One batch of a message's way to many subscriptions; what is left to do."""
        page: Page = self._plans.page(tx, found.topic.id, found.revision, work.after)
        wanted = page.wanted(Seen(work.message))
        for one in wanted[:AT_ONCE]:
            self._dispatch.hand_over(tx, rendering, one)
        if len(wanted) > AT_ONCE:
            return replace(work, after=wanted[AT_ONCE - 1].subscription.id)
        return None if page.last is None else replace(work, after=page.last)

    def enqueue(self, tx: Tx, work: FanOut) -> None:
        """Have the rest of a message's way gone."""
        self._ready.enqueue(tx, [NewItem(FANOUT, msgspec.json.encode(work))])

    def _before(self, tx: Tx, topic: Topic, message: Message) -> Published | None:
        """What was answered to the same message within the interval."""
        params = {**_key(topic, message), "now": self._clock.now()}
        row = tx.one(sql.FIND_DUPLICATE, params)
        if row is None:
            return None
        return Published(row[0], replace(message, sequence=row[1]).sequence_number)

    def _sequenced(self, tx: Tx, topic: Topic, message: Message) -> Message:
        row = tx.one(sql.NEXT_SEQUENCE, {"topic_id": topic.id})
        if row is None:
            raise ServiceError("NotFoundException", "Topic does not exist")
        message = replace(message, sequence=row[0])
        until = self._clock.now() + DEDUPLICATION_S
        params = {**_key(topic, message), "message_id": message.id, "sequence": message.sequence, "until": until}
        tx.run(sql.REMEMBER, params)
        if "ArchivePolicy" in topic.attributes:
            tx.run(
                sql.ARCHIVE,
                {
                    "topic_id": topic.id,
                    "sequence": message.sequence,
                    "published_at": message.published_at,
                    "message": msgspec.json.encode(message),
                },
            )
        return message


def _key(topic: Topic, message: Message) -> dict[str, object]:
    scope = message.group_id if topic.attributes.get("FifoThroughputScope") == "MessageGroup" else ""
    return {"topic_id": topic.id, "scope": scope, "deduplication_id": message.deduplication_id}
