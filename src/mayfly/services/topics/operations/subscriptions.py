"""Subscriptions: made, confirmed, shown, changed and ended."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services import page_tokens
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.topics import catalog as rows
from mayfly.services.topics import faults, names, subscription_attributes
from mayfly.services.topics.catalog import Catalog
from mayfly.services.topics.endpoints import Endpoints
from mayfly.services.topics.fanout import ReplayItems
from mayfly.services.topics.handshakes import Handshakes, fresh_token
from mayfly.services.topics.model import (
    KNOWN,
    MAX_MESSAGE_BYTES,
    MOST_FIFO_SUBSCRIPTIONS,
    PAGE,
    SERVED,
    URLS,
    Replay,
    Subscription,
    Topic,
)
from mayfly.services.topics.signatures import Signatures
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as sns

_PENDING = "pending confirmation"
_MOST_URL = 2048


class SubscriptionOperations:
    """Subscriptions."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        handshakes: Handshakes,
        replays: ReplayItems,
        signatures: Signatures,
        endpoints: Endpoints,
        clock: Clock,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._handshakes = handshakes
        self._replays = replays
        self._signatures = signatures
        self._endpoints = endpoints
        self._clock = clock

    @operation("Subscribe")
    async def subscribe(self, context: RequestContext, request: "sns.SubscribeInputTypeDef") -> dict[str, Any]:
        """A subscription, at once for queues and functions; a URL is asked first."""
        protocol, endpoint = request["Protocol"], request.get("Endpoint", "")
        _check_protocol(protocol)
        signer = await self._signatures.ready()

        def body(tx: Tx) -> Subscription:
            found = self._catalog.require(tx, context, request["TopicArn"])
            topic = found.topic
            _check_endpoint(topic, protocol, endpoint)
            attributes = _checked(topic, protocol, request.get("Attributes", {}))
            subscription = rows.subscription_of(tx, topic, protocol, self._endpoints.kept(endpoint))
            if subscription is None:
                _check_room(tx, topic, protocol)
                subscription = self._made(tx, context, topic, protocol, endpoint, attributes)
            elif any(subscription.attributes.get(name) != value for name, value in attributes.items()):
                raise faults.invalid("Attributes Reason: Subscription already exists with different attributes")
            if not subscription.confirmed:
                self._handshakes.ask(tx, topic, subscription, signer)
            return subscription

        subscription = await self._store.write(body)
        shown = subscription.confirmed or request.get("ReturnSubscriptionArn", False)
        return {"SubscriptionArn": subscription.arn if shown else _PENDING}

    @operation("ConfirmSubscription")
    async def confirm(self, context: RequestContext, request: "sns.ConfirmSubscriptionInputTypeDef") -> dict[str, Any]:
        """The answer of a URL to the question whether it wants its messages."""
        names.topic_name(context, request["TopicArn"])
        authenticate = request.get("AuthenticateOnUnsubscribe", "false").lower() == "true"
        confirmed = await self._handshakes.confirm(request["TopicArn"], request["Token"], True, authenticate)
        return {"SubscriptionArn": confirmed.arn}

    @operation("Unsubscribe")
    async def unsubscribe(self, context: RequestContext, request: "sns.UnsubscribeInputTypeDef") -> dict[str, Any]:
        """No more messages."""
        await self._handshakes.end(request["SubscriptionArn"], context.principal, context)
        return {}

    @operation("ListSubscriptions")
    async def list(self, context: RequestContext, request: "sns.ListSubscriptionsInputTypeDef") -> dict[str, Any]:
        """A hundred at a time, in the order in which they were made."""
        after = page_tokens.number_after(request.get("NextToken") or None, faults.bad_token)
        found = await self._store.read(lambda reader: rows.subscriptions_of_account(reader, context, after, PAGE + 1))
        return _page(found)

    @operation("ListSubscriptionsByTopic")
    async def list_by_topic(
        self, context: RequestContext, request: "sns.ListSubscriptionsByTopicInputTypeDef"
    ) -> dict[str, Any]:
        """Likewise, those of one topic."""
        after = page_tokens.number_after(request.get("NextToken") or None, faults.bad_token)

        def body(reader: Reader) -> list[Subscription]:
            topic = self._catalog.require(reader, context, request["TopicArn"]).topic
            return rows.subscriptions(reader, topic.id, after, PAGE + 1)

        return _page(await self._store.read(body))

    @operation("GetSubscriptionAttributes")
    async def get_attributes(
        self, context: RequestContext, request: "sns.GetSubscriptionAttributesInputTypeDef"
    ) -> dict[str, Any]:
        """All of them."""

        def body(reader: Reader) -> dict[str, str]:
            subscription, topic = self._require(reader, context, request["SubscriptionArn"])
            return subscription_attributes.shown(subscription, topic)

        return {"Attributes": await self._store.read(body)}

    @operation("SetSubscriptionAttributes")
    async def set_attributes(
        self, context: RequestContext, request: "sns.SetSubscriptionAttributesInputTypeDef"
    ) -> dict[str, Any]:
        """One of them; an empty value takes it away."""
        name, value = request["AttributeName"], request.get("AttributeValue", "")

        def body(tx: Tx) -> None:
            subscription, topic = self._require(tx, context, request["SubscriptionArn"])
            kept = subscription_attributes.checked(topic, subscription.protocol, name, value)
            attributes = {key: one for key, one in subscription.attributes.items() if key != name}
            if kept is not None:
                attributes[name] = kept
            subscription_attributes.check_filter(attributes)
            changed = replace(subscription, attributes=attributes)
            if name == "ReplayPolicy":
                changed = self._replaying(tx, topic, changed)
            rows.change_subscription(tx, changed)

        await self._store.write(body)
        return {}

    def _made(
        self,
        tx: Tx,
        context: RequestContext,
        topic: Topic,
        protocol: str,
        endpoint: str,
        attributes: Mapping[str, str],
    ) -> Subscription:
        uuid = ids.request_id()
        subscription = Subscription(
            rows.next_id(tx),
            topic.id,
            topic.arn,
            uuid,
            protocol,
            self._endpoints.kept(endpoint),
            topic.account,
            context.endpoint,
            self._clock.now(),
            attributes=attributes,
            principal=context.principal.arn,
            token=fresh_token(uuid) if protocol in URLS else "",
            confirmed=protocol not in URLS,
            authenticated=protocol not in URLS,
            sealed_url=self._endpoints.sealed(uuid, endpoint),
        )
        subscription = self._replaying(tx, topic, subscription)
        rows.add_subscription(tx, topic, subscription)
        return subscription

    def _replaying(self, tx: Tx, topic: Topic, subscription: Subscription) -> Subscription:
        """The subscription with the replay that its ReplayPolicy asks for, begun."""
        text = subscription.attributes.get("ReplayPolicy")
        if text is None:
            return replace(subscription, replay=None)
        policy = subscription_attributes.replay_policy(text)
        replay = Replay(ids.request_id(), "Pending", policy.until)
        self._replays.begin(tx, topic, subscription, replay.id, policy.since)
        return replace(subscription, replay=replay)

    def _require(self, reader: Reader, context: RequestContext, arn: str) -> tuple[Subscription, Topic]:
        subscription = rows.subscription_by_arn(reader, arn)
        found = None if subscription is None else self._catalog.by_id(reader, subscription.topic_id)
        if subscription is None or found is None:
            raise faults.no_subscription()
        if (found.topic.account, found.topic.region) != (context.account, context.region):
            raise faults.no_subscription()
        return subscription, found.topic


