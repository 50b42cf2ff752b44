"""Brings capacities to where bounds, policies and demand want them: `run`, as a task of the service.

Every minute, how much of each target's capacity was used is read, and its policies are asked; a target whose bounds a
scheduled action has changed, or a caller, is looked at at once. What is to be done is a row (`Target.due`) until it is
done, so the next server does what this one did not; doing it twice is doing it once. Readings are of one life of the
server: after a start, target tracking waits for its first minutes.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from functools import partial

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.policy import tracking
from mayfly.policy.tracking import Bounds, Since, Step, Steps, Tracking
from mayfly.services.autoscaling import catalog
from mayfly.services.autoscaling.changing import Changing
from mayfly.services.autoscaling.model import Activity, Policy, Stepped, Target, Tracked
from mayfly.services.autoscaling.names import Home
from mayfly.services.contract import ServiceError
from mayfly.services.ports import ProvisionedUse
from mayfly.store.api import Store, StoreClosedError, Tx

EVERY_S = 60.0
_KEPT = tracking.IN_READINGS
_PAGE = 500

_log = logging.getLogger(__name__)


class Scaler:
    """Of one installation."""

    def __init__(self, store: Store, clock: Clock, home: Home, changing: Changing, used: ProvisionedUse) -> None:
        self._store = store
        self._clock = clock
        self._home = home
        self._changing = changing
        self._used = used
        self._readings: dict[str, deque[float]] = {}  # by resource
        self._woken = asyncio.Event()
        self._next_at = clock.now() + EVERY_S

    def wake(self) -> None:
        """A target is due."""
        self._woken.set()

    async def run(self) -> None:
        """Scale until cancelled."""
        self._woken.set()
        while True:
            try:
                async with asyncio.timeout(max(0.0, self._next_at - self._clock.now())):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            try:
                await self.settle()
                if self._clock.now() >= self._next_at:
                    self._next_at = self._clock.now() + EVERY_S
                    await self.look()
            except StoreClosedError:
                return
            except (PlatformError, ServiceError):
                _log.exception("capacities cannot be scaled now; the next attempt follows")

    async def settle(self) -> None:
        """Bring every target that is due between its bounds."""
        for target in await self._targets():
            if target.due:
                await self._settle(target)

    async def look(self) -> None:
        """Read how much of every capacity was used, and do what policies want."""
        known = set()
        for target in await self._targets():
            known.add(target.resource)
            policies = await self._store.read(partial(catalog.policies_of, resource=target.resource))
            if policies:
                try:
                    await self._look(target, policies)
                except ServiceError as error:
                    _log.info("%s is not scaled now: %s", target.resource, error.message)
        for resource in self._readings.keys() - known:
            del self._readings[resource]

    async def _targets(self) -> list[Target]:
        found: list[Target] = []
        after = ""
        while True:
            page = await self._store.read(partial(catalog.targets, after=after, limit=_PAGE))
            found += page
            if len(page) < _PAGE:
                return found
            after = page[-1].place

    async def _settle(self, target: Target) -> None:
        cause = target.due
        failed: ServiceError | None = None
        capacity = wanted = 0
        try:
            capacity = await self._changing.capacity(target)
            wanted = Bounds(target.least, target.most).within(capacity)
        except ServiceError as error:
            failed = error
        if failed is not None:
            await self._store.write(lambda tx: self._note(tx, target, target.least, cause, failed))
        if wanted != capacity:
            await self._change(target, capacity, wanted, cause)

        def done(tx: Tx) -> None:
            now = catalog.target(tx, target.resource)
            if now is not None and (now.due, now.least, now.most) == (cause, target.least, target.most):
                catalog.put_target(tx, msgspec.structs.replace(now, due=""))

        await self._store.write(done)

    async def _look(self, target: Target, policies: Sequence[Policy]) -> None:
        capacity, now = await self._changing.capacity(target), self._clock.now()
        self._read(target, await self._used.use(target.function, target.qualifier))
        bounds, since = Bounds(target.least, target.most), _since(target)
        wanted: list[tuple[int, str]] = []
        for policy in policies:
            after = await self._asked(policy, target, capacity, bounds, since, now)
            if after != capacity:
                wanted.append((after, f"policy {policy.name}"))
        if not wanted:
            return
        # Of several, the one that leaves the most is followed, as on AWS.
        after, cause = max(wanted) if len(wanted) == len(policies) else max([*wanted, (capacity, "")])
        suspended = target.suspended.scaling_out if after > capacity else target.suspended.scaling_in
        if after != capacity and not suspended:
            await self._change(target, capacity, after, cause)

    async def _asked(
        self, policy: Policy, target: Target, capacity: int, bounds: Bounds, since: Since, now: float
    ) -> int:
        if policy.tracked is not None:
            readings = self._readings.get(target.resource, ())
            return tracking.track(tuple(readings), capacity, bounds, _tracking(policy.tracked), since, now)
        assert policy.stepped is not None, "it is one of both"
        after = bounds.within(capacity)
        for breach in await self._changing.breaches(self._home.policy_arn(policy)):
            after = tracking.step(breach, capacity, bounds, _steps(policy.stepped), since, now)
        return after

    def _read(self, target: Target, used: tuple[int, int] | None) -> None:
        """The last minute's, where there was any capacity."""
        if used is not None and used[1] > 0:
            readings = self._readings.setdefault(target.resource, deque(maxlen=_KEPT))
            readings.append(min(1.0, used[0] / used[1]))

    async def _change(self, target: Target, before: int, after: int, cause: str) -> None:
        error: ServiceError | None = None
        try:
            await self._changing.change(target, after)
        except ServiceError as refused:
            error = refused
            _log.warning("%s cannot have a capacity of %d: %s", target.resource, after, refused.message)
        if (readings := self._readings.get(target.resource)) is not None:
            readings.clear()  # they were of another capacity

        def noted(tx: Tx) -> None:
            now = catalog.target(tx, target.resource)
            if now is not None and error is None:
                at = self._clock.now()
                moved = {"out_at": at, "out_to": after} if after > before else {"in_at": at}
                catalog.put_target(tx, msgspec.structs.replace(now, **moved))
            self._note(tx, target, after, cause, error)

        await self._store.write(noted)

    def _note(self, tx: Tx, target: Target, capacity: int, cause: str, error: ServiceError | None) -> None:
        now = self._clock.now()
        said = f"Successfully set desired concurrency to {capacity}. Change successfully fulfilled."
        activity = Activity(
            ids.request_id(),
            target.resource,
            f"Setting desired concurrency to {capacity}.",
            cause,
            now,
            now,
            "Successful" if error is None else "Failed",
            said if error is None else f"Failed to set desired concurrency to {capacity}. Reason: {error.message}",
        )
        catalog.note(tx, activity)


def _since(target: Target) -> Since:
    nothing = Since()
    return Since(
        nothing.out_at if target.out_at is None else target.out_at,
        nothing.in_at if target.in_at is None else target.in_at,
        target.out_to,
    )


def _tracking(config: Tracked) -> Tracking:
    return Tracking(
        config.target, float(config.out_cooldown_s or 0), float(config.in_cooldown_s or 0), not config.disable_in
    )


def _steps(config: Stepped) -> Steps:
    infinity = float("inf")
    steps = tuple(
        Step(
            -infinity if one.lower is None else one.lower,
            infinity if one.upper is None else one.upper,
            one.adjustment,
        )
        for one in config.steps
    )
    return Steps(config.kind, steps, config.least_magnitude or 0, float(config.cooldown_s or 0))
