"""When a process that runs calls on leased instances asks for a lease, and how long it keeps one.

A lease costs more than a call that the core runs for the asker, and less than two: it is worth asking for where calls
follow one another before it would go back.

A call that finds all leases busy may wait for one of them, or for another that the core lends. Asking costs the core
about as much as running the call does, and it may have to call the lease back from somebody else; so it is asked at
once only where an instance is likely to be needed for longer than a call takes.
"""

import math

# A lease that nobody uses for so long goes back.
IDLE_S = 0.1
# One that is in use without end goes back after this long, so that its instance may be given to others, or give way;
# sooner while others wait for memory. Renewing one costs the core some 0.5 ms.
TERM_S, PRESSED_TERM_S = 10.0, 1.0
# After the core had none, calls that are shorter than `SHORT_S` on average wait this long before it is asked again.
PAUSE_S = 0.005
SHORT_S = 0.010
_NEW_WEIGHT = 0.1  # of the latest call in the average


def term_s(*, pressed: bool) -> float:
    """How long a lease lasts at most; `pressed`: calls wait for what leases hold."""
    return PRESSED_TERM_S if pressed else TERM_S


def worth_asking(since_s: float) -> bool:
    """Whether a call that finds nothing leased is likely to be followed by another soon: one came `since_s` ago."""
    return since_s <= IDLE_S


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
