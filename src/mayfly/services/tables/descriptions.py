"""`TableDescription` and its parts, from definitions."""

from typing import Any, NamedTuple

from mayfly.clock import utc
from mayfly.services.tables.model import Attribute, Index, Table, Throughput


class Totals(NamedTuple):
    """How much a table or an index holds."""

    items: int
    size: int


def describe(table: Table, totals: Totals, index_items: dict[int, int], status: str = "ACTIVE") -> dict[str, Any]:
    """The description of a table; `index_items` are the numbers of items by the indexes' ids."""
    shape: dict[str, Any] = {
        "AttributeDefinitions": [
            {"AttributeName": attribute.name, "AttributeType": attribute.type} for attribute in table.attributes()
        ],
        "TableName": table.name,
        "KeySchema": _key_schema(table.key_attributes()),
        "TableStatus": status,
        "CreationDateTime": utc(table.created_at),
        "ProvisionedThroughput": _throughput(table.throughput),
        "TableSizeBytes": totals.size,
        "ItemCount": totals.items,
        "TableArn": table.arn,
        "TableId": table.id,
        "DeletionProtectionEnabled": table.deletion_protection,
    }
    if table.pay_per_request_since is not None:
        shape["BillingModeSummary"] = {
            "BillingMode": table.billing,
            "LastUpdateToPayPerRequestDateTime": utc(table.pay_per_request_since),
        }
    if table.table_class != "STANDARD":
        shape["TableClassSummary"] = {"TableClass": table.table_class}
    for index in table.indexes:
        member = "GlobalSecondaryIndexes" if index.is_global else "LocalSecondaryIndexes"
        shape.setdefault(member, []).append(_describe_index(table, index, totals, index_items.get(index.id, 0)))
    return shape


def _describe_index(table: Table, index: Index, totals: Totals, items: int) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": index.projection}
    if index.included:
        projection["NonKeyAttributes"] = list(index.included)
    # An index holds references: its size is reported as its share of the table's.
    size = totals.size * items // totals.items if totals.items else 0
    shape: dict[str, Any] = {
        "IndexName": index.name,
        "KeySchema": _key_schema(index.key_attributes()),
        "Projection": projection,
        "IndexSizeBytes": size,
        "ItemCount": items,
        "IndexArn": f"{table.arn}/index/{index.name}",
    }
    if index.is_global:
        shape["IndexStatus"] = "ACTIVE" if index.backfilled else "CREATING"
        shape["Backfilling"] = not index.backfilled
        shape["ProvisionedThroughput"] = _throughput(index.throughput)
        if index.backfilled:
            del shape["Backfilling"]
    return shape


def _key_schema(attributes: tuple[Attribute, ...]) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [
        {"AttributeName": attribute.name, "KeyType": kind} for attribute, kind in zip(attributes, kinds, strict=False)
    ]


def _throughput(throughput: Throughput) -> dict[str, int]:
    return {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": throughput.read_units,
        "WriteCapacityUnits": throughput.write_units,
    }
