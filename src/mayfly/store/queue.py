"""The ready queue in SQL: items with one `due_at` each, leases with a rising epoch, waiters that are woken.

An item may be claimed from its `due_at` on. Enqueueing sets it, a claim moves it to the end of the lease, `retry` to
the time of the next attempt; so a lease that runs out needs nobody to notice it, and the item sorts by that moment from
then on. Every hand-over raises the epoch, and a completion must bring the current one. That, not the clock, is the
fence: an item whose lease ran out but that nobody took since may still be completed.

A claim looks at one priority after the other, highest first, each an index seek; priorities are meant to be few.
The queue of one process: waiters are woken by commits of this process and by time.

Payloads are sealed, each for its item: what waits here is whatever callers said, and nobody can tell what of it is
secret. One that cannot be opened (the key was replaced) is leased to nobody for an hour, and so until the next start.
"""

import asyncio
import logging
import math
from collections.abc import Sequence

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.store.api import Claim, DeadItem, NewItem, Reader, Row, StaleClaimError, Store, Taken, Tx, Vault

INLINE_BYTES = 2048  # larger payloads, as they come, lie in a table of their own, where a claim does not rewrite them
UNREADABLE_S = 3600.0  # how long what cannot be opened is left alone

NEXT_IDS = "UPDATE queue_ids SET last_id = last_id + :count WHERE singleton = 1 RETURNING last_id"
INSERT_ITEM = """
INSERT INTO queue_items (id, queue, priority, due_at, leased, attempt, epoch, enqueued_at, payload)
VALUES (:id, :queue, :priority, :due_at, 0, 0, 0, :now, :payload)
"""
INSERT_PAYLOAD = "INSERT INTO queue_payloads (id, payload) VALUES (:id, :payload)"

HIGHEST_PRIORITY = "SELECT max(priority) FROM queue_items WHERE queue = :queue"
NEXT_PRIORITY = "SELECT max(priority) FROM queue_items WHERE queue = :queue AND priority < :priority"
# Served by queue_items_in_order: the rows come in order, and the scan ends with the last one wanted.
SELECT_DUE = """
SELECT i.id, i.queue, i.attempt, i.epoch, i.enqueued_at, i.payload, p.payload
FROM queue_items AS i LEFT JOIN queue_payloads AS p ON p.id = i.id
WHERE i.queue = :queue AND i.priority = :priority AND i.due_at <= :now
ORDER BY i.due_at, i.id LIMIT :count
"""
SELECT_ITEM = """
SELECT i.id, i.queue, i.attempt, i.epoch, i.enqueued_at, i.payload, p.payload
FROM queue_items AS i LEFT JOIN queue_payloads AS p ON p.id = i.id
WHERE i.id = :id AND i.leased = 0
"""
LEASE = "UPDATE queue_items SET due_at = :until, leased = 1, attempt = :attempt, epoch = :epoch WHERE id = :id"
EARLIEST = "SELECT min(due_at) FROM queue_items WHERE queue = :queue AND priority = :priority"

EXTEND = "UPDATE queue_items SET due_at = :until WHERE id = :id AND epoch = :epoch AND leased = 1"
DELETE_ITEM = "DELETE FROM queue_items WHERE id = :id AND epoch = :epoch AND leased = 1"
DELETE_PAYLOAD = "DELETE FROM queue_payloads WHERE id = :id"
GIVE_BACK = """
UPDATE queue_items SET due_at = :ready_at, leased = 0, epoch = epoch + 1
WHERE id = :id AND epoch = :epoch AND leased = 1
"""
RELEASE_ALL = "UPDATE queue_items SET due_at = :now, leased = 0, epoch = epoch + 1 WHERE leased = 1"

