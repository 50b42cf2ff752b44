"""What becomes of a tick whose time has come, and which follows it. Pure.

The rule for missed ticks, of rules and of schedules alike: whatever was due while the platform was down, or too busy,
runs at most once, late, for the last of the moments that were missed. Those before it are left out, never made up for
in a burst. Nothing runs for a moment that is longer ago than the schedule's patience (Scheduler: the largest age of an
event, a day unless the schedule says less); the next one is then waited for.
"""

from dataclasses import dataclass

from mayfly.policy import recurrence
from mayfly.policy.recurrence import Recurrence


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do now."""

    run: float | None  # the moment to run for; None: all that was missed is too long ago
    following: float | None  # the next moment; None: there is none any more
    left_out: bool  # moments passed that nothing runs for


def judge(wanted: Recurrence, at: float, now: float, delay_s: float, patience_s: float) -> Verdict:
    """The verdict on the tick for the moment `at`, which is due: `at` + `delay_s` ≤ `now`.

    `delay_s` is how much later than its moments the schedule runs (its place in the flexible window).
    """
    # Clocks are set back, too: what was due stays due.
    passed = max(at, now - delay_s)
    last = recurrence.latest(wanted, at, passed)
    following = recurrence.next_after(wanted, passed)
    in_time = now - (last + delay_s) <= patience_s
    return Verdict(last if in_time else None, following, left_out=last != at or not in_time)
