"""Query and Scan on tables and their indexes."""

from typing import Any

import pytest

from .conftest import Tables

BY_COLOUR = {
    "IndexName": "by-colour",
    "KeySchema": [{"AttributeName": "colour", "KeyType": "HASH"}, {"AttributeName": "size", "KeyType": "RANGE"}],
    "Projection": {"ProjectionType": "ALL"},
}
INDEXED: dict[str, Any] = {
    "attributes": [
        {"AttributeName": "colour", "AttributeType": "S"},
        {"AttributeName": "size", "AttributeType": "N"},
    ],
    "GlobalSecondaryIndexes": [BY_COLOUR],
}


async def fill(tables: Tables, *ats: str, key: str = "a", **more: Any) -> None:
    for at in ats:
        item = {"id": {"S": key}, "at": {"N": at}, **more}
        await tables.call("PutItem", TableName="things", Item=item)


async def ats(tables: Tables, condition: str = "id = :id", **request: Any) -> list[str]:
    """The range keys that a query finds."""
    values = {":id": {"S": "a"}, **request.pop("values", {})}
    reply = await tables.call(
        "Query",
        TableName="things",
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        **request,
    )
    assert reply["Count"] == len(reply["Items"])
    return [item["at"]["N"] for item in reply["Items"]]


async def test_items_come_in_the_order_of_their_numbers(tables: Tables) -> None:
    await tables.make(range_type="N")
    await fill(tables, "10", "9", "-1", "0", "1e-5", "-10", "100")
    await fill(tables, "5", key="b")
    assert await ats(tables) == ["-10", "-1", "0", "0.00001", "9", "10", "100"]
    assert (await ats(tables, ScanIndexForward=False))[:2] == ["100", "10"]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("#at = :x", ["2"]),
        ("#at < :x", ["1"]),
        ("#at <= :x", ["1", "2"]),
        ("#at > :x", ["3", "4"]),
        ("#at >= :x", ["2", "3", "4"]),
        (":x < #at", ["3", "4"]),
    ],
)
async def test_conditions_on_the_range_key(tables: Tables, condition: str, found: list[str]) -> None:
    await tables.make(range_type="N")
    await fill(tables, "1", "2", "3", "4")
    names = {"#at": "at"}
    assert (
        await ats(tables, f"id = :id AND {condition}", values={":x": {"N": "2"}}, ExpressionAttributeNames=names)
        == found
    )


async def test_between_includes_both_ends(tables: Tables) -> None:
    await tables.make(range_type="N")
    await fill(tables, "1", "2", "3", "4")
    values = {":x": {"N": "2"}, ":y": {"N": "3"}}
    found = await ats(
        tables, "(#at BETWEEN :x AND :y) AND id = :id", values=values, ExpressionAttributeNames={"#at": "at"}
    )
    assert found == ["2", "3"]


async def test_begins_with_on_a_string_range_key(tables: Tables) -> None:
    await tables.make(range_type="S")
    for at in ("a", "ab", "abc", "ac", "ab\U0010ffff"):
        await tables.call("PutItem", TableName="things", Item={"id": {"S": "a"}, "at": {"S": at}})
    reply = await tables.call(
        "Query",
        TableName="things",
        KeyConditionExpression="id = :id AND begins_with(#at, :p)",
        ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues={":id": {"S": "a"}, ":p": {"S": "ab"}},
    )
    assert [item["at"]["S"] for item in reply["Items"]] == ["ab", "abc", "ab\U0010ffff"]


@pytest.mark.parametrize("forward", [True, False])
async def test_pages_join_up_to_the_whole(tables: Tables, forward: bool) -> None:
    await tables.make(range_type="N")
    await fill(tables, *(str(number) for number in range(10)))
    found: list[str] = []
    start: dict[str, Any] = {}
    pages = 0
    while True:
        reply = await tables.call(
            "Query",
            TableName="things",
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": {"S": "a"}},
            Limit=3,
            ScanIndexForward=forward,
            **start,
        )
        pages += 1
        found += [item["at"]["N"] for item in reply["Items"]]
        if "LastEvaluatedKey" not in reply:
            break
        start = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}
    assert pages == 4
    assert found == sorted((str(number) for number in range(10)), reverse=not forward)


async def test_the_filter_comes_after_the_limit(tables: Tables) -> None:
    await tables.make(range_type="N")
    await fill(tables, "1", "2", odd={"BOOL": False})
    await fill(tables, "3", odd={"BOOL": True})
    request: dict[str, Any] = {
        "TableName": "things",
        "KeyConditionExpression": "id = :id",
        "FilterExpression": "odd = :odd",
        "ExpressionAttributeValues": {":id": {"S": "a"}, ":odd": {"BOOL": True}},
        "Limit": 2,
    }
    reply = await tables.call("Query", **request)
    assert (reply["Items"], reply["Count"], reply["ScannedCount"]) == ([], 0, 2)
    reply = await tables.call("Query", ExclusiveStartKey=reply["LastEvaluatedKey"], **request)
    assert [item["at"] for item in reply["Items"]] == [{"N": "3"}]


