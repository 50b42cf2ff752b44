"""AWS::CodeDeploy::DeploymentGroup: how an application is rolled out, what it is watched by, who is told."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, Unreadable
from mayfly.services.stacks.resources.codedeploy.config import lowered
from mayfly.services.stacks.resources.schema import BOOLEAN, STRING, STRINGS, TAGS, Items, fields
from mayfly.services.stacks.resources.tags import retag

_GONE = "ApplicationDoesNotExistException DeploymentGroupDoesNotExistException"
# What a template that leaves them out asks for.
_DEFAULTS: dict[str, Any] = {
    "DeploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
    "AlarmConfiguration": {"Enabled": False, "Alarms": []},
    "AutoRollbackConfiguration": {"Enabled": False, "Events": []},
    "TriggerConfigurations": [],
}


class DeploymentGroup(Unreadable):
    name = "AWS::CodeDeploy::DeploymentGroup"
    schema = fields(
        "ApplicationName ServiceRoleArn",
        ApplicationName=STRING,
        DeploymentGroupName=STRING,
        DeploymentConfigName=STRING,
        ServiceRoleArn=STRING,
        AlarmConfiguration=fields(
            Enabled=BOOLEAN, IgnorePollAlarmFailure=BOOLEAN, Alarms=Items(fields("Name", Name=STRING))
        ),
        AutoRollbackConfiguration=fields(Enabled=BOOLEAN, Events=STRINGS),
        DeploymentStyle=fields(DeploymentType=STRING, DeploymentOption=STRING),
        TriggerConfigurations=Items(fields(TriggerName=STRING, TriggerTargetArn=STRING, TriggerEvents=STRINGS)),
        Tags=TAGS,
    )
    replaced_by = frozenset({"ApplicationName"})
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return properties.get("DeploymentGroupName") or target.name(100)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None  # its name is free again in every other application

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        place = {"applicationName": properties["ApplicationName"]}
        name = self.physical_id(target, properties)
        found = await call.unless(_GONE, "codedeploy", "GetDeploymentGroup", deploymentGroupName=name, **place)
        return found is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        await call.unless(
            "DeploymentGroupAlreadyExistsException",
            "codedeploy",
            "CreateDeploymentGroup",
            deploymentGroupName=name,
            tags=properties.get("Tags", []),
            **_parameters(properties),
        )
        return Made(name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        name = self.physical_id(target, new)
        renamed = {"newDeploymentGroupName": name} if name != made.physical_id else {}
        done = await call.unless(
            "DeploymentGroupDoesNotExistException" if renamed else "",
            "codedeploy",
            "UpdateDeploymentGroup",
            currentDeploymentGroupName=made.physical_id,
            **renamed,
            **_parameters(new),
        )
        if done is None:  # renamed by an attempt before
            await call("codedeploy", "UpdateDeploymentGroup", currentDeploymentGroupName=name, **_parameters(new))
        place = f"{new['ApplicationName']}/{name}"
        arn = f"arn:aws:codedeploy:{target.region}:{target.account}:deploymentgroup:{place}"
        await retag(call, "codedeploy", old, new, ResourceArn=arn)
        return Made(name)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call(
            "codedeploy",
            "DeleteDeploymentGroup",
            applicationName=properties["ApplicationName"],
            deploymentGroupName=made.physical_id,
        )


def _parameters(properties: Mapping[str, Any]) -> dict[str, Any]:
    named = {key: value for key, value in properties.items() if key not in ("DeploymentGroupName", "Tags")}
    found: dict[str, Any] = lowered({**_DEFAULTS, **named})
    return found
