"""Instances that are kept initialized for a target, whatever the demand: provisioned concurrency.

`engine` says how many a target is to have; `placement` starts them, hands calls to those that are ready, and tells
what becomes of each. Such an instance is made without a call, is never evicted and never ages out, and is replaced when
it dies. Calls beyond those that are ready are placed like any other, on instances of the ordinary kind.

No instance lives for ever: its credentials would expire. One that has become old is replaced by one that is made first,
and ends when that one is ready; where there is no memory for both at a time, it ends first.

A target whose instances cannot be made is not given up on: the next attempt follows after a pause that grows. Between
two attempts the reason is known, so that whoever asked for the instances can say it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from mayfly.clock import Clock
from mayfly.engine.api import Provisioned, Target
from mayfly.engine.instance import Instance
from mayfly.engine.states import State
from mayfly.policy.retry import backoff

# How many of a target's instances are being made at a time: more would only take the processors from one another.
AT_ONCE = 8
_FIRST_RETRY_S = 1.0
_MOST_RETRY_S = 60.0
_RENEW_EVERY_S = 60.0


class NoRoomError(Exception):
    """There is no memory for one more instance now."""


@dataclass(slots=True)
class _Standing:
    """What one target is to have, and what it has."""

    target: Target
    wanted: int = 0
    starting: dict[str, Instance] = field(default_factory=dict)
    busy: dict[str, Instance] = field(default_factory=dict)
    ready: list[Instance] = field(default_factory=list)  # a stack, like the idle instances of a pool
    old: set[str] = field(default_factory=set)  # those of `busy` and `ready` that are to be replaced
    peak: int = 0  # the most that were busy at a time, since somebody asked
    failures: int = 0  # one after another
    failure: str | None = None
    retry: asyncio.TimerHandle | None = None

    @property
    def living(self) -> int:
        return len(self.busy) + len(self.ready)

    @property
    def coming(self) -> int:
        """How many there will be without those that are to be replaced."""
        return self.living - len(self.old) + len(self.starting)


class Standby:
    """All provisioned instances of one engine. `start` makes an instance without a call, or raises `NoRoomError`."""

    def __init__(
        self, start: Callable[[Target], Instance], loop: asyncio.AbstractEventLoop, clock: Clock, max_age_s: float
    ) -> None:
        self._start = start
        self._loop = loop
        self._clock = clock
        self._max_age_s = max_age_s
        self._renewal: asyncio.TimerHandle | None = None
        self._targets: dict[str, _Standing] = {}
        self._owners: dict[str, _Standing] = {}  # by instance
        self._closed = False

    # What is asked for.

    def provision(self, target: Target, instances: int) -> None:
        """Keep this many instances of `target`; see `engine.api.Engine.provision`."""
        standing = self._targets.get(target.key)
        if standing is None:
            if not instances:
                return
            standing = self._targets[target.key] = _Standing(target)
            self._arm()
        standing.wanted = instances
        self._shrink(standing)
        if instances:
            self._forget_failure(standing)
            self._fill(standing)
        else:
            self.drop(target.key)

    def drop(self, key: str) -> Target | None:
        """Keep nothing more for a target, which is returned; its instances are left to whoever ends them."""
        standing = self._targets.pop(key, None)
        if standing is None:
            return None
        if standing.retry is not None:
            standing.retry.cancel()
        for instance in (*standing.starting.values(), *standing.busy.values(), *standing.ready):
            del self._owners[instance.id]
        return standing.target

    def close(self) -> None:
        """Start nothing more."""
        self._closed = True
        if self._renewal is not None:
            self._renewal.cancel()
        for standing in self._targets.values():
            if standing.retry is not None:
                standing.retry.cancel()

    def view(self, key: str) -> Provisioned | None:
        standing = self._targets.get(key)
        if standing is None:
            return None
        return Provisioned(standing.wanted, standing.living, standing.failure)

    def peak(self, key: str) -> int:
        """The most instances of a target that ran calls at a time, since this was asked last."""
        standing = self._targets.get(key)
        if standing is None:
            return 0
        peak, standing.peak = standing.peak, len(standing.busy)
        return peak

    def count(self, key: str) -> int:
        """How many instances a target has for this, made or being made."""
        standing = self._targets.get(key)
        return standing.living + len(standing.starting) if standing is not None else 0

    def starting(self, key: str) -> int:
        """How many of them are being made."""
        standing = self._targets.get(key)
        return len(standing.starting) if standing is not None else 0

    def owns(self, instance: Instance) -> bool:
        """Whether it is one of these."""
        return instance.id in self._owners

    @property
    def memory_mb(self) -> int:
        """What all that are wanted hold."""
        return sum(each.wanted * each.target.sandbox.memory_mb for each in self._targets.values())

    # Calls.

    def take(self, key: str) -> Instance | None:
        """An instance that is ready for a call of this target, which has it from now on."""
        standing = self._targets.get(key)
        if standing is None or not standing.ready:
            return None
        instance = standing.ready.pop()
        standing.busy[instance.id] = instance
        standing.peak = max(standing.peak, len(standing.busy))
        return instance

    def ready(self, instance: Instance) -> bool:
        """Take an idle instance back, or take one over that was just made; False when it is none of these."""
        standing = self._owners.get(instance.id)
        if standing is None:
            return False
        standing.busy.pop(instance.id, None)
        standing.ready.append(instance)
        if standing.starting.pop(instance.id, None) is not None:
            self._forget_failure(standing)
            self._shrink(standing)
            self._fill(standing)
        return True

    def hand_over(self, instance: Instance) -> None:
        """A call that waited gets `instance` at the moment at which it would have been ready."""
        standing = self._owners.get(instance.id)
        if standing is not None and standing.starting.pop(instance.id, None) is not None:
            self._forget_failure(standing)
            standing.busy[instance.id] = instance
            standing.peak = max(standing.peak, len(standing.busy))
            self._fill(standing)

    # Renewal.

    def renew(self) -> None:
        """Replace the instances that have become old. Called by itself, once a minute."""
        oldest = self._clock.monotonic() - self._max_age_s
        for standing in self._targets.values():
            living = (*standing.busy.values(), *standing.ready)
            standing.old = {instance.id for instance in living if instance.created_at <= oldest}
            self._fill(standing)

    def _arm(self) -> None:
        if self._renewal is None:
            self._renewal = self._loop.call_later(_RENEW_EVERY_S, self._renewal_due)

    def _renewal_due(self) -> None:
        self._renewal = None
        self.renew()
        if self._targets:
            self._arm()

    # The end of instances.

    def ended(self, instance: Instance) -> None:
        """An instance takes no call any more: another one replaces it."""
        standing = self._owners.pop(instance.id, None)
        if standing is None:
            return
        failed = standing.starting.pop(instance.id, None) is not None
        standing.busy.pop(instance.id, None)
        standing.old.discard(instance.id)
        if instance in standing.ready:
            standing.ready.remove(instance)
        if failed:
            self._pause(standing, instance.reason)
        # Not at once: this is called from within the end of the instance, whose memory is not free yet.
        self._loop.call_soon(self._fill, standing)

    def _fill(self, standing: _Standing) -> None:
        """Start what is missing, unless an attempt failed a moment ago."""
        if self._closed or self._targets.get(standing.target.key) is not standing or standing.retry is not None:
            return
        while len(standing.starting) < AT_ONCE and standing.coming < standing.wanted:
            try:
                instance = self._start(standing.target)
            except NoRoomError as error:
                self._pause(standing, str(error))
                self._end_one_old(standing)
                return
            standing.starting[instance.id] = instance
            self._owners[instance.id] = standing

    def _pause(self, standing: _Standing, reason: str) -> None:
        """Note that an attempt failed; the next one follows in a while."""
        standing.failure = reason
        if standing.retry is None and not self._closed:
            standing.failures += 1
            delay_s = backoff(standing.failures, _FIRST_RETRY_S, _MOST_RETRY_S)
            standing.retry = self._loop.call_later(delay_s, self._try_again, standing)

    def _try_again(self, standing: _Standing) -> None:
        standing.retry = None
        self._fill(standing)

    def _forget_failure(self, standing: _Standing) -> None:
        standing.failures, standing.failure = 0, None
        if standing.retry is not None:
            standing.retry.cancel()
            standing.retry = None

    def _shrink(self, standing: _Standing) -> None:
        """End what is too many: old ones first, then what is not made yet; busy ones after their calls."""
        living = [*standing.ready, *standing.busy.values()]
        old = [instance for instance in living if instance.id in standing.old]
        for instance in old[: max(0, standing.living - standing.wanted)]:
            self._let_go(standing, instance, "replaced")
        surplus = standing.coming - standing.wanted
        others = [instance for instance in living if instance.id not in standing.old]
        for instance in [*standing.starting.values(), *others][: max(0, surplus)]:
            self._let_go(standing, instance, "no longer provisioned")

    def _end_one_old(self, standing: _Standing) -> None:
        """Make room for the one that replaces it."""
        for instance in standing.ready:
            if instance.id in standing.old:
                self._let_go(standing, instance, "replaced")
                self._forget_failure(standing)
                self._loop.call_soon(self._fill, standing)
                return

    def _let_go(self, standing: _Standing, instance: Instance, reason: str) -> None:
        del self._owners[instance.id]
        standing.starting.pop(instance.id, None)
        standing.busy.pop(instance.id, None)
        standing.old.discard(instance.id)
        if instance in standing.ready:
            standing.ready.remove(instance)
        if instance.state in (State.BUSY, State.DRAINING):
            instance.retire(reason)
        else:
            instance.end(reason)