async def test_a_page_ends_with_the_item_that_takes_it_over_a_megabyte(tables: Tables) -> None:
    await tables.make(range_type="N")
    await fill(tables, "1", "2", "3", "4", "5", x={"S": "x" * 300_000})
    reply = await tables.call("Scan", TableName="things")
    assert reply["Count"] == 4
    reply = await tables.call("Scan", TableName="things", ExclusiveStartKey=reply["LastEvaluatedKey"])
    assert (reply["Count"], "LastEvaluatedKey" in reply) == (1, False)


async def test_count_answers_no_items(tables: Tables) -> None:
    await tables.make(range_type="N")
    await fill(tables, "1", "2")
    assert await tables.call("Scan", TableName="things", Select="COUNT") == {"Count": 2, "ScannedCount": 2}


async def test_segments_divide_a_scan(tables: Tables) -> None:
    await tables.make()
    keys = {f"k{number}" for number in range(40)}
    for key in keys:
        await tables.call("PutItem", TableName="things", Item={"id": {"S": key}})
    found: list[str] = []
    for segment in range(3):
        start: dict[str, Any] = {}
        while True:
            reply = await tables.call("Scan", TableName="things", Segment=segment, TotalSegments=3, Limit=4, **start)
            found += [item["id"]["S"] for item in reply["Items"]]
            if "LastEvaluatedKey" not in reply:
                break
            start = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}
    assert len(found) == 40
    assert set(found) == keys


async def test_projection_keeps_only_what_it_names(tables: Tables) -> None:
    await tables.make(range_type="N")
    await fill(tables, "1", m={"M": {"x": {"N": "1"}, "y": {"N": "2"}}}, li={"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]})
    reply = await tables.call("Scan", TableName="things", ProjectionExpression="m.y, li[2], li[0], nowhere")
    assert reply["Items"] == [{"m": {"M": {"y": {"N": "2"}}}, "li": {"L": [{"N": "0"}, {"N": "2"}]}}]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."),
        (
            {"KeyConditionExpression": "#at = :x", "ExpressionAttributeValues": {":x": {"N": "1"}}},
            "Query condition missed key schema element: id",
        ),
        (
            {"KeyConditionExpression": "id > :x", "ExpressionAttributeValues": {":x": {"S": "1"}}},
            "Query key condition not supported",
        ),
        (
            {"KeyConditionExpression": "id = :x", "ExpressionAttributeValues": {":x": {"N": "1"}}},
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            {
                "KeyConditionExpression": "id = :x OR id = :y",
                "ExpressionAttributeValues": {":x": {"S": "1"}, ":y": {"S": "1"}},
            },
            "Invalid operator used in KeyConditionExpression: OR",
        ),
        (
            {
                "KeyConditionExpression": "id = :x",
                "FilterExpression": "id = :x",
                "ExpressionAttributeValues": {":x": {"S": "1"}},
            },
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: id",
        ),
        (
            {
                "IndexName": "none",
                "KeyConditionExpression": "id = :x",
                "ExpressionAttributeValues": {":x": {"S": "1"}},
            },
            "The table does not have the specified index: none",
        ),
    ],
)
async def test_bad_queries_are_refused(tables: Tables, request_: dict[str, Any], message: str) -> None:
    await tables.make(range_type="N")
    names = {"ExpressionAttributeNames": {"#at": "at"}} if "#at" in str(request_) else {}
    error = await tables.refused("Query", TableName="things", **request_, **names)
    assert (error.code, error.message) == ("ValidationException", message)


async def by_colour(tables: Tables, **request: Any) -> dict[str, Any]:
    return await tables.call(
        "Query",
        TableName="things",
        IndexName="by-colour",
        KeyConditionExpression="colour = :c",
        ExpressionAttributeValues={":c": {"S": "red"}},
        **request,
    )


async def test_a_global_index_follows_its_items(tables: Tables) -> None:
    await tables.make(**INDEXED)

    async def put(key: str, colour: str | None, size: str) -> None:
        item = {"id": {"S": key}, "size": {"N": size}}
        if colour is not None:
            item["colour"] = {"S": colour}
        await tables.call("PutItem", TableName="things", Item=item)

    async def red() -> list[str]:
        return [item["id"]["S"] for item in (await by_colour(tables))["Items"]]

    await put("a", "red", "2")
    await put("b", "red", "1")
    await put("c", "blue", "1")
    await put("d", None, "1")
    assert await red() == ["b", "a"]
    await put("c", "red", "3")
    await put("b", "blue", "1")
    assert await red() == ["a", "c"]
    await tables.call("DeleteItem", TableName="things", Key={"id": {"S": "a"}})
    assert await red() == ["c"]
    described = (await tables.call("DescribeTable", TableName="things"))["Table"]
    assert described["GlobalSecondaryIndexes"][0]["ItemCount"] == 2
    await tables.call("UpdateItem", TableName="things", Key={"id": {"S": "c"}}, UpdateExpression="REMOVE colour")
    assert await red() == []


