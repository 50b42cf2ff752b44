"""What each target's calls have shown of when the next one comes, and what follows for its instances.

`placement` tells of calls that are accepted and that end, `engine` of instances that fall idle; a `Rule` of
`policy.windows` draws the conclusions. Two follow: until when an idle instance is kept (`until`, which
`keepalive.sweep` asks), and when one is to be made for a call that is expected but has not come (`prewarm`, which the
engine calls when `on_due` said so).

A call that finds others running, or that comes within `settle_s` of the last one, costs a look-up and two additions:
the rule is told of such calls later, by their number. For the same reason a plan to make an instance is not taken back
when a call comes before its time. It is looked at again when it falls due: the target has been idle for shorter than
planned then, and the plan moves.

What was learnt of a target is handed on to the next target of the same function: new code does not change who calls it.
Where a function has a target for each tenant, a new one begins with what the latest one has shown. There may be any
number of tenants, so of those without instances only as many are known as `REMEMBERED` says.
`told` and `recall` carry it over a restart, for whoever stores it (`app/remembering.py`): then it is known from a
function's first call on when the next one is due.
"""

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Generic, NamedTuple

from mayfly.clock import Clock
from mayfly.engine.api import Target
from mayfly.engine.instance import Instance
from mayfly.policy.keepalive import Idle
from mayfly.policy.windows import Decision, Rule, State, Subject, keep_alive

# Starts measure a few milliseconds when a template is there and much more when it is not, and a call that finds no
# instance pays for more than the start. So no start is taken for cheaper than this.
LEAST_START_MS = 100.0
# By how much a start must differ from what was known for the rule to think again.
TOLD_APART = 1.25
# Of how many functions something is remembered after their last target was retired; and of how many tenants, all in
# all, after their last instance has gone.
REMEMBERED = 10_000


class Remembered(NamedTuple, Generic[State]):
    """What is worth knowing of a function after a restart."""

    function: str
    subject: Subject
    state: State
    idle_s: float | None  # for how long nobody had called; None: calls were under way, or there was none yet


@dataclass(slots=True, eq=False)
class _Habit(Generic[State]):
    """One target's."""

    target: Target  # of the latest call: its environment is the freshest
    subject: Subject
    state: State
    running: int = 0  # calls accepted and not ended
    untold: int = 0  # calls that came within `settle_s`, which the rule is told of with the next one that did not
    idle_since: float | None = None  # when the last one ended; None before that
    retired: bool = False
    planned_at: float = math.inf  # when making an instance ahead is looked at
    ahead: str = ""  # the instance that was made ahead of a call which has not come yet
    ahead_until: float = 0.0


