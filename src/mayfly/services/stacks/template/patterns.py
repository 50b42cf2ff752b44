"""`AllowedPattern` of parameters, matched by `services.patterns`: only for templates that have any."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.patterns import TIME_LIMIT_S, verdicts
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template.parameters import Value, unmet


async def check_patterns(
    declared: Mapping[str, Mapping[str, Any]], bound: Mapping[str, Value], time_limit_s: float = TIME_LIMIT_S
) -> None:
    """`ServiceError` ValidationError for a value that does not match its parameter's pattern."""
    names = [name for name, item in declared.items() if item.get("AllowedPattern") is not None]
    if not names:
        return
    work = [(str(declared[name]["AllowedPattern"]), _values(bound[name])) for name in names]
    try:
        found = await verdicts(work, time_limit_s)
    except TimeoutError:
        raise validation(
            f"Template error: AllowedPattern of one of [{', '.join(names)}] takes too long to match"
        ) from None
    for name, verdict in zip(names, found, strict=True):
        if verdict:
            raise validation(f"Template error: AllowedPattern of parameter {name} {verdict}")
        if verdict is not None:
            raise unmet(name, declared[name], f"must match pattern {declared[name]['AllowedPattern']}")


def _values(value: Value) -> list[str]:
    return value if isinstance(value, list) else [value]
