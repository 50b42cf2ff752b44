"""`AllowedPattern` of parameters, matched where a pattern that never ends does no harm: in a process of its own.

A regular expression of a few characters can keep a matcher busy for years, and the pattern comes from whoever may
create a stack. The child gets all patterns of a template at once and a few seconds of time; it is started only for
templates that have any.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template.parameters import Value

TIME_LIMIT_S = 3.0
# Answers, for each [pattern, values], null or the reason why one of them does not match.
_MATCHER = """
import json, re, sys
def verdict(pattern, values):
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return "is not a pattern: %s" % error
    return None if all(map(compiled.fullmatch, values)) else ""
json.dump([verdict(*item) for item in json.load(sys.stdin)], sys.stdout)
"""


async def check_patterns(
    declared: Mapping[str, Mapping[str, Any]], bound: Mapping[str, Value], time_limit_s: float = TIME_LIMIT_S
) -> None:
    """`ServiceError` ValidationError for a value that does not match its parameter's pattern."""
    names = [name for name, item in declared.items() if item.get("AllowedPattern") is not None]
    if not names:
        return
    work = [[str(declared[name]["AllowedPattern"]), _values(bound[name])] for name in names]
    try:
        verdicts = await asyncio.wait_for(_matched(work), time_limit_s)
    except TimeoutError:
        raise validation(
            f"Template error: AllowedPattern of one of [{', '.join(names)}] takes too long to match"
        ) from None
    for name, verdict in zip(names, verdicts, strict=True):
        if verdict:
            raise validation(f"Template error: AllowedPattern of parameter {name} {verdict}")
        if verdict is not None:
            because = declared[name].get("ConstraintDescription")
            reason = because or f"must match pattern {declared[name]['AllowedPattern']}"
            raise validation(f"Parameter '{name}' {reason}")


def _values(value: Value) -> list[str]:
    return value if isinstance(value, list) else [value]


async def _matched(work: list[Any]) -> list[str | None]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", _MATCHER,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        output, _ = await child.communicate(json.dumps(work).encode())
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    verdicts: list[str | None] = json.loads(output)
    return verdicts
