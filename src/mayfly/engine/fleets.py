"""Fleets: targets whose instances together may use so many processors. Books of them; `launching` does what follows.

What an instance may use is what its sandbox may. Idle instances count, but end for others of their fleet: those that
were used the longest ago first. Nothing here is touched by a call that finds an idle instance.
"""

from collections.abc import Iterator, Mapping

from mayfly.engine.instance import Instance
from mayfly.engine.pool import Pool
from mayfly.engine.states import OVER

_ROUNDING = 1e-9  # processors are fractions


class Fleets:
    """Those of one engine. `homes` are the pools of all instances, by the instance's id."""

    def __init__(self, homes: Mapping[str, Pool]) -> None:
        self._homes = homes
        self._limits: dict[str, float] = {}

    def limit(self, name: str, processors: float | None) -> None:
        """No more than so many from now on; None: any number. Instances that are too many end when they are idle."""
        self._limits.pop(name, None)
        if processors is not None:
            self._limits[name] = processors

    def of(self, pool: Pool) -> float | None:
        """The limit that holds for a pool."""
        return self._limits.get(pool.target.fleet) if pool.target.fleet else None

    def room(self, pool: Pool, *, ending: bool = True) -> int | None:
        """How many more instances of a pool there may be, if idle ones of others end (`ending`); None: any number."""
        limit = self.of(pool)
        if limit is None:
            return None
        used = sum(
            home.target.sandbox.cpus
            for instance, home in self._members(pool.target.fleet)
            if not (ending and home is not pool and instance in home.idle)
        )
        return max(0, int((limit - used) / pool.target.sandbox.cpus + _ROUNDING))

    def yielding(self, pool: Pool) -> list[Instance]:
        """The idle instances of others that have to end for one more of `pool`."""
        limit = self.of(pool)
        if limit is None:
            return []
        members = list(self._members(pool.target.fleet))
        short = sum(home.target.sandbox.cpus for _, home in members) + pool.target.sandbox.cpus - limit
        idle = [instance for instance, home in members if home is not pool and instance in home.idle]
        chosen = []
        for instance in sorted(idle, key=lambda one: one.idle_since):
            if short <= _ROUNDING:
                break
            chosen.append(instance)
            short -= instance.target.sandbox.cpus
        return chosen

    def surplus(self, name: str) -> list[Instance]:
        """The idle instances that are too many under the limit there is."""
        limit = self._limits.get(name)
        if limit is None:
            return []
        members = list(self._members(name))
        over = sum(home.target.sandbox.cpus for _, home in members) - limit
        chosen = []
        for instance in sorted((one for one, home in members if one in home.idle), key=lambda one: one.idle_since):
            if over <= _ROUNDING:
                break
            chosen.append(instance)
            over -= instance.target.sandbox.cpus
        return chosen

    def _members(self, name: str) -> Iterator[tuple[Instance, Pool]]:
        """The instances of a fleet that live or start."""
        for instance_id, home in self._homes.items():
            if home.target.fleet == name and (instance := home.instances[instance_id]).state not in OVER:
                yield instance, home
