"""Deployment configurations: in which steps calls are shifted."""

import uuid
from typing import Any

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions.rollouts import describe, faults, repository, requests
from mayfly.services.functions.rollouts.model import BUILT_IN, Config
from mayfly.store.api import Store, Tx

MOST = 1000


class ConfigOperations:
    """Handlers; see the module."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateDeploymentConfig")
    async def create(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        name = params["deploymentConfigName"]
        if params.get("computePlatform") != "Lambda":
            raise faults.invalid_platform()
        if name.startswith("CodeDeployDefault."):
            raise faults.reserved_config(name)
        shape = requests.shape(params)
        made = Config(
            name, str(uuid.uuid4()), self._clock.now(), shape.kind, int(shape.percent), int(shape.every_s // 60)
        )

        def body(tx: Tx) -> None:
            if not repository.insert_config(tx, made):
                raise faults.config_exists(name)

        await self._store.write(body)
        return {"deploymentConfigId": made.id}

    @operation("GetDeploymentConfig")
    async def get(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        name = params["deploymentConfigName"]
        if name in BUILT_IN:
            return {"deploymentConfigInfo": describe.config(name, BUILT_IN[name], None)}
        found = await self._store.read(lambda reader: repository.find_config(reader, name))
        if found is None:
            raise faults.no_config(name)
        return {"deploymentConfigInfo": describe.config(name, found.shape, found)}

    @operation("ListDeploymentConfigs")
    async def list(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        found = await self._store.read(lambda reader: repository.configs(reader, MOST))
        return {"deploymentConfigsList": [*BUILT_IN, *found]}

    @operation("DeleteDeploymentConfig")
    async def delete(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        name = params["deploymentConfigName"]
        if name in BUILT_IN:
            raise faults.reserved_config(name)

        def body(tx: Tx) -> None:
            if repository.config_in_use(tx, name):
                raise faults.config_in_use(name)
            repository.delete_config(tx, name)

        await self._store.write(body)
        return {}
