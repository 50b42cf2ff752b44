"""Deployment groups: how an application is rolled out, what it is watched by, who is told."""

import uuid
from typing import Any

from msgspec.structs import replace

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions.rollouts import describe, faults, repository, requests
from mayfly.services.functions.rollouts.model import BUILT_IN, PREFIX, Care, Group
from mayfly.services.functions.rollouts.operations.applications import PAGE, next_place, page_of
from mayfly.store.api import Reader, Store, Tx


class GroupOperations:
    """Handlers; see the module."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("CreateDeploymentGroup")
    async def create(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        requests.refuse_others(params)
        made = Group(
            params["applicationName"],
            params["deploymentGroupName"],
            str(uuid.uuid4()),
            params.get("deploymentConfigName", f"{PREFIX}AllAtOnce"),
            params["serviceRoleArn"],
            requests.care(params, Care()),
            {each["Key"]: each.get("Value", "") for each in params.get("tags", ())},
        )

        def body(tx: Tx) -> None:
            _check(tx, made)
            if not repository.insert_group(tx, made):
                raise faults.group_exists(made.name)

        await self._store.write(body)
        return {"deploymentGroupId": made.id}

    @operation("UpdateDeploymentGroup")
    async def update(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        requests.refuse_others(params)
        name = params["currentDeploymentGroupName"]

        def body(tx: Tx) -> None:
            old = existing(tx, params["applicationName"], name)
            new = replace(
                old,
                name=params.get("newDeploymentGroupName", name),
                config=params.get("deploymentConfigName", old.config),
                role=params.get("serviceRoleArn", old.role),
                care=requests.care(params, old.care),
            )
            _check(tx, new)
            if new.name != name and repository.find_group(tx, new.application, new.name) is not None:
                raise faults.group_exists(new.name)
            repository.update_group(tx, new, name)

        await self._store.write(body)
        return {"hooksNotCleanedUp": []}

    @operation("GetDeploymentGroup")
    async def get(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        def body(reader: Reader) -> dict[str, Any]:
            return _shown(reader, existing(reader, params["applicationName"], params["deploymentGroupName"]))

        return {"deploymentGroupInfo": await self._store.read(body)}

    @operation("BatchGetDeploymentGroups")
    async def get_many(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        application = params["applicationName"]

        def body(reader: Reader) -> list[dict[str, Any]]:
            if repository.find_application(reader, application) is None:
                raise faults.no_application(application)
            found = [repository.find_group(reader, application, name) for name in params["deploymentGroupNames"]]
            return [_shown(reader, each) for each in found if each is not None]

        return {"deploymentGroupsInfo": await self._store.read(body)}

    @operation("ListDeploymentGroups")
    async def list(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        application, after = params["applicationName"], next_place(params)

        def body(reader: Reader) -> list[str]:
            if repository.find_application(reader, application) is None:
                raise faults.no_application(application)
            return repository.groups(reader, application, after, PAGE + 1)

        found = await self._store.read(body)
        return {"applicationName": application, **page_of("deploymentGroups", found)}

    @operation("DeleteDeploymentGroup")
    async def delete(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        """One that is not there is as good as deleted. What it has under way goes on."""
        place = params["applicationName"], params["deploymentGroupName"]
        await self._store.write(lambda tx: repository.delete_group(tx, *place))
        return {"hooksNotCleanedUp": []}


def existing(reader: Reader, application: str, name: str) -> Group:
    """A deployment group; `ServiceError` when it, or its application, is not there."""
    if repository.find_application(reader, application) is None:
        raise faults.no_application(application)
    found = repository.find_group(reader, application, name)
    if found is None:
        raise faults.no_group(name)
    return found


def _check(reader: Reader, group: Group) -> None:
    if repository.find_application(reader, group.application) is None:
        raise faults.no_application(group.application)
    if group.config not in BUILT_IN and repository.find_config(reader, group.config) is None:
        raise faults.no_config(group.config)


def _shown(reader: Reader, group: Group) -> dict[str, Any]:
    shown = describe.group(group)
    for _, rollout in repository.page(reader, group.application, group.name, repository.MOST, 50):
        last: dict[str, Any] = {"deploymentId": rollout.id, "status": rollout.status}
        times = describe.deployment(rollout)
        last["createTime"] = times["createTime"]
        if "completeTime" in times:
            last["endTime"] = times["completeTime"]
        shown.setdefault("lastAttemptedDeployment", last)
        if rollout.status == "Succeeded":
            shown["lastSuccessfulDeployment"] = last
            shown["targetRevision"] = times["revision"]
            break
    return shown
