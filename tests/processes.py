"""Finding processes on the machine, for tests that look at one, or end it."""

import contextlib
import os
from pathlib import Path


def oldest_named(name: str) -> int:
    """The process that has been called so for longest: forks have the name of their parent until they have their own,
    and their numbers are no order, because numbers are used again."""
    found: list[tuple[int, int]] = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            before, _, after = Path(f"/proc/{entry}/stat").read_text().rpartition(")")
            if before.partition("(")[2] == name:
                found.append((int(after.split()[19]), int(entry)))
    if not found:
        raise LookupError(name)
    return min(found)[1]


def status_of(pid: int) -> dict[str, str]:
    """What /proc says of a process. OSError when it is gone."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
