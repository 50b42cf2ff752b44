"""Operations on stages and deployments."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from mayfly.services.apis.http import catalog, checks, deploying, faults
from mayfly.services.apis.http.editing import Editing, named, picked, shown
from mayfly.services.apis.http.model import MAX_OF, Members, Part
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_apigatewayv2.type_defs import (
        CreateDeploymentRequestTypeDef,
        CreateStageRequestTypeDef,
        DeleteAccessLogSettingsRequestTypeDef,
        DeleteDeploymentRequestTypeDef,
        DeleteRouteSettingsRequestTypeDef,
        DeleteStageRequestTypeDef,
        GetDeploymentRequestTypeDef,
        GetDeploymentsRequestTypeDef,
        GetStageRequestTypeDef,
        GetStagesRequestTypeDef,
        UpdateDeploymentRequestTypeDef,
        UpdateStageRequestTypeDef,
    )

FIELDS: Final = (
    "AccessLogSettings",
    "AutoDeploy",
    "ClientCertificateId",
    "DefaultRouteSettings",
    "DeploymentId",
    "Description",
    "RouteSettings",
    "StageName",
    "StageVariables",
    "Tags",
)


class StageOperations:
    """Stages."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("CreateStage")
    async def create(self, context: RequestContext, request: "CreateStageRequestTypeDef") -> dict[str, Any]:
        api_id, name, now = request["ApiId"], request["StageName"], self._editing.now()
        members = fresh(picked(request, FIELDS), now)
        checks.check_stage(members)
        checks.check_tags(members["Tags"])

        def body(tx: Tx) -> Part:
            catalog.api(tx, api_id)
            before = catalog.find(tx, api_id, "stage", name)
            if before is not None:
                if context.once is not None:
                    return before
                raise faults.conflict("Stage already exists")
            if len(catalog.every(tx, api_id, "stage")) >= MAX_OF["stage"]:
                raise faults.too_many("stage", MAX_OF["stage"])
            stage = Part("stage", name, members)
            self._write(tx, api_id, stage)
            return catalog.part(tx, api_id, "stage", name)

        return shown(await self._editing.store.write(body))

    @operation("GetStage")
    async def get(self, context: RequestContext, request: "GetStageRequestTypeDef") -> dict[str, Any]:
        return shown(await self._editing.get(request["ApiId"], "stage", request["StageName"]))

    @operation("GetStages")
    async def list(self, context: RequestContext, request: "GetStagesRequestTypeDef") -> dict[str, Any]:
        return await self._editing.list(request, "stage")

    @operation("UpdateStage")
    async def update(self, context: RequestContext, request: "UpdateStageRequestTypeDef") -> dict[str, Any]:
        def change(old: Members) -> Members:
            new = checks.updated(old, request, FIELDS)
            if "StageVariables" in request:
                new["StageVariables"] = checks.merged(old.get("StageVariables", {}), request["StageVariables"])
            if "RouteSettings" in request:
                new["RouteSettings"] = {**old.get("RouteSettings", {}), **request["RouteSettings"]}
            if "DefaultRouteSettings" in request:
                new["DefaultRouteSettings"] = {**old.get("DefaultRouteSettings", {}), **request["DefaultRouteSettings"]}
            if old.get("AutoDeploy") and new.get("AutoDeploy") and "DeploymentId" in request:
                raise faults.bad("Deployment ID cannot be set on stages with automatic deployments enabled")
            return new

        return await self._change(request["ApiId"], request["StageName"], change)

    @operation("DeleteStage")
    async def delete(self, context: RequestContext, request: "DeleteStageRequestTypeDef") -> dict[str, Any]:
        return await self._editing.delete(request["ApiId"], "stage", request["StageName"])

    @operation("DeleteAccessLogSettings")
    async def delete_logs(
        self, context: RequestContext, request: "DeleteAccessLogSettingsRequestTypeDef"
    ) -> dict[str, Any]:
        def change(old: Members) -> Members:
            return {name: value for name, value in old.items() if name != "AccessLogSettings"}

        await self._change(request["ApiId"], request["StageName"], change)
        return {}

    @operation("DeleteRouteSettings")
    async def delete_settings(
        self, context: RequestContext, request: "DeleteRouteSettingsRequestTypeDef"
    ) -> dict[str, Any]:
        key = request["RouteKey"]

        def change(old: Members) -> Members:
            settings = dict(old.get("RouteSettings", {}))
            if settings.pop(key, None) is None:
                raise faults.not_found(f"Invalid route key specified {key}")
            return {**old, "RouteSettings": settings}

        await self._change(request["ApiId"], request["StageName"], change)
        return {}

    async def _change(self, api_id: str, name: str, change: Any) -> dict[str, Any]:
        now = self._editing.now()

        def body(tx: Tx) -> Part:
            before = catalog.part(tx, api_id, "stage", name)
            after = replace(before, members={**change(before.members), "LastUpdatedDate": now})
            checks.check_stage(after.members)
            self._write(tx, api_id, after, before)
            return catalog.part(tx, api_id, "stage", name)

        return shown(await self._editing.store.write(body))

    def _write(self, tx: Tx, api_id: str, stage: Part, before: Part | None = None) -> None:
        """Write a stage with what it serves from now on."""
        members = stage.members
        known = {route.members["RouteKey"] for route in catalog.every(tx, api_id, "route")}
        for key in set(members["RouteSettings"]) - set(() if before is None else before.members["RouteSettings"]):
            if key not in known:
                raise faults.not_found(f"Unable to find Route by key {key} within the provided RouteSettings")
        follows = bool(members.get("AutoDeploy"))
        followed = before is not None and bool(before.members.get("AutoDeploy"))
        if not follows and members.get("DeploymentId") is not None:
            deploying.keep(tx, api_id, members["DeploymentId"])
        catalog.put(tx, api_id, stage)
        if follows and not followed:
            deploying.follow(tx, api_id, [stage], self._editing.now())
        self._editing.tell(tx, api_id)


