"""What sandboxes were refused of what lies outside, and how much went through, by owner, for whoever operates them.

Written by `outlet`; shown by `mayfly function NAME`. Bounded, and gone with the server.
"""

import logging
from dataclasses import dataclass, field

from mayfly.clock import Clock

_log = logging.getLogger(__name__)

MOST_DESTINATIONS = 64  # of one owner
MOST_OWNERS = 10_000
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Refused:
    """One destination that was tried in vain."""

    destination: str
    reason: str
    count: int
    last_at: float


@dataclass(slots=True)
class Traffic:
    """What one owner's sandboxes did."""

    connections: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    refused: dict[str, Refused] = field(default_factory=dict)


class Book:
    """The traffic of all owners."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of: dict[str, Traffic] = {}

    def of(self, owner: str) -> Traffic:
        """That of one, to be written on; the owner noted longest ago is forgotten when there are too many."""
        known = self._of.get(owner)
        if known is None:
            if len(self._of) >= MOST_OWNERS:
                self._of.pop(next(iter(self._of)))
            known = self._of[owner] = Traffic()
        return known

    def refused(self, owner: str, destination: str, reason: str) -> None:
        """Note it, and log it the first time."""
        known = self.of(owner).refused
        shown = destination if destination in known or len(known) < MOST_DESTINATIONS else OTHERS
        before = known.get(shown)
        if before is None:
            _log.warning("%s may not reach %s: %s", owner or "a sandbox", shown, reason)
        known[shown] = Refused(shown, reason, before.count + 1 if before else 1, self._clock.now())
