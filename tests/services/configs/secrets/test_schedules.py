"""When a secret is rotated next."""

from typing import Any

import pytest

from mayfly.services.configs.secrets import schedules
from mayfly.services.configs.secrets.model import Rotation
from mayfly.services.contract import ServiceError

DAY_S = 86_400.0


def test_days_and_rates_count_from_the_last_rotation_and_a_cron_expression_from_the_clock() -> None:
    assert schedules.next_at(Rotation("f", after_days=2), 100.0) == 100.0 + 2 * DAY_S
    assert schedules.next_at(Rotation("f", schedule="rate(4 hours)"), 100.0) == 100.0 + 4 * 3600
    assert schedules.next_at(Rotation("f", schedule="cron(0 2 * * ? *)"), 100.0) == 2 * 3600.0
    assert schedules.next_at(Rotation("f"), 100.0) is None


@pytest.mark.parametrize(
    "rules",
    [
        {"AutomaticallyAfterDays": 3, "ScheduleExpression": "rate(3 days)"},
        {"AutomaticallyAfterDays": 1001},
        {"ScheduleExpression": "rate(1 hour)"},
        {"ScheduleExpression": "at(2030-01-01T00:00:00)"},
        {"ScheduleExpression": "cron(* * *)"},
        {"AutomaticallyAfterDays": 3, "Duration": "25h"},
        {"AutomaticallyAfterDays": 3, "Duration": "3m"},
    ],
)
def test_rules_that_cannot_be_kept_are_refused(rules: dict[str, Any]) -> None:
    with pytest.raises(ServiceError, match="InvalidParameterException"):
        schedules.check(rules)
