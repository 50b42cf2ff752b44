"""Batches."""

from typing import Any

from .conftest import Tables


def put(key: str, **more: Any) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"id": {"S": key}, **more}}}


async def test_a_batch_writes_and_deletes_in_several_tables(tables: Tables) -> None:
    await tables.make("one")
    await tables.make("two")
    await tables.call("PutItem", TableName="two", Item={"id": {"S": "old"}})
    reply = await tables.call(
        "BatchWriteItem",
        RequestItems={"one": [put("a"), put("b")], "two": [{"DeleteRequest": {"Key": {"id": {"S": "old"}}}}]},
        ReturnConsumedCapacity="TOTAL",
    )
    assert reply["UnprocessedItems"] == {}
    assert [one["CapacityUnits"] for one in reply["ConsumedCapacity"]] == [2.0, 1.0]
    reply = await tables.call(
        "BatchGetItem",
        RequestItems={
            "one": {"Keys": [{"id": {"S": "a"}}, {"id": {"S": "missing"}}]},
            "two": {"Keys": [{"id": {"S": "old"}}]},
        },
    )
    assert reply == {"Responses": {"one": [{"id": {"S": "a"}}], "two": []}, "UnprocessedKeys": {}}


async def test_a_batch_with_one_bad_item_writes_nothing(tables: Tables) -> None:
    await tables.make()
    bad = {"PutRequest": {"Item": {"id": {"N": "1"}}}}
    assert (await tables.refused("BatchWriteItem", RequestItems={"things": [put("a"), bad]})).code == (
        "ValidationException"
    )
    assert await tables.item("a") is None


async def test_one_item_may_come_once_in_a_batch(tables: Tables) -> None:
    await tables.make()
    error = await tables.refused(
        "BatchWriteItem", RequestItems={"things": [put("a"), {"DeleteRequest": {"Key": {"id": {"S": "a"}}}}]}
    )
    assert error.message == "Provided list of item keys contains duplicates"
    keys = [{"id": {"S": "a"}}, {"id": {"S": "a"}}]
    error = await tables.refused("BatchGetItem", RequestItems={"things": {"Keys": keys}})
    assert error.message == "Provided list of item keys contains duplicates"


async def test_batches_are_bounded(tables: Tables) -> None:
    await tables.make()
    await tables.make("others")
    writes = {"things": [put(f"k{n}") for n in range(20)], "others": [put(f"k{n}") for n in range(6)]}
    error = await tables.refused("BatchWriteItem", RequestItems=writes)
    assert error.message == "Too many items requested for the BatchWriteItem call"
    keys = [{"id": {"S": f"k{n}"}} for n in range(60)]
    error = await tables.refused("BatchGetItem", RequestItems={"things": {"Keys": keys}, "others": {"Keys": keys}})
    assert error.message == "Too many items requested for the BatchGetItem call"


async def test_what_does_not_fit_a_reply_is_handed_back(tables: Tables) -> None:
    await tables.make()
    for n in range(45):
        await tables.call("PutItem", TableName="things", Item={"id": {"S": f"k{n}"}, "x": {"B": b"x" * 400_000}})
    keys = {"Keys": [{"id": {"S": f"k{n}"}} for n in range(45)], "ProjectionExpression": "id"}
    found: list[str] = []
    rounds = 0
    request: dict[str, Any] = {"things": keys}
    while request:
        reply = await tables.call("BatchGetItem", RequestItems=request)
        found += [item["id"]["S"] for item in reply["Responses"]["things"]]
        request, rounds = reply["UnprocessedKeys"], rounds + 1
    assert (sorted(found), rounds) == (sorted(f"k{n}" for n in range(45)), 2)
