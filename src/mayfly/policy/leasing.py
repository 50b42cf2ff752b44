"""When a process that runs calls on leased instances asks for another lease.

A call that finds all leases busy may wait for one of them, or for another that the core lends. Asking costs the core
about as much as running the call does, and it may have to call the lease back from somebody else; so it is asked at
once only where an instance is likely to be needed for longer than a call takes.
"""

import math

# After the core had none, calls that are shorter than `SHORT_S` on average wait this long before it is asked again.
PAUSE_S = 0.005
SHORT_S = 0.010
_NEW_WEIGHT = 0.1  # of the latest call in the average


def average_s(before_s: float, took_s: float) -> float:
    """What calls take, after one more; infinity before the first."""
    return took_s if before_s == math.inf else before_s + _NEW_WEIGHT * (took_s - before_s)


def patience_s(*, took_s: float, waiting: int, busy: int, refused_s: float) -> float:
    """For how long the last of `waiting` calls may wait before another lease is asked for.

    `busy` leases run calls, which take `took_s` on average; the core had none `refused_s` ago (infinity: never).
    """
    if took_s > SHORT_S or waiting > busy:
        return 0.0
    return max(0.0, PAUSE_S - refused_s)