class Habits(Generic[State]):
    """Those of all targets of one engine. Times are monotonic seconds."""

    def __init__(
        self,
        rule: Rule[State],
        settle_s: float,
        clock: Clock,
        start: Callable[[Target], Instance | None],
        on_due: Callable[[float], None],
    ) -> None:
        """`rule` learns of idle times above `settle_s` only. `start` makes an instance for no call, or declines.

        `on_due` is told a time at which `prewarm` is to be called, when none earlier was told before.
        """
        self._rule = rule
        self._settle_s = settle_s
        self._clock = clock
        self._start = start
        self._on_due = on_due
        self._habits: dict[str, _Habit[State]] = {}  # by key of the target
        self._latest: dict[str, _Habit[State]] = {}  # by function; may be retired
        self._families: dict[str, dict[str, None]] = {}  # keys of tenants' targets, by what they share
        self._empty: dict[str, None] = {}  # keys of tenants' targets without instances, the longest so first
        self._recalled: dict[str, tuple[Remembered[State], float]] = {}  # by function, and when; until its first call
        self._changed: set[str] = set()  # functions that were called since `told`
        self._plans: list[tuple[float, int, _Habit[State]]] = []  # a heap
        self._numbers = itertools.count()
        self._by_decision = keep_alive(self._decision)
        self._closed = False
        self.revisions = 0  # how often something was learnt, or taken back, by which instances may be kept for shorter

    # Calls.

    def called(self, target: Target, now: float) -> None:
        """A call was accepted."""
        habit = self._habits.get(target.key)
        if habit is None:
            habit = self._made(target)
        if target.tenant:
            self._empty.pop(target.key, None)
        habit.running += 1
        habit.untold += 1
        if habit.running > 1:
            return
        habit.target, habit.retired = target, False
        if habit.ahead:
            habit.ahead = ""
            self.revisions += 1
        if habit.idle_since is not None and (idle_s := now - habit.idle_since) > self._settle_s:
            if habit.untold > 1:
                habit.state = self._rule.observe(habit.state, 0.0, habit.untold - 1)
            habit.untold = 0
            habit.state = self._rule.observe(habit.state, idle_s)
            self.revisions += 1

    def ended(self, key: str) -> None:
        """A call that was accepted is over."""
        habit = self._habits[key]
        habit.running -= 1
        if habit.running:
            return
        habit.idle_since = self._clock.monotonic()
        self._changed.add(habit.target.function)
        if habit.retired:
            self._drop(key)
            return
        decision = self._rule.decide(habit.state)
        if _makes_ahead(decision):
            self._plan(habit, habit.idle_since + decision.prewarm_after_s)

    # Over a restart.

    def told(self) -> list[Remembered[State]]:
        """What is known of the functions that were called since this was asked last."""
        now = self._clock.monotonic()
        changed, self._changed = self._changed, set()
        found = []
        for function in changed:
            if (habit := self._latest.get(function)) is not None:
                idle_s = None if habit.running or habit.idle_since is None else now - habit.idle_since
                found.append(Remembered(function, habit.subject, habit.state, idle_s))
        return found

    def recall(self, remembered: Iterable[Remembered[State]]) -> None:
        """Know this of functions that have not been called yet; each `idle_s` counts until now."""
        now = self._clock.monotonic()
        for one in remembered:
            self._recalled[one.function] = (one, now)

    # Instances.

    def started(self, instance: Instance) -> None:
        """An instance is initialized, so what starting it took is known."""
        habit = self._habits[instance.target.key]
        start_ms = max(LEAST_START_MS, instance.start_ms)
        if not 1 / TOLD_APART < start_ms / habit.subject.start_ms < TOLD_APART:
            self._retell(habit, habit.subject._replace(start_ms=start_ms))

    def until(self, instance: Idle) -> float:
        """Until when an idle instance is kept."""
        habit = self._habits[instance.target]
        return habit.ahead_until if habit.ahead == instance.id else self._by_decision(instance)

    def prewarm(self, now: float) -> float | None:
        """Make the instances that are due; when to look again, if there is anything to look at."""
        while self._plans and self._plans[0][0] <= now:
            at, _, habit = heappop(self._plans)
            if at == habit.planned_at:  # else an earlier plan took its place
                habit.planned_at = math.inf
                self._look_at(habit, now)
        return self._plans[0][0] if self._plans else None

    def retire(self, key: str) -> None:
        """The target's instances take no call any more."""
        habit = self._habits.get(key)
        if habit is None:
            return
        self._empty.pop(key, None)
        habit.retired = True
        if not habit.running:
            self._drop(key)

    def _drop(self, key: str) -> None:
        family = self._habits.pop(key).target.family
        if family:
            members = self._families[family]
            del members[key]
            if not members:
                del self._families[family]

    def retire_family(self, key: str) -> None:
        """The same for the targets of all its tenants."""
        for tenant in list(self._families.get(key, ())):
            self.retire(tenant)

    def emptied(self, key: str) -> None:
        """A tenant's target has neither instances nor calls."""
        if key not in self._habits:
            return
        self._empty.pop(key, None)
        self._empty[key] = None
        if len(self._empty) > REMEMBERED:
            self.retire(next(iter(self._empty)))

    def close(self) -> None:
        """Make nothing more."""
        self._closed = True
        self._plans.clear()

    # Plans.

    def _plan(self, habit: _Habit[State], at: float) -> None:
        if self._closed or at >= habit.planned_at:
            return
        habit.planned_at = at
        heappush(self._plans, (at, next(self._numbers), habit))
        if self._plans[0][0] == at:
            self._on_due(at)

    def _look_at(self, habit: _Habit[State], now: float) -> None:
        """Make an instance for the target if it has been idle for as long as its decision says now."""
        if habit.retired or habit.running or habit.idle_since is None:
            return
        decision = self._rule.decide(habit.state)
        begins_at = habit.idle_since + decision.prewarm_after_s
        ends_at = habit.idle_since + decision.end_s
        if not _makes_ahead(decision) or ends_at <= now:
            return
        if begins_at > now:
            self._plan(habit, begins_at)
        elif (instance := self._start(habit.target)) is not None:
            self._empty.pop(habit.target.key, None)
            habit.ahead, habit.ahead_until = instance.id, ends_at

    # What is known.

    def _made(self, target: Target) -> _Habit[State]:
        """A new target's habit: that of its function's latest target, or what the rule supposes of anyone."""
        subject = Subject(target.sandbox.memory_mb, LEAST_START_MS)
        before = self._latest.pop(target.function, None)
        if before is None:
            habit = self._recollected(target, subject)
        else:
            habit = _Habit(target, before.subject, before.state)
            if not target.tenant:  # else it is another one that was idle
                habit.idle_since = None if before.running else before.idle_since
            if before.subject.memory_mb != subject.memory_mb:
                self._retell(habit, before.subject._replace(memory_mb=subject.memory_mb))
        self._habits[target.key] = self._latest[target.function] = habit
        if target.family:
            self._families.setdefault(target.family, {})[target.key] = None
        if len(self._latest) > REMEMBERED:
            del self._latest[next(iter(self._latest))]
        return habit

    def _recollected(self, target: Target, subject: Subject) -> _Habit[State]:
        """The habit of a function that is called for the first time since the start."""
        recalled = self._recalled.pop(target.function, None)
        if recalled is None:
            return _Habit(target, subject, self._rule.start(subject))
        before, at = recalled
        habit = _Habit(target, before.subject, before.state)
        if before.idle_s is not None and not target.tenant:
            habit.idle_since = at - before.idle_s
        if before.subject.memory_mb != subject.memory_mb:
            self._retell(habit, before.subject._replace(memory_mb=subject.memory_mb))
        return habit

    def _retell(self, habit: _Habit[State], subject: Subject) -> None:
        habit.subject = subject
        habit.state = self._rule.about(habit.state, subject)
        self.revisions += 1

    def _decision(self, key: str) -> Decision:
        return self._rule.decide(self._habits[key].state)


def _makes_ahead(decision: Decision) -> bool:
    """Whether the target has a time without instances, and then one again."""
    return decision.keep_alive_s > 0 and decision.prewarm_after_s > decision.linger_s
