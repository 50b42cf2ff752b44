"""Event source mappings, and what scales the provisioned concurrency of aliases and versions."""

from collections.abc import Iterator, Mapping
from typing import Any

from mayfly.cli.exports.things import Name, Reading, Thing, said, tags_of
from mayfly.cli.exports.versions import FUNCTION

_SOURCE = (
    "EventSourceArn BatchSize MaximumBatchingWindowInSeconds FunctionResponseTypes ParallelizationFactor "
    "MaximumRecordAgeInSeconds MaximumRetryAttempts BisectBatchOnFunctionError TumblingWindowInSeconds FilterCriteria "
    "ScalingConfig ProvisionedPollerConfig MetricsConfig StartingPosition KmsKeyArn LoggingConfig Topics Queues "
    "SelfManagedEventSource "
    "SelfManagedKafkaEventSourceConfig AmazonManagedKafkaEventSourceConfig SourceAccessConfigurations"
)
_SOURCE_DEFAULTS = {
    "MaximumBatchingWindowInSeconds": 0, "ParallelizationFactor": 1, "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1, "BisectBatchOnFunctionError": False, "TumblingWindowInSeconds": 0,
}  # fmt: skip


def event_source_mappings(reading: Reading) -> Iterator[Thing]:
    kind = "AWS::Lambda::EventSourceMapping"
    client = reading.client("lambda")
    for found in reading.pages("lambda", "list_event_source_mappings", "EventSourceMappings"):
        if reading.is_held(kind, found["UUID"]) or found["State"] == "Deleting":
            continue
        parts = found["FunctionArn"].split(":")
        properties = {
            "FunctionName": found["FunctionArn"] if len(parts) > 7 else Name(FUNCTION, parts[6]),
            **said(found, _SOURCE, _SOURCE_DEFAULTS),
            **tags_of(client.list_tags(Resource=found["EventSourceMappingArn"]).get("Tags")),
        }
        if "StartingPositionTimestamp" in found:
            properties["StartingPositionTimestamp"] = int(found["StartingPositionTimestamp"].timestamp())
        if told := {key: value for key, value in found.get("DestinationConfig", {}).items() if value}:
            properties["DestinationConfig"] = told
        if found["State"] in ("Disabled", "Disabling"):
            properties["Enabled"] = False
        if servers := found.get("SelfManagedEventSource", {}).get("Endpoints", {}).get("KAFKA_BOOTSTRAP_SERVERS"):
            properties["SelfManagedEventSource"] = {"Endpoints": {"KafkaBootstrapServers": servers}}
        source = found.get("EventSourceArn", "kafka").split(":")[-1].split("/")
        label = source[1] if len(source) > 1 else source[0]
        yield Thing(kind, f"{parts[6]} {label} source", found["UUID"], properties, foreseen=False)


def scaling(reading: Reading) -> Iterator[Thing]:
    """Targets and policies of application auto scaling, for the provisioned concurrency of aliases."""
    target, policy = "AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy"
    where = {"ServiceNamespace": "lambda"}
    service = "application-autoscaling"
    for found in reading.pages(service, "describe_scalable_targets", "ScalableTargets", **where):
        id_ = f"{found['ResourceId']}|{found['ScalableDimension']}|{found['ServiceNamespace']}"
        if reading.is_held(target, id_):
            continue
        properties = said(found, "MaxCapacity ResourceId ScalableDimension ServiceNamespace")
        properties["MinCapacity"] = found["MinCapacity"]
        if any(found.get("SuspendedState", {}).values()):
            properties["SuspendedState"] = found["SuspendedState"]
        if found["ResourceId"].rpartition(":")[2].isdecimal():
            reading.notes.append(
                f"{found['ResourceId']} scales a version by its number, which may be another one elsewhere: look at it"
            )
        actions = [
            {
                **said(one, "ScheduledActionName Schedule Timezone ScalableTargetAction"),
                **{key: one[key].isoformat() for key in ("StartTime", "EndTime") if key in one},
            }
            for one in reading.pages(
                service, "describe_scheduled_actions", "ScheduledActions", ResourceId=found["ResourceId"], **where
            )
        ]
        if actions:
            properties["ScheduledActions"] = actions
        yield Thing(target, f"{found['ResourceId']} target", id_, properties, after=(_scaled(reading, found),))
    for found in reading.pages(service, "describe_scaling_policies", "ScalingPolicies", **where):
        if reading.is_held(policy, found["PolicyARN"]):
            continue
        properties = said(
            found,
            "PolicyName PolicyType ResourceId ScalableDimension ServiceNamespace StepScalingPolicyConfiguration "
            "TargetTrackingScalingPolicyConfiguration",
        )
        id_ = f"{found['ResourceId']}|{found['ScalableDimension']}|{found['ServiceNamespace']}"
        yield Thing(
            policy, f"{found['PolicyName']} policy", found["PolicyARN"], properties, foreseen=False, after=(id_,)
        )


def _scaled(reading: Reading, found: Mapping[str, Any]) -> str:
    """The ARN of the alias whose capacity scales."""
    there = reading.connection
    return f"arn:aws:lambda:{there.region}:{there.account}:{found['ResourceId']}"
