"""Token buckets: how many requests a second a stage or a route takes, and how many at once.

Pure: time comes from outside.
"""

from collections.abc import Mapping
from typing import Any, Final

# An account's, as AWS has them for all its APIs of a region together.
ACCOUNT_RATE: Final = 10_000.0
ACCOUNT_BURST: Final = 5_000


class Bucket:
    """Holds up to `burst` tokens, and gets `rate` a second; a request takes one."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether there was a token at `now` (seconds, monotonic), which is gone then."""
        if now > self._at:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
            self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def bucket(settings: Mapping[str, Any]) -> Bucket | None:
    """The bucket that settings of a stage or route ask for; None: they ask for none."""
    rate, burst = settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")
    if rate is None and burst is None:
        return None
    return Bucket(ACCOUNT_RATE if rate is None else float(rate), ACCOUNT_BURST if burst is None else burst)


def same(bucket: Bucket | None, other: Bucket | None) -> bool:
    """Whether two buckets are the same size, so that one may stand for the other with what it holds."""
    if bucket is None or other is None:
        return bucket is other
    return (bucket.rate, bucket.burst) == (other.rate, other.burst)
