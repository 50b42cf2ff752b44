"""What follows an attempt at an asynchronous invocation, and the record that a destination gets. Pure."""

import json
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from mayfly.clock import iso_millis
from mayfly.policy import retry
from mayfly.services.functions.model import LATEST, AsyncSettings
from mayfly.services.functions.results import Result

# AWS's, and two of Mayfly's own.
Condition = Literal[
    "Success",
    "RetriesExhausted",
    "EventAgeExceeded",
    "ZeroReservedConcurrency",
    "DeadlineExceeded",
    "Cancelled",
    "RecursiveInvocation",
]

_CONDITIONS: dict[str, Condition] = {"retries-exhausted": "RetriesExhausted", "too-old": "EventAgeExceeded"}


class AsyncEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One asynchronous invocation as it waits in the ready queue."""

    request_id: str  # the same at every attempt
    name: str
    arn: str  # as the caller named the function
    payload: bytes
    accepted_at: float  # Unix seconds; its age counts from here
    failures: int = 0  # attempts at which the function failed; of events that older versions of Mayfly accepted
    client_context: str | None = None
    trace_id: str | None = None
    qualifier: str | None = None  # the version or alias that the caller named; None: $LATEST
    tenant: str | None = None
    on_behalf_of: str = ""  # the tenant for whom it runs, where more was said than `tenant`; decides on shares alone
    priority: int = 0  # -100 to 100, higher first
    deadline: float | None = None  # Unix seconds; not to be begun any more after that
    batch: str | None = None  # that it was submitted in
    again: int = 0  # how often it was queued anew when it was over

    @property
    def sharer(self) -> str:
        """Whose share of the places it takes; "" for nobody's in particular."""
        return self.on_behalf_of or self.tenant or ""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """After `delay_s`."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """No further attempt; a record goes to the destination of `condition`, if there is one."""

    condition: Condition


def before(
    event: AsyncEvent, settings: AsyncSettings | None, reserved: int | None, now: float, *, begun: bool = False
) -> Done | None:
    """Whether the event is given up before this attempt; None: go ahead. `begun`: there was one before."""
    if reserved == 0:
        return Done("ZeroReservedConcurrency")
    if now - event.accepted_at > _max_age(settings):
        return Done("EventAgeExceeded")
    if event.deadline is not None and now > event.deadline and not begun:
        return Done("DeadlineExceeded")
    return None


def after(
    event: AsyncEvent, failures: int, settings: AsyncSettings | None, result: Result, now: float
) -> TryAgain | Done:
    """What follows an attempt that ran; `failures` does not count it yet."""
    if not result.failed:
        return Done("Success")
    retries = retry.MAX_RETRIES if settings is None or settings.max_retries is None else settings.max_retries
    age_s = max(0.0, now - event.accepted_at)
    return _decision(retry.after_failure(failures + 1, age_s, retries, _max_age(settings)))


def after_throttle(
    event: AsyncEvent, settings: AsyncSettings | None, attempt: int, now: float, jitter: float
) -> TryAgain | Done:
    """What follows an attempt that did not run; `attempt` counts the claims since the last one that did."""
    age_s = max(0.0, now - event.accepted_at)
    return _decision(retry.after_throttle(attempt, age_s, jitter, _max_age(settings)))


def destination(settings: AsyncSettings | None, condition: Condition) -> str | None:
    """The ARN that the record of `condition` goes to."""
    if settings is None:
        return None
    return settings.on_success if condition == "Success" else settings.on_failure


@dataclass(frozen=True, slots=True)
class Attempted:
    """The last attempt that ran."""

    result: Result
    version: str
    log_stream: str = ""


def record(
    event: AsyncEvent,
    arn: str,
    condition: Condition,
    last: Attempted | None,
    attempts: int,
    now: float,
    *,
    payloads: bool = True,
) -> bytes:
    """The record for a destination; `arn` is the function's, unqualified; `last` is None when no attempt ran. Without
    `payloads`, it is short enough for everybody."""
    shown: dict[str, Any] = {
        "version": "1.0",
        "timestamp": iso_millis(now),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": f"{arn}:{event.qualifier or LATEST}",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
    }
    if payloads:
        shown["requestPayload"] = msgspec.Raw(event.payload)
    if last is not None:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": last.version}
        if last.result.failed:
            context["functionError"] = "Unhandled"
        shown["responseContext"] = context
        if payloads:
            shown["responsePayload"] = _embedded(last.result.payload)
    return msgspec.json.encode(shown)


def as_json(payload: bytes) -> bytes:
    """A function's reply as JSON, which those of programs need not be."""
    found = _embedded(payload)
    return payload if isinstance(found, msgspec.Raw) else msgspec.json.encode(found)


def _embedded(payload: bytes) -> Any:
    """A function's reply inside a record: itself where it is JSON, as text where it is not."""
    try:
        json.loads(payload.decode())  # as text: of bytes it would guess the encoding
    except (ValueError, RecursionError):
        return payload.decode(errors="replace")
    return msgspec.Raw(payload)


def _max_age(settings: AsyncSettings | None) -> float:
    return retry.MAX_AGE_S if settings is None or settings.max_age_s is None else float(settings.max_age_s)


def _decision(decided: retry.Retry | retry.GiveUp) -> TryAgain | Done:
    if isinstance(decided, retry.Retry):
        return TryAgain(decided.delay_s)
    return Done(_CONDITIONS[decided.reason])