class DeploymentOperations:
    """Deployments."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("CreateDeployment")
    async def create(self, context: RequestContext, request: "CreateDeploymentRequestTypeDef") -> dict[str, Any]:
        api_id, name, now = request["ApiId"], request.get("StageName"), self._editing.now()
        given = named(context, 6)

        def body(tx: Tx) -> Part:
            catalog.api(tx, api_id)
            before = catalog.find(tx, api_id, "deployment", given) if given is not None else None
            if before is not None:
                return before
            stage = catalog.part(tx, api_id, "stage", name) if name is not None else None
            if stage is not None and stage.members.get("AutoDeploy"):
                raise faults.bad("Deployment ID cannot be set on stages with automatic deployments enabled")
            deployment = deploying.deploy(tx, api_id, request.get("Description"), now, given)
            if stage is not None:
                changes = {"DeploymentId": deployment.id, "LastUpdatedDate": now}
                catalog.put(tx, api_id, replace(stage, members={**stage.members, **changes}))
            self._editing.tell(tx, api_id)
            return deployment

        return shown(await self._editing.store.write(body))

    @operation("GetDeployment")
    async def get(self, context: RequestContext, request: "GetDeploymentRequestTypeDef") -> dict[str, Any]:
        return shown(await self._editing.get(request["ApiId"], "deployment", request["DeploymentId"]))

    @operation("GetDeployments")
    async def list(self, context: RequestContext, request: "GetDeploymentsRequestTypeDef") -> dict[str, Any]:
        return await self._editing.list(request, "deployment")

    @operation("UpdateDeployment")
    async def update(self, context: RequestContext, request: "UpdateDeploymentRequestTypeDef") -> dict[str, Any]:
        def change(old: Members) -> Members:
            return checks.updated(old, request, ("Description",))

        found = await self._editing.update(
            request["ApiId"], "deployment", request["DeploymentId"], change, lambda tx, api, part: None
        )
        return shown(found)

    @operation("DeleteDeployment")
    async def delete(self, context: RequestContext, request: "DeleteDeploymentRequestTypeDef") -> dict[str, Any]:
        api_id, deployment_id = request["ApiId"], request["DeploymentId"]

        def body(tx: Tx) -> None:
            catalog.part(tx, api_id, "deployment", deployment_id)
            if any(stage.members.get("DeploymentId") == deployment_id for stage in catalog.every(tx, api_id, "stage")):
                raise faults.bad("Active stages pointing to this deployment must be moved or deleted")
            catalog.remove_deployment(tx, api_id, deployment_id)

        await self._editing.store.write(body)
        return {}


def fresh(given: Mapping[str, Any], now: Any) -> Members:
    """The members of a new stage."""
    return {
        "AutoDeploy": False,
        "CreatedDate": now,
        "DefaultRouteSettings": {"DetailedMetricsEnabled": False},
        "LastUpdatedDate": now,
        "RouteSettings": {},
        "StageVariables": {},
        "Tags": {},
        **given,
    }
