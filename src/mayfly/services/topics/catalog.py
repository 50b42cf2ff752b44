"""Topics and subscriptions as rows: finding, adding, changing and removing them within the caller's transaction.

Whatever changes what a publish does raises the revision of the topic, by which compiled subscriptions are remembered.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from mayfly.services.contract import RequestContext
from mayfly.services.topics import faults, names
from mayfly.services.topics import statements as sql
from mayfly.services.topics.model import CONFIRM_S, Subscription, Topic
from mayfly.store.api import Reader, Row, Tx

_topic = msgspec.json.Decoder(Topic)
_subscription = msgspec.json.Decoder(Subscription)
_NEVER = 0.0


class Found(NamedTuple):
    """A topic as it is now."""

    topic: Topic
    revision: int


class Definitions:
    """Decodes definitions of topics; equal texts once. Called from several threads; a lost race only decodes twice."""

    def __init__(self, remembered: int = 4096) -> None:
        self._decoded: dict[str, Topic] = {}
        self._remembered = remembered

    def decode(self, definition: str) -> Topic:
        topic = self._decoded.get(definition)
        if topic is None:
            topic = _topic.decode(definition)
            if len(self._decoded) >= self._remembered:
                self._decoded.clear()
            self._decoded[definition] = topic
        return topic


class Catalog:
    """The topics of a platform."""

    def __init__(self) -> None:
        self._definitions = Definitions()

    def find(self, reader: Reader, account: str, region: str, name: str) -> Found | None:
        """The topic of that name."""
        row = reader.one(sql.FIND_TOPIC, {"account": account, "region": region, "name": name})
        return self._found(row)

    def by_id(self, reader: Reader, topic_id: int) -> Found | None:
        """The topic of that number."""
        return self._found(reader.one(sql.TOPIC_BY_ID, {"topic_id": topic_id}))

    def by_arn(self, reader: Reader, arn: str) -> Found | None:
        """The topic of an ARN, whoever asks; None where there is none, or it is no ARN of a topic."""
        parts = arn.split(":")
        if len(parts) != 6 or parts[0] != "arn" or parts[2] != "sns":
            return None
        return self.find(reader, parts[4], parts[3], parts[5])

    def require(self, reader: Reader, context: RequestContext, arn: str, member: str = "TopicArn") -> Found:
        """The caller's topic of an ARN; NotFound, InvalidParameter."""
        found = self.find(reader, context.account, context.region, names.topic_name(context, arn, member))
        if found is None:
            raise faults.no_topic()
        return found

    def page(self, reader: Reader, context: RequestContext, after: str, limit: int) -> list[tuple[int, str]]:
        """Numbers and names of the caller's topics, in order of names."""
        params = {"account": context.account, "region": context.region, "after": after, "limit": limit}
        return [(row[0], row[1]) for row in reader.all(sql.LIST_TOPICS, params)]

    def fifo_topics(self, reader: Reader, after: int, limit: int) -> list[Topic]:
        """FIFO topics, in order of their numbers."""
        rows = reader.all(sql.FIFO_TOPICS, {"after": after, "limit": limit})
        return [self._definitions.decode(row[2]) for row in rows]

    def add(self, tx: Tx, make: Callable[[int], Topic]) -> Topic:
        """Record a new topic, made with its number."""
        topic = make(next_id(tx))
        tx.run(
            sql.INSERT_TOPIC,
            {
                "topic_id": topic.id,
                "account": topic.account,
                "region": topic.region,
                "name": topic.name,
                "definition": _text(topic),
            },
        )
        if topic.fifo:
            tx.run(sql.START_SEQUENCE, {"topic_id": topic.id})
        return topic

    def change(self, tx: Tx, topic: Topic) -> None:
        """Record a changed topic."""
        tx.run(sql.REPLACE_TOPIC, {"topic_id": topic.id, "definition": _text(topic)})

    def remove(self, tx: Tx, topic: Topic) -> None:
        """Forget a topic with all that is its own. What it archived, and what it remembers of duplicates, may be much,
        and is out of reach with its number: housekeeping removes it."""
        for statement in (sql.DELETE_SUBSCRIPTIONS, sql.DELETE_SEQUENCE, sql.DELETE_TOPIC):
            tx.run(statement, {"topic_id": topic.id})
        if topic.fifo:
            tx.run(sql.LEAVE_ARCHIVE, {"topic_id": topic.id})

    def _found(self, row: Row | None) -> Found | None:
        return None if row is None else Found(self._definitions.decode(row[2]), row[1])


def next_id(tx: Tx) -> int:
    """A number that no topic or subscription had before."""
    row = tx.one(sql.NEXT_ID)
    assert row is not None, "the migration makes the row"
    return int(row[0])


