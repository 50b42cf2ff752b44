"""AWS::Pipes::Pipe. It is there once it runs, or stands still if that is what it is to do."""

import asyncio
from collections.abc import Mapping
from typing import Any

from mayfly.clock import iso_millis
from mayfly.services.contract import ServiceError
from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.events.rule import absent
from mayfly.services.stacks.resources.named import Named
from mayfly.services.stacks.resources.reading import like, observed
from mayfly.services.stacks.resources.schema import INTEGER, STRING, STRINGS, Entries, Items, Refused, Schema, fields

_GONE = "NotFoundException"
_POLL_S = 0.1
_UNDER_WAY = ("CREATING", "UPDATING", "STARTING", "STOPPING", "DELETING")
# What a pipe has, and what each is again when a template says it no more.
_NOTHING: Mapping[str, Any] = {
    "Description": "",
    "DesiredState": "RUNNING",
    "Enrichment": "",
    "EnrichmentParameters": {},
    "LogConfiguration": {"Level": "OFF"},
    "SourceParameters": {},
    "TargetParameters": {},
}
_SAID = ("RoleArn", "Target", *_NOTHING)
# What is said of a source once, when the pipe is made.
_ONCE = ("StartingPosition", "StartingPositionTimestamp", "QueueName", "VirtualHost", "TopicName", "ConsumerGroupID",
         "AdditionalBootstrapServers")  # fmt: skip
_HTTP = fields(HeaderParameters=Entries(STRING), PathParameterValues=STRINGS, QueryStringParameters=Entries(STRING))
_BATCH: dict[str, Schema] = {"BatchSize": INTEGER, "MaximumBatchingWindowInSeconds": INTEGER}
_STREAM: dict[str, Schema] = {
    **_BATCH,
    "DeadLetterConfig": fields(Arn=STRING),
    "MaximumRecordAgeInSeconds": INTEGER,
    "MaximumRetryAttempts": INTEGER,
    "OnPartialBatchItemFailure": STRING,
    "ParallelizationFactor": INTEGER,
    "StartingPosition": STRING,
}
_BROKER: dict[str, Schema] = {**_BATCH, "Credentials": fields("BasicAuth", BasicAuth=STRING), "QueueName": STRING}
_SOURCE = fields(
    ActiveMQBrokerParameters=fields("Credentials QueueName", **_BROKER),
    DynamoDBStreamParameters=fields("StartingPosition", **_STREAM),
    FilterCriteria=fields(Filters=Items(fields(Pattern=STRING))),
    KinesisStreamParameters=fields("StartingPosition", **_STREAM, StartingPositionTimestamp=STRING),
    ManagedStreamingKafkaParameters=absent("Amazon MSK"),
    RabbitMQBrokerParameters=fields("Credentials QueueName", **_BROKER, VirtualHost=STRING),
    SelfManagedKafkaParameters=absent("Apache Kafka"),
    SqsQueueParameters=fields("", **_BATCH),
)
_TARGET = fields(
    BatchJobParameters=absent("AWS Batch"),
    CloudWatchLogsParameters=fields(LogStreamName=STRING, Timestamp=STRING),
    EcsTaskParameters=absent("Amazon ECS"),
    EventBridgeEventBusParameters=fields(
        DetailType=STRING, EndpointId=STRING, Resources=STRINGS, Source=STRING, Time=STRING
    ),
    HttpParameters=_HTTP,
    InputTemplate=STRING,
    KinesisStreamParameters=fields("PartitionKey", PartitionKey=STRING),
    LambdaFunctionParameters=fields(InvocationType=STRING),
    RedshiftDataParameters=absent("Amazon Redshift"),
    SageMakerPipelineParameters=absent("Amazon SageMaker"),
    SqsQueueParameters=fields(MessageDeduplicationId=STRING, MessageGroupId=STRING),
    StepFunctionStateMachineParameters=fields(InvocationType=STRING),
    TimestreamParameters=absent("Amazon Timestream"),
)


