"""Makes room in memory: which idle instances may go for a call of one function, and the going.

`placement` asks for the sum before it decides, and has the decision carried out. The choice is `policy.eviction`'s.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from mayfly.clock import Clock
from mayfly.engine.api import Target
from mayfly.engine.instance import Instance
from mayfly.engine.pool import Pool
from mayfly.policy import eviction, fairness
from mayfly.policy.eviction import Candidate, Parts


class Room:
    """One for an engine. `pools` are all pools, `waiting` those in which calls wait."""

    def __init__(
        self,
        pools: Callable[[], Iterable[Pool]],
        waiting: Callable[[], Iterable[Pool]],
        working: Callable[[Pool], int],
        budget_mb: Callable[[], int],
        clock: Clock,
    ) -> None:
        """`working` is the number of a pool's instances that start or run calls; `budget_mb` what all may hold."""
        self._pools = pools
        self._waiting = waiting
        self._working = working
        self._budget_mb = budget_mb
        self._clock = clock

    def evictable_mb(self, target: Target, spared: str) -> int:
        """What idle instances hold that may go for a call of `target`; not the one that is to run it."""
        candidates = [one for one in self._candidates() if one.id != spared]
        open_to = eviction.open_to(target.function, candidates, self._parts(candidates, target))
        return sum(one.memory_mb for one in open_to)

    def evict(self, need_mb: int, target: Target, *, called: bool) -> list[Instance]:
        """The least valuable idle instances that together hold `need_mb`, for a call of `target` or for no call."""
        idle = {instance.id: instance for pool in self._pools() for instance in pool.idle}
        candidates = self._candidates()
        parts = self._parts(candidates, target)
        if called:
            candidates = eviction.open_to(target.function, candidates, parts)
        return [idle[id_] for id_ in eviction.choose(candidates, need_mb, parts) or ()]

    def _candidates(self) -> list[Candidate]:
        now = self._clock.monotonic()
        return [
            Candidate(
                id=instance.id,
                memory_mb=instance.holds_mb,
                idle_s=max(0.0, now - instance.idle_since),
                start_ms=instance.start_ms,
                ahead=instance.calls == 0,
                owner=instance.target.function,
            )
            for pool in self._pools()
            for instance in pool.idle
        ]

    def _parts(self, candidates: Iterable[Candidate], target: Target) -> Parts:
        """What every function has of the memory, and what would be its share if `target` got one more instance."""
        working: Counter[str] = Counter()
        for pool in self._pools():
            if number := self._working(pool):
                working[pool.target.function] += number * pool.target.sandbox.memory_mb
        held = Counter(working)
        for one in candidates:
            held[one.owner] += one.memory_mb
        wanted = Counter(held)
        wanted[target.function] += target.sandbox.memory_mb
        for pool in self._waiting():
            wanted[pool.target.function] += len(pool.waiting) * pool.target.sandbox.memory_mb
        return Parts(working, held, fairness.shares(wanted, self._budget_mb()))
