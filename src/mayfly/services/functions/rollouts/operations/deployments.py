"""Deployments: rollouts begun, looked at, stopped; and what hooks report."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from mayfly.clock import Clock
from mayfly.policy.rollouts import Shape
from mayfly.services import page_tokens
from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions.names import Home
from mayfly.services.functions.rollouts import appspec, describe, driver, faults, moving, repository, requests
from mayfly.services.functions.rollouts.driver import Driver
from mayfly.services.functions.rollouts.model import ALL_AT_ONCE, BUILT_IN, Hook, Rollout
from mayfly.services.functions.rollouts.operations import groups
from mayfly.store.api import Reader, Store, Tx

PAGE: Final = 100
_SCAN: Final = 1000  # rollouts that a filter looks through for one page


class DeploymentOperations:
    """Handlers; see the module."""

    def __init__(self, store: Store, home: Home, rollouts: Driver, clock: Clock) -> None:
        self._store = store
        self._home = home
        self._rollouts = rollouts
        self._clock = clock

    @operation("CreateDeployment")
    async def create(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        requests.refuse_others(params)
        if not params.get("deploymentGroupName"):
            raise faults.group_required()
        application, group_name = params["applicationName"], params["deploymentGroupName"]
        content = _content(params.get("revision"))
        spec = appspec.parse(content)
        function = self._home.parse(spec.function).name
        now, deployment_id = self._clock.now(), driver.new_id()

        def body(tx: Tx) -> None:
            group = groups.existing(tx, application, group_name)
            config = params.get("deploymentConfigName", group.config)
            shape = spec.shape or _shape(tx, config)
            rollout = Rollout(
                id=deployment_id,
                application=application,
                group=group_name,
                config=config,
                function=function,
                alias=spec.alias,
                old=spec.old,
                new=spec.new,
                created_at=now,
                revision=content,
                shape=shape if spec.old != spec.new else ALL_AT_ONCE,
                limits=spec.limits,
                care=requests.care(params, group.care, "overrideAlarmConfiguration"),
                description=params.get("description", ""),
                before=Hook(spec.before) if spec.before else None,
                after=Hook(spec.after) if spec.after else None,
            )
            if other := repository.under_way(tx, rollout):
                raise faults.busy(group_name, other)
            if obstacle := moving.first_obstacle(tx, rollout, self._home):
                raise faults.invalid_revision(obstacle)
            self._rollouts.begin(tx, rollout)

        await self._store.write(body)
        return {"deploymentId": deployment_id}

    @operation("GetDeployment")
    async def get(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        return {"deploymentInfo": describe.deployment(await self._find(params["deploymentId"]))}

    @operation("BatchGetDeployments")
    async def get_many(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        def body(reader: Reader) -> list[Rollout | None]:
            return [repository.find(reader, each) for each in params["deploymentIds"]]

        found = await self._store.read(body)
        return {"deploymentsInfo": [describe.deployment(each) for each in found if each is not None]}

    @operation("ListDeployments")
    async def list(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        """The newest first."""
        application, group = params.get("applicationName", ""), params.get("deploymentGroupName", "")
        if group and not application:
            raise faults.invalid_input("A deployment group is named with its application.")
        token = params.get("nextToken") or None
        before = page_tokens.number_after(token, faults.invalid_token, repository.MOST)

        def body(reader: Reader) -> list[tuple[int, Rollout]]:
            if group:
                groups.existing(reader, application, group)
            elif application and repository.find_application(reader, application) is None:
                raise faults.no_application(application)
            return repository.page(reader, application, group, before, _SCAN)

        looked = await self._store.read(body)
        found = [(number, each) for number, each in looked if _wanted(each, params)]
        shown: dict[str, Any] = {"deployments": [each.id for _, each in found[:PAGE]]}
        if len(found) > PAGE:
            shown["nextToken"] = page_tokens.encode(str(found[PAGE - 1][0]))
        elif len(looked) == _SCAN:
            shown["nextToken"] = page_tokens.encode(str(looked[-1][0]))
        return shown

    @operation("StopDeployment")
    async def stop(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        """It ends with the next look."""
        deployment = params["deploymentId"]

        def body(tx: Tx) -> None:
            rollout = _existing(tx, deployment)
            if not rollout.under_way:
                raise faults.completed(deployment)
            back = params.get("autoRollbackEnabled")
            if back is None:
                back = "DEPLOYMENT_STOP_ON_REQUEST" in rollout.care.rollback_on
            repository.update(tx, replace(rollout, stop=back))

        await self._store.write(body)
        return {"status": "Pending", "statusMessage": "Waiting for the deployment to stop."}

    @operation("PutLifecycleEventHookExecutionStatus")
    async def report(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        execution, status = params.get("lifecycleEventHookExecutionId", ""), params.get("status", "")
        if status not in ("Succeeded", "Failed"):
            raise faults.invalid_hook_status(status)

        def body(tx: Tx) -> None:
            rollout = _existing(tx, params.get("deploymentId", ""))
            hooks = [hook for hook in (rollout.before, rollout.after) if hook and hook.execution_id]
            if execution not in [hook.execution_id for hook in hooks]:
                raise faults.no_hook(execution)
            reported = driver.hook_reported(rollout, execution, status, self._clock.now())
            if reported is None or not rollout.under_way:
                raise faults.hook_completed()
            repository.update(tx, reported)

        await self._store.write(body)
        return {"lifecycleEventHookExecutionId": execution}

    # The one target of a deployment is its alias.

    @operation("ListDeploymentTargets")
    async def targets(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        return {"targetIds": [(await self._find(params["deploymentId"])).qualified]}

    @operation("GetDeploymentTarget")
    async def target(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        return {"deploymentTarget": await self._target(params["deploymentId"], params["targetId"])}

    @operation("BatchGetDeploymentTargets")
    async def some_targets(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        deployment = params["deploymentId"]
        return {"deploymentTargets": [await self._target(deployment, each) for each in params["targetIds"]]}

    async def _target(self, deployment: str, target: str) -> dict[str, Any]:
        rollout = await self._find(deployment)
        if target != rollout.qualified:
            raise faults.no_target(target)
        return describe.target(rollout, self._home)

    async def _find(self, deployment: str) -> Rollout:
        return await self._store.read(lambda reader: _existing(reader, deployment))


def _existing(reader: Reader, deployment: str) -> Rollout:
    found = repository.find(reader, deployment)
    if found is None:
        raise faults.no_deployment(deployment)
    return found


def _shape(reader: Reader, config: str) -> Shape:
    if config in BUILT_IN:
        return BUILT_IN[config]
    found = repository.find_config(reader, config)
    if found is None:
        raise faults.no_config(config)
    return found.shape


def _content(revision: Mapping[str, Any] | None) -> str:
    """The AppSpec of a request."""
    if not revision:
        raise faults.revision_required()
    kind = revision.get("revisionType")
    member = {"AppSpecContent": "appSpecContent", "String": "string"}.get(str(kind))
    content = (revision.get(member) or {}).get("content") if member else None
    if not content:
        raise faults.invalid_revision("Mayfly takes the AppSpec in the request: revisionType AppSpecContent or String.")
    return str(content)


def _wanted(rollout: Rollout, params: Mapping[str, Any]) -> bool:
    statuses = params.get("includeOnlyStatuses")
    if statuses and rollout.status not in statuses:
        return False
    span = params.get("createTimeRange") or {}
    start, end = span.get("start"), span.get("end")
    if start is not None and rollout.created_at < start.timestamp():
        return False
    return end is None or rollout.created_at <= end.timestamp()
