"""Parameters, built: the service `ssm`."""

from collections.abc import Mapping

from mayfly.clock import Clock
from mayfly.services.configs.parameters.expiry import Expiry
from mayfly.services.configs.parameters.operations.labels import LabelOperations
from mayfly.services.configs.parameters.operations.listing import ListingOperations
from mayfly.services.configs.parameters.operations.reading import ReadingOperations, SecretValues
from mayfly.services.configs.parameters.operations.tags import TagOperations
from mayfly.services.configs.parameters.operations.writing import WritingOperations
from mayfly.services.configs.parameters.values import Values
from mayfly.services.contract import Handler, operations_of
from mayfly.services.ports import PlatformEvents, Vault
from mayfly.store.api import Store
from mayfly.ticker.ticker import Ticker


class ParametersService:
    """A `Service`. `run` must be a task for as long as it is used."""

    name = "ssm"

    def __init__(self, store: Store, clock: Clock, vault: Vault, events: PlatformEvents, secrets: SecretValues) -> None:
        values = Values(vault)
        self.ticker = Ticker(store, clock, "parameters", Expiry(events).tick)
        self.operations: Mapping[str, Handler] = operations_of(
            WritingOperations(store, clock, values, events, self.ticker),
            ReadingOperations(store, values, secrets),
            ListingOperations(store, values),
            LabelOperations(store, events),
            TagOperations(store),
        )

    async def run(self) -> None:
        """Let parameters expire, until cancelled."""
        await self.ticker.run()
