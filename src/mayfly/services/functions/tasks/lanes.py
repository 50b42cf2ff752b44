"""Lanes: which queues there are of asynchronous invocations, when each has something ready, and whose turn it is.

A lane is the ready queue of one function's events for one tenant. Lanes are in memory alone: those with something in
their queues are found at the start, and every transaction that puts something there says so. What is kept of one does
not grow with what waits in it, and one with nothing to do is forgotten.

Whose turn it is: places are shared between tenants by weight, and a tenant's between its functions (`policy.shares`).
How wide a lane may be follows what its function takes: it narrows to what runs when a call is throttled, and widens by
one after `WIDEN_AFTER` calls that were not, so that a function with little concurrency neither has its events bounce
nor holds up anybody else's.
"""

import asyncio
import heapq
import math
from collections.abc import Iterable, Mapping, Sequence

from mayfly.policy import shares
from mayfly.policy.shares import Share

PREFIX = "functions.events"
WIDEN_AFTER = 32


def lane_of(name: str, tenant: str = "") -> str:
    """The queue of a function's events for a tenant; "" for those that were accepted for none."""
    return f"{PREFIX}/{name}/{tenant}"


class Lane:
    """One lane at work."""

    __slots__ = (
        "claiming",
        "due",
        "held",
        "listed",
        "paused_until",
        "queue",
        "running",
        "smooth",
        "tenant",
        "turns",
        "width",
    )

    def __init__(self, queue: str, width: int) -> None:
        self.queue = queue
        # Queues of before there were lanes have the bare prefix for a name.
        self.tenant = queue.split("/", 2)[2] if queue.count("/") >= 2 else ""
        self.due = math.inf  # when it is worth looking for more
        self.running = 0  # claimed
        self.width = width
        self.smooth = 0  # calls since the last that was throttled
        self.turns = 0.0
        self.paused_until = 0.0
        self.listed = math.inf  # when it is to be looked at again, as is noted
        self.claiming = False
        self.held = 0  # by how many batches that are being accepted

    @property
    def idle(self) -> bool:
        return not (self.running or self.claiming or self.held) and self.due == math.inf


class _Tenant:
    __slots__ = ("lanes", "level", "running", "turns")

    def __init__(self) -> None:
        self.running = 0
        self.turns = 0.0
        self.lanes = 0
        self.level = 0.0  # the turns of the lane served last


