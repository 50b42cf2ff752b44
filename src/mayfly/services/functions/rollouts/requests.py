"""What requests say of alarms, rollbacks, triggers and configurations, checked. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from mayfly.policy.rollouts import Shape, checked
from mayfly.services.functions.rollouts import faults
from mayfly.services.functions.rollouts.model import ALL_AT_ONCE, Care, Trigger

MOST_ALARMS: Final = 10
MOST_TRIGGERS: Final = 10
MOST_MINUTES: Final = 2880
# Every member that is about servers or ECS: a name that would be ignored is refused.
OF_OTHERS: Final = (
    "ec2TagFilters",
    "onPremisesInstanceTagFilters",
    "autoScalingGroups",
    "blueGreenDeploymentConfiguration",
    "loadBalancerInfo",
    "ec2TagSet",
    "ecsServices",
    "onPremisesTagSet",
    "ec2DeploymentOptions",
    "targetInstances",
)


def refuse_others(params: Mapping[str, Any]) -> None:
    """`ServiceError` for what only servers and ECS have."""
    for member in OF_OTHERS:
        if params.get(member):
            raise faults.invalid_input(f"For the compute platform Lambda, {member} can not be specified.")
    style = params.get("deploymentStyle")
    if style and (style.get("deploymentType", "BLUE_GREEN"), style.get("deploymentOption", "WITH_TRAFFIC_CONTROL")) != (
        "BLUE_GREEN",
        "WITH_TRAFFIC_CONTROL",
    ):
        raise faults.invalid_style()


def care(params: Mapping[str, Any], base: Care, alarms: str = "alarmConfiguration") -> Care:
    """`base` with what a request says otherwise; its alarms are under `alarms`."""
    if alarms in params:
        base = _alarms(params[alarms], base)
    if "autoRollbackConfiguration" in params:
        given = params["autoRollbackConfiguration"]
        base = replace(base, rollback_on=tuple(given.get("events", ())) if given.get("enabled") else ())
    if "triggerConfigurations" in params:
        base = replace(base, triggers=_triggers(params["triggerConfigurations"]))
    return base


def _alarms(given: Mapping[str, Any], base: Care) -> Care:
    names = tuple(str(each.get("name", "")) for each in given.get("alarms", ()))
    if len(names) > MOST_ALARMS:
        raise faults.invalid_alarms(f"A deployment group has {MOST_ALARMS} alarms at most")
    if not all(names) or len(set(names)) < len(names):
        raise faults.invalid_alarms("Alarms have names, each another one")
    enabled = bool(given.get("enabled"))
    if enabled and not names:
        raise faults.invalid_alarms("Alarms can only be enabled when there are any")
    ignore = bool(given.get("ignorePollAlarmFailure"))
    return replace(base, alarms=names, alarms_enabled=enabled, ignore_poll_failure=ignore)


def _triggers(given: Sequence[Mapping[str, Any]]) -> tuple[Trigger, ...]:
    if len(given) > MOST_TRIGGERS:
        raise faults.invalid_triggers(f"A deployment group has {MOST_TRIGGERS} triggers at most")
    found = []
    for each in given:
        if not each.get("triggerName") or not str(each.get("triggerTargetArn", "")).startswith("arn:"):
            raise faults.invalid_triggers("A trigger has a triggerName and the ARN of a topic as triggerTargetArn")
        if not each.get("triggerEvents"):
            raise faults.invalid_triggers("A trigger has triggerEvents")
        found.append(Trigger(each["triggerName"], each["triggerTargetArn"], tuple(each["triggerEvents"])))
    return tuple(found)


def shape(params: Mapping[str, Any]) -> Shape:
    """What CreateDeploymentConfig asks for."""
    if params.get("minimumHealthyHosts") or params.get("zonalConfig"):
        raise faults.invalid_input("For the compute platform Lambda, only trafficRoutingConfig can be specified.")
    routing = params.get("trafficRoutingConfig") or {"type": "AllAtOnce"}
    kind = routing.get("type", "AllAtOnce")
    if kind == "AllAtOnce":
        return ALL_AT_ONCE
    canary = kind == "TimeBasedCanary"
    given = routing.get("timeBasedCanary" if canary else "timeBasedLinear") or {}
    percent = given.get("canaryPercentage" if canary else "linearPercentage", 0)
    minutes = given.get("canaryInterval" if canary else "linearInterval", 0)
    if not 1 <= percent <= 99 or not 1 <= minutes <= MOST_MINUTES:
        raise faults.invalid_traffic(
            f"{kind} shifts 1 to 99 percent in steps of 1 to {MOST_MINUTES} minutes, not {percent} in {minutes}"
        )
    return checked(Shape("canary" if canary else "linear", percent, minutes * 60))