def subscription_by_arn(reader: Reader, arn: str) -> Subscription | None:
    """The subscription of an ARN; InvalidParameter for what is none."""
    topic_arn, uuid = names.subscription_uuid(arn)
    found = _decoded(reader.one(sql.SUBSCRIPTION_BY_UUID, {"uuid": uuid}))
    return found if found is not None and found.topic_arn == topic_arn else None


def subscription_by_uuid(reader: Reader, uuid: str) -> Subscription | None:
    return _decoded(reader.one(sql.SUBSCRIPTION_BY_UUID, {"uuid": uuid}))


def subscription_by_id(reader: Reader, subscription_id: int) -> Subscription | None:
    return _decoded(reader.one(sql.SUBSCRIPTION_BY_ID, {"subscription_id": subscription_id}))


def subscription_of(reader: Reader, topic: Topic, protocol: str, endpoint: str) -> Subscription | None:
    """The subscription of an endpoint, of which there is one at most."""
    params = {"topic_id": topic.id, "protocol": protocol, "endpoint": endpoint}
    return _decoded(reader.one(sql.SUBSCRIPTION_OF_ENDPOINT, params))


def subscriptions(reader: Reader, topic_id: int, after: int, limit: int) -> list[Subscription]:
    """Subscriptions of a topic with numbers above `after`, in their order."""
    rows = reader.all(sql.SUBSCRIPTIONS_OF_TOPIC, {"topic_id": topic_id, "after": after, "limit": limit})
    return [_subscription.decode(row[6]) for row in rows]


def subscriptions_of_account(reader: Reader, context: RequestContext, after: int, limit: int) -> list[Subscription]:
    """The caller's subscriptions with numbers above `after`, in their order."""
    params = {"account": context.account, "region": context.region, "after": after, "limit": limit}
    return [_subscription.decode(row[6]) for row in reader.all(sql.SUBSCRIPTIONS_OF_ACCOUNT, params)]


def count(reader: Reader, topic_id: int) -> tuple[int, int]:
    """How many subscriptions of a topic are confirmed, and how many pending."""
    found = {row[0]: int(row[1]) for row in reader.all(sql.COUNT_SUBSCRIPTIONS, {"topic_id": topic_id})}
    return found.get(0, 0), found.get(1, 0)


def add_subscription(tx: Tx, topic: Topic, subscription: Subscription) -> None:
    """Record a new subscription."""
    tx.run(
        sql.INSERT_SUBSCRIPTION,
        {
            "subscription_id": subscription.id,
            "topic_id": topic.id,
            "account": topic.account,
            "region": topic.region,
            "uuid": subscription.uuid,
            "protocol": subscription.protocol,
            "endpoint": subscription.endpoint,
            **_state(subscription),
        },
    )
    touch(tx, topic.id)


def change_subscription(tx: Tx, subscription: Subscription) -> None:
    """Record a changed subscription."""
    tx.run(sql.REPLACE_SUBSCRIPTION, {"subscription_id": subscription.id, **_state(subscription)})
    touch(tx, subscription.topic_id)


def remove_subscription(tx: Tx, catalog: Catalog, subscription: Subscription) -> None:
    """Forget a subscription; its topic counts it."""
    tx.run(sql.DELETE_SUBSCRIPTION, {"subscription_id": subscription.id})
    found = catalog.by_id(tx, subscription.topic_id)
    if found is not None:
        catalog.change(tx, replace(found.topic, deleted=found.topic.deleted + 1))


def cancel(tx: Tx, subscription: Subscription, until: float) -> None:
    """Remember a subscription that has ended, as it is to come back."""
    tx.run(sql.INSERT_CANCELLED, {"uuid": subscription.uuid, "until": until, "definition": _text(subscription)})


def cancelled(reader: Reader, uuid: str, now: float) -> Subscription | None:
    """A subscription that has ended and may come back."""
    row = reader.one(sql.FIND_CANCELLED, {"uuid": uuid, "now": now})
    return None if row is None else _subscription.decode(row[0])


def touch(tx: Tx, topic_id: int) -> None:
    """Say that what a publish does has changed."""
    tx.run(sql.TOUCH_TOPIC, {"topic_id": topic_id})


def _state(subscription: Subscription) -> dict[str, object]:
    return {
        "pending": int(not subscription.confirmed),
        "pending_until": _NEVER if subscription.confirmed else subscription.created_at + CONFIRM_S,
        "definition": _text(subscription),
    }


def _decoded(row: Row | None) -> Subscription | None:
    return None if row is None else _subscription.decode(row[6])


def _text(value: Topic | Subscription) -> str:
    return msgspec.json.encode(value).decode()
