"""Conditional requests: the pure decisions."""

from datetime import UTC, datetime

import pytest

from mayfly.services.contract import ServiceError
from mayfly.services.objects import conditions
from mayfly.services.objects.conditions import Conditions
from mayfly.services.objects.model import Description, StoredObject

STORED = StoredObject("bucket", "key", "v", 5, "abc", 1000, "digest", 0, None, Description())
NOW = 5000.0


def read_outcome(wanted: Conditions) -> int | None:
    try:
        conditions.check_read(wanted, STORED, NOW)
    except ServiceError as error:
        return error.status
    return 200


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        (Conditions(), 200),
        (Conditions(if_match='"abc"'), 200),
        (Conditions(if_match="abc"), 200),
        (Conditions(if_match="*"), 200),
        (Conditions(if_match='"x", "abc"'), 200),
        (Conditions(if_match='"x"'), 412),
        (Conditions(if_none_match='"abc"'), 304),
        (Conditions(if_none_match='W/"abc"'), 304),
        (Conditions(if_none_match='"x"'), 200),
        (Conditions(if_modified_since=999), 200),
        (Conditions(if_modified_since=1000), 304),
        (Conditions(if_modified_since=9999), 200),  # in the future: not a date to compare with
        (Conditions(if_unmodified_since=1000), 200),
        (Conditions(if_unmodified_since=999), 412),
        (Conditions(if_match='"abc"', if_unmodified_since=999), 200),
        (Conditions(if_none_match='"x"', if_modified_since=1000), 200),
        (Conditions(if_none_match='"abc"', if_modified_since=999), 304),
        (Conditions(if_match='"x"', if_none_match='"abc"'), 412),
    ],
)
def test_reads_follow_the_order_of_the_standard(wanted: Conditions, status: int) -> None:
    assert read_outcome(wanted) == status


def test_a_copy_never_answers_not_modified() -> None:
    for wanted in (Conditions(if_none_match='"abc"'), Conditions(if_modified_since=1000)):
        with pytest.raises(ServiceError, match="PreconditionFailed"):
            conditions.check_copy(wanted, STORED, NOW)


def test_dates_are_compared_in_whole_seconds() -> None:
    wanted = Conditions.of({"IfModifiedSince": datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC)})
    assert wanted.if_modified_since == 1000
    assert read_outcome(wanted) == 304
