"""Timestamps in their three forms."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.wire import timestamps

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001 - naive as hypothesis wants it
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(TIMES)
def test_iso_and_unix_times_keep_their_microseconds(moment: datetime) -> None:
    assert timestamps.parse(timestamps.to_iso(moment)) == moment
    assert abs(timestamps.from_unix(timestamps.to_unix(moment)) - moment) < timedelta(microseconds=2)


@given(TIMES)
def test_http_dates_keep_their_seconds(moment: datetime) -> None:
    assert timestamps.parse(timestamps.to_http(moment)) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.000Z",
        "2026-01-31T13:00:00+01:00",
        "2026-01-31T12:00:00",
        "20260131T120000Z",
        "Sat, 31 Jan 2026 12:00:00 GMT",
        "1769860800",
        "1769860800.0",
        "1.7698608E9",
        " 1769860800 ",
    ],
)
def test_all_forms_are_taken(text: str) -> None:
    assert timestamps.parse(text) == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "never", "2026-13-01T00:00:00Z", "inf", "nan", "1e300", "9" * 100, "Sat, 99 Foo"])
def test_what_is_no_time_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - there are many reasons
        timestamps.parse(text)


def test_other_zones_are_written_in_utc() -> None:
    moment = datetime(2026, 1, 31, 13, 0, 0, 5000, tzinfo=timezone(timedelta(hours=1)))
    assert timestamps.to_iso(moment) == "2026-01-31T12:00:00.005Z"
    assert timestamps.to_iso_millis(moment.replace(microsecond=0)) == "2026-01-31T12:00:00.000Z"
    assert timestamps.to_http(moment) == "Sat, 31 Jan 2026 12:00:00 GMT"
