"""From a mapping to the dict of replies. Pure."""

from typing import Any

from mayfly.clock import utc
from mayfly.ids import PARTITION
from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.functions.names import Home

_STREAMS = ("kinesis", "dynamodb")


def arn(home: Home, uuid: str) -> str:
    """The ARN of a mapping."""
    return f"arn:{PARTITION}:lambda:{home.region}:{home.account}:event-source-mapping:{uuid}"


def shown(mapping: Mapping, home: Home) -> dict[str, Any]:
    """EventSourceMappingConfiguration: each kind has members of its own, with and without a value, as on AWS."""
    found: dict[str, Any] = {
        "UUID": mapping.uuid,
        "EventSourceMappingArn": arn(home, mapping.uuid),
        "FunctionArn": mapping.function,
        "BatchSize": mapping.batch_size,
        "LastModified": utc(mapping.modified_at),
        "State": mapping.state,
        "StateTransitionReason": "User action" if mapping.kind in _STREAMS else "USER_INITIATED",
    }
    if mapping.filters is not None:
        found["FilterCriteria"] = {"Filters": [{"Pattern": text} for text in mapping.filters]}
    if mapping.metrics is not None:
        found["MetricsConfig"] = {"Metrics": list(mapping.metrics)}
    if mapping.pollers is not None:
        found["ProvisionedPollerConfig"] = {
            "MinimumPollers": mapping.pollers.least,
            "MaximumPollers": mapping.pollers.most,
        }
    if mapping.kind == "sqs":
        return found | _of_queue(mapping)
    found |= _of_log(mapping)
    return found | (_of_shards(mapping) if mapping.kind in _STREAMS else _of_cluster(mapping))


def _of_queue(mapping: Mapping) -> dict[str, Any]:
    found: dict[str, Any] = {
        "EventSourceArn": mapping.source,
        "MaximumBatchingWindowInSeconds": mapping.window_s or 0,
        "FunctionResponseTypes": _responses(mapping),
    }
    if mapping.max_concurrency is not None:
        found["ScalingConfig"] = {"MaximumConcurrency": mapping.max_concurrency}
    if mapping.last_result.startswith("PROBLEM"):  # of queues, AWS has nothing to say while all is well
        found["LastProcessingResult"] = mapping.last_result
    return found


def _of_log(mapping: Mapping) -> dict[str, Any]:
    """What is read in order, from a place that is remembered."""
    found: dict[str, Any] = {"LastProcessingResult": mapping.last_result, "StartingPosition": mapping.position}
    if mapping.position_at is not None:
        found["StartingPositionTimestamp"] = utc(mapping.position_at)
    return found


def _of_shards(mapping: Mapping) -> dict[str, Any]:
    return {
        "EventSourceArn": mapping.source,
        "MaximumBatchingWindowInSeconds": mapping.window_s or 0,
        "FunctionResponseTypes": _responses(mapping),
        "TumblingWindowInSeconds": mapping.tumbling_s,
        "ParallelizationFactor": mapping.factor,
        **_of_failures(mapping),
    }


def _of_failures(mapping: Mapping) -> dict[str, Any]:
    return {
        "BisectBatchOnFunctionError": mapping.bisects,
        "MaximumRecordAgeInSeconds": mapping.max_age_s,
        "MaximumRetryAttempts": mapping.max_retries,
        "DestinationConfig": {"OnFailure": {"Destination": mapping.on_failure} if mapping.on_failure else {}},
    }


def _of_cluster(mapping: Mapping) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Topics": list(mapping.topics),
        "SourceAccessConfigurations": [{"Type": each.kind, "URI": each.uri} for each in mapping.access],
    }
    if mapping.window_s is not None:
        found["MaximumBatchingWindowInSeconds"] = mapping.window_s
    if mapping.reports_failures:
        found["FunctionResponseTypes"] = _responses(mapping)
    if mapping.bisects or mapping.on_failure or mapping.max_age_s != -1 or mapping.max_retries != -1:
        found |= _of_failures(mapping)
    group = {"ConsumerGroupId": mapping.consumer_group}
    if mapping.kind == "msk":
        return found | {"EventSourceArn": mapping.source, "AmazonManagedKafkaEventSourceConfig": group}
    servers = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": mapping.source.split(",")}}
    return found | {"SelfManagedEventSource": servers, "SelfManagedKafkaEventSourceConfig": group}


def _responses(mapping: Mapping) -> list[str]:
    return ["ReportBatchItemFailures"] if mapping.reports_failures else []