def _check_protocol(protocol: str) -> None:
    if protocol not in KNOWN:
        raise faults.invalid(f"Amazon SNS does not support this protocol string: {protocol}")
    if protocol not in SERVED:
        raise faults.unserved(
            f"Protocol Reason: Mayfly does not deliver to {protocol}; it delivers to {', '.join(SERVED)}"
        )


def _check_endpoint(topic: Topic, protocol: str, endpoint: str) -> None:
    if protocol in URLS:
        _check_url(protocol, endpoint)
    elif protocol == "sqs" and not names.is_arn_of("sqs", endpoint, topic.region):
        raise faults.invalid("SQS endpoint ARN")
    elif protocol == "lambda" and not (
        names.is_arn_of("lambda", endpoint, topic.region) and endpoint.split(":")[5] == "function"
    ):
        raise faults.invalid("Lambda endpoint ARN")
    if topic.fifo and protocol != "sqs":
        raise faults.invalid(f"Protocol Reason: a FIFO topic delivers to queues only, not to {protocol}")
    if not topic.fifo and protocol == "sqs" and endpoint.endswith(".fifo"):
        raise faults.invalid("Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")


def _check_url(protocol: str, endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named or parts.scheme.lower() != protocol or len(endpoint) > _MOST_URL or not endpoint.isprintable():
        raise faults.invalid("Endpoint must match the specified protocol")


def _checked(topic: Topic, protocol: str, given: Mapping[str, str]) -> dict[str, str]:
    attributes: dict[str, str] = {}
    try:
        for name, value in given.items():
            kept = subscription_attributes.checked(topic, protocol, name, value)
            if kept is not None:
                attributes[name] = kept
        subscription_attributes.check_filter(attributes)
    except ServiceError as error:
        if error.code != "InvalidParameterException":
            raise
        raise faults.invalid(f"Attributes Reason: {error.message.removeprefix('Invalid parameter: ')}") from error
    return attributes


def _check_room(reader: Reader, topic: Topic, protocol: str) -> None:
    """Refuse a subscription more than a topic may have."""
    large = topic.max_bytes > MAX_MESSAGE_BYTES
    if large and protocol in URLS:
        raise faults.invalid(
            f"Protocol Reason: a topic with messages above {MAX_MESSAGE_BYTES} bytes has no {protocol}"
        )
    if topic.fifo or large:
        full = len(rows.subscriptions(reader, topic.id, 0, MOST_FIFO_SUBSCRIPTIONS)) == MOST_FIFO_SUBSCRIPTIONS
        if full:
            raise ServiceError(
                "SubscriptionLimitExceededException",
                f"Subscription limit exceeded: this topic has at most {MOST_FIFO_SUBSCRIPTIONS} subscriptions",
            )


def _page(found: list[Subscription]) -> dict[str, Any]:
    shown = [
        {
            "SubscriptionArn": one.arn if one.confirmed else "PendingConfirmation",
            "Owner": one.owner,
            "Protocol": one.protocol,
            "Endpoint": names.masked(one.endpoint),
            "TopicArn": one.topic_arn,
        }
        for one in found[:PAGE]
    ]
    reply: dict[str, Any] = {"Subscriptions": shown}
    if len(found) > PAGE:
        reply["NextToken"] = page_tokens.encode(str(found[PAGE - 1].id))
    return reply
