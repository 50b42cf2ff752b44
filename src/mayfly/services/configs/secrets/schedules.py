"""When a secret is rotated next, by what RotateSecret says of it. Pure."""

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from mayfly.policy import recurrence
from mayfly.policy.recurrence import InvalidExpressionError, Rate, Recurrence
from mayfly.services.configs.secrets import faults
from mayfly.services.configs.secrets.model import DAY_S, Rotation

_DURATION = re.compile(r"[0-9]{1,2}h")
_LEAST_S, _MOST_S = 4 * 3600, 999 * DAY_S
_UTC = ZoneInfo("UTC")


def check(rules: Mapping[str, Any]) -> None:
    """`ServiceError` unless they can be kept."""
    if "AutomaticallyAfterDays" in rules and "ScheduleExpression" in rules:
        raise faults.invalid_parameter(
            "You can't specify both AutomaticallyAfterDays and ScheduleExpression in the RotationRules."
        )
    days = rules.get("AutomaticallyAfterDays", 1)
    if not 1 <= days <= 1000:
        raise faults.invalid_parameter("RotationRules.AutomaticallyAfterDays must be within 1-1000.")
    if (duration := rules.get("Duration")) is not None and (
        not _DURATION.fullmatch(duration) or not 1 <= int(duration[:-1]) <= 24
    ):
        raise faults.invalid_parameter("RotationRules.Duration is a number of hours from 1 to 24, as 3h.")
    if (expression := rules.get("ScheduleExpression")) is not None:
        _check_expression(expression)


def next_at(rotation: Rotation, after: float) -> float | None:
    """The next time; None where nothing says one."""
    if rotation.schedule is not None:
        parsed = recurrence.parse(rotation.schedule)
        if isinstance(parsed, Rate):
            return after + parsed.interval_s
        return recurrence.next_after(Recurrence(parsed, _UTC, after), after)
    return after + rotation.after_days * DAY_S if rotation.after_days is not None else None


def _check_expression(expression: str) -> None:
    try:
        parsed = recurrence.parse(expression)
    except InvalidExpressionError as error:
        raise faults.invalid_parameter(f"The ScheduleExpression is not valid: {error}.") from None
    if not expression.startswith(("rate(", "cron(")):
        raise faults.invalid_parameter("The ScheduleExpression is rate(…) or cron(…).")
    if isinstance(parsed, Rate) and not _LEAST_S <= parsed.interval_s <= _MOST_S:
        raise faults.invalid_parameter("A secret can be rotated at most every 4 hours and has to be every 999 days.")
