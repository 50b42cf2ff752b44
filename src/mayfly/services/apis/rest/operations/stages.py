"""Stages: under which names deployments are reached, and with which settings."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from mayfly.clock import utc
from mayfly.services.apis.rest import catalog, checks, faults, patching, stage_patches
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.model import Canary, Stage, shown
from mayfly.services.apis.rest.operations.account import find_certificate
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Reader, Tx

MOST = 10


class StageOperations:
    """Handlers; see the module."""

    def __init__(
        self, editing: Editing, flush: Callable[[str, str], None], flush_authorizers: Callable[[str, str], None]
    ) -> None:
        """What makes a stage of an API forget its responses, and what its authorizers decided."""
        self._editing = editing
        self._flush = flush
        self._flush_authorizers = flush_authorizers

    @operation("CreateStage")
    async def create(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        api_id, name = params["restApiId"], params["stageName"]
        checks.stage_name(name)
        checks.variables(params.get("variables") or {})
        stage = new_stage(params, self._editing.clock.now())

        def body(tx: Tx) -> None:
            if catalog.head(tx, api_id) is None:
                raise self._editing.no_such_api(api_id)
            if catalog.stage(tx, api_id, name) is not None:
                raise faults.conflict("Stage already exists")
            if len(catalog.stages(tx, api_id)) >= MOST:
                raise faults.too_many("Maximum number of stages for this API has been reached.")
            check_deployments(tx, api_id, stage)
            self._editing.put_stage(tx, api_id, stage)

        await self._editing.store.write(body)
        return described(stage)

    @operation("GetStage")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        return described(await self._editing.store.read(lambda reader: find(reader, params)))

    @operation("GetStages")
    async def list(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        api_id, wanted = params["restApiId"], params.get("deploymentId")

        def body(reader: Reader) -> list[Stage]:
            if catalog.head(reader, api_id) is None:
                raise self._editing.no_such_api(api_id)
            return catalog.stages(reader, api_id)

        found = await self._editing.store.read(body)
        return {"item": [described(one) for one in found if wanted in (None, one.deployment_id)]}

    @operation("UpdateStage")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked, now = patching.patches(params), self._editing.clock.now()

        def body(tx: Tx) -> Stage:
            stage = find(tx, params)
            changed = replace(stage_patches.patched(stage, asked), updated_at=now)
            check_deployments(tx, params["restApiId"], changed)
            if changed.client_certificate_id not in (None, stage.client_certificate_id):
                find_certificate(tx, {"clientCertificateId": changed.client_certificate_id})
            self._editing.put_stage(tx, params["restApiId"], changed)
            return changed

        return described(await self._editing.store.write(body))

    @operation("DeleteStage")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(tx: Tx) -> None:
            find(tx, params)
            catalog.delete_stage(tx, params["restApiId"], params["stageName"])
            self._editing.tell(tx, params["restApiId"])

        await self._editing.store.write(body)
        return {}

    @operation("FlushStageCache")
    async def flush(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        await self._editing.store.read(lambda reader: find(reader, params))
        self._flush(params["restApiId"], params["stageName"])
        return {}

    @operation("FlushStageAuthorizersCache")
    async def flush_authorizers(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        await self._editing.store.read(lambda reader: find(reader, params))
        self._flush_authorizers(params["restApiId"], params["stageName"])
        return {}


def new_stage(params: Mapping[str, Any], now: float) -> Stage:
    canary = params.get("canarySettings")
    settings = None
    if canary is not None:
        usual = {"useStageCache": False, "percentTraffic": 0.0, "deploymentId": params["deploymentId"]}
        settings = msgspec.convert({**usual, **canary}, Canary)
        stage_patches.canary(settings)
    return Stage(
        stage_name=params["stageName"],
        deployment_id=params["deploymentId"],
        created_at=now,
        updated_at=now,
        cache_cluster_enabled=params.get("cacheClusterEnabled", False),
        cache_cluster_size=params.get("cacheClusterSize") or ("0.5" if params.get("cacheClusterEnabled") else None),
        tracing_enabled=params.get("tracingEnabled", False),
        description=params.get("description"),
        variables=params.get("variables"),
        documentation_version=params.get("documentationVersion"),
        canary_settings=settings,
        tags=params.get("tags"),
    )


def find(reader: Reader, params: Mapping[str, Any]) -> Stage:
    found = catalog.stage(reader, params["restApiId"], params["stageName"])
    if found is None:
        raise faults.no_such_stage()
    return found


def check_deployments(reader: Reader, api_id: str, stage: Stage) -> None:
    """Whether those that a stage points to are there; `ServiceError`."""
    wanted = [stage.deployment_id]
    if stage.canary_settings is not None:
        wanted.append(stage.canary_settings.deployment_id)
    if any(catalog.deployment(reader, api_id, one) is None for one in wanted):
        raise faults.bad_request("Deployment id does not exist")


def described(stage: Stage) -> dict[str, Any]:
    members = shown(stage, "createdAt", "updatedAt")
    members["createdDate"], members["lastUpdatedDate"] = utc(stage.created_at), utc(stage.updated_at)
    members["methodSettings"] = {
        key: {name: value for name, value in shown(one).items() if value is not None}
        for key, one in stage.method_settings.items()
    }
    members["cacheClusterStatus"] = "AVAILABLE" if stage.cache_cluster_enabled else "NOT_AVAILABLE"
    return members
