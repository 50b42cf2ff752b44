"""AWS's cron expressions: six fields, as a set of minutes of the local calendar. Pure; `recurrence` adds time zones.

The fields are minutes, hours, day-of-month, month, day-of-week (1 is Sunday) and year, with `*`, `?`, `,`, `-`, `/`,
names of months and days, `L`, `W` and `#` (EventBridge Scheduler's user guide, "Cron-based schedules"). Exactly one of
day-of-month and day-of-week is `?`. Ranges may wrap (`FRI-MON`, `22-2`), except of years.
"""

import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIRST_YEAR, LAST_YEAR = 1970, 2199


@dataclass(frozen=True, slots=True)
class _Field:
    """What one field may hold."""

    low: int
    high: int
    names: tuple[str, ...] = ()  # of `low` and the numbers after it
    wraps: bool = True


_MINUTE = _Field(0, 59)
_HOUR = _Field(0, 23)
_DAY = _Field(1, 31)
_MONTH = _Field(1, 12, MONTHS)
_WEEKDAY = _Field(1, 7, WEEKDAYS)
_YEAR = _Field(FIRST_YEAR, LAST_YEAR, wraps=False)


@dataclass(frozen=True, slots=True)
class Days:
    """Which days of a month. Exactly one of the rules is set; weekdays are AWS's numbers, 1 for Sunday."""

    numbers: tuple[int, ...] = ()  # 1..31
    weekdays: tuple[int, ...] = ()
    last: bool = False  # the last day of the month
    nearest: int = 0  # the weekday (Monday to Friday) of the same month that is nearest to this day
    last_working: bool = False  # the last one from Monday to Friday
    last_weekday: int = 0  # the last day of the month that is this weekday
    nth_weekday: tuple[int, int] = (0, 0)  # (weekday, n): the n-th of the month

    def of(self, year: int, month: int) -> list[int]:
        """The days of one month, rising."""
        first, count = monthrange(year, month)  # `first`: 0 for Monday
        if self.numbers:
            return [day for day in self.numbers if day <= count]
        if self.weekdays:
            wanted = {(weekday + 5) % 7 for weekday in self.weekdays}
            return [day for day in range(1, count + 1) if (first + day - 1) % 7 in wanted]
        if self.last:
            return [count]
        if self.last_working or self.nearest:
            if self.nearest > count:
                return []
            return [_working(self.nearest or count, first, count)]
        weekday, nth = self.nth_weekday if self.nth_weekday[0] else (self.last_weekday, 0)
        earliest = ((weekday + 5) % 7 - first) % 7 + 1
        day = earliest + 7 * (nth - 1) if nth else earliest + (count - earliest) // 7 * 7
        return [day] if day <= count else []


def _working(day: int, first: int, count: int) -> int:
    """The day from Monday to Friday nearest to `day`, in a month of `count` days whose first is weekday `first`."""
    weekday = (first + day - 1) % 7
    if weekday == 5:  # Saturday: the Friday before, or the Monday after the 1st
        return day - 1 if day > 1 else day + 2
    if weekday == 6:  # Sunday: the Monday after, or the Friday before the last
        return day + 1 if day < count else day - 2
    return day


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression. Every tuple rises."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    def next_after(self, local: datetime) -> datetime | None:
        """The earliest minute of the calendar later than `local` (naive); None when there is none."""
        start = local.replace(second=0, microsecond=0) + timedelta(minutes=1)
        today = start.date()
        for day in self._days_from(today):
            hour, minute = (start.hour, start.minute) if day == today else (0, 0)
            at = bisect_left(self.minutes, minute)
            place = bisect_left(self.hours, hour)
            if place == len(self.hours):
                continue
            if self.hours[place] > hour:
                at = 0
            if at == len(self.minutes):
                place, at = place + 1, 0
            if place < len(self.hours):
                return datetime(day.year, day.month, day.day, self.hours[place], self.minutes[at])  # noqa: DTZ001
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        for year in self.years[bisect_left(self.years, first.year) :]:
            for month in self.months:
                if (year, month) < (first.year, first.month):
                    continue
                for day in self.days.of(year, month):
                    found = date(year, month, day)
                    if found >= first:
                        yield found


def parse(text: str) -> Cron:
    """The expression between the parentheses of `cron(…)`; ValueError says what is wrong with it."""
    fields = text.split()
    if len(fields) != 6:
        raise ValueError(f"a cron expression has six fields, not {len(fields)}")
    minutes, hours, day, month, weekday, year = (field.upper() for field in fields)
    return Cron(
        _numbers(minutes, _MINUTE),
        _numbers(hours, _HOUR),
        _days(day, weekday),
        _numbers(month, _MONTH),
        _numbers(year, _YEAR),
    )


def _days(day: str, weekday: str) -> Days:
    if (day == "?") == (weekday == "?"):
        raise ValueError("exactly one of day-of-month and day-of-week is '?'")
    return _days_of_month(day) if weekday == "?" else _days_of_week(weekday)


def _days_of_month(text: str) -> Days:
    if text == "L":
        return Days(last=True)
    if text in {"LW", "WL"}:
        return Days(last_working=True)
    if match := re.fullmatch(r"(\d{1,2})W", text):
        return Days(nearest=_number(match[1], _DAY))
    return Days(numbers=_numbers(text, _DAY))


def _days_of_week(text: str) -> Days:
    if text == "L":
        return Days(weekdays=(7,))
    if match := re.fullmatch(r"([0-9A-Z]+)#([0-9])", text):
        nth = int(match[2])
        if not 1 <= nth <= 5:
            raise ValueError(f"a month has no {nth}th of a weekday")
        return Days(nth_weekday=(_number(match[1], _WEEKDAY), nth))
    if match := re.fullmatch(r"(\d|[A-Z]{3})L", text):
        return Days(last_weekday=_number(match[1], _WEEKDAY))
    return Days(weekdays=_numbers(text, _WEEKDAY))


def _numbers(text: str, field: _Field) -> tuple[int, ...]:
    """The values of a field that is a list of values, ranges and steps."""
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        found.update(_span(span, bool(slash), field)[:: _step(step) if slash else 1])
    return tuple(sorted(found))


def _span(text: str, stepped: bool, field: _Field) -> list[int]:
    if text == "*":
        return list(range(field.low, field.high + 1))
    begin, dash, end = text.partition("-")
    first = _number(begin, field)
    last = _number(end, field) if dash else (field.high if stepped else first)
    if first <= last:
        return list(range(first, last + 1))
    if not field.wraps:
        raise ValueError(f"the range {text!r} ends before it begins")
    return [*range(first, field.high + 1), *range(field.low, last + 1)]


def _step(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) == 0:
        raise ValueError(f"{text!r} is no step")
    return int(text)


def _number(text: str, field: _Field) -> int:
    if text in field.names:
        return field.low + field.names.index(text)
    if not re.fullmatch(r"[0-9]{1,4}", text) or not field.low <= int(text) <= field.high:
        raise ValueError(f"{text!r} does not lie between {field.low} and {field.high}")
    return int(text)
