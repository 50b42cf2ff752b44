"""An alias that a template has shifted by CodeDeploy: a deployment, and waiting for it. Used by `lambda_alias`.

A deployment that an interrupted run began is known by its description, which names the stack's operation; so it is
waited for, and never begun twice.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.resources.base import Caller
from mayfly.services.stacks.resources.schema import STRING, Fields, fields

POLICY = "CodeDeployLambdaAliasUpdate"
SCHEMA = Fields(
    {
        POLICY: fields(
            "ApplicationName DeploymentGroupName",
            ApplicationName=STRING,
            DeploymentGroupName=STRING,
            BeforeAllowTrafficHook=STRING,
            AfterAllowTrafficHook=STRING,
        )
    }
)
_POLL_S = 0.2
_UNDER_WAY = ("Created", "Queued", "InProgress", "Baking", "Ready")


async def shift(call: Caller, policy: Mapping[str, str], function: str, alias: str, version: str) -> None:
    """Return when all calls of the alias go to `version`; `ServiceError` when they were taken back."""
    found = await _begun(call, policy, _description(call, function, alias))
    if found is None:
        now = await call("lambda", "GetAlias", FunctionName=function, Name=alias)
        if now["FunctionVersion"] == version and not now.get("RoutingConfig"):
            return
        found = await _begin(call, policy, function, alias, now["FunctionVersion"], version)
    info = await _ended(call, found)
    if info["status"] != "Succeeded":
        because = info.get("errorInformation", {}).get("message", "it gave no reason")
        raise ServiceError(
            "NotStabilized", f"The deployment {found} of {function}:{alias} ended in {info['status']}: {because}"
        )


async def stop(call: Caller, policy: Mapping[str, str], function: str, alias: str) -> None:
    """Have a deployment that this operation began end, and its calls taken back."""
    found = await _begun(call, policy, _description(call, function, alias))
    if found is not None:
        over = "DeploymentAlreadyCompletedException"
        await call.unless(over, "codedeploy", "StopDeployment", deploymentId=found, autoRollbackEnabled=True)
        await _ended(call, found)


async def _begin(call: Caller, policy: Mapping[str, str], function: str, alias: str, current: str, version: str) -> str:
    properties = {"Name": function, "Alias": alias, "CurrentVersion": current, "TargetVersion": version}
    hooks = [
        {event: policy[f"{event}Hook"]}
        for event in ("BeforeAllowTraffic", "AfterAllowTraffic")
        if policy.get(f"{event}Hook")
    ]
    content = {
        "version": 0.0,
        "Resources": [{"Alias": {"Type": "AWS::Lambda::Function", "Properties": properties}}],
        "Hooks": hooks,
    }
    made = await call(
        "codedeploy",
        "CreateDeployment",
        **_place(policy),
        description=_description(call, function, alias),
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(content)}},
    )
    return str(made["deploymentId"])


async def _begun(call: Caller, policy: Mapping[str, str], description: str) -> str | None:
    """The deployment of that description, if there is one."""
    gone = "ApplicationDoesNotExistException DeploymentGroupDoesNotExistException"
    listed = await call.unless(gone, "codedeploy", "ListDeployments", **_place(policy))
    for deployment in (listed or {}).get("deployments", [])[:10]:
        info = (await call("codedeploy", "GetDeployment", deploymentId=deployment))["deploymentInfo"]
        if info.get("description") == description:
            return str(deployment)
    return None


async def _ended(call: Caller, deployment: str) -> dict[str, Any]:
    while True:
        info: dict[str, Any] = (await call("codedeploy", "GetDeployment", deploymentId=deployment))["deploymentInfo"]
        if info["status"] not in _UNDER_WAY:
            return info
        async with call.waiting():
            await asyncio.sleep(_POLL_S)


def _place(policy: Mapping[str, str]) -> dict[str, str]:
    return {"applicationName": policy["ApplicationName"], "deploymentGroupName": policy["DeploymentGroupName"]}


def _description(call: Caller, function: str, alias: str) -> str:
    return f"{function}:{alias} by the stack operation {call.operation_id}"
