"""How fast a destination may be called: never more often than its limit within any second.

A call waits for its turn, which comes a second after the one before it that used the same place: as many places as the
limit allows. When its turn has come, it is the moment at which it really began that counts. In memory: a pace takes it
that the process before this one called as often as it may until this one began, so that a restart does not double the
rate. Used by `destination_deliveries`.
"""

from collections import deque
from dataclasses import dataclass

WINDOW_S = 1.0


@dataclass(eq=False, slots=True)
class Turn:
    """The turn of one call. All times are monotonic."""

    at: float  # when it begins, or began
    earlier: "Turn | None"  # that which it must be a second later than

    def left_s(self, now: float) -> float:
        """How long to wait still; 0 or less: it may begin."""
        after = self.earlier.at + WINDOW_S if self.earlier is not None else self.at
        return max(self.at, after) - now

    def begin(self, now: float) -> None:
        """The call begins now."""
        self.at = now
        self.earlier = None


class Pace:
    """The calls of one destination, which may be made `rate` times in any window of a second."""

    def __init__(self, rate: int, since: float) -> None:
        """`since`: when the process began, or any later moment up to now."""
        self._rate = rate
        self._since = since
        self._turns: deque[Turn] = deque()  # the latest, in order

    @property
    def last(self) -> float:
        """When the latest call began, or begins."""
        return self._turns[-1].at if self._turns else self._since

    def set_rate(self, rate: int) -> None:
        """Another limit, from now on; calls that have their turn keep it."""
        self._rate = rate

    def reserve(self, now: float, patience_s: float) -> Turn | None:
        """The next turn; None: it is more than `patience_s` away, and was not taken."""
        at = self.next(now)
        if at - now > patience_s:
            return None
        turn = Turn(at, self._turns[-self._rate] if len(self._turns) >= self._rate else None)
        self._turns.append(turn)
        while len(self._turns) > self._rate:
            self._turns.popleft()
        return turn

    def next(self, now: float) -> float:
        """When the next turn comes."""
        at = max(now, self._since + WINDOW_S)
        if self._turns:
            at = max(at, self._turns[-1].at)
        if len(self._turns) >= self._rate:
            at = max(at, self._turns[-self._rate].at + WINDOW_S)
        return at
