"""AWS::DynamoDB::Table: keys, indexes, billing, expiry and tags."""

import asyncio
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.dynamodb.unserved import BOUNDS, ENCRYPTION, INSIGHTS, STREAM, UNSERVED, WARMTH
from mayfly.services.stacks.resources.reading import in_order, like, observed, tags_seen
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, STRING, STRINGS, TAGS, Items, fields
from mayfly.services.stacks.resources.tags import retag

_KEYS = Items(fields("AttributeName KeyType", AttributeName=STRING, KeyType=STRING))
_THROUGHPUT = fields("ReadCapacityUnits WriteCapacityUnits", ReadCapacityUnits=INTEGER, WriteCapacityUnits=INTEGER)
_PROJECTION = fields(ProjectionType=STRING, NonKeyAttributes=STRINGS)
_IN_PLACE = ("BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled", "TableClass")
_AT_CREATION = ("AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes", *_IN_PLACE)
_SILENT = ("ContributorInsightsSpecification", "OnDemandThroughput", "WarmThroughput")  # of indexes
_INDEXES = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
_POLL_S = 0.2


class Table:
    name = "AWS::DynamoDB::Table"
    schema = fields(
        "KeySchema",
        TableName=STRING,
        AttributeDefinitions=Items(fields("AttributeName AttributeType", AttributeName=STRING, AttributeType=STRING)),
        KeySchema=_KEYS,
        BillingMode=STRING,
        ProvisionedThroughput=_THROUGHPUT,
        GlobalSecondaryIndexes=Items(
            fields(
                "IndexName KeySchema Projection",
                IndexName=STRING,
                KeySchema=_KEYS,
                Projection=_PROJECTION,
                ProvisionedThroughput=_THROUGHPUT,
                ContributorInsightsSpecification=INSIGHTS,
                OnDemandThroughput=BOUNDS,
                WarmThroughput=WARMTH,
            )
        ),
        LocalSecondaryIndexes=Items(
            fields("IndexName KeySchema Projection", IndexName=STRING, KeySchema=_KEYS, Projection=_PROJECTION)
        ),
        StreamSpecification=STREAM,
        TimeToLiveSpecification=fields("Enabled", AttributeName=STRING, Enabled=BOOLEAN),
        SSESpecification=ENCRYPTION,
        **UNSERVED,
        TableClass=STRING,
        DeletionProtectionEnabled=BOOLEAN,
        Tags=TAGS,
    )
    replaced_by = frozenset({"TableName", "KeySchema", "LocalSecondaryIndexes"})
    attributes = frozenset({"Arn", "StreamArn"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or target.name(255)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("TableName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._describe(call, self.physical_id(target, properties)) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        table = self.physical_id(target, properties)
        # Without BillingMode CloudFormation takes provisioned capacity, as the API does.
        await call.unless(
            "ResourceInUseException",
            "dynamodb",
            "CreateTable",
            TableName=table,
            **picked(_served(properties), *_AT_CREATION, "Tags"),
        )
        await self._settled(call, table)
        if properties.get("TimeToLiveSpecification", {}).get("Enabled"):
            await self._expire(call, table, {}, properties)
        return await self._made(call, table)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        table = made.physical_id
        settings = {name: new[name] for name in _IN_PLACE if name in new and changed(old, new, name)}
        if "DeletionProtectionEnabled" in old and "DeletionProtectionEnabled" not in new:
            settings["DeletionProtectionEnabled"] = False
        found = await self._settled(call, table)
        if settings:
            await self._change(call, table, settings)
        if changed(old, new, "GlobalSecondaryIndexes"):
            await self._index(call, table, found, new)
        await self._expire(call, table, old, new)
        await retag(call, "dynamodb", old, new, ResourceArn=made.attributes["Arn"])
        return await self._made(call, table)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless("ResourceNotFoundException", "dynamodb", "DeleteTable", TableName=made.physical_id)
        while await self._describe(call, made.physical_id) is not None:  # noqa: ASYNC110  # another service deletes it
            await asyncio.sleep(_POLL_S)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        table = made.physical_id
        found = await self._describe(call, table)
        if found is None:
            return None
        truth: dict[str, Any] = {"TableName": table, **picked(found, "KeySchema", "DeletionProtectionEnabled")}
        for name, key in (("AttributeDefinitions", "AttributeName"), *((name, "IndexName") for name in _INDEXES)):
            given = properties.get(name, [])
            truth[name] = _listed(given, found.get(name, ()), key) or None
        billing = found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        throughput = picked(found.get("ProvisionedThroughput", {}), "ReadCapacityUnits", "WriteCapacityUnits")
        truth["BillingMode"] = billing
        truth["ProvisionedThroughput"] = throughput if billing == "PROVISIONED" else None
        truth["TableClass"] = found.get("TableClassSummary", {}).get("TableClass", "STANDARD")
        expiry = (await call("dynamodb", "DescribeTimeToLive", TableName=table))["TimeToLiveDescription"]
        enabled = expiry["TimeToLiveStatus"].startswith("ENABL")
        if enabled:
            truth["TimeToLiveSpecification"] = {"AttributeName": expiry["AttributeName"], "Enabled": True}
        elif not properties.get("TimeToLiveSpecification", {"Enabled": True})["Enabled"]:
            truth["TimeToLiveSpecification"] = properties["TimeToLiveSpecification"]
        truth |= await _tags(call, properties, found["TableArn"])
        defaults = {
            "TableName": table, "BillingMode": "PROVISIONED", "TableClass": "STANDARD",
            "DeletionProtectionEnabled": False,
        }  # fmt: skip
        return observed(properties, truth, "SSESpecification", *UNSERVED, defaults=defaults)

    async def _describe(self, call: Caller, table: str) -> dict[str, Any] | None:
        reply = await call.unless("ResourceNotFoundException", "dynamodb", "DescribeTable", TableName=table)
        return None if reply is None else reply["Table"]

    async def _settled(self, call: Caller, table: str) -> dict[str, Any]:
        """The table's description once it and its indexes are active."""
        while True:
            found: dict[str, Any] = (await call("dynamodb", "DescribeTable", TableName=table))["Table"]
            indexes = found.get("GlobalSecondaryIndexes", ())
            if found["TableStatus"] == "ACTIVE" and all(index["IndexStatus"] == "ACTIVE" for index in indexes):
                return found
            await asyncio.sleep(_POLL_S)

    async def _change(self, call: Caller, table: str, settings: Mapping[str, Any]) -> None:
        await call("dynamodb", "UpdateTable", TableName=table, **settings)
        await self._settled(call, table)

    async def _index(self, call: Caller, table: str, found: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Remove, then add indexes, one a call as the API asks; a changed one is removed and added.

        Compared with what the table has, not with the old template: an interrupted run may have done a part.
        """
        present = {index["IndexName"]: index for index in found.get("GlobalSecondaryIndexes", ())}
        wanted = {index["IndexName"]: index for index in _served(new).get("GlobalSecondaryIndexes", ())}
        for name, index in list(present.items()):
            if name not in wanted or changed(index, wanted[name], "KeySchema", "Projection"):
                await self._change(call, table, {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]})
                del present[name]
        attributes = picked(new, "AttributeDefinitions")
        for name, index in wanted.items():
            if name not in present:
                await self._change(call, table, {"GlobalSecondaryIndexUpdates": [{"Create": index}], **attributes})

    async def _expire(self, call: Caller, table: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        if not changed(old, new, "TimeToLiveSpecification"):
            return
        wanted = new.get("TimeToLiveSpecification")
        if wanted is None:
            wanted = {**old["TimeToLiveSpecification"], "Enabled": False}
        # Saying what is the case already is an error of the API.
        found = (await call("dynamodb", "DescribeTimeToLive", TableName=table))["TimeToLiveDescription"]
        if found["TimeToLiveStatus"].startswith("ENABL") != wanted["Enabled"]:
            await call("dynamodb", "UpdateTimeToLive", TableName=table, TimeToLiveSpecification=wanted)

    async def _made(self, call: Caller, table: str) -> Made:
        found = await self._settled(call, table)
        return Made(table, {"Arn": found["TableArn"]})


def _listed(given: list[Any], found: Iterable[Any], key: str) -> list[Any]:
    """What a table has of `given`, and beside it, in order; with the members that have no effect here."""
    ordered = in_order(given, found, itemgetter(key))
    silent = {one[key]: picked(one, *_SILENT) for one in given}
    return [{**one, **silent.get(one[key], {})} for one in like(given, ordered)]


async def _tags(call: Caller, properties: Mapping[str, Any], arn: str) -> dict[str, Any]:
    found = (await call("dynamodb", "ListTagsOfResource", ResourceArn=arn)).get("Tags", ())
    return tags_seen(properties, found)


def _served(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Without what has no effect here."""
    found = {name: value for name, value in properties.items() if name not in UNSERVED}
    if "GlobalSecondaryIndexes" in found:
        members = ("IndexName", "KeySchema", "Projection", "ProvisionedThroughput")
        found["GlobalSecondaryIndexes"] = [picked(index, *members) for index in found["GlobalSecondaryIndexes"]]
    return found
