"""Regular expressions of users, matched where one that never ends does no harm: in a process of its own.

A pattern of a few characters can keep a matcher busy for years, and it comes from whoever may put a parameter or create
a stack. The child gets all patterns of a request at once and a few seconds of time.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

TIME_LIMIT_S = 3.0
# Answers, for each [pattern, values], null or the reason why one of them does not match.
_MATCHER = Path(__file__).with_name("pattern_matcher.py")


async def verdicts(work: Sequence[tuple[str, Sequence[str]]], time_limit_s: float = TIME_LIMIT_S) -> list[str | None]:
    """For each pattern with the texts that all of it has to match: None if it does, "" if not, else what is wrong with
    the pattern. `TimeoutError` when that takes too long."""
    return await asyncio.wait_for(_matched(work), time_limit_s)


async def _matched(work: Sequence[tuple[str, Sequence[str]]]) -> list[str | None]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(_MATCHER),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        output, _ = await child.communicate(json.dumps(work).encode())
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    found: list[str | None] = json.loads(output)
    return found