class Pipe(Named):
    name = "AWS::Pipes::Pipe"
    schema = fields(
        "RoleArn Source Target",
        Description=STRING,
        DesiredState=STRING,
        Enrichment=STRING,
        EnrichmentParameters=fields(HttpParameters=_HTTP, InputTemplate=STRING),
        KmsKeyIdentifier=Refused("Mayfly has no KMS; encrypt the disk under its data."),
        LogConfiguration=fields(
            CloudwatchLogsLogDestination=fields(LogGroupArn=STRING),
            FirehoseLogDestination=Refused("Mayfly has no Amazon Data Firehose."),
            IncludeExecutionData=STRINGS,
            Level=STRING,
            S3LogDestination=fields(BucketName=STRING, BucketOwner=STRING, OutputFormat=STRING, Prefix=STRING),
        ),
        Name=STRING,
        RoleArn=STRING,
        Source=STRING,
        SourceParameters=_SOURCE,
        Tags=Entries(STRING),
        Target=STRING,
        TargetParameters=_TARGET,
    )
    replaced_by = frozenset({"Name", "Source"})
    attributes = frozenset({"Arn", "CreationTime", "CurrentState", "LastModifiedTime", "StateReason"})
    named_by = "Name"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(_GONE, "pipes", "DescribePipe", Name=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        said = picked(properties, "Source", *_SAID, "Tags")
        await call.unless("ConflictException", "pipes", "CreatePipe", Name=name, **said)
        return await self._made(call, name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        name = made.physical_id
        if changed(old, new, *_SAID):
            await self._settled(call, name)
            said = picked(new, *_SAID) | {
                member: nothing for member, nothing in _NOTHING.items() if member in old and member not in new
            }
            if "SourceParameters" in said:
                said["SourceParameters"] = _changeable(said["SourceParameters"])
            await call("pipes", "UpdatePipe", Name=name, **said)
        before, after = old.get("Tags", {}), new.get("Tags", {})
        arn = made.attributes["Arn"]
        if gone := [key for key in before if key not in after]:
            await call("pipes", "UntagResource", resourceArn=arn, tagKeys=gone)
        if put := {key: value for key, value in after.items() if before.get(key) != value}:
            await call("pipes", "TagResource", resourceArn=arn, tags=put)
        return await self._made(call, name)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        name = made.physical_id
        if await self._settled(call, name) is None:
            return
        await call.unless(_GONE, "pipes", "DeletePipe", Name=name)
        await self._settled(call, name)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(_GONE, "pipes", "DescribePipe", Name=made.physical_id)
        if found is None:
            return None
        truth = picked(found, "Name", "Source", *_SAID, "Tags")
        for name in ("SourceParameters", "TargetParameters", "EnrichmentParameters", "LogConfiguration"):
            if name in truth:
                truth[name] = like(properties.get(name, {}), truth[name])
        nothing = {**_NOTHING, "Name": made.physical_id, "LogConfiguration": {}}
        return observed(properties, truth, defaults=nothing)

    async def _settled(self, call: Caller, name: str) -> dict[str, Any] | None:
        """The pipe once nothing is being done to it; None when it is gone."""
        while True:
            found = await call.unless(_GONE, "pipes", "DescribePipe", Name=name)
            if found is None or found["CurrentState"] not in _UNDER_WAY:
                return found
            await asyncio.sleep(_POLL_S)

    async def _made(self, call: Caller, name: str) -> Made:
        found = await self._settled(call, name)
        if found is None:
            raise ServiceError(_GONE, f"Pipe {name} does not exist.")
        if found["CurrentState"].endswith("_FAILED"):
            raise ServiceError("NotStabilized", found.get("StateReason", found["CurrentState"]))
        times = {member: iso_millis(found[member].timestamp()) for member in ("CreationTime", "LastModifiedTime")}
        attributes = {**picked(found, "Arn", "CurrentState"), **times, "StateReason": found.get("StateReason", "")}
        return Made(name, attributes)


def _changeable(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a source without what cannot be said again."""
    return {
        kind: {name: value for name, value in said.items() if name not in _ONCE} for kind, said in parameters.items()
    }
