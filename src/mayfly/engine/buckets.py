"""The token buckets of many names under one rate. `ledger` has one of these for starts and one for calls."""

from mayfly.policy import rates
from mayfly.policy.rates import Bucket, Rate


class Buckets:
    """Only those are kept from which something was taken that is not refilled yet. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._taken: dict[str, tuple[Bucket, Rate]] = {}  # in the order of their last use

    def wait_s(self, name: str, rate: Rate, now: float) -> float:
        """How long until something may be taken; 0 when it may now."""
        taken = self._taken.get(name)
        return rates.wait_s(taken[0] if taken else None, rate, now)

    def take(self, name: str, rate: Rate, now: float) -> None:
        """Take one."""
        taken = self._taken.pop(name, None)
        self._taken[name] = rates.take(taken[0] if taken else None, rate, now), rate
        while (first := next(iter(self._taken))) != name and rates.full_at(*self._taken[first]) <= now:
            del self._taken[first]

    def __len__(self) -> int:
        return len(self._taken)