class Lanes:
    """All lanes; used on the event loop."""

    def __init__(self, width: int) -> None:
        """No lane is wider than `width`."""
        self._width = width
        self._lanes: dict[str, Lane] = {}
        self._ready: dict[str, Lane] = {}
        self._later: list[tuple[float, str]] = []
        self._tenants: dict[str, _Tenant] = {}
        self._weights: dict[str, float] = {}
        self._level = 0.0  # the turns of the tenant served last
        self.news = asyncio.Event()  # there may be something ready

    def weigh(self, weights: Mapping[str, float]) -> None:
        """Say how tenants share; those that are not named weigh 1."""
        self._weights = dict(weights)

    def woken(self, queue: str, due: float = 0.0) -> None:
        """There is something in a lane, to be had from `due` on (Unix seconds)."""
        lane = self._lane(queue)
        if due < lane.due:
            lane.due = due
            self._look_at(lane)
            self.news.set()

    def hold(self, queues: Iterable[str]) -> None:
        """Begin nothing in these lanes until `release`."""
        for queue in queues:
            self._lane(queue).held += 1
            self._ready.pop(queue, None)

    def release(self, queues: Iterable[str]) -> None:
        """Let them go on."""
        for queue in queues:
            lane = self._lanes[queue]
            lane.held -= 1
            self._look_at(lane)
            self._forget(lane)
        self.news.set()

    def plan(self, now: float, places: int) -> list[tuple[Lane, int]]:
        """From which lanes to claim how much. Those are not looked at again before `claimed`."""
        while self._later and self._later[0][0] <= now:
            at, queue = heapq.heappop(self._later)
            lane = self._lanes.get(queue)
            if lane is not None and lane.listed == at:  # what was noted before that is out of date
                lane.listed = math.inf
                self._look_at(lane, now)
        able = [(lane, wants) for lane in self._ready.values() if (wants := lane.width - lane.running) > 0]
        if not able or places < 1:
            return []
        chosen = [(able[0][0], min(places, able[0][1]))] if len(able) == 1 else self._shared(able, places)
        for lane, _ in chosen:
            del self._ready[lane.queue]
            lane.due = math.inf
            lane.claiming = True
            lane.paused_until = 0.0
        return chosen

    def claimed(self, lane: Lane, count: int, next_due: float) -> None:
        """What a claim gave, and when there is more."""
        lane.running += count
        lane.claiming = False
        tenant = self._tenants[lane.tenant]
        if count:
            tenant.running += count
            self._level, tenant.turns = shares.served(
                self._level, tenant.turns, count / self._weights.get(lane.tenant, 1.0)
            )
            tenant.level, lane.turns = shares.served(tenant.level, lane.turns, count)
        lane.due = min(lane.due, next_due)
        self._look_at(lane)
        self._forget(lane)

    def adopt(self, queue: str) -> Lane:
        """The lane of one that was claimed out of turn."""
        lane = self._lane(queue)
        lane.running += 1
        self._tenants[lane.tenant].running += 1
        return lane

    def ended(self, lane: Lane) -> None:
        """One of those claimed is done with."""
        lane.running -= 1
        self._tenants[lane.tenant].running -= 1
        self._forget(lane)
        self.news.set()

    def throttled(self, lane: Lane, until: float) -> None:
        """A call of it was refused; it is worth another look at `until` (Unix seconds), if nothing else runs there."""
        lane.smooth = 0
        lane.width = max(1, min(lane.width, lane.running) - 1)
        if lane.running <= 1:
            lane.paused_until = until
            self._ready.pop(lane.queue, None)
            self._look_at(lane)

    def went_well(self, lane: Lane) -> None:
        """A call of it was not refused."""
        if lane.width < self._width:
            lane.smooth += 1
            if lane.smooth >= WIDEN_AFTER:
                lane.smooth, lane.width = 0, lane.width + 1

    def next_due(self) -> float:
        """When a lane is worth looking at again that is not now (Unix seconds)."""
        return self._later[0][0] if self._later else math.inf

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._lanes)

    def _shared(self, able: Sequence[tuple[Lane, int]], places: int) -> list[tuple[Lane, int]]:
        by_tenant: dict[str, list[tuple[Lane, int]]] = {}
        for lane, wants in able:
            by_tenant.setdefault(lane.tenant, []).append((lane, wants))
        level = [
            Share(
                tenant,
                self._tenants[tenant].running,
                self._tenants[tenant].turns,
                min(places, sum(wants for _, wants in found)),
                self._weights.get(tenant, 1.0),
            )
            for tenant, found in by_tenant.items()
        ]
        chosen = []
        for tenant, count in shares.allot(level, places).items():
            found = by_tenant[tenant]
            given = shares.allot([Share(lane.queue, lane.running, lane.turns, wants) for lane, wants in found], count)
            chosen += [(self._lanes[queue], each) for queue, each in given.items()]
        return chosen

    def _lane(self, queue: str) -> Lane:
        lane = self._lanes.get(queue)
        if lane is None:
            lane = self._lanes[queue] = Lane(queue, self._width)
            tenant = self._tenants.get(lane.tenant)
            if tenant is None:
                tenant = self._tenants[lane.tenant] = _Tenant()
                tenant.turns = self._level
            tenant.lanes += 1
            lane.turns = tenant.level
        return lane

    def _look_at(self, lane: Lane, now: float = 0.0) -> None:
        """Put a lane where it belongs: among those that are ready, or that will be."""
        if lane.held or lane.due == math.inf or self._lanes.get(lane.queue) is not lane:
            return
        at = max(lane.due, lane.paused_until)
        if at <= now:
            self._ready[lane.queue] = lane
        elif at < lane.listed:
            lane.listed = at
            heapq.heappush(self._later, (at, lane.queue))

    def _forget(self, lane: Lane) -> None:
        """Keep nothing of a lane with nothing to do."""
        if lane.idle and lane.paused_until == 0.0 and self._lanes.get(lane.queue) is lane:
            del self._lanes[lane.queue]
            tenant = self._tenants[lane.tenant]
            tenant.lanes -= 1
            if not tenant.lanes:
                del self._tenants[lane.tenant]
