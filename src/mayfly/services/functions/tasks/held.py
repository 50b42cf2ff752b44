"""An event that this process has claimed."""

import asyncio

from mayfly.services.functions.delivery import AsyncEvent
from mayfly.services.functions.tasks.lanes import Lane
from mayfly.services.functions.tasks.model import NEVER, Before
from mayfly.store.api import Claim


class Held:
    """One of them, from its claim to the end of its delivery."""

    __slots__ = ("before", "began_at", "claim", "claimed_at", "event", "lane", "over", "stopped")

    def __init__(self, claim: Claim, lane: Lane, claimed_at: float, before: Before = NEVER) -> None:
        self.claim = claim
        self.lane = lane
        self.claimed_at = claimed_at  # monotonic
        self.before = before
        self.event: AsyncEvent | None = None  # once its delivery has begun
        self.began_at: float | None = None  # Unix seconds; while its function runs, and after that
        self.over: asyncio.Event | None = None  # for whoever waits for its end
        self.stopped = False  # nobody wants it any more

    @property
    def begun(self) -> bool:
        """Whether its function ran for it, be it before."""
        return self.before.started_at is not None or self.before.failures > 0
