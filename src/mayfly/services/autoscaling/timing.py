"""When a scheduled action runs. Pure."""

from zoneinfo import ZoneInfo

from mayfly.policy import recurrence, ticks
from mayfly.policy.recurrence import InvalidExpressionError, Rate, Recurrence, UnknownZoneError
from mayfly.policy.ticks import Verdict
from mayfly.services.autoscaling import faults
from mayfly.services.autoscaling.model import Action
from mayfly.ticker.ticker import Moment

PATIENCE_S = 86_400.0  # what was missed for longer never runs


def check(schedule: str, zone: str | None) -> None:
    """`ServiceError` ValidationException unless it can be kept."""
    try:
        recurrence.parse(schedule)
        _zone(zone)
    except InvalidExpressionError as error:
        raise faults.validation(f"Invalid schedule expression {schedule!r}: {error}") from None
    except UnknownZoneError as error:
        raise faults.validation(f"Invalid time zone: {error}") from None


def anchor(schedule: str, start: float | None, now: float) -> float:
    """Where a rate counts from: its start, else one interval from now."""
    parsed = recurrence.parse(schedule)
    if start is not None:
        return start
    return now + parsed.interval_s if isinstance(parsed, Rate) else now


def first(action: Action, now: float) -> Moment | None:
    return _moment(recurrence.next_after(_recurrence(action), now))


def judge(action: Action, at: float, now: float) -> tuple[Verdict, Moment | None]:
    """What becomes of the tick for `at`, and the moment that follows."""
    verdict = ticks.judge(_recurrence(action), at, now, 0.0, PATIENCE_S)
    return verdict, _moment(verdict.following)


def _recurrence(action: Action) -> Recurrence:
    expression = recurrence.parse(action.schedule)
    return Recurrence(expression, _zone(action.zone), action.anchor, action.start, action.end)


def _zone(name: str | None) -> ZoneInfo:
    return recurrence.zone(name or "UTC")


def _moment(at: float | None) -> Moment | None:
    return None if at is None else Moment(at, at)
