"""Messages of topics with many subscriptions, and replays: batches of deliveries, each with its successor in one
transaction, so that after a crash nothing is left out."""

import msgspec

from mayfly.clock import Clock
from mayfly.services.topics import catalog as rows
from mayfly.services.topics import statements as sql
from mayfly.services.topics import subscription_attributes
from mayfly.services.topics.catalog import Catalog
from mayfly.services.topics.dispatch import Dispatch
from mayfly.services.topics.filters import Policies, Seen, Wants
from mayfly.services.topics.model import REPLAYS, FanOut, Message, Replay, ReplayWork, Subscription, Topic
from mayfly.services.topics.plans import Planned
from mayfly.services.topics.publishing import Publisher
from mayfly.services.topics.rendering import Rendering
from mayfly.services.topics.signatures import Signatures
from mayfly.store.api import Claim, NewItem, ReadyQueue, Store, Tx

REPLAY_BATCH = 100

_fan_out = msgspec.json.Decoder(FanOut)
_replay = msgspec.json.Decoder(ReplayWork)
_message = msgspec.json.Decoder(Message)


class FanOutWork:
    """Does items of `model.FANOUT`."""

    def __init__(
        self, store: Store, ready: ReadyQueue, catalog: Catalog, publisher: Publisher, signatures: Signatures
    ) -> None:
        self._store = store
        self._ready = ready
        self._catalog = catalog
        self._publisher = publisher
        self._signatures = signatures

    async def do(self, claim: Claim) -> None:
        """One batch."""
        work = _fan_out.decode(claim.payload)
        signer = await self._signatures.ready()

        def body(tx: Tx) -> None:
            self._ready.complete(tx, claim)
            found = self._catalog.by_id(tx, work.topic_id)
            if found is None:
                return
            rest = self._publisher.fan_out(tx, found, work, Rendering(found.topic, work.message, signer))
            if rest is not None:
                self._publisher.enqueue(tx, rest)

        await self._store.write(body)


class ReplayItems:
    """Does items of `model.REPLAYS`: archived messages of a FIFO topic once more, to one subscription, in their order.

    A replay without an end goes on to what is published meanwhile, which the publisher leaves to it; the transaction
    that finds nothing more ends it, and the next publish delivers again.
    """

    def __init__(self, store: Store, ready: ReadyQueue, catalog: Catalog, dispatch: Dispatch, clock: Clock) -> None:
        self._store = store
        self._ready = ready
        self._catalog = catalog
        self._dispatch = dispatch
        self._clock = clock
        self._policies = Policies()

    def begin(self, tx: Tx, topic: Topic, subscription: Subscription, replay_id: str, since: float) -> None:
        """Have a replay done."""
        row = tx.one(sql.ARCHIVED_SINCE, {"topic_id": topic.id, "since": since})
        if row is None or row[0] is None:  # nothing yet: from what is published next
            last = tx.one(sql.LAST_SEQUENCE, {"topic_id": topic.id})
            after = 0 if last is None else last[0]
        else:
            after = row[0] - 1
        self._enqueue(tx, ReplayWork(subscription.id, replay_id, after))

    async def do(self, claim: Claim) -> None:
        """One batch."""
        work = _replay.decode(claim.payload)

        def body(tx: Tx) -> None:
            self._ready.complete(tx, claim)
            subscription = rows.subscription_by_id(tx, work.subscription_id)
            found = None if subscription is None else self._catalog.by_id(tx, subscription.topic_id)
            if subscription is None or found is None:
                return
            if subscription.replay is None or subscription.replay.id != work.replay_id:
                return  # another one took its place
            self._batch(tx, found.topic, subscription, subscription.replay, work)

        await self._store.write(body)

    def _batch(self, tx: Tx, topic: Topic, subscription: Subscription, replay: Replay, work: ReplayWork) -> None:
        params = {"topic_id": topic.id, "after": work.after, "limit": REPLAY_BATCH}
        archived = tx.all(sql.ARCHIVED, params)
        due = [row for row in archived if replay.until is None or row[1] <= replay.until]
        planned = Planned(subscription, subscription_attributes.dead_letters(subscription.attributes))
        wants = Wants([subscription], self._policies)
        for row in due:
            message = msgspec.structs.replace(_message.decode(row[2]), replayed=True)
            if wants.by(Seen(message)):
                self._dispatch.hand_over(tx, Rendering(topic, message, None), planned)
        over = len(archived) < REPLAY_BATCH or len(due) < len(archived)
        status = "Completed" if over else "In progress"
        if status != replay.status:
            changed = msgspec.structs.replace(replay, status=status)
            rows.change_subscription(tx, msgspec.structs.replace(subscription, replay=changed))
        if not over:
            self._enqueue(tx, msgspec.structs.replace(work, after=due[-1][0]))

    def _enqueue(self, tx: Tx, work: ReplayWork) -> None:
        self._ready.enqueue(tx, [NewItem(REPLAYS, msgspec.json.encode(work))])
