"""Event source mappings, built. Called by `features`."""

from collections.abc import Sequence

from mayfly.policy import pollers
from mayfly.services.functions.mappings.keeper import Keeper, Told
from mayfly.services.functions.mappings.metering import meter_of
from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.functions.mappings.operations import MappingOperations
from mayfly.services.functions.mappings.runner import Parts as RunnerParts
from mayfly.services.functions.mappings.runner import Runner
from mayfly.services.functions.mappings.sources import Sources
from mayfly.services.functions.parts import Parts
from mayfly.services.functions.roles import RoleCheck


class Mappings:
    """A `Feature`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sources = Sources(parts.outside.queue_source, parts.store, parts.clock)
        self.keeper = Keeper(parts.store, self._runner)
        self.operations: Sequence[object] = (
            MappingOperations(
                parts.store,
                parts.clock,
                parts.home,
                RoleCheck(parts.roles, parts.home),
                self._sources,
                parts.outside.targets,
                self.keeper,
            ),
        )

    async def start(self) -> None:
        self.keeper.start()

    async def stop(self, grace_s: float) -> None:
        await self.keeper.stop(grace_s)

    def _runner(self, mapping: Mapping, tell: Told) -> Runner:
        meter = meter_of(mapping, self._parts.outside.counts)
        provisioned = (mapping.pollers.least, mapping.pollers.most) if mapping.pollers is not None else None
        return Runner(
            mapping,
            RunnerParts(
                self._parts.clock,
                self._parts.catalog,
                self._parts.calls,
                self._sources.driver(mapping, meter),
                meter,
                pollers.bounds(mapping.max_concurrency, provisioned),
                tell,
            ),
        )
