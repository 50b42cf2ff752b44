"""What follows a delivery that failed: another attempt, or the dead letters. Pure.

The figures are EventBridge's ("How EventBridge retries delivering events"): up to 185 retries within 24 hours by
default, with exponential back-off and jitter; what another attempt cannot mend (no permission, no such target, a
request that is wrong) is given up at once. AWS does not publish its delays; ours double from one second to eight
minutes, at which pace 185 of them last a day.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from mayfly.policy import retry
from mayfly.services.contract import ServiceError

MAX_RETRIES: Final = 185
MAX_AGE_S: Final = 24 * 3600.0
FIRST_S: Final = 1.0
MOST_S: Final = 480.0
# An endpoint may ask for patience, within reason.
LONGEST_PAUSE_S: Final = 12 * 3600.0

Condition = Literal["MaximumRetryAttempts", "MaximumEventAgeInSeconds"]

# What other services answer, in the words of dead letters. What is not here may be better the next time.
_FINAL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AWS.SimpleQueueService.NonExistentQueue": "NO_RESOURCE",
        "QueueDoesNotExist": "NO_RESOURCE",
        "NotFound": "NO_RESOURCE",
        "NotFoundException": "NO_RESOURCE",
        "ResourceNotFoundException": "NO_RESOURCE",
        "AccessDenied": "NO_PERMISSIONS",
        "AccessDeniedException": "NO_PERMISSIONS",
        "AuthorizationError": "NO_PERMISSIONS",
        "InvalidMessageContents": "INVALID_PARAMETER",
        "InvalidParameter": "INVALID_PARAMETER",
        "InvalidParameterException": "INVALID_PARAMETER",
        "InvalidParameterValue": "INVALID_PARAMETER",
        "InvalidParameterValueException": "INVALID_PARAMETER",
        "InvalidRequestContentException": "INVALID_PARAMETER",
        "MissingParameter": "INVALID_PARAMETER",
        "RequestEntityTooLargeException": "INVALID_PARAMETER",
        "ValidationError": "INVALID_PARAMETER",
        "ValidationException": "INVALID_PARAMETER",
    }
)
_THROTTLES: Final = ("Throttl", "TooManyRequests", "OverLimit", "LimitExceeded")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed, as dead letters say it."""

    code: str
    message: str
    retry: bool
    after_s: float | None = None  # how long the target asked to be left alone
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Again:
    """Try again in `delay_s`."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """To the dead letters; `condition` is None when there was nothing to exhaust."""

    condition: Condition | None


def failure_of(error: ServiceError) -> Failure:
    """What a local target's refusal means."""
    final = _FINAL.get(error.code)
    if final is not None:
        return Failure(final, error.message, retry=False)
    if any(error.code.startswith(word) for word in _THROTTLES):
        return Failure("THROTTLING", error.message, retry=True)
    return Failure("INTERNAL_ERROR", f"{error.code}: {error.message}", retry=True)


def after(
    failure: Failure, retries: int, age_s: float, max_retries: int | None, max_age_s: float | None, jitter: float
) -> Again | GiveUp:
    """What follows `failure` of an event that is `age_s` old and was tried again `retries` times already.

    `jitter` (0 to 1, drawn by the caller) decides half of the delay. The last attempt before the event is too old is
    moved forward to that moment rather than left out.
    """
    if not failure.retry:
        return GiveUp(None)
    if retries >= (MAX_RETRIES if max_retries is None else max_retries):
        return GiveUp("MaximumRetryAttempts")
    left_s = (MAX_AGE_S if max_age_s is None else max_age_s) - age_s
    if left_s <= 0:
        return GiveUp("MaximumEventAgeInSeconds")
    delay_s = retry.backoff(retries + 1, FIRST_S, MOST_S, jitter, spread=0.5)
    if failure.after_s is not None:
        delay_s = max(delay_s, min(failure.after_s, LONGEST_PAUSE_S))
    return Again(min(delay_s, left_s))
