"""What is in use: concurrency and rates by function and account, memory by the life of instances. No decisions.

*Held* memory belongs to instances that live or start, *dying* memory to those whose processes are being killed.
"""

from collections import Counter

from mayfly.engine.api import Target
from mayfly.engine.buckets import Buckets
from mayfly.engine.limits import Limits
from mayfly.policy.rates import Rate
from mayfly.policy.scaling import Demand

_ACCOUNT = ""  # among the names of functions


class Ledger:
    """The engine's books. Every `accept` is paired with one `settle`, every `hold` with `dying` and then `freed`."""

    def __init__(self, memory_mb: int, account_concurrency: int, limits: Limits | None = None) -> None:
        self.memory_mb = memory_mb
        self.limits = limits or Limits()
        self.held_mb = 0
        self.dying_mb = 0
        self.idle_mb = 0  # the part of `held_mb` that could be evicted
        self.calls = 0
        self._account = account_concurrency
        self._by_function: dict[str, int] = {}  # calls under way; no zeros
        self._reserved: dict[str, int] = {}
        self._reserved_total = 0
        self._reserved_calls = 0
        self._free_calls = 0  # on provisioned instances
        self._provisioned: dict[str, Counter[str]] = {}  # wanted instances, by function and target
        self._starts = Buckets()  # by function
        self._calls_made = Buckets()  # by function, and of the account

    def provision(self, function: str, key: str, instances: int) -> None:
        """Set how many instances of one target are provisioned, at the cost of the function's or account's limit."""
        targets = self._provisioned.setdefault(function, Counter())
        targets[key] = instances
        if not instances:
            del targets[key]
        if not targets:
            del self._provisioned[function]

    def reserve(self, function: str, concurrency: int | None) -> None:
        """Set or clear a function's own limit; calls under way move between the two accounts with it."""
        if concurrency is not None and concurrency < 0:
            raise ValueError(f"reserved concurrency must be 0 or more, not {concurrency}")
        before = self._reserved.get(function)
        if before == concurrency:
            return
        under_way = self._by_function.get(function, 0)
        self._reserved_total += (concurrency or 0) - (before or 0)
        if concurrency is None:
            del self._reserved[function]
            self._reserved_calls -= under_way
        else:
            self._reserved[function] = concurrency
            if before is None:
                self._reserved_calls += under_way

    def accept(self, function: str, *, provisioned: bool = False) -> None:
        """A call is under way; one on a provisioned instance is paid for already."""
        self.calls += 1
        if provisioned:
            self._free_calls += 1
            return
        self._by_function[function] = self._by_function.get(function, 0) + 1
        if function in self._reserved:
            self._reserved_calls += 1

    def settle(self, function: str, *, provisioned: bool = False) -> None:
        """It ended."""
        self.calls -= 1
        if provisioned:
            self._free_calls -= 1
            return
        left = self._by_function[function] - 1
        if left:
            self._by_function[function] = left
        else:
            del self._by_function[function]
        if function in self._reserved:
            self._reserved_calls -= 1

    def counted(self, function: str, *, accepted: bool) -> tuple[int, int]:
        """How many calls count against the limit on concurrency that holds for a function, and that limit.

        One that is `accepted` already does not count against itself.
        """
        own = 1 if accepted else 0
        reserved = self._reserved.get(function)
        if reserved is not None:
            return self._by_function.get(function, 0) - own + self._provisioned_for(function), reserved
        unreserved = self.calls - self._free_calls - self._reserved_calls - own
        if self._provisioned:
            unreserved += self._provisioned_without_reservation()
        return unreserved, self._account - self._reserved_total

    def demand(self, target: Target, idle: int, start_after_s: float, accepted: bool) -> Demand:
        """The snapshot for a call of `target`; one that is `accepted` already does not count against itself.

        What else there is to know of it, `placement` adds.
        """
        reserved = self._reserved.get(target.function)
        own = 1 if accepted else 0
        unreserved = self.calls - self._free_calls - self._reserved_calls - (own if reserved is None else 0)
        return Demand(
            idle=idle,
            function_calls=self._by_function.get(target.function, 0) - own + self._provisioned_for(target.function),
            reserved=reserved,
            unreserved_calls=unreserved + self._provisioned_without_reservation(),
            unreserved_limit=max(0, self._account - self._reserved_total),
            need_mb=target.sandbox.memory_mb,
            free_mb=self.memory_mb - self.held_mb,
            evictable_mb=self.idle_mb,
            budget_mb=self.memory_mb,
            start_after_s=start_after_s,
            accepted=accepted,
        )

    # Rates.

    def called(self, function: str, now: float) -> None:
        """A call was accepted that counts against the rate of calls."""
        if (found := self.call_rate(function)) is not None:
            self._calls_made.take(*found, now)

    def call_after_s(self, function: str, now: float) -> float:
        """How long until the function may be called, as far as the rate of calls goes."""
        found = self.call_rate(function)
        return self._calls_made.wait_s(*found, now) if found is not None else 0.0

    def call_rate(self, function: str) -> tuple[str, Rate] | None:
        """Whose rate of calls holds for a function: its own where concurrency is reserved, else the account's."""
        each = self.limits.calls_per_concurrency
        if each is None:
            return None
        reserved = self._reserved.get(function)
        name, units = (_ACCOUNT, self._account - self._reserved_total) if reserved is None else (function, reserved)
        a_second = max(1.0, each * units)
        return name, Rate(a_second, a_second)

    def started(self, function: str, now: float) -> None:
        """An instance is started for a call."""
        if self.limits.scaling is not None:
            self._starts.take(function, self.limits.scaling, now)

    def scaling_after_s(self, function: str, now: float) -> float:
        """How long until one more instance of the function may be started for a call."""
        return self._starts.wait_s(function, self.limits.scaling, now) if self.limits.scaling is not None else 0.0

    def _provisioned_for(self, function: str) -> int:
        targets = self._provisioned.get(function)
        return targets.total() if targets else 0

    def _provisioned_without_reservation(self) -> int:
        if not self._provisioned:
            return 0
        return sum(targets.total() for name, targets in self._provisioned.items() if name not in self._reserved)

    @property
    def overdrawn(self) -> bool:
        """Whether memory was promised to instances that others, which are dying, have not given back yet."""
        return self.dying_mb > 0 and self.held_mb + self.dying_mb > self.memory_mb
