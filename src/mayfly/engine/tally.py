"""Counters of one engine and of each function, from the engine's making on."""

from collections import Counter
from dataclasses import dataclass, field

from mayfly.engine.api import Counters, FunctionCounters
from mayfly.policy.scaling import Scope

# Of so many functions something is counted; the one whose last event is the longest ago goes first.
REMEMBERED = 10_000


@dataclass(slots=True)
class _Counts:
    """What is counted of all functions together, and of each."""

    cold_starts: int = 0
    evictions: int = 0
    waits: int = 0
    waited_ms: float = 0.0
    yields: int = 0
    provisioned_calls: int = 0
    spillovers: int = 0
    throttled: Counter[Scope] = field(default_factory=Counter)


class Tally:
    """What `Counters` shows, while it counts. Calls are counted once, all else also by function."""

    def __init__(self) -> None:
        self.calls = 0
        self.start_failures = 0
        self.expirations = 0
        self._all = _Counts()
        self._functions: dict[str, _Counts] = {}

    def cold_start(self, function: str) -> None:
        for counts in self._of(function):
            counts.cold_starts += 1

    def evicted(self, function: str) -> None:
        for counts in self._of(function):
            counts.evictions += 1

    def waited(self, function: str, seconds: float) -> None:
        """A call no longer waits for memory or its turn."""
        for counts in self._of(function):
            counts.waits += 1
            counts.waited_ms += seconds * 1000

    def yielded(self, function: str) -> None:
        for counts in self._of(function):
            counts.yields += 1

    def provisioned_call(self, function: str, calls: int = 1) -> None:
        for counts in self._of(function):
            counts.provisioned_calls += calls

    def spilled_over(self, function: str, calls: int = 1) -> None:
        for counts in self._of(function):
            counts.spillovers += calls

    def throttled(self, function: str, scope: Scope) -> None:
        for counts in self._of(function):
            counts.throttled[scope] += 1

    def view(self) -> Counters:
        one = self._all
        return Counters(
            calls=self.calls,
            cold_starts=one.cold_starts,
            start_failures=self.start_failures,
            throttles=one.throttled.total(),
            evictions=one.evictions,
            expirations=self.expirations,
            waits=one.waits,
            waited_ms=one.waited_ms,
            yields=one.yields,
            provisioned_calls=one.provisioned_calls,
            spillovers=one.spillovers,
            throttled=dict(one.throttled),
        )

    def provisioned(self) -> list[tuple[str, int, int]]:
        """By function with any: calls on provisioned instances, and calls that spilled over."""
        return [
            (function, one.provisioned_calls, one.spillovers)
            for function, one in self._functions.items()
            if one.provisioned_calls or one.spillovers
        ]

    def of(self, function: str) -> FunctionCounters:
        one = self._functions.get(function, _Counts())
        return FunctionCounters(
            cold_starts=one.cold_starts,
            evictions=one.evictions,
            waits=one.waits,
            waited_ms=one.waited_ms,
            yields=one.yields,
            provisioned_calls=one.provisioned_calls,
            spillovers=one.spillovers,
            throttled=dict(one.throttled),
        )

    def _of(self, function: str) -> tuple[_Counts, _Counts]:
        counts = self._functions.pop(function, None) or _Counts()
        self._functions[function] = counts
        if len(self._functions) > REMEMBERED:
            del self._functions[next(iter(self._functions))]
        return self._all, counts
