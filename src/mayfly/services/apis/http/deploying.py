"""What of an API its stages serve: snapshots of deployments, or the API itself where a stage follows every change.

A stage with AutoDeploy always serves the API as it stands, so its deployment needs no snapshot; it gets one in the
moment in which the stage stops to follow. Inside the caller's transaction.
"""

from datetime import datetime

from msgspec.structs import replace

from mayfly import ids
from mayfly.services.apis.http import catalog, faults
from mayfly.services.apis.http.model import MAX_DEPLOYMENTS, Content, Members, Part
from mayfly.store.api import Reader, Tx


def new_deployment(
    now: datetime, description: str | None, *, auto: bool = False, deployment_id: str | None = None
) -> Part:
    """A deployment that is complete as soon as it is written: nothing here takes time."""
    members: Members = {"AutoDeployed": auto, "CreatedDate": now, "DeploymentStatus": "DEPLOYED"}
    if description is not None:
        members["Description"] = description
    return Part("deployment", deployment_id or ids.token(6), members)


def changed(tx: Tx, api_id: str, now: datetime) -> None:
    """Deploy the API to the stages that follow every change. To be called with everything that changes it."""
    following = [stage for stage in catalog.every(tx, api_id, "stage") if stage.members.get("AutoDeploy")]
    if following:
        follow(tx, api_id, following, now)


def follow(tx: Tx, api_id: str, stages: list[Part], now: datetime) -> None:
    """Deploy the API as it stands to `stages`, which follow it."""
    deployment = new_deployment(now, "Automatic deployment triggered by changes to the Api configuration", auto=True)
    catalog.put(tx, api_id, deployment)
    before = {stage.members.get("DeploymentId") for stage in stages}
    for stage in stages:
        said = f"Successfully deployed stage with deployment ID '{deployment.id}'"
        members = {**stage.members, "DeploymentId": deployment.id, "LastUpdatedDate": now}
        catalog.put(tx, api_id, replace(stage, members={**members, "LastDeploymentStatusMessage": said}))
    kept = {stage.members.get("DeploymentId") for stage in catalog.every(tx, api_id, "stage")}
    for gone in before - kept:
        found = catalog.find(tx, api_id, "deployment", gone) if gone is not None else None
        if found is not None and found.members.get("AutoDeployed"):
            catalog.remove_deployment(tx, api_id, found.id)


def deploy(tx: Tx, api_id: str, description: str | None, now: datetime, deployment_id: str | None = None) -> Part:
    """A new deployment of the API as it stands, under an id of its own or this one; BadRequestException."""
    content = catalog.content(tx, api_id)
    if content is None:
        raise faults.no_api(api_id)
    if not content.of("route"):
        raise faults.bad("At least one route is required before deploying the Api.")
    if len(catalog.every(tx, api_id, "deployment")) >= MAX_DEPLOYMENTS:
        raise faults.too_many("deployment", MAX_DEPLOYMENTS)
    deployment = new_deployment(now, description, deployment_id=deployment_id)
    catalog.put(tx, api_id, deployment)
    catalog.put_snapshot(tx, deployment.id, content)
    return deployment


def keep(tx: Tx, api_id: str, deployment_id: str) -> None:
    """Keep what a deployment is of, which a stage is about to serve without following; NotFoundException."""
    catalog.part(tx, api_id, "deployment", deployment_id)
    if catalog.snapshot(tx, api_id, deployment_id) is None:
        content = catalog.content(tx, api_id)  # it follows the API, so that is what it is of
        assert content is not None
        catalog.put_snapshot(tx, deployment_id, content)


def served(reader: Reader, content: Content, stage: Part) -> Content | None:
    """What a stage serves of the API that `content` is; None: nothing yet."""
    if stage.members.get("AutoDeploy"):
        return content
    deployment_id = stage.members.get("DeploymentId")
    return None if deployment_id is None else catalog.snapshot(reader, content.api.id, deployment_id)
