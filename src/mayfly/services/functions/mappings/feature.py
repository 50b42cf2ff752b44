"""Event source mappings, built. Called by `features`."""

from collections.abc import Sequence

from mayfly.policy import pollers
from mayfly.services.functions import version_repository
from mayfly.services.functions.mappings.keeper import Keeper, Told
from mayfly.services.functions.mappings.metering import meter_of
from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.functions.mappings.operations import MappingOperations
from mayfly.services.functions.mappings.runner import Parts as RunnerParts
from mayfly.services.functions.mappings.runner import Runner
from mayfly.services.functions.mappings.sources import Sources, broker_client
from mayfly.services.functions.parts import Parts
from mayfly.services.functions.roles import RoleCheck

_SLACK_S = 5.0  # beyond the longest call


class Mappings:
    """A `Feature`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sources = Sources(parts.outside, parts.home, parts.store, parts.clock, broker_client)
        self.keeper = Keeper(parts.store, self._runner, parts.settings.limits.timeout_s + _SLACK_S)
        self.operations: Sequence[object] = (
            MappingOperations(
                parts.store,
                parts.clock,
                parts.home,
                RoleCheck(parts.roles, parts.home),
                self._sources,
                self.keeper,
            ),
        )

    async def start(self) -> None:
        self.keeper.start()

    async def stop(self, grace_s: float) -> None:
        await self.keeper.stop(grace_s)

    async def _runner(self, mapping: Mapping, tell: Told) -> Runner:
        parts, meter = self._parts, meter_of(mapping, self._parts.outside.counts)
        limits = pollers.UNSCALED
        provisioned = (mapping.pollers.least, mapping.pollers.most) if mapping.pollers is not None else None
        if mapping.kind == "sqs" or provisioned is not None:
            limits = pollers.bounds(mapping.max_concurrency, provisioned)
        driver = self._sources.driver(mapping, meter, await self._role(mapping))
        return Runner(mapping, RunnerParts(parts.clock, parts.stock.catalog, parts.calls, driver, meter, limits, tell))

    async def _role(self, mapping: Mapping) -> str:
        """Whose name the function runs in; nothing where it is gone."""
        reference = self._parts.home.parse(mapping.function)
        found = await self._parts.store.read(
            lambda reader: version_repository.resolve(reader, reference.name, reference.qualifier)
        )
        return found.runs.configuration.role if found is not None else ""
