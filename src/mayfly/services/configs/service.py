"""Parameters and secrets, built and run together: parameters can refer to secrets."""

import asyncio

from mayfly.clock import Clock
from mayfly.services.configs.parameters.service import ParametersService
from mayfly.services.configs.secrets.service import SecretsService
from mayfly.services.contract import Service
from mayfly.services.ports import EventTargets, PlatformEvents, SdkOperations, Vault
from mayfly.store.api import ReadyQueue, Store


class Configs:
    """Made by the composition root. `run` must be a task for as long as they are used."""

    def __init__(
        self,
        store: Store,
        ready: ReadyQueue,
        clock: Clock,
        vault: Vault,
        events: PlatformEvents,
        targets: EventTargets,
        operations: SdkOperations,
        endpoint: str,
    ) -> None:
        self.secrets = SecretsService(store, ready, clock, vault, targets, operations, endpoint)
        self.parameters = ParametersService(store, clock, vault, events, self.secrets)

    @property
    def services(self) -> list[Service]:
        """Those that answer on the wire."""
        return [self.parameters, self.secrets]

    async def run(self) -> None:
        """Work in the background until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.parameters.run(), name="parameters")
            tasks.create_task(self.secrets.run(), name="secrets")