INSERT_DEAD = """
INSERT INTO queue_dead_items (id, queue, payload, attempts, reason, enqueued_at, died_at)
VALUES (:id, :queue, :payload, :attempts, :reason, :enqueued_at, :now)
"""
SELECT_DEAD = """
SELECT id, queue, payload, attempts, reason, enqueued_at, died_at
FROM queue_dead_items WHERE queue = :queue AND id > :after_id ORDER BY id LIMIT :count
"""
SELECT_DEAD_ITEM = """
SELECT id, queue, payload, attempts, reason, enqueued_at, died_at FROM queue_dead_items WHERE id = :id
"""
DELETE_DEAD = "DELETE FROM queue_dead_items WHERE id = :id"
NEXT_QUEUE = "SELECT min(queue) FROM queue_items WHERE queue > :after AND queue < :end"
FIRST_QUEUE = "SELECT min(queue) FROM queue_items WHERE queue >= :after AND queue < :end"
COUNT = "SELECT count(*) FROM queue_items WHERE queue = :queue"


_log = logging.getLogger(__name__)


def next_due(reader: Reader, queue: str) -> float:
    """When the next item of `queue` may be claimed (Unix seconds); infinity when it is empty."""
    earliest = math.inf
    row = reader.one(HIGHEST_PRIORITY, {"queue": queue})
    while row is not None and row[0] is not None:
        priority = row[0]
        due = reader.one(EARLIEST, {"queue": queue, "priority": priority})
        if due is not None and due[0] is not None:
            earliest = min(earliest, due[0])
        row = reader.one(NEXT_PRIORITY, {"queue": queue, "priority": priority})
    return earliest


class _Waiter:
    """One call of `wait`: when it has reason to return, and how to make it look again."""

    __slots__ = ("asleep", "due", "woken")

    def __init__(self) -> None:
        self.asleep = False  # it has looked at the database
        self.due = math.inf
        self.woken = asyncio.Event()


