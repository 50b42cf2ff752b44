"""Pages against a naive reading of the same items: every bound, direction, limit, index and segment."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Tables

INDEXES = [
    {
        "IndexName": "by-group",
        "KeySchema": [{"AttributeName": "group", "KeyType": "HASH"}, {"AttributeName": "rank", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "ALL"},
    },
    {
        "IndexName": "by-group-only",
        "KeySchema": [{"AttributeName": "group", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    },
]
Bound = tuple[str, Callable[[int, int, int], bool]]
BOUNDS: list[Bound] = [
    ("", lambda value, low, high: True),
    (" AND #r = :low", lambda value, low, high: value == low),
    (" AND #r < :low", lambda value, low, high: value < low),
    (" AND #r <= :low", lambda value, low, high: value <= low),
    (" AND #r > :low", lambda value, low, high: value > low),
    (" AND #r >= :low", lambda value, low, high: value >= low),
    (" AND #r BETWEEN :low AND :high", lambda value, low, high: low <= value <= high),
]


@pytest.fixture
async def items(tables: Tables) -> list[dict[str, int | str]]:
    """120 items of 3 hash keys and 2 groups, many with equal ranks."""
    await tables.make(
        range_type="N",
        attributes=[
            {"AttributeName": "group", "AttributeType": "S"},
            {"AttributeName": "rank", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=INDEXES,
    )
    chance = random.Random(7)
    made: list[dict[str, int | str]] = [
        {"id": f"k{number % 3}", "at": number - 60, "group": chance.choice("xy"), "rank": chance.randint(-3, 3)}
        for number in range(120)
    ]
    for start in range(0, 120, 25):
        requests = [
            {
                "PutRequest": {
                    "Item": {
                        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
                        for name, value in item.items()
                    }
                }
            }
            for item in made[start : start + 25]
        ]
        await tables.call("BatchWriteItem", RequestItems={"things": requests})
    return made


async def all_pages(tables: Tables, operation: str, **request: Any) -> list[int]:
    """The `at` of every item, over all pages; `at` is unique."""
    found: list[int] = []
    start: dict[str, Any] = {}
    while True:
        reply = await tables.call(operation, TableName="things", **request, **start)
        assert reply["Count"] <= request["Limit"]
        found += [int(item["at"]["N"]) for item in reply["Items"]]
        if "LastEvaluatedKey" not in reply:
            return found
        start = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}


async def test_queries_find_what_a_naive_reading_finds(tables: Tables, items: list[dict[str, Any]]) -> None:
    chance = random.Random(11)
    for _ in range(150):
        index, hash_name, range_name = chance.choice([(None, "id", "at"), ("by-group", "group", "rank")])
        key = chance.choice(["k0", "k1", "k2"] if index is None else ["x", "y"])
        text, holds = chance.choice(BOUNDS)
        low, high = sorted(chance.randint(-5, 5) for _ in range(2))
        forward = chance.random() < 0.5
        values = {":h": {"S": key}}
        if ":low" in text:
            values[":low"] = {"N": str(low)}
        if ":high" in text:
            values[":high"] = {"N": str(high)}
        names = {"#h": hash_name, **({"#r": range_name} if text else {})}
        found = await all_pages(
            tables,
            "Query",
            KeyConditionExpression=f"#h = :h{text}",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ScanIndexForward=forward,
            Limit=chance.choice([1, 3, 7, 200]),
            **({"IndexName": index} if index else {}),
        )
        expected = [item for item in items if item[hash_name] == key and holds(item[range_name], low, high)]
        assert sorted(found) == sorted(item["at"] for item in expected)
        rank_of = {item["at"]: item[range_name] for item in items}
        ranks = [rank_of[at] for at in found]
        assert ranks == sorted(ranks, reverse=not forward)


@pytest.mark.parametrize("index", [None, "by-group", "by-group-only"])
@pytest.mark.parametrize("total", [1, 2, 5])
async def test_segments_find_everything_once(
    tables: Tables, items: list[dict[str, Any]], index: str | None, total: int
) -> None:
    found: list[int] = []
    for segment in range(total):
        more = {"IndexName": index} if index else {}
        found += await all_pages(tables, "Scan", Segment=segment, TotalSegments=total, Limit=7, **more)
    assert sorted(found) == [item["at"] for item in items]


async def test_reversing_a_query_reverses_its_items(tables: Tables, items: list[dict[str, Any]]) -> None:
    del items
    request: dict[str, Any] = {
        "IndexName": "by-group",
        "KeyConditionExpression": "#h = :h",
        "ExpressionAttributeNames": {"#h": "group"},
        "ExpressionAttributeValues": {":h": {"S": "x"}},
        "Limit": 4,
    }
    forward = await all_pages(tables, "Query", **request)
    assert await all_pages(tables, "Query", ScanIndexForward=False, **request) == forward[::-1]
