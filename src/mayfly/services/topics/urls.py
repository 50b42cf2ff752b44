"""One delivery to a URL: the request it is, what an answer means, and what follows in the store."""

import logging
from dataclasses import dataclass

from msgspec.structs import replace

from mayfly.clock import Clock
from mayfly.outgoing.api import Headers, OutgoingError, Request, Sender
from mayfly.policy.retries import Phases, delay_s
from mayfly.services.topics import catalog as rows
from mayfly.services.topics import names, subscription_attributes
from mayfly.services.topics import statements as sql
from mayfly.services.topics.catalog import Catalog
from mayfly.services.topics.delivery_policy import DEFAULT_CONTENT_TYPE
from mayfly.services.topics.dispatch import Dispatch
from mayfly.services.topics.endpoints import Endpoints
from mayfly.services.topics.model import Delivery, Subscription, Topic
from mayfly.services.topics.plans import Planned
from mayfly.services.topics.rendering import Rendering
from mayfly.services.topics.signatures import Signatures
from mayfly.services.topics.status import Outcome, StatusLog
from mayfly.store.api import Claim, ReadyQueue, Store, Tx

TIMEOUT_S = 15.0
USER_AGENT = "Amazon Simple Notification Service Agent"
_MOST_ANSWER = 1024
# What a later try cannot mend.
_FINAL = frozenset({"invalid", "refused"})
_NO_ANSWER = 503  # the status of an attempt that got none
_MOST_SAID = 200  # characters of an answer, in the server's log
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A delivery with all that it needs now."""

    request: Request
    phases: Phases
    per_second: int | None
    topic: Topic | None  # None: a handshake, which has neither dead letters nor a log
    subscription: Subscription | None
    rendering: Rendering | None

    async def send(self, sender: Sender) -> "UrlOutcome":
        """Send the request."""
        try:
            response = await sender.send(self.request)
        except OutgoingError as error:
            status = 400 if error.kind in _FINAL else _NO_ANSWER
            return UrlOutcome(status, error.message, again=error.kind not in _FINAL)
        text = response.body.decode(errors="replace")
        again = response.status >= 500 or response.status in (408, 429) or response.status < 200
        return UrlOutcome(response.status, text, again=again)


@dataclass(frozen=True, slots=True)
class UrlOutcome:
    """What came of an attempt."""

    status: int
    answer: str
    again: bool  # where it failed: whether a later try may succeed

    @property
    def success(self) -> bool:
        return 200 <= self.status < 300


class UrlDeliveries:
    """Makes attempts of deliveries, and records what came of them."""

    def __init__(
        self,
        store: Store,
        ready: ReadyQueue,
        catalog: Catalog,
        dispatch: Dispatch,
        signatures: Signatures,
        endpoints: Endpoints,
        status: StatusLog,
        clock: Clock,
    ) -> None:
        self._store = store
        self._ready = ready
        self._catalog = catalog
        self._dispatch = dispatch
        self._signatures = signatures
        self._endpoints = endpoints
        self._status = status
        self._clock = clock

    async def attempt(self, delivery: Delivery) -> Attempt | None:
        """The attempt that follows; None: there is nothing to deliver to any more."""
        if delivery.handshake == "UnsubscribeConfirmation":
            return _handshake(delivery, delivery.url)
        subscription, topic = await self._store.read(
            lambda reader: (
                one := rows.subscription_by_id(reader, delivery.subscription_id),
                None if one is None else self._catalog.by_id(reader, one.topic_id),
            )
        )
        if subscription is None or topic is None:
            return None
        if delivery.message is None:
            return None if subscription.confirmed else _handshake(delivery, self._endpoints.url(subscription))
        rendering = Rendering(topic.topic, delivery.message, await self._signatures.ready())
        policy = subscription_attributes.effective(subscription, topic.topic)
        headers = [
            ("x-amz-sns-message-type", "Notification"),
            ("x-amz-sns-message-id", delivery.message.id),
            ("x-amz-sns-topic-arn", topic.topic.arn),
            ("x-amz-sns-subscription-arn", subscription.arn),
        ]
        if subscription.raw:
            headers.append(("x-amz-sns-rawdelivery", "true"))
        content_type = policy.content_type or DEFAULT_CONTENT_TYPE
        request = _request(
            self._endpoints.url(subscription), (*headers, ("Content-Type", content_type)), rendering.body(subscription)
        )
        return Attempt(request, policy.phases or Phases(), policy.per_second, topic.topic, subscription, rendering)

    async def drop(self, claim: Claim, delivery: Delivery) -> None:
        """Forget a delivery."""

        def body(tx: Tx) -> None:
            self._ready.complete(tx, claim)
            _count_down(tx, delivery)

        await self._store.write(body)

    async def conclude(self, claim: Claim, delivery: Delivery, attempt: Attempt, outcome: UrlOutcome) -> None:
        """Record what came of an attempt: delivered, to be tried again, or given up."""
        delay = None if outcome.success or not outcome.again else delay_s(attempt.phases, delivery.retries + 1)

        def body(tx: Tx) -> None:
            self._ready.complete(tx, claim)
            if delay is not None:
                again = replace(delivery, retries=delivery.retries + 1)
                self._dispatch.enqueue_again(tx, again, self._clock.now() + delay if delay else None)
                return
            _count_down(tx, delivery)
            self._tell(tx, delivery, attempt, outcome)

        await self._store.write(body)
        if delay is None and not outcome.success and not _has_dead_letters(attempt):
            _log.warning(
                "%s for %s is lost after %d attempts: %d %r",
                delivery.handshake or "a message",
                names.masked(attempt.request.url.partition("?")[0]),  # what follows may be a secret
                delivery.retries + 1,
                outcome.status,
                outcome.answer[:_MOST_SAID],
            )

    def _tell(self, tx: Tx, delivery: Delivery, attempt: Attempt, outcome: UrlOutcome) -> None:
        if attempt.topic is None or attempt.subscription is None or attempt.rendering is None:
            return
        subscription = attempt.subscription
        if not outcome.success:
            letters = subscription_attributes.dead_letters(subscription.attributes)
            self._dispatch.give_up(tx, attempt.rendering, Planned(subscription, letters))
        noted = Outcome(outcome.status, outcome.answer, delivery.retries + 1)
        self._status.note(tx, attempt.topic, attempt.rendering.message, subscription, noted)


def _has_dead_letters(attempt: Attempt) -> bool:
    return (
        attempt.subscription is not None
        and subscription_attributes.dead_letters(attempt.subscription.attributes) is not None
    )


def _count_down(tx: Tx, delivery: Delivery) -> None:
    tx.run(sql.TAKE_WAITING, {"subscription_id": delivery.subscription_id})
    tx.run(sql.DROP_LANE, {"subscription_id": delivery.subscription_id})


def _handshake(delivery: Delivery, url: str) -> Attempt:
    assert delivery.handshake is not None
    headers = (
        ("x-amz-sns-message-type", delivery.handshake),
        ("x-amz-sns-message-id", delivery.message_id),
        ("x-amz-sns-topic-arn", delivery.topic_arn),
        ("Content-Type", DEFAULT_CONTENT_TYPE),
    )
    return Attempt(_request(url, headers, delivery.body), Phases(), None, None, None, None)


def _request(url: str, headers: Headers, body: str) -> Request:
    return Request(
        "POST",
        url,
        (*headers, ("User-Agent", USER_AGENT), ("Accept-Encoding", "identity")),
        body.encode(),
        timeout_s=TIMEOUT_S,
        most_body=_MOST_ANSWER,
    )
