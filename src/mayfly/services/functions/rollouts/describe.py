"""From the types of `model` to the dicts of CodeDeploy's replies. Pure."""

from typing import Any

from mayfly.clock import utc
from mayfly.policy.rollouts import Shape
from mayfly.services.functions.names import Home
from mayfly.services.functions.rollouts.model import Application, Care, Config, Group, Hook, Rollout

STYLE = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
_ROUTING = {"canary": "TimeBasedCanary", "linear": "TimeBasedLinear", "all-at-once": "AllAtOnce"}


def application(value: Application) -> dict[str, Any]:
    return {
        "applicationId": value.id,
        "applicationName": value.name,
        "createTime": utc(value.created_at),
        "linkedToGitHub": False,
        "computePlatform": "Lambda",
    }


def group(value: Group) -> dict[str, Any]:
    return {
        "applicationName": value.application,
        "deploymentGroupId": value.id,
        "deploymentGroupName": value.name,
        "deploymentConfigName": value.config,
        "serviceRoleArn": value.role,
        "computePlatform": "Lambda",
        "deploymentStyle": STYLE,
        "triggerConfigurations": [
            {"triggerName": each.name, "triggerTargetArn": each.target_arn, "triggerEvents": list(each.events)}
            for each in value.care.triggers
        ],
        "alarmConfiguration": alarms(value.care),
        "autoRollbackConfiguration": auto_rollback(value.care),
    }


def alarms(care: Care) -> dict[str, Any]:
    return {
        "enabled": care.alarms_enabled,
        "ignorePollAlarmFailure": care.ignore_poll_failure,
        "alarms": [{"name": name} for name in care.alarms],
    }


def auto_rollback(care: Care) -> dict[str, Any]:
    return {"enabled": bool(care.rollback_on), "events": list(care.rollback_on)}


def config(name: str, shape: Shape, made: Config | None) -> dict[str, Any]:
    """`made` is None for those that CodeDeploy itself brings."""
    routing: dict[str, Any] = {"type": _ROUTING[shape.kind]}
    minutes = int(shape.every_s // 60)
    if shape.kind == "canary":
        routing["timeBasedCanary"] = {"canaryPercentage": int(shape.percent), "canaryInterval": minutes}
    elif shape.kind == "linear":
        routing["timeBasedLinear"] = {"linearPercentage": int(shape.percent), "linearInterval": minutes}
    shown: dict[str, Any] = {
        "deploymentConfigName": name,
        "computePlatform": "Lambda",
        "trafficRoutingConfig": routing,
    }
    if made is not None:
        shown |= {"deploymentConfigId": made.id, "createTime": utc(made.created_at)}
    return shown


def deployment(value: Rollout) -> dict[str, Any]:
    done = {"Succeeded": "Succeeded", "Failed": "Failed", "Stopped": "Failed"}.get(value.status)
    waiting = "Pending" if value.status == "Created" else "InProgress"
    states = ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready")
    shown: dict[str, Any] = {
        "applicationName": value.application,
        "deploymentGroupName": value.group,
        "deploymentConfigName": value.config,
        "deploymentId": value.id,
        "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": value.revision}},
        "status": value.status,
        "createTime": utc(value.created_at),
        "deploymentOverview": {state: int(state == (done or waiting)) for state in states},
        "creator": value.creator,
        "ignoreApplicationStopFailures": False,
        "updateOutdatedInstancesOnly": False,
        "deploymentStyle": STYLE,
        "instanceTerminationWaitTimeStarted": False,
        "fileExistsBehavior": "DISALLOW",
        "deploymentStatusMessages": [progress(value)],
        "computePlatform": "Lambda",
        "autoRollbackConfiguration": auto_rollback(value.care),
        "overrideAlarmConfiguration": alarms(value.care),
    }
    if value.description:
        shown["description"] = value.description
    if value.started_at is not None:
        shown["startTime"] = utc(value.started_at)
    if value.completed_at is not None:
        shown["completeTime"] = utc(value.completed_at)
    if value.error_code:
        shown["errorInformation"] = {"code": value.error_code, "message": value.error_message}
    if value.rolled_back_by or value.takes_back:
        info = {"rollbackMessage": value.rollback_message}
        if value.rolled_back_by:
            info["rollbackDeploymentId"] = value.rolled_back_by
        if value.takes_back:
            info["rollbackTriggeringDeploymentId"] = value.takes_back
        shown["rollbackInfo"] = info
    return shown


def progress(value: Rollout) -> str:
    """Where a rollout is, in one line for people."""
    part = f"{value.share:.0%} of the calls go to version {value.new}"
    if value.seen.calls:
        latency = f", 95th percentile {value.seen.latency_ms:,.0f} ms" if value.seen.latency_ms is not None else ""
        return f"{part}; {value.seen.calls} came, {value.seen.errors} failed{latency}"
    return part


def target(value: Rollout, home: Home) -> dict[str, Any]:
    """The one target of a deployment: the alias."""
    status = {"Created": "Pending", "Stopped": "Failed"}.get(value.status, value.status)
    updated = value.completed_at or value.shifted_at or value.started_at or value.created_at
    return {
        "deploymentTargetType": "LambdaFunction",
        "lambdaTarget": {
            "deploymentId": value.id,
            "targetId": value.qualified,
            "targetArn": home.arn(value.function, value.alias),
            "status": status,
            "lastUpdatedAt": utc(updated),
            "lifecycleEvents": lifecycle(value),
            "lambdaFunctionInfo": {
                "functionName": value.function,
                "functionAlias": value.alias,
                "currentVersion": value.old,
                "targetVersion": value.new,
                "targetVersionWeight": value.share,
            },
        },
    }


def lifecycle(value: Rollout) -> list[dict[str, Any]]:
    """The three events of a deployment."""
    shifting: dict[str, Any] = {"lifecycleEventName": "AllowTraffic", "status": "Pending"}
    if value.shifted_at is not None:
        shifting |= {"startTime": utc(value.shifted_at), "status": "InProgress"}
        if value.arrived_at is not None:
            shifting |= {"endTime": utc(value.arrived_at), "status": "Succeeded"}
        elif value.completed_at is not None:
            shifting |= {"endTime": utc(value.completed_at), "status": "Failed", "diagnostics": _diagnostics(value)}
    elif value.completed_at is not None:
        shifting["status"] = "Skipped"
    return [
        _hook("BeforeAllowTraffic", value.before, value.shifted_at is not None),
        shifting,
        _hook("AfterAllowTraffic", value.after, value.arrived_at is not None),
    ]


def _hook(name: str, hook: Hook | None, passed: bool) -> dict[str, Any]:
    if hook is None:
        return {"lifecycleEventName": name, "status": "Succeeded" if passed else "Skipped"}
    shown: dict[str, Any] = {"lifecycleEventName": name, "status": hook.status}
    if hook.started_at is not None:
        shown["startTime"] = utc(hook.started_at)
    if hook.ended_at is not None:
        shown["endTime"] = utc(hook.ended_at)
    if hook.status == "Failed":
        code = {"errorCode": "ScriptFailed", "scriptName": hook.function, "message": hook.message}
        shown["diagnostics"] = code
    return shown


def _diagnostics(value: Rollout) -> dict[str, Any]:
    return {"errorCode": "UnknownError", "message": value.error_message}
