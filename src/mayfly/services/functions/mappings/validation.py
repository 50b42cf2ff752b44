"""From the requests of CreateEventSourceMapping and UpdateEventSourceMapping to a `Mapping`: pure, and all refusals.

The wire has checked what botocore's model says. Here is what AWS checks beyond it, kind by kind (`kinds`), and what
Mayfly does not implement, which is refused by name.
"""

from collections.abc import Mapping as Members
from typing import Any, Final

import msgspec

from mayfly.services.functions import faults, validation
from mayfly.services.functions.mappings import filters, kinds
from mayfly.services.functions.mappings.model import Access, Kind, Mapping, Pollers, Position, State

_PLAIN_BATCH: Final = 10  # messages of a batch that is not gathered
_LEAST_AGE_S: Final = 60
# What clients may be asked for that this side can give.
ACCESS: Final = frozenset({"BASIC_AUTH", "SASL_SCRAM_512_AUTH", "SASL_SCRAM_256_AUTH", "SERVER_ROOT_CA_CERTIFICATE"})
_NETWORK: Final = frozenset({"VPC_SUBNET", "VPC_SECURITY_GROUP"})  # this machine's network is the only one


def new(params: Members[str, Any], *, uuid: str, function: str, now: float) -> Mapping:
    """The mapping to create; `function` is the ARN of what it is for. `ServiceError`."""
    kind = kinds.kind_of(params)
    kinds.check_taken(kind, params)
    base = Mapping(
        uuid=uuid,
        kind=kind,
        source=_source(kind, params),
        function=function,
        modified_at=now,
        state="Creating",
        batch_size=kinds.RULES[kind].batch,
        tags=validation.tags(params.get("Tags", {})),
    )
    position, position_at = _position(base, params, now)
    state: State = "Creating" if params.get("Enabled", True) else "Disabled"
    mapping = msgspec.structs.replace(base, position=position, position_at=position_at, state=state)
    if kind in ("msk", "kafka"):
        mapping = _of_cluster(mapping, params)
    return changed(mapping, params)


def changed(base: Mapping, params: Members[str, Any]) -> Mapping:
    """`base` with what `params` names replaced; `ServiceError`."""
    kinds.check_taken(base.kind, params)
    changes: dict[str, Any] = {}
    if params.get("KMSKeyArn"):
        raise faults.not_built("KMSKeyArn of event source mappings: there is no key service to ask for the key")
    for member, field in (
        ("Enabled", "enabled"),
        ("BatchSize", "batch_size"),
        ("MaximumBatchingWindowInSeconds", "window_s"),
        ("ParallelizationFactor", "factor"),
        ("BisectBatchOnFunctionError", "bisects"),
        ("MaximumRecordAgeInSeconds", "max_age_s"),
        ("MaximumRetryAttempts", "max_retries"),
        ("TumblingWindowInSeconds", "tumbling_s"),
    ):
        if member in params:
            changes[field] = params[member]
    if "FilterCriteria" in params:
        changes["filters"] = filters.checked(params["FilterCriteria"]) or None
    if "FunctionResponseTypes" in params:
        changes["reports_failures"] = bool(params["FunctionResponseTypes"])
    if "ScalingConfig" in params:
        changes["max_concurrency"] = params["ScalingConfig"].get("MaximumConcurrency")
    if "MetricsConfig" in params:
        changes["metrics"] = _metrics(base.kind, params["MetricsConfig"])
    if params.get("LoggingConfig"):
        raise faults.not_built("LoggingConfig of event source mappings: pollers have no log of their own")
    if "ProvisionedPollerConfig" in params:
        changes["pollers"] = _pollers(base.kind, params["ProvisionedPollerConfig"])
    if "DestinationConfig" in params:
        changes["on_failure"] = _destination(params["DestinationConfig"])
    if "SourceAccessConfigurations" in params:
        changes["access"] = _access(params["SourceAccessConfigurations"])
    mapping = msgspec.structs.replace(base, **changes)
    _check_together(mapping)
    return mapping


def _check_together(mapping: Mapping) -> None:
    """What depends on more than one parameter."""
    if mapping.kind == "sqs":
        if mapping.batch_size > _PLAIN_BATCH and not mapping.window_s:
            raise faults.invalid_parameter(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
            )
        if mapping.fifo and mapping.window_s:
            raise faults.invalid_parameter("Batching window is not supported for FIFO queues")
        if mapping.pollers is not None and mapping.max_concurrency is not None:
            raise faults.invalid_parameter(
                "ScalingConfig and ProvisionedPollerConfig are mutually exclusive: leave one of them out."
            )
    if -1 < mapping.max_age_s < _LEAST_AGE_S:
        raise faults.invalid_parameter(
            f"MaximumRecordAgeInSeconds must be -1 or between {_LEAST_AGE_S} and 604800, not {mapping.max_age_s}."
        )


