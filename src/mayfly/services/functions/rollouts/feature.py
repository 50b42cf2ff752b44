"""Rollouts, built: a feature of functions with a service of its own on the wire, `codedeploy`."""

import asyncio
from collections.abc import Mapping, Sequence

from mayfly.services.contract import Handler, operations_of
from mayfly.services.functions.parts import Parts
from mayfly.services.functions.rollouts.driver import Driver
from mayfly.services.functions.rollouts.operations.applications import ApplicationOperations
from mayfly.services.functions.rollouts.operations.configs import ConfigOperations
from mayfly.services.functions.rollouts.operations.deployments import DeploymentOperations
from mayfly.services.functions.rollouts.operations.groups import GroupOperations


class CodeDeploy:
    """`contract.Service`."""

    name = "codedeploy"

    def __init__(self, *groups: object) -> None:
        self.operations: Mapping[str, Handler] = operations_of(*groups)


class Rollouts:
    """`parts.Feature`, and `parts.Serving`."""

    operations: Sequence[object] = ()

    def __init__(self, parts: Parts) -> None:
        self._driver = Driver(parts)
        self._task: asyncio.Task[None] | None = None
        self.service = CodeDeploy(
            ApplicationOperations(parts.store, parts.clock),
            GroupOperations(parts.store),
            ConfigOperations(parts.store, parts.clock),
            DeploymentOperations(parts.store, parts.home, self._driver, parts.clock),
        )

    async def start(self) -> None:
        """Go on with rollouts that are under way."""
        self._task = asyncio.create_task(self._driver.run(), name="rollouts")

    async def stop(self, grace_s: float) -> None:
        """Leave them where they are; the next server goes on with them."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
