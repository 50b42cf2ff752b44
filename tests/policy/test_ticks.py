"""Which tick runs, which is left out, and which follows."""

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy import recurrence
from mayfly.policy.recurrence import Rate, Recurrence
from mayfly.policy.ticks import Verdict, judge

DAY_S = 86_400.0
MINUTELY = Recurrence(Rate(60), ZoneInfo("UTC"), 1000.0)


def test_a_tick_in_time_runs_and_the_next_one_follows() -> None:
    assert judge(MINUTELY, 1060.0, 1060.2, 0.0, DAY_S) == Verdict(1060.0, 1120.0, left_out=False)


def test_of_several_that_were_missed_only_the_last_runs() -> None:
    assert judge(MINUTELY, 1060.0, 1300.0, 0.0, DAY_S) == Verdict(1300.0, 1360.0, left_out=True)


def test_what_is_longer_ago_than_the_patience_does_not_run() -> None:
    weekly = Recurrence(Rate(7 * 86_400), ZoneInfo("UTC"), 1000.0)
    assert judge(weekly, 1000.0, 1000.0 + DAY_S + 1, 0.0, DAY_S) == Verdict(None, 1000.0 + 7 * DAY_S, left_out=True)


def test_a_place_in_the_window_is_no_delay() -> None:
    assert judge(MINUTELY, 1060.0, 1060.0 + 600.0, 600.0, 60.0) == Verdict(1060.0, 1120.0, left_out=False)


def test_a_date_runs_late_once_and_has_no_next() -> None:
    once = Recurrence(recurrence.parse("at(2026-01-01T00:00:00)"), ZoneInfo("UTC"), 0.0)
    moment = recurrence.next_after(once, 0.0)
    assert moment is not None
    assert judge(once, moment, moment + 3600, 0.0, DAY_S) == Verdict(moment, None, left_out=False)
    assert judge(once, moment, moment + DAY_S + 1, 0.0, DAY_S) == Verdict(None, None, left_out=True)


def test_after_the_end_nothing_follows() -> None:
    ending = Recurrence(Rate(60), ZoneInfo("UTC"), 1000.0, end=1120.0)
    assert judge(ending, 1060.0, 5000.0, 0.0, DAY_S) == Verdict(1120.0, None, left_out=True)


@given(
    interval=st.integers(1, 60).map(lambda n: 60 * n),
    delay=st.floats(0, 7200),
    steps=st.lists(st.floats(0, 20_000), min_size=1, max_size=20),
    patience=st.floats(60, DAY_S),
)
def test_no_moment_ever_runs_twice_and_none_runs_early(
    interval: int, delay: float, steps: list[float], patience: float
) -> None:
    wanted = Recurrence(Rate(interval), ZoneInfo("UTC"), 0.0)
    at: float | None = 0.0
    now, ran = 0.0, list[float]()
    for step in steps:
        now += step
        while at is not None and at + delay <= now:
            verdict = judge(wanted, at, now, delay, patience)
            if verdict.run is not None:
                assert verdict.run + delay <= now
                assert now - verdict.run - delay <= patience
                ran.append(verdict.run)
            at = verdict.following
    assert ran == sorted(set(ran))
    assert len(ran) <= len(steps) + 0  # one a look at the clock, however many were missed
