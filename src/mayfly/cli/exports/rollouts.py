"""CodeDeploy: applications, deployment groups, and configurations of one's own."""

from collections.abc import Iterator, Mapping
from typing import Any

from mayfly.cli.exports.things import Name, Reading, Thing, tags_of, upper

APPLICATION, GROUP = "AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup"
CONFIG = "AWS::CodeDeploy::DeploymentConfig"
_OURS = "CodeDeployDefault."  # how the names of AWS's own configurations begin
_UNDER_WAY = ["Created", "Queued", "InProgress", "Ready"]


def configs(reading: Reading) -> Iterator[Thing]:
    """Those that CodeDeploy does not bring itself."""
    client = reading.client("codedeploy")
    for name in reading.pages("codedeploy", "list_deployment_configs", "deploymentConfigsList"):
        if name.startswith(_OURS) or reading.is_held(CONFIG, name):
            continue
        found = client.get_deployment_config(deploymentConfigName=name)["deploymentConfigInfo"]
        properties = {
            "DeploymentConfigName": name,
            "ComputePlatform": found["computePlatform"],
            "TrafficRoutingConfig": upper(found["trafficRoutingConfig"]),
        }
        yield Thing(CONFIG, f"{name} steps", name, properties)


def applications(reading: Reading) -> Iterator[Thing]:
    """With their groups. What is under way stays."""
    client = reading.client("codedeploy")
    for name in reading.pages("codedeploy", "list_applications", "applications"):
        if not reading.is_held(APPLICATION, name):
            found = client.get_application(applicationName=name)["application"]
            properties = {"ApplicationName": name, "ComputePlatform": found["computePlatform"]}
            properties |= _tags(reading, f"application:{name}")
            yield Thing(APPLICATION, f"{name} application", name, properties)
        yield from _groups(reading, name)


def _groups(reading: Reading, application: str) -> Iterator[Thing]:
    client = reading.client("codedeploy")
    for name in reading.pages("codedeploy", "list_deployment_groups", "deploymentGroups", applicationName=application):
        # Stacks know a group by its name alone, which is free again in every application.
        if reading.is_held(GROUP, name) and reading.is_held(APPLICATION, application):
            continue
        place = {"applicationName": application, "deploymentGroupName": name}
        under_way = reading.pages(
            "codedeploy", "list_deployments", "deployments", **place, includeOnlyStatuses=_UNDER_WAY
        )
        reading.notes.extend(
            f"rollout {one} of {application} is under way; its alias is written as it is now" for one in under_way
        )
        found = client.get_deployment_group(**place)["deploymentGroupInfo"]
        reading.roles.add(found["serviceRoleArn"])
        properties = {"ApplicationName": Name(APPLICATION, application), "DeploymentGroupName": name, **_group(found)}
        properties |= _tags(reading, f"deploymentgroup:{application}/{name}")
        alarms = tuple(f"{_arn(reading, 'cloudwatch')}:alarm:{one['name']}" for one in _alarms(found))
        yield Thing(GROUP, f"{application} {name} group", f"{application}/{name}", properties, after=alarms)


def _group(found: Mapping[str, Any]) -> dict[str, Any]:
    config = found["deploymentConfigName"]
    kept: dict[str, Any] = {
        "ServiceRoleArn": found["serviceRoleArn"],
        "DeploymentConfigName": config if config.startswith(_OURS) else Name(CONFIG, config),
        "DeploymentStyle": upper(found["deploymentStyle"]),
    }
    if _alarms(found) or found.get("alarmConfiguration", {}).get("enabled"):
        kept["AlarmConfiguration"] = upper(found["alarmConfiguration"])
    if found.get("autoRollbackConfiguration", {}).get("enabled"):
        kept["AutoRollbackConfiguration"] = upper(found["autoRollbackConfiguration"])
    if found.get("triggerConfigurations"):
        kept["TriggerConfigurations"] = upper(found["triggerConfigurations"])
    return kept


def _alarms(found: Mapping[str, Any]) -> list[dict[str, str]]:
    alarms: list[dict[str, str]] = found.get("alarmConfiguration", {}).get("alarms", [])
    return alarms


def _tags(reading: Reading, resource: str) -> dict[str, Any]:
    arn = f"{_arn(reading, 'codedeploy')}:{resource}"
    return tags_of(list(reading.pages("codedeploy", "list_tags_for_resource", "Tags", ResourceArn=arn)))


def _arn(reading: Reading, service: str) -> str:
    there = reading.connection
    return f"arn:aws:{service}:{there.region}:{there.account}"
