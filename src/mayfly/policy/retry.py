"""When to try again, and when to give up.

The figures for asynchronous invocation are AWS Lambda's ("How Lambda handles errors and retries with asynchronous
invocation"): a failed function is tried again after one minute, then after two; a throttled or unreachable one after
delays that double from one second to five minutes, until the event is six hours old.
"""

from dataclasses import dataclass
from typing import Literal

FAILURE_DELAYS_S = (60.0, 120.0)
THROTTLE_FIRST_S = 1.0
THROTTLE_MOST_S = 300.0
MAX_AGE_S = 6 * 3600.0
MAX_RETRIES = 2


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again in `delay_s`."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not try again."""

    reason: Literal["retries-exhausted", "too-old"]


def backoff(attempt: int, first_s: float, most_s: float, jitter: float = 1.0, spread: float = 1.0) -> float:
    """The delay before the retry that follows failed attempt `attempt` (from 1), doubling from `first_s` to `most_s`.

    `jitter` is a number from 0 to 1, drawn by the caller; `spread` the part of the delay that it decides. With
    `spread` 1 the delay lies anywhere between 0 and the full backoff; with 0.5, in its upper half; jitter 1 is always
    the full backoff.
    """
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    if not 0 <= jitter <= 1 or not 0 <= spread <= 1:
        raise ValueError(f"jitter and spread lie between 0 and 1, not {jitter} and {spread}")
    # 2 ** 1024 overflows a float; long before that any delay has reached its most.
    full_s = min(most_s, first_s * 2.0 ** min(attempt - 1, 1000))
    return full_s * (1.0 - spread * (1.0 - jitter))


def after_failure(
    failures: int, age_s: float, max_retries: int = MAX_RETRIES, max_age_s: float = MAX_AGE_S
) -> Retry | GiveUp:
    """What follows when the function failed for the `failures`-th time (from 1) on an event that is `age_s` old.

    The event is given up at once when it will be too old at the next try, instead of being kept until then.
    """
    if failures < 1:
        raise ValueError(f"failures are counted from 1, not {failures}")
    if failures > max_retries:
        return GiveUp("retries-exhausted")
    delay_s = FAILURE_DELAYS_S[min(failures, len(FAILURE_DELAYS_S)) - 1]
    return GiveUp("too-old") if age_s + delay_s > max_age_s else Retry(delay_s)


def after_throttle(throttles: int, age_s: float, jitter: float = 1.0, max_age_s: float = MAX_AGE_S) -> Retry | GiveUp:
    """What follows when the event was throttled, or the platform failed, for the `throttles`-th time (from 1).

    `jitter` (0 to 1, drawn by the caller) decides half of the delay, so that a backlog does not come back as one wave.
    The last try before the event is too old is moved forward to that moment rather than left out.
    """
    if age_s >= max_age_s:
        return GiveUp("too-old")
    delay_s = backoff(throttles, THROTTLE_FIRST_S, THROTTLE_MOST_S, jitter, spread=0.5)
    return Retry(min(delay_s, max_age_s - age_s))
