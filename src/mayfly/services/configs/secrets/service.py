"""Secrets, built: the service `secretsmanager`."""

import asyncio
from collections.abc import Mapping
from typing import Any

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services.configs.secrets.calling import FunctionCalls
from mayfly.services.configs.secrets.desk import Desk
from mayfly.services.configs.secrets.lifecycle import Lifecycle
from mayfly.services.configs.secrets.operations.deletion import DeletionOperations
from mayfly.services.configs.secrets.operations.descriptions import DescriptionOperations
from mayfly.services.configs.secrets.operations.policies import PolicyOperations
from mayfly.services.configs.secrets.operations.rotation import RotationOperations
from mayfly.services.configs.secrets.operations.values import ValueOperations
from mayfly.services.configs.secrets.rotation import Rotations
from mayfly.services.configs.secrets.values import Values
from mayfly.services.contract import Handler, RequestContext, operations_of
from mayfly.services.ports import EventTargets, SdkOperations, Vault
from mayfly.store.api import ReadyQueue, Store
from mayfly.ticker.ticker import Ticker


class SecretsService:
    """A `Service`. `run` must be a task for as long as it is used."""

    name = "secretsmanager"

    def __init__(
        self,
        store: Store,
        ready: ReadyQueue,
        clock: Clock,
        vault: Vault,
        targets: EventTargets,
        operations: SdkOperations,
        endpoint: str,
    ) -> None:
        calls = FunctionCalls(targets, operations, endpoint)
        self._rotations = Rotations(store, ready, clock, calls, ids.request_id)
        self.ticker = Ticker(store, clock, "secrets", Lifecycle(self._rotations.due).tick)
        desk = Desk(store, clock, Values(vault), self.ticker)
        self._values, self._descriptions = ValueOperations(desk), DescriptionOperations(desk)
        self.operations: Mapping[str, Handler] = operations_of(
            self._values,
            self._descriptions,
            DeletionOperations(desk),
            RotationOperations(desk, self._rotations, calls),
            PolicyOperations(desk),
        )

    async def value(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """What GetSecretValue answers; for parameters that refer to a secret."""
        return await self._values.get(context, params)

    async def description(self, context: RequestContext, secret: str) -> dict[str, Any]:
        """What DescribeSecret answers; likewise."""
        return await self._descriptions.describe(context, {"SecretId": secret})

    async def run(self) -> None:
        """Rotate and delete what is due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.ticker.run(), name="secrets-ticker")
            tasks.create_task(self._rotations.run(), name="secrets-rotations")
