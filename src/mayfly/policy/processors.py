"""How much of the machine's processors an instance may use.

AWS gives a processor at 1,769 MB, and in proportion to memory above and below; during init, small functions have more
than that. So it is here: a part of a processor for code that computes, however many instances compute at once, which
is what keeps the neighbours of hostile or merely busy functions fast; a whole one while an instance starts. And a whole
one where calls are short: what takes a millisecond does not keep anybody waiting, and a function that answers 3,000
times a second should not stand still nine tenths of the time because it has little memory. Pure.
"""

from mayfly.policy.queueing import Pace

MB_PER_CPU = 1769
MOST_CPUS = 6.0
AT_START = 1.0  # at least, while it starts
SHORT_CALLS = 8  # in a row, and an instance has what it had at its start


def share(memory_mb: int, memory_gib_per_cpu: float | None = None, least: float = 0.0) -> float:
    """The processors that go with an amount of memory: `least` at least, six at most."""
    mb_per_cpu = MB_PER_CPU if memory_gib_per_cpu is None else memory_gib_per_cpu * 1024
    return min(max(memory_mb / mb_per_cpu, least), MOST_CPUS)


def at_start(own: float) -> float:
    """What an instance whose share is `own` may use until it is ready."""
    return max(own, AT_START)


def allowed(own: float, pace: Pace) -> float:
    """What it may use from then on, given how long the latest calls took."""
    return at_start(own) if pace.short >= SHORT_CALLS else own


def allowed_lent(own: float, pace: Pace) -> float:
    """The same for one that is lent, whose calls are not seen for a while: the last call that was seen decides."""
    return at_start(own) if pace.short else own
