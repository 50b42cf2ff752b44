"""When a schedule runs: its definition as a `Recurrence`, and its moments at the ticker. Pure but for a memory of what
was parsed, since a tick costs less than reading its expression."""

from zoneinfo import ZoneInfo

from mayfly.policy import recurrence, ticks
from mayfly.policy.recurrence import At, Expression, Recurrence
from mayfly.policy.ticks import Verdict
from mayfly.services.schedules.model import Schedule
from mayfly.ticker.ticker import Moment

_KNOWN = 8192
PAST_S = 60.0  # AWS promises a one-time schedule within its minute; an older one never runs


class Timing:
    """Answers for schedules; one for each thread of use is enough, and one for all does no harm."""

    def __init__(self) -> None:
        self._expressions: dict[str, Expression] = {}
        self._zones: dict[str, ZoneInfo] = {}

    def recurrence(self, schedule: Schedule) -> Recurrence:
        """All moments of `schedule`; its expression and zone were validated when it was made."""
        expression = self._expressions.get(schedule.expression)
        if expression is None:
            if len(self._expressions) >= _KNOWN:
                self._expressions.clear()
            expression = self._expressions[schedule.expression] = recurrence.parse(schedule.expression)
        zone = self._zones.get(schedule.zone)
        if zone is None:
            zone = self._zones[schedule.zone] = recurrence.zone(schedule.zone)
        return Recurrence(expression, zone, schedule.anchor, schedule.start, schedule.end)

    def first(self, schedule: Schedule, now: float) -> Moment | None:
        """The first moment from `now` on; None for a disabled schedule, or one that is over."""
        if schedule.state == "DISABLED":
            return None
        wanted = self.recurrence(schedule)
        after = now - PAST_S if isinstance(wanted.expression, At) else now - 0.001
        return self._moment(schedule, recurrence.next_after(wanted, after))

    def judge(self, schedule: Schedule, at: float, now: float) -> tuple[Verdict, Moment | None]:
        """What becomes of the tick for `at`, and the moment that follows."""
        verdict = ticks.judge(self.recurrence(schedule), at, now, _offset_s(schedule), schedule.max_age_s)
        return verdict, self._moment(schedule, verdict.following)

    def anchored(self, schedule: Schedule, before: Schedule | None, now: float) -> float:
        """Where the rate of `schedule` counts from: its start, else when it was made or its expression changed."""
        if schedule.start is not None:
            return schedule.start
        if before is not None and before.expression == schedule.expression and before.start is None:
            return before.anchor
        return now

    def _moment(self, schedule: Schedule, at: float | None) -> Moment | None:
        return None if at is None else Moment(at, at + _offset_s(schedule))


def _offset_s(schedule: Schedule) -> float:
    if schedule.window_minutes is None:
        return 0.0
    return recurrence.offset_s(schedule.key, schedule.window_minutes * 60)
