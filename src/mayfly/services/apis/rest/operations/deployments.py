"""Deployments: copies of an API, which stages point to."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from mayfly.clock import utc
from mayfly.services.apis.rest import catalog, checks, faults, naming, paging, patching, stage_patches
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.model import Api, Canary, Deployment, Stage, shown
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Reader, Tx

MOST = 300
RULES = (patching.scalar("description"),)
_CONTENT = "Invalid deployment content specified."


class DeploymentOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("CreateDeployment")
    async def create(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        editing, api_id = self._editing, params["restApiId"]
        now = editing.clock.now()
        made = Deployment(
            id=naming.made_id(context, 6, "deployment"), created_at=now, description=params.get("description")
        )

        def body(tx: Tx) -> Deployment:
            api = catalog.api(tx, api_id)
            if api is None:
                raise editing.no_such_api(api_id)
            if context.once is not None and (before := catalog.deployment(tx, api_id, made.id)) is not None:
                return before
            _check(api)
            if len(catalog.deployments(tx, api_id, "", MOST)) >= MOST:
                raise faults.too_many("Maximum number of deployments for this API has been reached.")
            catalog.put_deployment(tx, api, made)
            self._point(tx, api_id, made, params, now)
            return made

        return described(await editing.store.write(body))

    def _point(self, tx: Tx, api_id: str, made: Deployment, params: Mapping[str, Any], now: float) -> None:
        """Let a stage, which may be new, have the deployment, or its canary."""
        name, canary = params.get("stageName"), params.get("canarySettings")
        if canary is not None and not name:
            raise faults.bad_request(
                f"{_CONTENT}Non null and non empty stageName must be provided for canary deployment. "
                f"Provided value is {'null' if name is None else name}"
            )
        if not name:
            return
        checks.stage_name(name)
        before = catalog.stage(tx, api_id, name)
        if canary is not None:
            if before is None:
                raise faults.bad_request(
                    f"{_CONTENT}Stage {name} must already be created before making a canary release deployment"
                )
            settings = msgspec.convert(
                {"useStageCache": False, "percentTraffic": 0.0, **canary, "deploymentId": made.id}, Canary
            )
            stage_patches.canary(settings)
            self._editing.put_stage(tx, api_id, replace(before, canary_settings=settings, updated_at=now))
            return
        if before is None:
            before = Stage(
                stage_name=name,
                deployment_id=made.id,
                created_at=now,
                updated_at=now,
                cache_cluster_enabled=params.get("cacheClusterEnabled", False),
                cache_cluster_size=params.get("cacheClusterSize"),
                tracing_enabled=params.get("tracingEnabled", False),
                description=params.get("stageDescription"),
            )
        stage = replace(before, deployment_id=made.id, updated_at=now)
        if params.get("variables") is not None:
            checks.variables(params["variables"])
            stage = replace(stage, variables=params["variables"])
        self._editing.put_stage(tx, api_id, stage)

    @operation("GetDeployment")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        api_id = params["restApiId"]
        summary = "apisummary" in [one.lower() for one in params.get("embed") or ()]

        def body(reader: Reader) -> dict[str, Any]:
            found = _found(reader, api_id, params["deploymentId"])
            members = described(found)
            if summary and (api := catalog.deployed(reader, api_id, found.id)) is not None:
                members["apiSummary"] = summarised(api)
            return members

        return await self._editing.store.read(body)

    @operation("GetDeployments")
    async def list(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        api_id, begin, most = params["restApiId"], paging.after(params), paging.size(params)

        def body(reader: Reader) -> list[Deployment]:
            if catalog.head(reader, api_id) is None:
                raise self._editing.no_such_api(api_id)
            return catalog.deployments(reader, api_id, begin, most + 1)

        found, more = paging.page([(one.id, one) for one in await self._editing.store.read(body)], params)
        return {"items": [described(one) for one in found], **more}

    @operation("UpdateDeployment")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)

        def body(tx: Tx) -> Deployment:
            members = msgspec.to_builtins(_found(tx, params["restApiId"], params["deploymentId"]))
            patching.apply_chatty(members, RULES, asked)
            changed = msgspec.convert(members, Deployment)
            catalog.change_deployment(tx, params["restApiId"], changed)
            return changed

        return described(await self._editing.store.write(body))

    @operation("DeleteDeployment")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        api_id, deployment_id = params["restApiId"], params["deploymentId"]

        def body(tx: Tx) -> None:
            _found(tx, api_id, deployment_id)
            for stage in catalog.stages(tx, api_id):
                canary = stage.canary_settings
                if deployment_id in (stage.deployment_id, canary.deployment_id if canary else None):
                    raise faults.bad_request("Active stages pointing to this deployment must be moved or deleted")
            catalog.delete_deployment(tx, api_id, deployment_id)

        await self._editing.store.write(body)
        return {}


def _found(reader: Reader, api_id: str, deployment_id: str) -> Deployment:
    found = catalog.deployment(reader, api_id, deployment_id)
    if found is None:
        raise faults.no_such_deployment()
    return found


def _check(api: Api) -> None:
    methods = [method for resource in api.parts.resources.values() for method in resource.methods.values()]
    if not methods:
        raise faults.bad_request("The REST API doesn't contain any methods")
    if any(method.method_integration is None for method in methods):
        raise faults.bad_request("No integration defined for method")


def described(deployment: Deployment) -> dict[str, Any]:
    return {**shown(deployment, "createdAt"), "createdDate": utc(deployment.created_at)}


def summarised(api: Api) -> dict[str, Any]:
    """Paths, methods and what protects them."""
    return {
        resource.path: {
            verb: {"authorizationType": method.authorization_type, "apiKeyRequired": method.api_key_required}
            for verb, method in resource.methods.items()
        }
        for resource in api.parts.resources.values()
        if resource.methods
    }
