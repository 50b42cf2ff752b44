"""AWS::Lambda::EventSourceMapping: a source that is read for a function. `Ref` is its id.

The API gives the id, so that an attempt that was interrupted finds its mapping by what it does: one source is read for
one function by one mapping, of a cluster one topic.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.reading import like, observed, tags_seen
from mayfly.services.stacks.resources.schema import (
    BOOLEAN,
    INTEGER,
    JSON,
    NUMBER,
    STRING,
    STRINGS,
    TAGS,
    Items,
    Refused,
    fields,
)
from mayfly.services.stacks.resources.tags import retag_lambda

_GONE = "ResourceNotFoundException"
_CHECK_S, _MOST_CHECKS = 0.05, 1200
_AT = "StartingPositionTimestamp"
_LASTING = frozenset(
    {
        "AmazonManagedKafkaEventSourceConfig",
        "EventSourceArn",
        "SelfManagedEventSource",
        "SelfManagedKafkaEventSourceConfig",
        "StartingPosition",
        _AT,
        "Topics",
    }
)
# What takes a setting back when a template says it no more.
_EMPTY: Mapping[str, Any] = MappingProxyType(
    {
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {},
        "Enabled": True,
        "FilterCriteria": {},
        "FunctionResponseTypes": [],
        "MaximumBatchingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "MetricsConfig": {},
        "ParallelizationFactor": 1,
        "ProvisionedPollerConfig": {},
        "ScalingConfig": {},
        "TumblingWindowInSeconds": 0,
    }
)
# What is read back of a mapping.
_READ = (
    "BatchSize",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "FilterCriteria",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "MetricsConfig",
    "ParallelizationFactor",
    "ProvisionedPollerConfig",
    "ScalingConfig",
    "TumblingWindowInSeconds",
)


class EventSourceMapping:
    name = "AWS::Lambda::EventSourceMapping"
    schema = fields(
        "FunctionName",
        AmazonManagedKafkaEventSourceConfig=JSON,
        BatchSize=INTEGER,
        BisectBatchOnFunctionError=BOOLEAN,
        DocumentDBEventSourceConfig=Refused("Mayfly reads no Amazon DocumentDB."),
        DestinationConfig=fields(OnFailure=fields(Destination=STRING)),
        Enabled=BOOLEAN,
        EventSourceArn=STRING,
        FilterCriteria=fields(Filters=Items(fields(Pattern=STRING))),
        FunctionName=STRING,
        FunctionResponseTypes=STRINGS,
        KmsKeyArn=STRING,
        LoggingConfig=fields(SystemLogLevel=STRING),
        MaximumBatchingWindowInSeconds=INTEGER,
        MaximumRecordAgeInSeconds=INTEGER,
        MaximumRetryAttempts=INTEGER,
        MetricsConfig=fields(Metrics=STRINGS),
        ParallelizationFactor=INTEGER,
        ProvisionedPollerConfig=fields(MinimumPollers=INTEGER, MaximumPollers=INTEGER, PollerGroupName=STRING),
        Queues=STRINGS,
        ScalingConfig=fields(MaximumConcurrency=INTEGER),
        SelfManagedEventSource=fields(Endpoints=fields(KafkaBootstrapServers=STRINGS)),
        SelfManagedKafkaEventSourceConfig=JSON,
        SourceAccessConfigurations=Items(fields(Type=STRING, URI=STRING)),
        StartingPosition=STRING,
        StartingPositionTimestamp=NUMBER,
        Tags=TAGS,
        Topics=STRINGS,
        TumblingWindowInSeconds=INTEGER,
    )
    replaced_by = _LASTING
    attributes = frozenset({"Id", "EventSourceMappingArn"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(100)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await _find(call, properties) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        made = await call.unless(
            "ResourceConflictException", "lambda", "CreateEventSourceMapping", **_parameters(properties)
        )
        made = made or await _find(call, properties)
        if made is None:
            raise ServiceError("NotStabilized", "The event source mapping was deleted while it was made.")
        return await _settled(call, made["UUID"])

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        before, after = _parameters(old), _parameters(new)
        changes = {name: value for name, value in after.items() if before.get(name) != value}
        changes |= {name: _EMPTY[name] for name in before if name not in after and name in _EMPTY}
        changes.pop("Tags", None)
        await retag_lambda(call, made.attributes["EventSourceMappingArn"], old, new)
        if changes:
            await call("lambda", "UpdateEventSourceMapping", UUID=made.physical_id, **changes)
        return await _settled(call, made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(_GONE, "lambda", "GetEventSourceMapping", UUID=made.physical_id)
        if found is None:
            return None
        truth = {name: like(properties.get(name, {}), found[name]) for name in _READ if name in found}
        truth["Enabled"] = found["State"] not in ("Disabled", "Disabling")
        tags = await call("lambda", "ListTags", Resource=made.attributes["EventSourceMappingArn"])
        unseen = set(properties) - set(_READ) - {"Enabled", "Tags"}
        filled_in = {name: value for name, value in truth.items() if name not in properties}
        # What was not asked for is a default of its kind of source, unless it is known to be nothing.
        for name in filled_in:
            if name not in _EMPTY or truth[name] == _EMPTY[name]:
                del truth[name]
        return observed(properties, {**truth, **tags_seen(properties, tags.get("Tags", {}))}, *unseen)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        if not made.attributes:  # it was not made, or nobody heard of it
            found = await _find(call, properties)
            if found is None:
                return
            made = Made(found["UUID"])
        uuid = made.physical_id
        await call.unless(f"{_GONE} ResourceInUseException", "lambda", "DeleteEventSourceMapping", UUID=uuid)
        for _ in range(_MOST_CHECKS):
            if await call.unless(_GONE, "lambda", "GetEventSourceMapping", UUID=uuid) is None:
                return
            await asyncio.sleep(_CHECK_S)


async def _find(call: Caller, properties: Mapping[str, Any]) -> dict[str, Any] | None:
    """The mapping that reads the same for the same function."""
    parameters = _parameters(properties)
    asked = {name: parameters[name] for name in ("FunctionName", "EventSourceArn") if name in parameters}
    marker: dict[str, str] = {}
    while True:
        page = await call("lambda", "ListEventSourceMappings", **asked, **marker)
        for each in page["EventSourceMappings"]:
            same = ("SelfManagedEventSource", "Topics")
            if all(each.get(name) == parameters.get(name) for name in same):
                found: dict[str, Any] = each
                return found
        if "NextMarker" not in page:
            return None
        marker = {"Marker": page["NextMarker"]}


async def _settled(call: Caller, uuid: str) -> Made:
    """The mapping once it is where it was going."""
    for _ in range(_MOST_CHECKS):
        shown = await call("lambda", "GetEventSourceMapping", UUID=uuid)
        if shown["State"] in ("Enabled", "Disabled"):
            return Made(uuid, {"Id": uuid, "EventSourceMappingArn": shown["EventSourceMappingArn"]})
        await asyncio.sleep(_CHECK_S)
    raise ServiceError("NotStabilized", f"The event source mapping {uuid} did not settle.")


def _parameters(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties as CreateEventSourceMapping has them."""
    found = dict(properties)
    if "Tags" in found:
        found["Tags"] = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    if "KmsKeyArn" in found:
        found["KMSKeyArn"] = found.pop("KmsKeyArn")
    if "SelfManagedEventSource" in found:
        servers = found["SelfManagedEventSource"].get("Endpoints", {}).get("KafkaBootstrapServers", [])
        found["SelfManagedEventSource"] = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": servers}}
    if _AT in found:
        found[_AT] = datetime.fromtimestamp(found[_AT], UTC)
    return found