class SqlReadyQueue:
    """`ReadyQueue` on any `Store`."""

    def __init__(self, store: Store, clock: Clock, vault: Vault) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._waiters: dict[str, set[_Waiter]] = {}

    def enqueue(self, tx: Tx, items: Sequence[NewItem]) -> list[int]:
        if not items:
            return []
        now = self._clock.now()
        row = tx.one(NEXT_IDS, {"count": len(items)})
        assert row is not None, "the migration makes the row"
        ids = list(range(row[0] - len(items) + 1, row[0] + 1))
        rows, payloads, earliest = [], [], dict[str, float]()
        for id_, item in zip(ids, items, strict=True):
            due_at = now if item.ready_at is None else item.ready_at
            large, sealed = len(item.payload) > INLINE_BYTES, self._vault.seal(item.payload, _about(id_))
            if large:
                payloads.append({"id": id_, "payload": sealed})
            rows.append(
                {
                    "id": id_,
                    "queue": item.queue,
                    "priority": item.priority,
                    "due_at": due_at,
                    "now": now,
                    "payload": None if large else sealed,
                }
            )
            earliest[item.queue] = min(due_at, earliest.get(item.queue, math.inf))
        tx.many(INSERT_ITEM, rows)
        if payloads:
            tx.many(INSERT_PAYLOAD, payloads)
        tx.after_commit(lambda: self._notify(earliest))
        return ids

    async def claim(self, queue: str, limit: int, lease_s: float) -> list[Claim]:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        return await self._store.write(lambda tx: self._claim(tx, queue, limit, lease_s))

    async def claim_each(self, wanted: Sequence[tuple[str, int]], lease_s: float) -> list[Taken]:
        def body(tx: Tx) -> list[Taken]:
            found = []
            for queue, limit in wanted:
                claims = self._claim(tx, queue, limit, lease_s)
                found.append(Taken(claims, 0.0 if len(claims) == limit else next_due(tx, queue)))
            return found

        return await self._store.write(body)

    async def claim_items(self, ids: Sequence[int], lease_s: float) -> list[Claim]:
        def body(tx: Tx) -> list[Claim]:
            until = self._clock.now() + lease_s
            rows = [row for id_ in ids if (row := tx.one(SELECT_ITEM, {"id": id_})) is not None]
            claims = self._opened(tx, rows, until)
            self._lease(tx, claims)
            return claims

        return await self._store.write(body)

    async def extend(self, claim: Claim, lease_s: float) -> Claim:
        def body(tx: Tx) -> Claim:
            until = self._clock.now() + lease_s
            _require(tx.run(EXTEND, {"until": until, "id": claim.id, "epoch": claim.epoch}), claim)
            return claim._replace(lease_until=until)

        return await self._store.write(body)

    def complete(self, tx: Tx, claim: Claim) -> None:
        _remove(tx, claim)

    def complete_all(self, tx: Tx, claims: Sequence[Claim]) -> None:
        _remove_all(tx, claims)

    def retry(self, tx: Tx, claim: Claim, ready_at: float) -> None:
        _require(tx.run(GIVE_BACK, {"ready_at": ready_at, "id": claim.id, "epoch": claim.epoch}), claim)
        tx.after_commit(lambda: self._notify({claim.queue: ready_at}))

    def bury(self, tx: Tx, claim: Claim, reason: str) -> None:
        _remove(tx, claim)
        dead = {
            "id": claim.id,
            "queue": claim.queue,
            "payload": self._vault.seal(claim.payload, _about(claim.id)),
            "attempts": claim.attempt,
            "reason": reason,
            "enqueued_at": claim.enqueued_at,
            "now": self._clock.now(),
        }
        tx.run(INSERT_DEAD, dead)

    async def dead(self, queue: str, limit: int, after_id: int = 0) -> list[DeadItem]:
        params = {"queue": queue, "after_id": after_id, "count": limit}
        return await self._store.read(lambda reader: [self._dead(row) for row in reader.all(SELECT_DEAD, params)])

    def exhume(self, tx: Tx, item_id: int) -> DeadItem | None:
        row = tx.one(SELECT_DEAD_ITEM, {"id": item_id})
        if row is None:
            return None
        tx.run(DELETE_DEAD, {"id": item_id})
        return self._dead(row)

    def forget(self, tx: Tx, ids: Sequence[int]) -> None:
        tx.many(DELETE_DEAD, [{"id": id_} for id_ in ids])

    async def queues(self, prefix: str) -> list[str]:
        end = prefix + "\U0010ffff"

        def body(reader: Reader) -> list[str]:
            found: list[str] = []
            row = reader.one(FIRST_QUEUE, {"after": prefix, "end": end})
            while row is not None and row[0] is not None:
                found.append(row[0])
                row = reader.one(NEXT_QUEUE, {"after": row[0], "end": end})
            return found

        return await self._store.read(body)

    async def depth(self, queue: str) -> int:
        row = await self._store.read(lambda reader: reader.one(COUNT, {"queue": queue}))
        assert row is not None, "a count has a row"
        return int(row[0])

    async def is_empty(self, queue: str) -> bool:
        row = await self._store.read(lambda reader: reader.one(HIGHEST_PRIORITY, {"queue": queue}))
        return row is None or row[0] is None

    async def release_leases(self) -> int:
        """Make every leased item ready now; how many.

        For a process that knows to be the only one, before its first claim: what its predecessor held when it died
        need not wait for the end of its lease.
        """
        return await self._store.write(lambda tx: tx.run(RELEASE_ALL, {"now": self._clock.now()}))

    async def wait(self, queue: str, timeout_s: float) -> None:
        waiter = _Waiter()
        # Listening begins before looking, so that no commit falls in between.
        self._waiters.setdefault(queue, set()).add(waiter)
        deadline = self._clock.monotonic() + timeout_s
        try:
            found = await self._store.read(lambda reader: next_due(reader, queue))
            waiter.due = min(waiter.due, found)  # a commit may have set it meanwhile
            while (delay := min(waiter.due - self._clock.now(), deadline - self._clock.monotonic())) > 0:
                waiter.woken.clear()
                waiter.asleep = True
                if not await _woken_within(waiter.woken, delay):
                    break
        finally:
            self._waiters[queue].discard(waiter)
            if not self._waiters[queue]:
                del self._waiters[queue]

    def clock_moved(self) -> None:
        """Let every waiter look at the clock again: for whoever moves it by hand, or saw it jump."""
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.woken.set()

    def _claim(self, tx: Tx, queue: str, limit: int, lease_s: float) -> list[Claim]:
        now = self._clock.now()
        until = now + lease_s
        claims: list[Claim] = []
        level = tx.one(HIGHEST_PRIORITY, {"queue": queue})
        while level is not None and level[0] is not None and len(claims) < limit:
            priority = level[0]
            due = {"queue": queue, "priority": priority, "now": now, "count": limit - len(claims)}
            claims.extend(self._opened(tx, tx.all(SELECT_DUE, due), until))
            if len(claims) < limit:
                level = tx.one(NEXT_PRIORITY, {"queue": queue, "priority": priority})
        self._lease(tx, claims)
        return claims

    def _opened(self, tx: Tx, rows: Sequence[Row], until: float) -> list[Claim]:
        """The claims of rows. What cannot be opened is put off, so that it is in nobody's way."""
        claims = []
        for id_, queue, attempt, epoch, enqueued_at, inline, large in rows:
            try:
                payload = self._vault.open(large if inline is None else inline, _about(id_))
            except PlatformError as error:
                later = {"until": self._clock.now() + UNREADABLE_S, "attempt": attempt, "epoch": epoch + 1, "id": id_}
                tx.run(LEASE, later)
                _log.error("%s is not delivered, and is kept: %s", _about(id_), error)
            else:
                claims.append(Claim(id_, queue, payload, attempt + 1, epoch + 1, enqueued_at, until))
        return claims

    def _dead(self, row: Row) -> DeadItem:
        return DeadItem(*row)._replace(payload=self._vault.open(row[2], _about(row[0])))

    def _lease(self, tx: Tx, claims: list[Claim]) -> None:
        if claims:
            tx.many(
                LEASE, [{"until": c.lease_until, "attempt": c.attempt, "epoch": c.epoch, "id": c.id} for c in claims]
            )
            # Those who wait for these queues now have the end of the lease to wait for as well.
            ends = {claim.queue: claim.lease_until for claim in claims}
            tx.after_commit(lambda: self._notify(ends))

    def _notify(self, earliest: dict[str, float]) -> None:
        for queue, due_at in earliest.items():
            for waiter in self._waiters.get(queue, ()):
                if due_at < waiter.due:
                    waiter.due = due_at
                    waiter.woken.set()


def _about(id_: int) -> str:
    return f"item {id_} of the ready queue"


def _remove(tx: Tx, claim: Claim) -> None:
    _require(tx.run(DELETE_ITEM, {"id": claim.id, "epoch": claim.epoch}), claim)
    if len(claim.payload) > INLINE_BYTES:
        tx.run(DELETE_PAYLOAD, {"id": claim.id})


def _remove_all(tx: Tx, claims: Sequence[Claim]) -> None:
    gone = tx.many(DELETE_ITEM, [{"id": claim.id, "epoch": claim.epoch} for claim in claims])
    if gone != len(claims):
        raise StaleClaimError(f"{len(claims) - gone} of {len(claims)} items are no longer held")
    if large := [{"id": claim.id} for claim in claims if len(claim.payload) > INLINE_BYTES]:
        tx.many(DELETE_PAYLOAD, large)


def _require(changed: int, claim: Claim) -> None:
    if not changed:
        raise StaleClaimError(f"item {claim.id} of {claim.queue} is no longer held under epoch {claim.epoch}")


async def _woken_within(event: asyncio.Event, delay_s: float) -> bool:
    try:
        async with asyncio.timeout(delay_s if delay_s < math.inf else None):
            return await event.wait()
    except TimeoutError:
        return False
