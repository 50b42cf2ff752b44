"""An event that this process has claimed."""

import asyncio
from collections.abc import Callable

from mayfly.services.functions.delivery import AsyncEvent
from mayfly.services.functions.tasks.lanes import Lane
from mayfly.services.functions.tasks.model import NEVER, Before
from mayfly.store.api import Claim


class Held:
    """One of them, from its claim to the end of its delivery."""

    __slots__ = ("before", "began_at", "claim", "claimed_at", "event", "free", "lane", "over", "returned", "stopped")

    def __init__(self, claim: Claim, lane: Lane, claimed_at: float, before: Before = NEVER) -> None:
        self.claim = claim
        self.lane = lane
        self.claimed_at = claimed_at  # monotonic
        self.before = before
        self.event: AsyncEvent | None = None  # once its delivery has begun
        self.began_at: float | None = None  # Unix seconds; while its function runs, and after that
        self.free: Callable[[Held, float], None] | None = None  # gives its place back, once
        self.over: asyncio.Event | None = None  # for whoever waits for its end
        self.returned = False  # it waits in its queue again
        self.stopped = False  # nobody wants it any more

    def leave(self, took_s: float) -> None:
        """Give its place back; `took_s` is how long its function ran. Idempotent."""
        if self.free is not None:
            free, self.free = self.free, None
            free(self, took_s)

    @property
    def begun(self) -> bool:
        """Whether its function ran for it, be it before."""
        return self.before.started_at is not None or self.before.failures > 0
