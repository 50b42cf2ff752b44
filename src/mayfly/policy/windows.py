"""When an idle instance is worth its memory: a decision in two windows, and what it costs and saves.

After a call, an instance *lingers*; then it may be given up and made anew, ahead of the next call, for a second window
that starts after `prewarm_after_s` and lasts `keep_alive_s`. A `Rule` makes such decisions from the idle times that a
function has shown. It is pure: a state, made by `start`, is replaced by `observe` and read by `decide`. The engine and
the simulator call the same rules; what a decision means is defined once, by `warm` and `idle_cost_s`.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from mayfly.policy.keepalive import Idle, KeepAlive

EXTRA_S = 60.0  # for which instances beyond the first are kept at least


class Subject(NamedTuple):
    """What a rule may know of a function besides its calls."""

    memory_mb: float = 128.0
    start_ms: float = 100.0  # what a cold start takes


class Decision(NamedTuple):
    """What to do with the instance of a function after a call, counted from the moment at which it fell idle."""

    prewarm_after_s: float  # when the second window begins; 0: it follows the call, and nothing is given up before
    keep_alive_s: float  # how long the second window lasts; 0: there is none
    reason: str  # for people: which pattern was seen
    linger_s: float = 0.0  # how long the instance is kept before the second window; at most `prewarm_after_s`

    @property
    def first_window_s(self) -> float:
        """How long an instance that just fell idle is kept at first."""
        return self.linger_s if self.prewarm_after_s > self.linger_s or not self.keep_alive_s else self.end_s

    @property
    def end_s(self) -> float:
        """From when on the function has no instance."""
        return self.prewarm_after_s + self.keep_alive_s if self.keep_alive_s else self.linger_s


def warm(decision: Decision, idle_s: float) -> bool:
    """Whether a call that comes after `idle_s` finds an instance; both ends of a window belong to it."""
    if idle_s <= decision.linger_s:
        return True
    return decision.prewarm_after_s <= idle_s <= decision.prewarm_after_s + decision.keep_alive_s


def idle_cost_s(decision: Decision, idle_s: float) -> float:
    """For how many of `idle_s` seconds without a call an instance was held."""
    second = min(idle_s - decision.prewarm_after_s, decision.keep_alive_s)
    return min(idle_s, decision.linger_s) + max(0.0, second)


def keep_alive(decide: Callable[[str], Decision]) -> KeepAlive:
    """What `keepalive.sweep` asks, answered by the latest decision for an instance's target.

    Only the first of a target's idle instances is held for what is expected of its next call. The others served calls
    at the same time as that one, and how often this happens again, idle times do not tell: they go after lingering, or
    after a minute when there is no lingering.
    """

    def until(instance: Idle) -> float:
        decision = decide(instance.target)
        if instance.position == 0:
            return instance.idle_since + decision.first_window_s
        return instance.idle_since + min(decision.first_window_s, max(decision.linger_s, EXTRA_S))

    return until


State = TypeVar("State")


class Rule(Protocol[State]):
    """A way to decide. An implementation is frozen: what it learns is in the state."""

    @property
    def name(self) -> str:
        """For people: the rule and its parameters."""

    def start(self, subject: Subject) -> State:
        """What is known before the first call."""

    def about(self, state: State, subject: Subject) -> State:
        """The same, of a function whose memory or start time is another one now."""

    def observe(self, state: State, idle_s: float, count: int = 1) -> State:
        """What is known after `count` calls in a row, each after `idle_s` (≥ 0) without one."""

    def decide(self, state: State) -> Decision:
        """What to do after a call, given everything before and including it."""

    def steady(self, state: State, idle_s: float) -> bool:
        """Whether calls that come each after `idle_s`, however many, are all warm, with the instance held all along.

        Then they may be observed as one batch: a function called every second costs nothing to replay.
        """


class Fixed(NamedTuple):
    """Keep every instance for the same time after its last call."""

    keep_alive_s: float

    @property
    def name(self) -> str:
        return f"fixed {self.keep_alive_s / 60:g} min"

    def start(self, subject: Subject) -> None:
        if self.keep_alive_s < 0:
            raise ValueError(f"keep_alive_s must be 0 or more, not {self.keep_alive_s}")

    def about(self, state: None, subject: Subject) -> None:
        return None

    def observe(self, state: None, idle_s: float, count: int = 1) -> None:
        return None

    def decide(self, state: None) -> Decision:
        return Decision(0.0, self.keep_alive_s, "fixed")

    def steady(self, state: None, idle_s: float) -> bool:
        return idle_s <= self.keep_alive_s
