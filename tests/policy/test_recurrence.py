"""Schedule expressions against AWS's documented examples, and against a reference that looks at every minute."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.policy import recurrence
from mayfly.policy.cron import Cron
from mayfly.policy.recurrence import At, InvalidExpressionError, Rate, Recurrence, UnknownZoneError

UTC_ZONE = ZoneInfo("UTC")
ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago")


def at(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def shown(moment: float | None, zone: str = "UTC") -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, ZoneInfo(zone)).isoformat(timespec="minutes")


def cron_in(text: str, zone: str = "UTC", start: float | None = None, end: float | None = None) -> Recurrence:
    return Recurrence(recurrence.parse(f"cron({text})"), ZoneInfo(zone), 0.0, start, end)


def runs(wanted: Recurrence, after: float, count: int, zone: str = "UTC") -> list[str | None]:
    found: list[str | None] = []
    moment: float | None = after
    for _ in range(count):
        assert moment is not None
        moment = recurrence.next_after(wanted, moment)
        found.append(shown(moment, zone))
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 12 * * ? *", "2026-01-15T12:00+00:00"),
        ("5,35 14 * * ? *", "2026-01-15T14:05+00:00"),
        ("15 10 ? * 6L 2026-2027", "2026-01-30T10:15+00:00"),
        ("0 2 ? * SAT#3 *", "2026-01-17T02:00+00:00"),
        ("0 8 ? * 3#2 *", "2026-02-10T08:00+00:00"),
        ("0 18 ? * MON-FRI *", "2026-01-15T18:00+00:00"),
        ("0 8 1 * ? *", "2026-02-01T08:00+00:00"),
        ("0/10 * ? * MON-FRI *", "2026-01-15T10:10+00:00"),
        ("0 0 L * ? *", "2026-01-31T00:00+00:00"),
        ("0 0 L 2 ? 2028", "2028-02-29T00:00+00:00"),
        ("0 0 LW * ? *", "2026-01-30T00:00+00:00"),  # the 31st is a Saturday
        ("0 0 1W 2 ? *", "2026-02-02T00:00+00:00"),  # the 1st is a Sunday
        ("0 0 1W 8 ? *", "2026-08-03T00:00+00:00"),  # the 1st is a Saturday: not back into July
        ("0 0 31W 5 ? *", "2026-05-29T00:00+00:00"),  # the 31st is a Sunday: not on into June
        ("0 0 ? * L *", "2026-01-17T00:00+00:00"),
        ("0 0 ? * fril *", "2026-01-30T00:00+00:00"),
        ("0 0 ? * FRI-MON *", "2026-01-16T00:00+00:00"),
        ("0 22-2 * * ? *", "2026-01-15T22:00+00:00"),
        ("0 0 31 2 ? *", None),
        ("0 0 1 1 ? 2025", None),
        ("* * * * ? *", "2026-01-15T10:01+00:00"),
        ("30-30 13-13 ? * 2,4,6 *", "2026-01-16T13:30+00:00"),
        ("1-31/30 1-1 ? * 1,7 *", "2026-01-17T01:01+00:00"),
        ("0 0 29 2 ? *", "2028-02-29T00:00+00:00"),
    ],
)
def test_a_cron_expression_runs_next_when_aws_says(text: str, expected: str | None) -> None:
    assert shown(recurrence.next_after(cron_in(text), at("2026-01-15T10:00:30"))) == expected


@pytest.mark.parametrize(
    "text",
    [
        "cron(0 1 * * * *)",
        "cron(7 20 * * NOT *)",
        "cron(0 0 ? * ? *)",
        "cron(0 0 1 * 2 *)",
        "cron(INVALID)",
        "cron(0 dummy ? * MON-FRI *)",
        "cron(71 8 1 * ? *)",
        "cron()",
        "cron(0 12 * * ?)",
        "cron(0 12 * * ? * *)",
        "cron(0 12 ? * 0 *)",
        "cron(0 12 ? * 8 *)",
        "cron(0 12 ? * 3#6 *)",
        "cron(0 12 ? * 3#1,6#3 *)",
        "cron(0 12 0 * ? *)",
        "cron(0 12 32W * ? *)",
        "cron(0 12 1W,15W * ? *)",
        "cron(0 12 * 13 ? *)",
        "cron(0 12 * * ? 1969)",
        "cron(0 12 * * ? 2200)",
        "cron(0 12 * * ? 2030-2020)",
        "cron(0/0 12 * * ? *)",
        "cron(0/ 12 * * ? *)",
        "cron(, 12 * * ? *)",
        "cron(? 12 * * ? *)",
        "cron(٣ 12 * * ? *)",
        "CRON(0 12 * * ? *)",
        " cron(0 12 * * ? *)",
        "rate(10 seconds)",
        "rate(10 years)",
        "rate()",
        "rate(10)",
        "rate(10 minutess)",
        "rate(foo minutes)",
        "rate(0 minutes)",
        "rate(-10 minutes)",
        "rate(10 MINUTES)",
        "rate( 10 minutes )",
        " rate(10 minutes)",
        "rate(999999999999 days)",
        "at(2021-12-31T23:59:59Z)",
        "at(2021-12-31)",
        "at(2021-02-30T00:00:00)",
        "at(2021-02-03T24:00:00)",
        "",
    ],
)
def test_what_aws_refuses_is_no_expression(text: str) -> None:
    with pytest.raises(InvalidExpressionError):
        recurrence.parse(text)


@pytest.mark.parametrize(
    "text", ["rate(1 minutes)", "rate(1 hours)", "rate(10 minute)", "rate(10 day)", "at(2030-01-01T00:00:00)"]
)
def test_a_rule_refuses_what_only_scheduler_takes(text: str) -> None:
    recurrence.parse(text)
    with pytest.raises(InvalidExpressionError):
        recurrence.parse_rule(text)


def test_rates_and_dates_are_read() -> None:
    assert recurrence.parse("rate(5 minutes)") == recurrence.parse_rule("rate(5 minutes)") == Rate(300)
    assert recurrence.parse_rule("rate(1 day)") == Rate(86_400)
    assert isinstance(recurrence.parse_rule("cron(0 8 1 * ? *)"), Cron)
    assert recurrence.parse("at(2026-11-20T13:00:05)") == At(datetime(2026, 11, 20, 13, 0, 5))  # noqa: DTZ001


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "/etc/passwd", "Europe"])
def test_a_time_zone_is_one_of_the_iana_database(name: str) -> None:
    with pytest.raises(UnknownZoneError):
        recurrence.zone(name)


def test_a_local_time_that_does_not_exist_is_left_out() -> None:
    daily = cron_in("30 2 * * ? *", "America/New_York")  # on 8 March 2026, 2:00 becomes 3:00
    assert runs(daily, at("2026-03-07T00:00", "America/New_York"), 3, "America/New_York") == [
        "2026-03-07T02:30-05:00",
        "2026-03-09T02:30-04:00",
        "2026-03-10T02:30-04:00",
    ]


def test_a_local_time_that_comes_twice_counts_once() -> None:
    daily = cron_in("30 1 * * ? *", "America/New_York")  # on 1 November 2026, 2:00 becomes 1:00
    assert runs(daily, at("2026-10-31T12:00", "America/New_York"), 2, "America/New_York") == [
        "2026-11-01T01:30-04:00",
        "2026-11-02T01:30-05:00",
    ]


def test_between_the_two_passes_of_an_hour_nothing_runs_again() -> None:
    often = cron_in("0/20 * * * ? *", "America/New_York")
    second_pass = at("2026-11-01T01:10", "America/New_York", fold=1)
    assert runs(often, second_pass, 1, "America/New_York") == ["2026-11-01T02:00-05:00"]


def test_a_rate_of_days_is_a_duration_whatever_the_clock_does() -> None:
    anchor = at("2026-03-07T12:00", "America/New_York")
    daily = Recurrence(Rate(86_400), ZoneInfo("America/New_York"), anchor)
    assert runs(daily, anchor, 2, "America/New_York") == ["2026-03-08T13:00-04:00", "2026-03-09T13:00-04:00"]


def test_a_rate_first_runs_at_its_anchor() -> None:
    every = Recurrence(Rate(60), UTC_ZONE, 1000.5)
    assert recurrence.next_after(every, 3.0) == 1000.5
    assert recurrence.next_after(every, 1000.5) == 1060.5
    assert recurrence.next_after(every, 1060.4) == 1060.5


def test_a_date_in_a_gap_runs_as_much_later_as_the_clock_was_moved() -> None:
    once = Recurrence(recurrence.parse("at(2026-03-08T02:30:00)"), ZoneInfo("America/New_York"), 0.0)
    assert runs(once, 0.0, 1, "America/New_York") == ["2026-03-08T03:30-04:00"]


def test_a_date_runs_once_and_ignores_start_and_end() -> None:
    once = Recurrence(recurrence.parse("at(2026-03-08T12:30:00)"), UTC_ZONE, 0.0, start=at("2027-01-01"), end=1.0)
    moment = recurrence.next_after(once, 0.0)
    assert shown(moment) == "2026-03-08T12:30+00:00"
    assert moment is not None
    assert recurrence.next_after(once, moment) is None


def test_start_and_end_themselves_are_moments_that_may_run() -> None:
    daily = cron_in("0 12 * * ? *", start=at("2026-05-05T12:00"), end=at("2026-05-06T12:00"))
    assert runs(daily, 0.0, 3) == ["2026-05-05T12:00+00:00", "2026-05-06T12:00+00:00", None]


# What the reference and the real thing both are asked; small fields make both passes of a repeated hour likely.
def _fields(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.lists(number, min_size=1, max_size=4).map(lambda values: ",".join(map(str, values))),
        st.tuples(number, st.integers(1, 20)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
        st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}"),
    )


DAYS = st.one_of(
    st.tuples(
        st.one_of(_fields(1, 31), st.just("L"), st.just("LW"), st.integers(1, 31).map(lambda n: f"{n}W")), st.just("?")
    ),
    st.tuples(
        st.just("?"),
        st.one_of(
            _fields(1, 7),
            st.integers(1, 7).map(lambda n: f"{n}L"),
            st.tuples(st.integers(1, 7), st.integers(1, 5)).map(lambda pair: f"{pair[0]}#{pair[1]}"),
        ),
    ),
)


def _matches(field: str, value: int, low: int, high: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        bounds = (low, high) if span == "*" else (int(first), int(last) if dash else (high if step else int(first)))
        if bounds[0] <= value <= bounds[1] and (value - bounds[0]) % int(step or 1) == 0:
            return True
    return False


def _is_day(day: str, weekday: str, local: datetime) -> bool:
    """The rules of days, each as plainly as it can be said."""
    same_month = [local + timedelta(days=n) for n in range(-31, 32) if (local + timedelta(days=n)).month == local.month]
    same_month = [other for other in same_month if other.year == local.year]
    working = [other for other in same_month if other.isoweekday() <= 5]
    if day == "L":
        return local.day == same_month[-1].day
    if day == "LW":
        return local.day == working[-1].day
    if day.endswith("W"):
        wanted = int(day[:-1])
        if wanted > same_month[-1].day:
            return False
        nearest = min(working, key=lambda other: (abs(other.day - wanted), other.day))
        return local.day == nearest.day
    mine = local.isoweekday() % 7 + 1
    if weekday.endswith("L"):
        return mine == int(weekday[:-1]) and local.day + 7 > same_month[-1].day
    if "#" in weekday:
        return mine == int(weekday[0]) and (local.day - 1) // 7 + 1 == int(weekday[2])
    return _matches(day, local.day, 1, 31) if weekday == "?" else _matches(weekday, mine, 1, 7)


def _reference(text: str, zone: ZoneInfo, after: float, minutes: int) -> float | None:
    """Look at every minute of real time, and at the clock on the wall in each."""
    minute, hour, day, month, weekday, _ = text.split()
    moment = (int(after) // 60 + 1) * 60
    for step in range(minutes):
        local = datetime.fromtimestamp(moment + 60 * step, zone)
        if local.fold:  # the second pass of what the clock shows twice
            continue
        if not (_matches(minute, local.minute, 0, 59) and _matches(hour, local.hour, 0, 23)):
            continue
        if _matches(month, local.month, 1, 12) and _is_day(day, weekday, local.replace(tzinfo=None)):
            return moment + 60.0 * step
    return None


# Around both transitions of the zones above.
NEAR = st.sampled_from(
    [
        at("2026-03-08T00:00"),
        at("2026-03-29T00:00"),
        at("2026-10-25T00:00"),
        at("2026-11-01T00:00"),
        at("2026-04-05T00:00"),
        at("2027-02-28T00:00"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    minute=_fields(0, 59),
    hour=_fields(0, 23),
    days=DAYS,
    month=_fields(1, 12),
    zone=st.sampled_from(ZONES),
    near=NEAR,
    offset=st.integers(-86_400, 2 * 86_400),
)
def test_the_next_run_is_the_first_matching_minute_of_real_time(
    minute: str, hour: str, days: tuple[str, str], month: str, zone: str, near: float, offset: int
) -> None:
    text = f"{minute} {hour} {days[0]} {month} {days[1]} *"
    after, minutes = near + offset, 3 * 24 * 60
    found = recurrence.next_after(cron_in(text, zone), after)
    expected = _reference(text, ZoneInfo(zone), after, minutes)
    if expected is None:
        assert found is None or found > after + 60 * (minutes - 1)
    else:
        assert shown(found) == shown(expected)


@settings(max_examples=60, deadline=None)
@given(
    text=st.sampled_from(["0/7 * * * ? *", "30 1,2 * * ? *", "0 0 ? * 2#1 *", "0 0 29 2 ? *", "15 3 L * ? *"]),
    zone=st.sampled_from(ZONES),
    known_count=st.integers(1, 3),
    later=st.integers(0, 3 * 365 * 86_400),
)
def test_the_latest_run_has_none_between_itself_and_now(text: str, zone: str, known_count: int, later: int) -> None:
    wanted = cron_in(text, zone)
    known = at("2026-01-01")
    for _ in range(known_count):
        known = recurrence.next_after(wanted, known) or known
    now = known + later
    found = recurrence.latest(wanted, known, now)
    assert known <= found <= now
    following = recurrence.next_after(wanted, found)
    assert following is None or following > now
    assert found == known or recurrence.next_after(wanted, found - 1) == found


@given(st.integers(1, 10**6).map(lambda n: n * 60), st.floats(0, 2e9), st.floats(0, 4e9))
def test_a_rate_is_never_early_and_never_leaves_one_out(interval: int, anchor: float, moment: float) -> None:
    every = Recurrence(Rate(interval), UTC_ZONE, anchor)
    found = recurrence.next_after(every, moment)
    assert found is not None
    assert found > moment
    assert found == anchor or found - moment <= interval * (1 + 1e-9)


@given(st.text(), st.integers(1, 1440))
def test_a_flexible_schedule_runs_at_one_moment_within_its_window(key: str, minutes: int) -> None:
    offset = recurrence.offset_s(key, minutes * 60)
    assert 0 <= offset < minutes * 60
    assert offset == recurrence.offset_s(key, minutes * 60)


def test_schedules_spread_over_their_window() -> None:
    offsets = sorted(recurrence.offset_s(f"schedule-{n}", 900) for n in range(1000))
    assert max(later - earlier for earlier, later in pairwise(offsets)) < 30


def test_a_moment_is_compared_in_utc() -> None:
    assert datetime.fromtimestamp(at("2026-01-01"), UTC).hour == 0
