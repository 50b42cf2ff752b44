"""What each kind of source is told, and by which numbers: the tables behind `validation`. Pure.

The parameters, defaults and limits of "CreateEventSourceMapping" in AWS Lambda's API reference, kind by kind.
"""

from collections.abc import Mapping as Members
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mayfly.ids import Arn
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults
from mayfly.services.functions.mappings.model import Kind, Position

_ALL = frozenset(
    {
        "UUID",
        "FunctionName",
        "EventSourceArn",
        "Enabled",
        "BatchSize",
        "FilterCriteria",
        "MaximumBatchingWindowInSeconds",
        "FunctionResponseTypes",
        "MetricsConfig",
        "Tags",
        "KMSKeyArn",
    }
)
_RETRIES = frozenset(
    {
        "DestinationConfig",
        "MaximumRecordAgeInSeconds",
        "BisectBatchOnFunctionError",
        "MaximumRetryAttempts",
        "StartingPosition",
        "StartingPositionTimestamp",
    }
)
_SHARDS = frozenset({"ParallelizationFactor", "TumblingWindowInSeconds"})
_BROKERS = frozenset({"Topics", "SourceAccessConfigurations", "ProvisionedPollerConfig", "LoggingConfig"})


@dataclass(frozen=True, slots=True)
class Rules:
    """Of one kind."""

    takes: frozenset[str]  # parameters
    batch: int  # by default
    positions: tuple[Position, ...] = ()  # where reading may start; none: there is no such place
    metrics: tuple[str, ...] = ("EventCount",)
    pollers: tuple[int, int, int] = (0, 0, 0)  # the least that is allowed; by default, and at most, the most of them


RULES: Final[Members[Kind, Rules]] = MappingProxyType(
    {
        "sqs": Rules(_ALL | {"ScalingConfig", "ProvisionedPollerConfig"}, 10, pollers=(2, 200, 10_000)),
        "kinesis": Rules(_ALL | _RETRIES | _SHARDS, 100, ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")),
        "dynamodb": Rules(_ALL | _RETRIES | _SHARDS, 100, ("TRIM_HORIZON", "LATEST")),
        "msk": Rules(
            _ALL | _RETRIES | _BROKERS | {"AmazonManagedKafkaEventSourceConfig"},
            100,
            ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"),
            ("EventCount", "ErrorCount", "KafkaMetrics"),
            (1, 200, 2000),
        ),
        "kafka": Rules(
            _ALL | _RETRIES | _BROKERS | {"SelfManagedEventSource", "SelfManagedKafkaEventSourceConfig"},
            100,
            ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"),
            ("EventCount", "ErrorCount", "KafkaMetrics"),
            (1, 200, 2000),
        ),
    }
)
# Services of AWS that Lambda reads from and Mayfly does not speak to, by the service in their ARNs.
_ABSENT: Final = MappingProxyType(
    {
        "mq": "brokers of Amazon MQ as event sources: their protocols are not spoken here",
        "rds": "change streams of Amazon DocumentDB as event sources: its protocol is not spoken here",
    }
)
_KINDS: Final[Members[str, Kind]] = MappingProxyType(
    {"sqs": "sqs", "kinesis": "kinesis", "dynamodb": "dynamodb", "kafka": "msk"}
)


def kind_of(params: Members[str, object]) -> Kind:
    """The kind of source that a request names; `ServiceError` where it names none that there is."""
    if "SelfManagedEventSource" in params:
        if "EventSourceArn" in params:
            raise faults.invalid_parameter("EventSourceArn and SelfManagedEventSource are mutually exclusive.")
        return "kafka"
    if "EventSourceArn" not in params:
        raise faults.invalid_parameter("Unrecognized event source.")
    arn = str(params["EventSourceArn"])
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        raise faults.invalid_parameter(f"Invalid ARN: {arn}") from None
    if parsed.service in _ABSENT:
        raise faults.not_built(_ABSENT[parsed.service])
    kind = _KINDS.get(parsed.service)
    if kind is None or (kind == "dynamodb" and "/stream/" not in arn):
        raise faults.invalid_parameter(
            "Unrecognized event source, must be kinesis, dynamodb stream or sqs. Unsupported source arn " + arn
        )
    return kind


def check_taken(kind: Kind, params: Members[str, object]) -> None:
    """`ServiceError` for a parameter that sources of this kind do not have."""
    for name in params:
        if name in RULES[kind].takes:
            continue
        if name == "DocumentDBEventSourceConfig":
            raise faults.not_built(_ABSENT["rds"])
        if name == "Queues":
            raise faults.not_built(_ABSENT["mq"])
        if name in ("StartingPosition", "StartingPositionTimestamp"):
            raise faults.invalid_parameter(f"{name} is not valid for SQS event sources.")
        raise unsupported(name)


def unsupported(name: str) -> ServiceError:
    """A parameter that is for other kinds."""
    return faults.invalid_parameter(f"Unsupported {name} parameter for given event source mapping type.")
