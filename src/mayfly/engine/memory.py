"""How much memory instances may use together when nobody said: a part of what the machine, or its container, has.

Called once by the composition root, which hands the result to the engine.
"""

import os
from collections.abc import Iterable
from pathlib import Path

SHARE = 0.8

# The limit of the container that this process lives in, as seen from inside: of v2, and of v1.
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def budget_mb(total_bytes: int, limits: Iterable[str], share: float = SHARE) -> int:
    """`share` of the machine's memory or of the lowest limit, whichever is less, in whole megabytes.

    `limits` are the texts of limit files: a number of bytes, or `max`. v1 says no limit as a number near 2**63.
    """
    least = total_bytes
    for text in limits:
        text = text.strip()
        if text.isdigit():
            least = min(least, int(text))
    return int(least * share) >> 20


def default_budget_mb(share: float = SHARE) -> int:
    """`budget_mb` of this machine, now."""
    total_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return budget_mb(total_bytes, (path.read_text() for path in _LIMITS if path.exists()), share)
