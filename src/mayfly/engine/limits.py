"""How fast instances and calls may become more, and how long calls wait when the machine is short. Values only."""

import os
from dataclasses import dataclass, field

from mayfly.policy.rates import Rate

# AWS Lambda's: 1,000 for each function every ten seconds, refilled continuously, never more than 1,000 at once.
AWS_SCALING = Rate(1000, 100)
# Starts under way at once, for each processor and at least: enough to keep the processors busy while sandboxes are
# made and code is loaded, too few for the starts to take them from calls that run.
STARTS_PER_CPU = 4
LEAST_STARTS = 16


def default_starts(cpu_count: int | None = None) -> int:
    """How many instances may be started at the same time on a machine with so many processors; None: this one."""
    return max(LEAST_STARTS, STARTS_PER_CPU * (cpu_count or os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one engine; the account's concurrency and the memory it is told by themselves."""

    scaling: Rate | None = AWS_SCALING  # starts of one function's instances for calls; None: as fast as they come
    calls_per_concurrency: float | None = None  # calls a second for each unit of a limit on concurrency; None: any
    queue_s: float = 10.0  # how long a call waits for memory; 0: not at all
    queue_calls: int = 512  # how many may do so at the same time
    start_patience_s: float = 60.0  # how long a call waits for its turn to start an instance
    starts_at_once: int = field(default_factory=default_starts)
