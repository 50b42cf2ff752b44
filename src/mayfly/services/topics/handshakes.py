"""Subscriptions of URLs: asked to confirm, confirmed, ended, and had back, each with the message that goes with it.

A token is the unique part of the subscription's ARN and a secret, so that it is found without a search. Used by the
operations, which are signed, and by the pages that links in messages lead to, which are not.
"""

import hmac

from msgspec.structs import replace

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services.contract import Principal, RequestContext
from mayfly.services.topics import catalog as rows
from mayfly.services.topics import faults, rendering
from mayfly.services.topics import statements as sql
from mayfly.services.topics.catalog import Catalog
from mayfly.services.topics.dispatch import Dispatch
from mayfly.services.topics.endpoints import Endpoints
from mayfly.services.topics.model import CONFIRM_S, URLS, Delivery, Subscription, Topic
from mayfly.services.topics.signatures import Signatures, Signer
from mayfly.store.api import Store, Tx

_HEXADECIMAL = "0123456789abcdef"
_SECRET = 192


def fresh_token(uuid: str) -> str:
    """A token for a subscription."""
    return uuid.replace("-", "") + ids.token(_SECRET, _HEXADECIMAL)


class Handshakes:
    """Confirms and ends subscriptions."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        dispatch: Dispatch,
        signatures: Signatures,
        endpoints: Endpoints,
        clock: Clock,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._dispatch = dispatch
        self._signatures = signatures
        self._endpoints = endpoints
        self._clock = clock

    def ask(self, tx: Tx, topic: Topic, subscription: Subscription, signer: Signer) -> None:
        """Have a URL asked to confirm its subscription."""
        now, message_id = self._clock.now(), ids.request_id()
        body = rendering.confirmation(subscription, message_id, now, signer, topic)
        self._dispatch.enqueue(
            tx,
            Delivery(
                subscription.id,
                now,
                handshake="SubscriptionConfirmation",
                body=body,
                message_id=message_id,
                topic_arn=topic.arn,
            ),
        )

    async def confirm(self, topic_arn: str, token: str, signed: bool, authenticate: bool) -> Subscription:
        """Confirm the subscription of a token, or have it back; it is no error to do so again."""

        def body(tx: Tx) -> Subscription:
            found = self._catalog.by_arn(tx, topic_arn)
            if found is None:
                raise faults.no_topic()
            uuid = _uuid(token)
            subscription = rows.subscription_by_uuid(tx, uuid)
            ended = None if subscription is not None else rows.cancelled(tx, uuid, self._clock.now())
            known = subscription or ended
            if known is None or known.topic_id != found.topic.id or not _same(known.token, token):
                raise faults.invalid("Token")
            if known.confirmed:
                return known
            if known.created_at + CONFIRM_S <= self._clock.now() and ended is None:
                raise faults.invalid("Token")
            confirmed = replace(
                known, confirmed=True, authenticated=signed, authenticate_on_unsubscribe=signed and authenticate
            )
            if ended is None:
                rows.change_subscription(tx, confirmed)
                return confirmed
            tx.run(sql.DELETE_CANCELLED, {"uuid": uuid})
            same = rows.subscription_of(tx, found.topic, ended.protocol, ended.endpoint)
            if same is not None:
                return same  # it was subscribed anew meanwhile
            confirmed = replace(confirmed, id=rows.next_id(tx))
            rows.add_subscription(tx, found.topic, confirmed)
            return confirmed

        return await self._store.write(body)

    async def end(self, arn: str, principal: Principal | None, context: RequestContext | None) -> None:
        """End a subscription; one that is not there is no error. Without a principal the request was not signed."""
        signer = await self._signatures.ready()

        def body(tx: Tx) -> None:
            subscription = rows.subscription_by_arn(tx, arn)
            found = None if subscription is None else self._catalog.by_id(tx, subscription.topic_id)
            if subscription is None or found is None:
                return
            if context is not None and (context.account, context.region) != (found.topic.account, found.topic.region):
                return
            if principal is None:
                if not subscription.confirmed or subscription.authenticate_on_unsubscribe:
                    raise faults.denied("This subscription can only be ended by a signed request")
                if subscription.protocol not in URLS:
                    raise faults.denied("A subscription of a queue or function can only be ended by a signed request")
            rows.remove_subscription(tx, self._catalog, subscription)
            if subscription.protocol in URLS and subscription.confirmed:
                self._farewell(tx, found.topic, subscription, signer)

        await self._store.write(body)

    def _farewell(self, tx: Tx, topic: Topic, subscription: Subscription, signer: Signer) -> None:
        now, message_id = self._clock.now(), ids.request_id()
        back = replace(subscription, token=fresh_token(subscription.uuid), confirmed=False)
        rows.cancel(tx, back, now + CONFIRM_S)
        self._dispatch.enqueue(
            tx,
            Delivery(
                subscription.id,
                now,
                handshake="UnsubscribeConfirmation",
                body=rendering.cancellation(back, message_id, now, signer, topic),
                message_id=message_id,
                url=self._endpoints.url(subscription),
                topic_arn=topic.arn,
            ),
        )


def _uuid(token: str) -> str:
    part = token[:32]
    return f"{part[:8]}-{part[8:12]}-{part[12:16]}-{part[16:20]}-{part[20:]}"


def _same(one: str, other: str) -> bool:
    return bool(one) and hmac.compare_digest(one.encode(), other.encode())
