"""How long an instance stays when nobody calls it.

A policy is one function from what is known of an idle instance to the moment at which it is dropped. A fixed time is
the one here; those that learn from each function's idle times are made by `windows.keep_alive`.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple


class Idle(NamedTuple):
    """One idle instance. Times are monotonic seconds."""

    id: str
    target: str
    idle_since: float
    memory_mb: int
    position: int  # 0: the next one to be used, of those of its target
    arrivals: Sequence[float] = ()  # the target's last calls, oldest first
    expires_at: float = math.inf  # when it is dropped whatever the policy says


KeepAlive = Callable[[Idle], float]  # the moment from which the instance is to be dropped


def fixed(keep_alive_s: float) -> KeepAlive:
    """Keep every instance for `keep_alive_s` (≥ 0) after its last call."""
    if keep_alive_s < 0:
        raise ValueError(f"keep_alive_s must be 0 or more, not {keep_alive_s}")

    def until(instance: Idle) -> float:
        return instance.idle_since + keep_alive_s

    return until


class Sweep(NamedTuple):
    """What to do about idle instances now."""

    drop: list[str]
    next_at: float | None  # when the next one falls due; None when none is left


def sweep(instances: Iterable[Idle], policy: KeepAlive, now: float) -> Sweep:
    """Who is due at `now`, and when to look again."""
    drop: list[str] = []
    next_at: float | None = None
    for instance in instances:
        until = min(policy(instance), instance.expires_at)
        if until <= now:
            drop.append(instance.id)
        elif next_at is None or until < next_at:
            next_at = until
    return Sweep(drop, next_at)
