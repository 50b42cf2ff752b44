"""AWS::DynamoDB::GlobalTable with one replica, in the region of the stack: a table, said in other words."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.dynamodb.table import Table
from mayfly.services.stacks.resources.dynamodb.unserved import BOUNDS, INSIGHTS, NO_POLICY, STREAM, WARMTH
from mayfly.services.stacks.resources.schema import (
    BOOLEAN,
    JSON,
    STRING,
    STRINGS,
    TAGS,
    Ignored,
    Items,
    PropertyError,
    Refused,
    fields,
)

_KEYS = Items(fields("AttributeName KeyType", AttributeName=STRING, KeyType=STRING))
_PROJECTION = fields(ProjectionType=STRING, NonKeyAttributes=STRINGS)
_CAPACITY = Ignored("Capacity is not limited: a table takes what the machine gives.", JSON)
_ALONE = Refused("A server of Mayfly is one region, and a table has one replica.")
_SHARED = ("AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "TableName",
           "TimeToLiveSpecification")  # fmt: skip
_OF_REPLICA = ("DeletionProtectionEnabled", "TableClass", "Tags")


class GlobalTable:
    name = "AWS::DynamoDB::GlobalTable"
    schema = fields(
        "Replicas",
        AttributeDefinitions=Items(fields("AttributeName AttributeType", AttributeName=STRING, AttributeType=STRING)),
        BillingMode=STRING,
        GlobalSecondaryIndexes=Items(
            fields(
                "IndexName KeySchema Projection",
                IndexName=STRING,
                KeySchema=_KEYS,
                Projection=_PROJECTION,
                ReadOnDemandThroughputSettings=_CAPACITY,
                ReadProvisionedThroughputSettings=_CAPACITY,
                WarmThroughput=WARMTH,
                WriteOnDemandThroughputSettings=_CAPACITY,
                WriteProvisionedThroughputSettings=_CAPACITY,
            )
        ),
        GlobalTableSourceArn=_ALONE,
        GlobalTableWitnesses=_ALONE,
        KeySchema=_KEYS,
        LocalSecondaryIndexes=Items(
            fields("IndexName KeySchema Projection", IndexName=STRING, KeySchema=_KEYS, Projection=_PROJECTION)
        ),
        MultiRegionConsistency=_ALONE,
        ReadOnDemandThroughputSettings=BOUNDS,
        ReadProvisionedThroughputSettings=_CAPACITY,
        Replicas=Items(
            fields(
                "Region",
                ContributorInsightsSpecification=INSIGHTS,
                DeletionProtectionEnabled=BOOLEAN,
                DisassociationProtectionEnabled=_ALONE,
                GlobalSecondaryIndexes=Ignored("Indexes are those of the table.", JSON),
                GlobalTableSettingsReplicationMode=_ALONE,
                KinesisStreamSpecification=Refused("Mayfly has no Kinesis data streams yet."),
                PointInTimeRecoverySpecification=Table.schema.members["PointInTimeRecoverySpecification"],
                ReadOnDemandThroughputSettings=_CAPACITY,
                ReadProvisionedThroughputSettings=_CAPACITY,
                Region=STRING,
                ReplicaStreamSpecification=NO_POLICY,
                ResourcePolicy=NO_POLICY,
                SSESpecification=Table.schema.members["SSESpecification"],
                TableClass=STRING,
                Tags=TAGS,
            )
        ),
        SSESpecification=Table.schema.members["SSESpecification"],
        StreamSpecification=STREAM,
        TableName=STRING,
        TableType=STRING,
        TimeToLiveSpecification=fields("Enabled", AttributeName=STRING, Enabled=BOOLEAN),
        VectorIndexes=Refused("Mayfly has no vector indexes."),
        WarmThroughput=WARMTH,
        WriteOnDemandThroughputSettings=_CAPACITY,
        WriteProvisionedThroughputSettings=_CAPACITY,
    )
    replaced_by = frozenset({"TableName", "KeySchema", "LocalSecondaryIndexes"})
    attributes = frozenset({"Arn", "StreamArn", "TableId"})
    _table = Table()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self._table.physical_id(target, properties)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return self._table.custom_name(properties)

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._table.exists(call, target, properties)

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        return await self._with_id(call, await self._table.create(call, target, _table_of(target, properties)))

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        before, after = _table_of(target, old), _table_of(target, new)
        return await self._with_id(call, await self._table.update(call, target, made, before, after))

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await self._table.delete(call, target, made, properties)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await self._table.read(call, target, made, _table_of(target, properties))
        if found is None:
            return None
        given = _replica(target, properties)
        replica = {name: value for name, value in given.items() if name not in _OF_REPLICA}
        seen = {**properties, **picked(found, *_SHARED), "Replicas": [replica | picked(found, *_OF_REPLICA)]}
        return {name: value for name, value in seen.items() if name not in _SHARED or name in found}

    async def _with_id(self, call: Caller, made: Made) -> Made:
        found = (await call("dynamodb", "DescribeTable", TableName=made.physical_id))["Table"]
        return made._replace(attributes={**made.attributes, **picked(found, "TableId")})


def _replica(target: Target, properties: Mapping[str, Any]) -> Mapping[str, Any]:
    replicas = properties["Replicas"]
    if [replica["Region"] for replica in replicas] != [target.region]:
        raise PropertyError(f"#/Replicas: a table of Mayfly has one replica, in {target.region}")
    found: Mapping[str, Any] = replicas[0]
    return found


def _table_of(target: Target, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of the table. Its capacity is never limited, so it is on demand."""
    found = picked(properties, *_SHARED) | picked(_replica(target, properties), *_OF_REPLICA)
    if "GlobalSecondaryIndexes" in properties:
        members = ("IndexName", "KeySchema", "Projection")
        found["GlobalSecondaryIndexes"] = [picked(index, *members) for index in properties["GlobalSecondaryIndexes"]]
    return {**found, "BillingMode": "PAY_PER_REQUEST"}
