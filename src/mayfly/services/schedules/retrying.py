"""When a failed delivery is tried again. Pure.

AWS says that attempts back off exponentially until one of both limits of the retry policy is reached, and no more. Here
the delays double from a second to five minutes, so that 185 attempts, the default, reach over most of a day, the other.
"""

from typing import Literal

from mayfly.policy.retry import backoff
from mayfly.services.schedules.model import Delivery

FIRST_S = 1.0
MOST_S = 300.0
Exhausted = Literal["MaximumRetryAttempts", "MaximumEventAgeInSeconds"]


def exhausted(delivery: Delivery, now: float) -> Exhausted | None:
    """Which part of the retry policy allows no further attempt; None: none does."""
    policy = delivery.target["RetryPolicy"]
    if delivery.attempts > policy["MaximumRetryAttempts"]:
        return "MaximumRetryAttempts"
    if delivery.attempts and now - delivery.accepted_at >= policy["MaximumEventAgeInSeconds"]:
        return "MaximumEventAgeInSeconds"
    return None


def after_failure(delivery: Delivery, now: float, jitter: float) -> float | Exhausted:
    """The time of the next attempt after the last of `delivery.attempts` failed, or what allows none.

    `jitter` (0 to 1, drawn by the caller) decides half of the delay.
    """
    ended = exhausted(delivery, now)
    if ended is not None:
        return ended
    ready_at = now + backoff(delivery.attempts, FIRST_S, MOST_S, jitter, spread=0.5)
    if ready_at - delivery.accepted_at > delivery.target["RetryPolicy"]["MaximumEventAgeInSeconds"]:
        return "MaximumEventAgeInSeconds"
    return ready_at
