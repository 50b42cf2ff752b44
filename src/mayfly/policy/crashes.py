"""How soon another instance is made of code that ends its instances.

A function that exits, is killed, fills its memory, cannot be loaded or breaks the protocol with every call costs the
machine a start and a burial a call: 10 ms of a processor, and 130 where 128 MB are filled first, ten times what its
calls would cost. Whoever calls it again and again takes that from all others. So after `FREE` instances in a row that
ended so, the next one is made after a pause, which doubles with each; a call that was answered ends the streak. The
calls wait, and are then run like any: none is refused, and none gets the error of another.

Time-outs do not count: they take as long as the function's owner has allowed, and what a function waits for may be slow
for a reason that is not its own. `raised` does not either: the instance lives on.
"""

from typing import NamedTuple

FREE = 3
FIRST_S = 0.1
MOST_S = 1.0
# However many others keep crashing: no call waits longer than this.
PATIENCE_S = 2.0
COUNTED = frozenset(("exited", "out-of-memory", "protocol", "init-raised", "restore-raised"))


class Streak(NamedTuple):
    """Instances of one target that ended with a call, one after another."""

    ended: int = 0
    last: str = ""  # the instance that did so last: calls that it ran together count once
    last_at: float = 0.0


NONE = Streak()


def noted(streak: Streak, instance: str, failure: str | None, now: float) -> Streak:
    """After a call on `instance` ended, with a result if `failure` is None."""
    if failure in COUNTED:
        return streak if instance == streak.last else Streak(streak.ended + 1, instance, now)
    return NONE if failure is None or failure == "raised" else streak


def pause_s(ended: int) -> float:
    """How long after the last of so many the next instance is made: 0, 0, 0, 0.1, 0.2, 0.4, 0.8, 1 seconds."""
    beyond = ended - FREE
    return min(MOST_S, FIRST_S * 2.0 ** min(beyond - 1, 10)) if beyond > 0 else 0.0


def left_s(streak: Streak, waited_s: float, now: float) -> float:
    """How long a call that has waited for `waited_s` still waits before an instance is made for it."""
    return max(0.0, min(streak.last_at + pause_s(streak.ended) - now, PATIENCE_S - waited_s))
