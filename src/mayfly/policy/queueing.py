"""Whether a call is sent to an instance that runs one, to wait there, although it could have another instance.

A call that waits in an instance's socket is begun without a turn of the server in between, and wakes nobody: where
handlers take some microseconds, that is most of what a call costs. But it waits behind whatever is before it. So it is
done only where what was observed bounds the wait: the last calls of a function were all short, and so the few that
wait at one instance are done before another instance would have begun. One call that is not short ends that until
`Pace.wanted` in a row are. Each that was long enough to hurt those behind it raises that number fourfold, or else a
function of which one call in a hundred takes a second would have several in a hundred wait for one. Pure;
`engine.pool` keeps the `Pace`.
"""

from typing import NamedTuple

ENOUGH = 64  # calls in a row that were short, at first
MOST_WANTED = 1 << 20
FORGOTTEN = 16  # times as many short calls as are wanted halve that number
SHORT_US = 2000.0  # more than a processor that others want, too, adds to a call of no length
LONG_US = 10_000.0
BESIDE_IDLE_US = 100.0  # about what it takes to wake another process that is idle
BEFORE_START_US = 1000.0  # a part of what it takes to start another instance
MOST = 8  # calls at one instance, the one that runs included
STUCK_S = 0.01  # nobody is sent to wait behind a call that was sent so long ago
_WEIGHT = 0.05  # of the latest call in what is typical


class Pace(NamedTuple):
    """How long the latest calls of one target took."""

    short: int = 0  # calls in a row that took `SHORT_US` at most
    typical_us: float = 0.0
    wanted: int = ENOUGH  # so many, before any waits behind another


UNKNOWN = Pace()


def noted(pace: Pace, took_us: float) -> Pace:
    """With one more call, as its runtime measured it."""
    short, typical_us, wanted = pace
    if took_us > SHORT_US:
        return Pace(0, 0.0, min(wanted * 4, MOST_WANTED) if took_us > LONG_US else wanted)
    if short == 0:
        return Pace(1, took_us, wanted)
    if short >= wanted * FORGOTTEN and wanted > ENOUGH:
        return Pace(wanted // 2, typical_us, wanted // 2)
    return Pace(short + 1, typical_us + (took_us - typical_us) * _WEIGHT, wanted)


def goes_ahead(pace: Pace, queued: int, since_s: float, *, idle: bool) -> bool:
    """Whether a call waits at an instance with `queued` calls, the first of which was sent `since_s` ago.

    `idle`: there is an instance that could run it at once; else it would wait for one to start.
    """
    if pace.short < pace.wanted or queued >= MOST or since_s > STUCK_S:
        return False
    return queued * pace.typical_us <= (BESIDE_IDLE_US if idle else BEFORE_START_US)
