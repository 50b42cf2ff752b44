"""Lanes: one ready queue for each destination, so that a slow or dead one holds up nobody else.

A lane is a task as long as anything is in it: it claims what is ready, has a few items under way at once, and sleeps
until the next one is due. Which lanes there are is durable, so that the next server takes them up. Items leave a lane
in the transaction of their effect; `handle` sees to that.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mayfly.services.events import statements as sql
from mayfly.store.api import Claim, NewItem, ReadyQueue, Row, StaleClaimError, Store, StoreClosedError, Tx

LEASE_S = 60.0  # longer than an attempt may take
AT_ONCE = 8  # items of one lane under way
ALTOGETHER = 512  # items of all lanes under way
IDLE_S = 60.0  # after which an empty lane is given up
_PAUSE_S = 1.0
_PAGE = 1000
_PREFIX = "events.to/"

_log = logging.getLogger(__name__)

# Whether the destination took it: what is done with an item, and its end, in one transaction.
Handle = Callable[[str, Claim], Awaitable[bool]]


class _Lane:
    """One lane at work."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.queue = _PREFIX + name
        self.under_way: set[asyncio.Task[None]] = set()
        self.width = 1
        self.waited = False  # for more, in vain; looking whether it is empty costs as much as it holds

    def learned(self, taken: bool) -> None:
        """A destination that is new, or fails, is asked one thing at a time until it took something, so that many
        dead ones, each as slow as can be, do not take all the room there is."""
        self.width = min(AT_ONCE, 2 * self.width) if taken else 1


class Lanes:
    """All lanes. `run` must be a task; `put` is called in anybody's transaction."""

    def __init__(self, store: Store, queue: ReadyQueue) -> None:
        self._store = store
        self._queue = queue
        self._handle: Handle | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._room = asyncio.Semaphore(ALTOGETHER)

    def attach(self, handle: Handle) -> None:
        """Say what is done with an item of a lane."""
        self._handle = handle

    def put(self, tx: Tx, lane: str, payload: bytes, ready_at: float | None = None) -> None:
        """Add an item to a lane."""
        self._queue.enqueue(tx, [NewItem(_PREFIX + lane, payload, ready_at)])
        tx.run(sql.PUT_LANE, {"lane": lane})
        tx.after_commit(lambda: self._wake(lane))

    async def run(self) -> None:
        """Work on all lanes until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._resume()
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._tasks.clear()

    async def _resume(self) -> None:
        """Take up the lanes that the last server left."""
        after = ""
        while True:
            rows = await self._known(after)
            for (lane,) in rows:
                self._wake(lane)
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    async def _known(self, after: str) -> list[Row]:
        params = {"after": after, "limit": _PAGE}
        return await self._store.read(lambda reader: reader.all(sql.LIST_LANES, params))

    def _wake(self, lane: str) -> None:
        if self._group is None or lane in self._tasks:  # a lane that works already is woken by its queue
            return
        self._tasks[lane] = self._group.create_task(self._work(lane), name=f"events-lane-{lane}")

    async def _work(self, name: str) -> None:
        """The boundary around one lane."""
        lane = _Lane(name)
        try:
            while True:
                try:
                    if await self._turn(lane):
                        return
                except StoreClosedError:
                    return
                except Exception:
                    _log.exception("the events for %s cannot be claimed now; the next attempt follows", name)
                    await asyncio.sleep(_PAUSE_S)
        finally:
            for task in lane.under_way:
                task.cancel()

    async def _turn(self, lane: _Lane) -> bool:
        """Claim what there is room for, or sleep; whether the lane is over."""
        if len(lane.under_way) >= lane.width:
            await asyncio.wait(lane.under_way, return_when=asyncio.FIRST_COMPLETED)
            return False
        claims = await self._queue.claim(lane.queue, lane.width - len(lane.under_way), LEASE_S)
        for claim in claims:
            task = asyncio.create_task(self._one(lane, claim))
            lane.under_way.add(task)
            task.add_done_callback(lane.under_way.discard)
        if claims:
            lane.waited = False
            return False
        if lane.under_way:
            await asyncio.wait(lane.under_way, return_when=asyncio.FIRST_COMPLETED)
            return False
        if lane.waited and await self._retire(lane.name):
            return True
        await self._queue.wait(lane.queue, IDLE_S)
        lane.waited = True
        return False

    async def _one(self, lane: _Lane, claim: Claim) -> None:
        """The boundary around one item: whatever goes wrong, it is not lost, its lease runs out."""
        assert self._handle is not None, "attached before it runs"
        try:
            async with self._room:
                lane.learned(await self._handle(lane.name, claim))
        except (StaleClaimError, StoreClosedError) as error:
            _log.info("a delivery was not recorded, it will be made again: %s", error)
        except Exception:
            lane.learned(taken=False)
            _log.exception("an event could not be delivered; it will be tried again when its lease has run out")

    async def _retire(self, lane: str) -> bool:
        """Forget a lane that is empty, unless something was put there while one looked."""
        before = await self._store.read(lambda reader: reader.one(sql.FIND_LANE, {"lane": lane}))
        if not await self._queue.is_empty(_PREFIX + lane):
            return False

        def body(tx: Tx) -> bool:
            if tx.one(sql.FIND_LANE, {"lane": lane}) != before:
                return False
            tx.run(sql.DELETE_LANE, {"lane": lane})
            # Callbacks come in the order of the commits: who puts something there after this finds no task, and makes
            # one, though this one has not returned yet.
            tx.after_commit(lambda: self._forget(lane))
            return True

        return await self._store.write(body)

    def _forget(self, lane: str) -> None:
        self._tasks.pop(lane, None)