async def test_pages_of_an_index_join_up_where_its_keys_are_equal(tables: Tables) -> None:
    await tables.make(**INDEXED)
    keys = sorted(f"k{number}" for number in range(7))
    for key in keys:
        item = {"id": {"S": key}, "colour": {"S": "red"}, "size": {"N": "1"}}
        await tables.call("PutItem", TableName="things", Item=item)
    found: list[str] = []
    start: dict[str, Any] = {}
    while True:
        reply = await by_colour(tables, Limit=2, **start)
        found += [item["id"]["S"] for item in reply["Items"]]
        if "LastEvaluatedKey" not in reply:
            break
        assert reply["LastEvaluatedKey"].keys() == {"id", "colour", "size"}
        start = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}
    assert found == keys
    assert (await tables.call("Scan", TableName="things", IndexName="by-colour"))["Count"] == 7


async def test_an_index_shows_what_it_projects(tables: Tables) -> None:
    keys_only = {**BY_COLOUR, "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]}}
    await tables.make(**{**INDEXED, "GlobalSecondaryIndexes": [keys_only]})
    item = {"id": {"S": "a"}, "colour": {"S": "red"}, "size": {"N": "1"}, "x": {"N": "1"}, "y": {"N": "1"}}
    await tables.call("PutItem", TableName="things", Item=item)
    assert (await by_colour(tables))["Items"] == [{name: item[name] for name in ("id", "colour", "size", "x")}]
    error = await tables.refused("Scan", TableName="things", IndexName="by-colour", Select="ALL_ATTRIBUTES")
    assert "ALL_ATTRIBUTES is not supported for global secondary index" in error.message


async def test_a_local_index_orders_by_another_attribute_and_reads_the_whole_item(tables: Tables) -> None:
    local = {
        "IndexName": "by-size",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "size", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    await tables.make(
        range_type="N",
        attributes=[{"AttributeName": "size", "AttributeType": "N"}],
        LocalSecondaryIndexes=[local],
    )
    await fill(tables, "1", size={"N": "9"}, x={"N": "1"})
    await fill(tables, "2", size={"N": "8"}, x={"N": "1"})
    await fill(tables, "3")
    assert await ats(tables, IndexName="by-size") == ["2", "1"]
    reply = await tables.call(
        "Query",
        TableName="things",
        IndexName="by-size",
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": {"S": "a"}},
        ProjectionExpression="x",
    )
    assert reply["Items"] == [{"x": {"N": "1"}}] * 2


async def test_an_index_made_later_is_filled_in_the_background(tables: Tables) -> None:
    await tables.make()
    for number in range(450):
        item = {"id": {"S": f"k{number}"}, "colour": {"S": "red"}, "size": {"N": str(number)}}
        await tables.call("PutItem", TableName="things", Item=item)
    await tables.call("PutItem", TableName="things", Item={"id": {"S": "odd"}, "colour": {"N": "1"}})
    reply = await tables.call(
        "UpdateTable",
        TableName="things",
        AttributeDefinitions=INDEXED["attributes"],
        GlobalSecondaryIndexUpdates=[{"Create": BY_COLOUR}],
    )
    assert reply["TableDescription"]["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING"
    await tables.call("DeleteItem", TableName="things", Key={"id": {"S": "k3"}})
    await tables.service.maintenance.settle()
    assert (await by_colour(tables))["Count"] == 449
    described = (await tables.call("DescribeTable", TableName="things"))["Table"]
    assert described["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"
    assert described["GlobalSecondaryIndexes"][0]["ItemCount"] == 449
    await tables.call("DeleteItem", TableName="things", Key={"id": {"S": "odd"}})
    deletion = [{"Delete": {"IndexName": "by-colour"}}]
    await tables.call("UpdateTable", TableName="things", GlobalSecondaryIndexUpdates=deletion)
    await tables.service.maintenance.settle()
    await tables.refused("Scan", TableName="things", IndexName="by-colour")


async def test_legacy_key_conditions_and_filters_mean_what_expressions_mean(tables: Tables) -> None:
    await tables.make(range_type="N")
    await fill(tables, "1", "2", x={"S": "abc"})
    await fill(tables, "3")
    reply = await tables.call(
        "Query",
        TableName="things",
        KeyConditions={
            "id": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]},
            "at": {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "1"}]},
        },
        QueryFilter={"x": {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [{"S": "ab"}]}},
        AttributesToGet=["at"],
    )
    assert (reply["Items"], reply["ScannedCount"]) == ([{"at": {"N": "2"}}], 2)
    reply = await tables.call("Scan", TableName="things", ScanFilter={"x": {"ComparisonOperator": "NULL"}})
    assert [item["at"]["N"] for item in reply["Items"]] == ["3"]
