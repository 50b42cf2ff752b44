"""AWS::CodeDeploy::DeploymentConfig: in which steps calls are shifted."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, Unreadable
from mayfly.services.stacks.resources.schema import INTEGER, STRING, fields


class DeploymentConfig(Unreadable):
    name = "AWS::CodeDeploy::DeploymentConfig"
    schema = fields(
        "ComputePlatform TrafficRoutingConfig",
        DeploymentConfigName=STRING,
        ComputePlatform=STRING,
        TrafficRoutingConfig=fields(
            "Type",
            Type=STRING,
            TimeBasedCanary=fields("CanaryInterval CanaryPercentage", CanaryInterval=INTEGER, CanaryPercentage=INTEGER),
            TimeBasedLinear=fields("LinearInterval LinearPercentage", LinearInterval=INTEGER, LinearPercentage=INTEGER),
        ),
    )
    replaced_by = frozenset(schema.members)
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or target.name(100)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("DeploymentConfigName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        gone = "DeploymentConfigDoesNotExistException"
        return await call.unless(gone, "codedeploy", "GetDeploymentConfig", deploymentConfigName=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        await call.unless(
            "DeploymentConfigAlreadyExistsException",
            "codedeploy",
            "CreateDeploymentConfig",
            deploymentConfigName=name,
            computePlatform=properties["ComputePlatform"],
            trafficRoutingConfig=lowered(properties["TrafficRoutingConfig"]),
        )
        return Made(name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return made  # every change makes another one

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call("codedeploy", "DeleteDeploymentConfig", deploymentConfigName=made.physical_id)


def lowered(value: Any) -> Any:
    """What a template says, in the API's words: members begin in lower case."""
    if isinstance(value, Mapping):
        return {key[:1].lower() + key[1:]: lowered(inner) for key, inner in value.items()}
    return [lowered(inner) for inner in value] if isinstance(value, list) else value
