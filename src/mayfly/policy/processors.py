"""How much of the machine's processors an instance may use.

AWS gives a processor at 1,769 MB, and in proportion to memory above and below; during init, small functions have more
than that. So it is here: a part of a processor for code that computes, however many instances compute at once, which
is what keeps the neighbours of hostile or merely busy functions fast; a whole one while an instance starts. And a whole
one where calls are short: what takes a millisecond does not keep anybody waiting, and a function that answers 3,000
times a second should not stand still nine tenths of the time because it has little memory. Pure.
"""

from typing import NamedTuple

from mayfly.policy.queueing import LONG_US, SHORT_US

MB_PER_CPU = 1769
MOST_CPUS = 6.0
AT_START = 1.0  # at least, while it starts
SHORT_CALLS = 8  # in a row, and an instance has what it had at its start
_WEIGHT = 0.1  # of the latest call in the mean


class Grant(NamedTuple):
    """Whether the instances of one target have what they had at their start, and what that rests on.

    It is lost by one call that is long, or by calls that are not short on average: on a busy machine a call of no
    length takes some milliseconds now and then, and an instance that stood still for that would take longer still.
    """

    whole: bool = False
    short: int = 0  # calls in a row that took `SHORT_US` at most
    mean_us: float = 0.0  # of the calls since it was given


NONE = Grant()


def share(memory_mb: int, memory_gib_per_cpu: float | None = None, least: float = 0.0) -> float:
    """The processors that go with an amount of memory: `least` at least, six at most."""
    mb_per_cpu = MB_PER_CPU if memory_gib_per_cpu is None else memory_gib_per_cpu * 1024
    return min(max(memory_mb / mb_per_cpu, least), MOST_CPUS)


def at_start(own: float) -> float:
    """What an instance whose share is `own` may use until it is ready."""
    return max(own, AT_START)


def noted(grant: Grant, took_us: float) -> Grant:
    """With one more call, as its runtime measured it; infinite for one that its instance did not survive."""
    short = grant.short + 1 if took_us <= SHORT_US else 0
    if not grant.whole:
        return Grant(short >= SHORT_CALLS, short, took_us)
    mean_us = grant.mean_us + (min(took_us, 2 * LONG_US) - grant.mean_us) * _WEIGHT
    return Grant(took_us <= LONG_US and mean_us <= SHORT_US, short, mean_us)


def allowed(own: float, grant: Grant) -> float:
    """What it may use once it is ready."""
    return at_start(own) if grant.whole else own


def allowed_lent(own: float, grant: Grant) -> float:
    """The same for one that is lent, whose calls are not seen for a while: one short call is enough."""
    return at_start(own) if grant.whole or grant.short else own
