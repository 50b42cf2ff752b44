"""Which lines of a function's own are kept where it logs JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.functions.logs.levels import kept

AT = {"timestamp": "2026-02-01T16:51:31.587199Z"}
LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("least", LEVELS)
def test_a_record_is_kept_from_the_level_that_is_wanted_upwards(level: str, least: str) -> None:
    expected = LEVELS.index(level) >= LEVELS.index(least)
    assert kept(json.dumps({**AT, "level": level}), least) is expected
    assert kept(json.dumps({**AT, "level": level.lower()}), least) is expected


def test_the_names_of_pythons_levels_count_too() -> None:
    assert not kept(json.dumps({**AT, "level": "WARNING"}), "ERROR")
    assert kept(json.dumps({**AT, "level": "CRITICAL"}), "FATAL")


@pytest.mark.parametrize(
    "record",
    [
        {"level": "ERROR"},  # no time
        {"level": "ERROR", "timestamp": "yesterday"},
        {"level": "ERROR", "timestamp": 1_700_000_000},
        {**AT},
        {**AT, "level": "loud"},
        {**AT, "level": 50},
    ],
)
def test_a_record_without_a_time_or_a_known_level_counts_as_info(record: dict[str, object]) -> None:
    assert kept(json.dumps(record), "INFO")
    assert not kept(json.dumps(record), "WARN")


def test_metrics_in_the_embedded_format_are_kept_at_every_level() -> None:
    assert kept(json.dumps({"_aws": {"Timestamp": 1, "CloudWatchMetrics": []}, "Latency": 3}), "FATAL")


@given(st.text())
def test_what_is_no_object_has_no_level_and_is_kept(line: str) -> None:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        assert kept(line, "FATAL")


def test_what_cannot_be_read_is_kept() -> None:
    assert kept("{" * 100_000, "FATAL")
    assert kept('{"level": "debug"', "FATAL")
