"""When a schedule runs: `rate(…)`, `cron(…)` and `at(…)`, in a time zone, between two dates. Pure.

Who calls it: schedules (EventBridge Scheduler), events (rules with a `ScheduleExpression`) and the ticker that both
share. Moments are Unix seconds; the wall clock exists in here alone.

Daylight saving, as AWS Scheduler documents it ("Schedule types", "Daylight savings time"): a local time that does not
exist is left out; one that exists twice counts once, the first time. So a cron expression that matches every minute
pauses for the hour that is repeated. A rate is a duration: a day has 24 hours, whatever the clock on the wall does.
A one-time schedule whose local time does not exist runs as much later as the clock was moved.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mayfly.errors import CallerError
from mayfly.policy import cron
from mayfly.policy.cron import Cron

_UNIT_S = {"minute": 60, "hour": 3600, "day": 86_400}
_RATE = re.compile(r"rate\(([0-9]{1,18}) (minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\(([^()]*)\)")
_AT = re.compile(r"at\((\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\)", re.ASCII)
# Further than a schedule of a year from now, so that no interval overflows what a time stamp may be.
_LONGEST_S = 100_000 * 86_400


class InvalidExpressionError(CallerError):
    """Not a schedule expression; the message says what is wrong with it, without quoting all of it."""


class UnknownZoneError(CallerError):
    """No time zone of that name in the IANA database."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so often, from an anchor on."""

    interval_s: int


@dataclass(frozen=True, slots=True)
class At:
    """Once."""

    local: datetime  # naive


Expression = Rate | Cron | At


def parse(text: str) -> Expression:
    """An expression of EventBridge Scheduler. The unit of a rate may be singular or plural with any number."""
    if match := _RATE.fullmatch(text):
        return _rate(int(match[1]), match[2])
    if match := _CRON.fullmatch(text):
        return _cron(match[1])
    if match := _AT.fullmatch(text):
        try:
            return At(datetime(*(int(part) for part in match.groups())))  # type: ignore[arg-type]  # noqa: DTZ001
        except ValueError as error:
            raise InvalidExpressionError(str(error)) from None
    raise InvalidExpressionError("the expression is neither rate(value unit) nor cron(six fields) nor at(date)")


def parse_rule(text: str) -> Rate | Cron:
    """An expression of an EventBridge rule: no `at`, and the unit of a rate is singular with 1 and plural otherwise."""
    if match := _RATE.fullmatch(text):
        value = int(match[1])
        if (value == 1) == bool(match[3]):
            raise InvalidExpressionError("the unit is singular with 1 and plural with any other value")
        return _rate(value, match[2])
    if match := _CRON.fullmatch(text):
        return _cron(match[1])
    raise InvalidExpressionError("the expression is neither rate(value unit) nor cron(six fields)")


def _rate(value: int, unit: str) -> Rate:
    interval_s = value * _UNIT_S[unit]
    if not 0 < interval_s <= _LONGEST_S:
        raise InvalidExpressionError(f"a rate of {value} {unit}s is none that can be kept")
    return Rate(interval_s)


def _cron(text: str) -> Cron:
    try:
        return cron.parse(text)
    except ValueError as error:
        raise InvalidExpressionError(str(error)) from None


def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name; `UnknownZoneError`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZoneError(f"there is no time zone {name!r}") from None


@dataclass(frozen=True, slots=True)
class Recurrence:
    """All moments at which something is to run."""

    expression: Expression
    zone: ZoneInfo
    anchor: float  # of a rate: its first moment, from which it counts
    start: float | None = None  # nothing runs before it; ignored by `at`
    end: float | None = None  # nothing runs after it; ignored by `at`


def next_after(recurrence: Recurrence, moment: float) -> float | None:
    """The earliest moment later than `moment`; None when nothing runs any more."""
    expression = recurrence.expression
    if isinstance(expression, At):
        found: float | None = _instant(expression.local, recurrence.zone)
        return found if found is not None and found > moment else None
    if recurrence.start is not None and moment < recurrence.start:
        moment = _just_before(recurrence.start)
    if isinstance(expression, Rate):
        found = _next_of_rate(expression.interval_s, recurrence.anchor, moment)
    else:
        found = _next_of_cron(expression, recurrence.zone, moment)
    return None if found is not None and recurrence.end is not None and found > recurrence.end else found


def latest(recurrence: Recurrence, known: float, now: float) -> float:
    """The last moment up to `now`, given one (`known`) up to then. By halves, since years may lie between them."""
    bound = now
    while (following := next_after(recurrence, known)) is not None and following <= now:
        known = following
        while bound - known > 1:
            middle = (known + bound) / 2
            found = next_after(recurrence, middle)
            if found is None or found > now:
                bound = middle
            else:
                known = found
    return known


def offset_s(key: str, window_s: float) -> float:
    """How much later than its moments the schedule `key` runs: somewhere in its flexible window, always the same."""
    drawn = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest())
    return window_s * drawn / 2**48


def _next_of_rate(interval_s: int, anchor: float, moment: float) -> float:
    if moment < anchor:
        return anchor
    count = int((moment - anchor) // interval_s) + 1
    while anchor + count * interval_s <= moment:  # floats: a quotient may come out one too small
        count += 1
    return anchor + count * interval_s


def _next_of_cron(expression: Cron, zone: ZoneInfo, moment: float) -> float | None:
    local = datetime.fromtimestamp(moment, zone).replace(tzinfo=None, fold=0)
    while (found := expression.next_after(local)) is not None:
        if _exists(found, zone):
            instant = _instant(found, zone)
            if instant > moment:  # else it ran before the clock was put back
                return instant
        local = found
    return None


def _instant(local: datetime, zone: ZoneInfo) -> float:
    """The Unix time of a local one: the first of two, and of none, what the clock would show had it not moved."""
    return local.replace(tzinfo=zone, fold=0).timestamp()


def _exists(local: datetime, zone: ZoneInfo) -> bool:
    back = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return back.replace(tzinfo=None, fold=0) == local


def _just_before(moment: float) -> float:
    """What `moment` itself comes after. The expressions know whole seconds, so a millisecond is little enough."""
    return moment - 0.001
