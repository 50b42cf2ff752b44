"""Scaling, built: the service `application-autoscaling`."""

import asyncio
from collections.abc import Mapping

from mayfly.clock import Clock
from mayfly.services.autoscaling.acting import Acting
from mayfly.services.autoscaling.changing import Changing
from mayfly.services.autoscaling.names import Home
from mayfly.services.autoscaling.operations.actions import ActionOperations
from mayfly.services.autoscaling.operations.policies import PolicyOperations
from mayfly.services.autoscaling.operations.targets import TargetOperations
from mayfly.services.autoscaling.scaler import Scaler
from mayfly.services.contract import Handler, operations_of
from mayfly.services.ports import ProvisionedUse, SdkOperations
from mayfly.store.api import Store
from mayfly.ticker.ticker import Ticker


class AutoscalingService:
    """A `Service`. `run` must be a task for as long as it is used."""

    name = "application-autoscaling"

    def __init__(
        self,
        store: Store,
        clock: Clock,
        account: str,
        region: str,
        operations: SdkOperations,
        used: ProvisionedUse,
        endpoint: str,
    ) -> None:
        home = Home(account, region)
        changing = Changing(operations, home, endpoint)
        self.scaler = Scaler(store, clock, home, changing, used)
        self.ticker = Ticker(store, clock, "autoscaling", Acting(self.scaler.wake).tick)
        self.operations: Mapping[str, Handler] = operations_of(
            TargetOperations(store, clock, home, self.ticker, changing, self.scaler),
            PolicyOperations(store, clock, home, self.scaler),
            ActionOperations(store, clock, home, self.ticker),
        )

    async def run(self) -> None:
        """Tick and scale until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.ticker.run(), name="autoscaling-ticker")
            tasks.create_task(self.scaler.run(), name="autoscaling-scaler")
