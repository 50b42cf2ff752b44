"""One unit's calls through one rule, in virtual time.

As in the paper, a unit has one instance, a call takes no time, and the first call of a trace is cold. What an instance
would still be held for after the trace's end is not counted.
"""

from typing import NamedTuple, TypeVar

from mayfly.policy.windows import Decision, Rule, Subject, idle_cost_s, warm
from mayfly.simulator.trace import MINUTE_S, Unit

State = TypeVar("State")


class Tally(NamedTuple):
    """What became of a unit's calls."""

    calls: int
    cold: int  # calls that found no instance
    idle_s: float  # seconds for which an instance was held without a call
    prewarms: int  # instances made ahead of a call that may or may not have come


def replay(rule: Rule[State], unit: Unit, end_s: float) -> Tally:
    """Every call of `unit` up to `end_s`, through `rule`."""
    run = _Run(rule, Subject(memory_mb=unit.memory_mb))
    last_s: float | None = None
    for stretch in unit.stretches:
        if last_s is not None:
            run.call(stretch.start * MINUTE_S - last_s)
        run.calls_each(stretch.step_s, stretch.calls - 1)
        last_s = stretch.last_s
    if last_s is not None:
        run.wait(end_s - last_s)
    return Tally(unit.calls, run.cold, run.idle_s, run.prewarms)


class _Run:
    """The rule's state and the sums on the way. Made at a unit's first call, which is cold."""

    def __init__(self, rule: Rule[State], subject: Subject) -> None:
        self._rule: Rule[State] = rule
        self._state = rule.start(subject)
        self._decision = rule.decide(self._state)
        self.cold = 1
        self.idle_s = 0.0
        self.prewarms = 0

    def wait(self, idle_s: float) -> None:
        """Nobody calls for `idle_s`."""
        decision = self._decision
        self.idle_s += idle_cost_s(decision, idle_s)
        self.prewarms += _prewarmed(decision, idle_s)

    def call(self, idle_s: float) -> None:
        """A call after `idle_s` without one."""
        self.wait(idle_s)
        self.cold += not warm(self._decision, idle_s)
        self._learn(idle_s, 1)

    def calls_each(self, idle_s: float, count: int) -> None:
        """`count` calls, each after `idle_s`: one by one, until the rule says that the rest is all the same."""
        while count:
            if self._rule.steady(self._state, idle_s):
                self.idle_s += idle_s * count
                self._learn(idle_s, count)
                return
            before = self._state
            self.call(idle_s)
            count -= 1
            if self._state is before:  # nothing learnt: whatever became of this call becomes of the others
                self.cold += count * (not warm(self._decision, idle_s))
                self.idle_s += count * idle_cost_s(self._decision, idle_s)
                self.prewarms += count * _prewarmed(self._decision, idle_s)
                return

    def _learn(self, idle_s: float, count: int) -> None:
        state = self._rule.observe(self._state, idle_s, count)
        if state is not self._state:
            self._state = state
            self._decision = self._rule.decide(state)


def _prewarmed(decision: Decision, idle_s: float) -> bool:
    """Whether an instance was made for the second window."""
    return decision.linger_s < decision.prewarm_after_s <= idle_s and decision.keep_alive_s > 0


def clairvoyant(unit: Unit, longest_s: float) -> Tally:
    """What one who knows the next call but cannot prewarm would do: hold an instance only for calls that come in time.

    Held are exactly the idle times up to `longest_s`. For the memory that this takes, no keep-alive without prewarming
    has fewer cold starts in total.
    """
    cold, idle_s = 1, 0.0
    last_s: float | None = None
    for stretch in unit.stretches:
        gaps = [(stretch.step_s, stretch.calls - 1)]
        if last_s is not None:
            gaps.append((stretch.start * MINUTE_S - last_s, 1))
        for gap_s, count in gaps:
            if gap_s <= longest_s:
                idle_s += gap_s * count
            else:
                cold += count
        last_s = stretch.last_s
    return Tally(unit.calls, cold, idle_s, 0)