def _source(kind: Kind, params: Members[str, Any]) -> str:
    if kind != "kafka":
        return str(params["EventSourceArn"])
    servers = params["SelfManagedEventSource"].get("Endpoints", {}).get("KAFKA_BOOTSTRAP_SERVERS", ())
    if not servers:
        raise faults.invalid_parameter("SelfManagedEventSource must name KAFKA_BOOTSTRAP_SERVERS.")
    if "SourceAccessConfigurations" not in params:
        raise faults.invalid_parameter("Required 'sourceAccessConfigurations' parameter is missing.")
    return ",".join(servers)


def _position(mapping: Mapping, params: Members[str, Any], now: float) -> tuple[Position | None, float | None]:
    allowed = kinds.RULES[mapping.kind].positions
    if not allowed:
        return None, None
    position: Position | None = params.get("StartingPosition")
    if position is None:
        if mapping.kind == "kafka":  # AWS requires it of the others
            return "TRIM_HORIZON", None
        raise faults.invalid_parameter(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null."
        )
    if position not in allowed:
        raise faults.invalid_parameter(f"Unsupported starting position for arn type: {mapping.source}")
    timestamp = params.get("StartingPositionTimestamp")
    if position != "AT_TIMESTAMP":
        if timestamp is not None:
            raise faults.invalid_parameter("StartingPositionTimestamp is valid with AT_TIMESTAMP alone.")
        return position, None
    if timestamp is None:
        raise faults.invalid_parameter("StartingPositionTimestamp must be given with AT_TIMESTAMP.")
    at = timestamp.timestamp() if hasattr(timestamp, "timestamp") else float(timestamp)
    if at > now:
        raise faults.invalid_parameter("StartingPositionTimestamp cannot be in the future.")
    return position, at


def _of_cluster(mapping: Mapping, params: Members[str, Any]) -> Mapping:
    """What only clusters of brokers are told."""
    topics = tuple(params.get("Topics", ()))
    if not topics:
        raise faults.invalid_parameter("Required 'topics' parameter is missing.")
    member = "AmazonManagedKafkaEventSourceConfig" if mapping.kind == "msk" else "SelfManagedKafkaEventSourceConfig"
    config = params.get(member, {})
    if "SchemaRegistryConfig" in config:
        raise faults.not_built("SchemaRegistryConfig: records go to functions as they are in the topic")
    if config.get("ConsumptionMode", "Stream") != "Stream":
        raise faults.not_built("ConsumptionMode Queue: topics are read by consumer groups")
    return msgspec.structs.replace(mapping, topics=topics, consumer_group=config.get("ConsumerGroupId", mapping.uuid))


def _access(given: list[Members[str, str]]) -> tuple[Access, ...]:
    for each in given:
        kind = each.get("Type", "")
        if kind not in ACCESS | _NETWORK:
            raise faults.not_built(f"{kind} in SourceAccessConfigurations")
    return tuple(Access(each.get("Type", ""), each.get("URI", "")) for each in given)


def _metrics(kind: Kind, given: Members[str, Any]) -> tuple[str, ...] | None:
    if "Metrics" not in given:
        return None
    for name in given["Metrics"]:
        if name not in kinds.RULES[kind].metrics:
            raise kinds.unsupported(f"MetricsConfig {name}")
        if name != "EventCount":
            raise faults.not_built(f"{name} in MetricsConfig; it counts events")
    return tuple(given["Metrics"])


def _pollers(kind: Kind, given: Members[str, Any]) -> Pollers | None:
    if not given:
        return None
    if "PollerGroupName" in given:
        raise faults.not_built("PollerGroupName of provisioned pollers: pollers are not shared out over machines")
    floor, usual, top = kinds.RULES[kind].pollers
    least = given.get("MinimumPollers", floor)
    most = given.get("MaximumPollers", max(usual, least))
    if not floor <= least <= most <= top:
        raise faults.invalid_parameter(
            f"ProvisionedPollerConfig must have {floor} <= MinimumPollers <= MaximumPollers <= {top}, "
            f"not {least} and {most}."
        )
    return Pollers(least, most)


def _destination(given: Members[str, Any]) -> str | None:
    if "OnSuccess" in given:
        raise kinds.unsupported("DestinationConfig")
    arn = given.get("OnFailure", {}).get("Destination")
    if not arn:
        return None
    if arn.startswith("kafka://"):
        raise faults.not_built("topics of Kafka as destinations of failed batches")
    if arn.split(":")[2:3] not in (["sqs"], ["sns"], ["s3"]) or arn.endswith(".fifo"):
        raise faults.invalid_parameter(
            f"The destination ARN {arn} is invalid: failed batches go to a standard queue or topic, or to a bucket."
        )
    return str(arn)
