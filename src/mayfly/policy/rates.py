"""How often something may happen: token buckets, as values.

A bucket holds up to `burst` tokens and gains `per_s` of them a second, continuously. What was not used is not saved up
beyond that. The engine keeps two kinds: by function for instances that are started (AWS Lambda: 1,000 every ten seconds
for each function, refilled continuously, "Lambda scaling behavior"), and by limit for calls (AWS: ten a second for each
unit of concurrency, "Lambda quotas").
"""

from typing import NamedTuple


class Rate(NamedTuple):
    """`burst` (≥ 1) at once, `per_s` (> 0) for as long as one likes."""

    burst: float
    per_s: float


class Bucket(NamedTuple):
    """What was left at a moment. Times are monotonic seconds."""

    tokens: float
    at: float


def level(bucket: Bucket | None, rate: Rate, now: float) -> float:
    """The tokens there are at `now`; None is a bucket that nothing was ever taken from."""
    if bucket is None:
        return rate.burst
    return min(rate.burst, bucket.tokens + max(0.0, now - bucket.at) * rate.per_s)


def take(bucket: Bucket | None, rate: Rate, now: float) -> Bucket:
    """The bucket with one token less, which may leave it in debt: what was decided elsewhere still counts."""
    return Bucket(level(bucket, rate, now) - 1.0, now)


def wait_s(bucket: Bucket | None, rate: Rate, now: float) -> float:
    """How long until there is a whole token; 0 when there is one."""
    return max(0.0, 1.0 - level(bucket, rate, now)) / rate.per_s


def full_at(bucket: Bucket, rate: Rate) -> float:
    """From when on the bucket need not be remembered."""
    return bucket.at + (rate.burst - bucket.tokens) / rate.per_s
