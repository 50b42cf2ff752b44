"""The periods of quotas."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.apis.rest.model import Quota
from mayfly.services.apis.rest.serving.metered import period

moments = st.integers(1_577_836_800, 2_051_222_400).map(lambda at: datetime.fromtimestamp(at, UTC))
quotas = (
    st.just(Quota(limit=1, period="DAY"))
    | st.builds(lambda offset: Quota(limit=1, period="WEEK", offset=offset), st.integers(0, 6))
    | st.builds(lambda offset: Quota(limit=1, period="MONTH", offset=offset), st.integers(0, 27))
)


@given(quotas, moments)
def test_a_moment_is_in_its_period_and_the_day_after_begins_the_next(quota: Quota, now: datetime) -> None:
    first, last = (date.fromisoformat(one) for one in period(quota, now))
    assert first <= now.date() <= last
    after = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    assert date.fromisoformat(period(quota, after)[0]) == after.date()
    assert period(quota, datetime(first.year, first.month, first.day, tzinfo=UTC)) == (f"{first}", f"{last}")


def test_weeks_begin_on_sunday_and_months_on_the_first_or_so_many_days_later() -> None:
    thursday = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert period(Quota(limit=1, period="WEEK"), thursday) == ("2025-12-28", "2026-01-03")
    assert period(Quota(limit=1, period="WEEK", offset=1), thursday) == ("2025-12-29", "2026-01-04")
    assert period(Quota(limit=1, period="MONTH"), thursday) == ("2026-01-01", "2026-01-31")
    assert period(Quota(limit=1, period="MONTH", offset=3), thursday) == ("2025-12-04", "2026-01-03")
