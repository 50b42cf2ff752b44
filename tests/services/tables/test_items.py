"""Single items."""

import asyncio
from typing import Any

import pytest

from mayfly.services.tables.errors import ConditionFailedError

from .conftest import Tables


async def test_an_item_comes_back_as_it_was_written(tables: Tables) -> None:
    await tables.make()
    item = {
        "id": {"S": "a"},
        "n": {"N": "-1.5"},
        "b": {"B": b"\x00\xff"},
        "yes": {"BOOL": True},
        "none": {"NULL": True},
        "ss": {"SS": ["a", "b"]},
        "ns": {"NS": ["1", "2", "10"]},
        "bs": {"BS": [b"a", b"b"]},
        "m": {"M": {"x": {"L": [{"S": ""}, {"N": "0"}]}}},
    }
    await tables.call("PutItem", TableName="things", Item=item)
    assert await tables.item("a") == item


async def test_numbers_come_back_in_one_form(tables: Tables) -> None:
    await tables.make()
    await tables.call("PutItem", TableName="things", Item={"id": {"S": "a"}, "n": {"N": "+01.500e2"}})
    assert await tables.item("a") == {"id": {"S": "a"}, "n": {"N": "150"}}


async def test_a_missing_item_has_no_item_member(tables: Tables) -> None:
    await tables.make()
    assert await tables.call("GetItem", TableName="things", Key={"id": {"S": "a"}}) == {}


async def test_totals_follow_every_write(tables: Tables) -> None:
    await tables.make()
    await tables.call("PutItem", TableName="things", Item={"id": {"S": "a"}})
    await tables.call("PutItem", TableName="things", Item={"id": {"S": "b"}, "x": {"S": "12345"}})
    await tables.call("PutItem", TableName="things", Item={"id": {"S": "b"}, "x": {"S": "1"}})
    described = (await tables.call("DescribeTable", TableName="things"))["Table"]
    assert (described["ItemCount"], described["TableSizeBytes"]) == (2, 3 + 3 + 2)
    await tables.call("DeleteItem", TableName="things", Key={"id": {"S": "b"}})
    await tables.call("DeleteItem", TableName="things", Key={"id": {"S": "b"}})
    described = (await tables.call("DescribeTable", TableName="things"))["Table"]
    assert (described["ItemCount"], described["TableSizeBytes"]) == (1, 3)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"x": {"S": "a"}}, "One or more parameter values were invalid: Missing the key id in the item"),
        (
            {"id": {"N": "1"}},
            "One or more parameter values were invalid: Type mismatch for key id expected: S actual: N",
        ),
        (
            {"id": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            "cannot contain an empty string value. Key: id",
        ),
        (
            {"id": {"S": "x" * 2049}},
            "One or more parameter values were invalid: "
            "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        ({"id": {"S": "a"}, "x": {"S": "x" * 409_600}}, "Item size has exceeded the maximum allowed size"),
        (
            {"id": {"S": "a"}, "x": {"SS": []}},
            "One or more parameter values were invalid: An string set  may not be empty",
        ),
        ({"id": {"S": "a"}, "x": {"N": "one"}}, "The parameter cannot be converted to a numeric value: one"),
    ],
)
async def test_a_bad_item_is_refused(tables: Tables, item: dict[str, Any], message: str) -> None:
    await tables.make()
    error = await tables.refused("PutItem", TableName="things", Item=item)
    assert (error.code, error.message) == ("ValidationException", message)
    assert (await tables.call("DescribeTable", TableName="things"))["Table"]["ItemCount"] == 0


async def test_a_key_that_is_not_the_tables_is_refused(tables: Tables) -> None:
    await tables.make()
    for key in ({"id": {"N": "1"}}, {"id": {"S": "a"}, "x": {"S": "a"}}, {"x": {"S": "a"}}):
        error = await tables.refused("GetItem", TableName="things", Key=key)
        assert error.message == "The provided key element does not match the schema"


async def test_an_operation_on_an_item_of_no_table_says_so(tables: Tables) -> None:
    error = await tables.refused("GetItem", TableName="nowhere", Key={"id": {"S": "a"}})
    assert (error.code, error.message) == ("ResourceNotFoundException", "Requested resource not found")


async def test_a_failed_condition_changes_nothing_and_shows_the_item_when_asked(tables: Tables) -> None:
    await tables.make()
    first = {"id": {"S": "a"}, "v": {"N": "1"}}
    await tables.call("PutItem", TableName="things", Item=first)
    request: dict[str, Any] = {
        "TableName": "things",
        "Item": {"id": {"S": "a"}, "v": {"N": "2"}},
        "ConditionExpression": "attribute_not_exists(id)",
    }
    error = await tables.refused("PutItem", **request)
    assert (error.code, error.message) == ("ConditionalCheckFailedException", "The conditional request failed")
    assert error.members == {}
    error = await tables.refused("PutItem", ReturnValuesOnConditionCheckFailure="ALL_OLD", **request)
    assert error.members == {"Item": first}
    assert await tables.item("a") == first


async def test_return_values_show_the_item_before_and_after(tables: Tables) -> None:
    await tables.make()
    await tables.call("PutItem", TableName="things", Item={"id": {"S": "a"}, "x": {"N": "1"}, "y": {"N": "1"}})

    async def update(returned: str) -> Any:
        reply = await tables.call(
            "UpdateItem",
            TableName="things",
            Key={"id": {"S": "a"}},
            UpdateExpression="ADD x :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues=returned,
        )
        return reply.get("Attributes")

    assert await update("NONE") is None
    assert await update("ALL_OLD") == {"id": {"S": "a"}, "x": {"N": "2"}, "y": {"N": "1"}}
    assert await update("UPDATED_OLD") == {"x": {"N": "3"}}
    assert await update("UPDATED_NEW") == {"x": {"N": "5"}}
    assert await update("ALL_NEW") == {"id": {"S": "a"}, "x": {"N": "6"}, "y": {"N": "1"}}


async def test_put_and_delete_return_the_old_item_only_when_asked(tables: Tables) -> None:
    await tables.make()
    item = {"id": {"S": "a"}}
    assert await tables.call("PutItem", TableName="things", Item=item, ReturnValues="ALL_OLD") == {}
    assert await tables.call("PutItem", TableName="things", Item=item) == {}
    deleted = await tables.call("DeleteItem", TableName="things", Key=item, ReturnValues="ALL_OLD")
    assert deleted == {"Attributes": item}
    error = await tables.refused("PutItem", TableName="things", Item=item, ReturnValues="ALL_NEW")
    assert error.message == "ReturnValues can only be ALL_OLD or NONE"


async def test_an_update_makes_the_item_if_there_is_none(tables: Tables) -> None:
    await tables.make()
    await tables.call("UpdateItem", TableName="things", Key={"id": {"S": "a"}})
    assert await tables.item("a") == {"id": {"S": "a"}}


async def test_an_update_may_not_touch_the_key(tables: Tables) -> None:
    await tables.make()
    error = await tables.refused(
        "UpdateItem",
        TableName="things",
        Key={"id": {"S": "a"}},
        UpdateExpression="SET id = :v",
        ExpressionAttributeValues={":v": {"S": "b"}},
    )
    assert error.message.endswith("Cannot update attribute id. This attribute is part of the key")


async def test_a_conditional_counter_raised_by_many_at_once_ends_exact(tables: Tables) -> None:
    await tables.make()
    await tables.call("PutItem", TableName="things", Item={"id": {"S": "a"}, "n": {"N": "0"}})

    async def raise_once() -> int:
        tries = 0
        while True:
            tries += 1
            found = await tables.item("a")
            assert found is not None
            try:
                await tables.call(
                    "UpdateItem",
                    TableName="things",
                    Key={"id": {"S": "a"}},
                    UpdateExpression="SET n = n + :one",
                    ConditionExpression="n = :seen",
                    ExpressionAttributeValues={":one": {"N": "1"}, ":seen": found["n"]},
                )
            except ConditionFailedError:
                continue
            return tries

    await asyncio.gather(*(raise_once() for _ in range(50)))
    assert (await tables.item("a") or {})["n"] == {"N": "50"}


async def test_capacity_is_reported_when_asked_for(tables: Tables) -> None:
    await tables.make()
    item = {"id": {"S": "a"}, "x": {"S": "x" * 5000}}
    reply = await tables.call("PutItem", TableName="things", Item=item, ReturnConsumedCapacity="TOTAL")
    assert reply == {"ConsumedCapacity": {"TableName": "things", "CapacityUnits": 5.0}}
    request: dict[str, Any] = {"TableName": "things", "Key": {"id": {"S": "a"}}}
    reply = await tables.call("GetItem", ReturnConsumedCapacity="INDEXES", ConsistentRead=True, **request)
    assert reply["ConsumedCapacity"]["Table"] == {"CapacityUnits": 2.0}
    reply = await tables.call("GetItem", ReturnConsumedCapacity="TOTAL", **request)
    assert reply["ConsumedCapacity"]["CapacityUnits"] == 1.0


async def test_items_survive_the_store_being_opened_again(open_store: Any, clock: Any) -> None:
    from mayfly.services.tables.service import TablesService

    store = await open_store("mayfly.services.tables")
    before = Tables(TablesService(store, clock))
    await before.make()
    await before.call("PutItem", TableName="things", Item={"id": {"S": "a"}})
    await store.close()
    after = Tables(TablesService(await open_store("mayfly.services.tables"), clock))
    assert await after.item("a") == {"id": {"S": "a"}}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"ExpressionAttributeNames": {"#a": "a"}},
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            {"ExpressionAttributeValues": {":a": {"S": "a"}}},
            "ExpressionAttributeValues can only be specified when using expressions: "
            "UpdateExpression and ConditionExpression are null",
        ),
        (
            {"UpdateExpression": "REMOVE x", "ExpressionAttributeNames": {}},
            "ExpressionAttributeNames must not be empty",
        ),
        (
            {"UpdateExpression": "REMOVE x", "ExpressionAttributeNames": {"a": "a"}},
            'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"',
        ),
        (
            {"UpdateExpression": "SET x = :v", "ExpressionAttributeValues": {":v": {"N": "x"}}},
            "ExpressionAttributeValues contains invalid value: "
            "The parameter cannot be converted to a numeric value: x for key :v",
        ),
        (
            {"UpdateExpression": "REMOVE x", "ExpressionAttributeNames": {"#a": "a", "#b": "b"}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #b}",
        ),
        (
            {"UpdateExpression": "SET x = :a + :s, y = :none", "ExpressionAttributeValues": {":a": {"S": "s"}}},
            "Invalid UpdateExpression: "
            "An expression attribute value used in expression is not defined; attribute value: :s",
        ),
        (
            {"UpdateExpression": "SET id.x = x"},
            "One or more parameter values were invalid: Cannot update attribute id. This attribute is part of the key",
        ),
    ],
)
async def test_wrong_parameters_of_expressions_are_refused(
    tables: Tables, request_: dict[str, Any], message: str
) -> None:
    await tables.make()
    error = await tables.refused("UpdateItem", TableName="things", Key={"id": {"S": "a"}}, **request_)
    assert (error.code, error.message) == ("ValidationException", message)


async def test_documents_nest_thirty_two_deep_and_no_deeper(tables: Tables) -> None:
    await tables.make()

    def nested(depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {"N": "1"}
        for _ in range(depth):
            value = {"M": {"k": value}}
        return value

    await tables.call("PutItem", TableName="things", Item={"id": {"S": "a"}, "x": nested(32)})
    error = await tables.refused("PutItem", TableName="things", Item={"id": {"S": "a"}, "x": nested(33)})
    assert error.message == "Nesting Levels have exceeded supported limits"
    error = await tables.refused(
        "UpdateItem",
        TableName="things",
        Key={"id": {"S": "a"}},
        UpdateExpression="SET x.y = :v",
        ExpressionAttributeValues={":v": nested(32)},
    )
    assert error.message == "Nesting Levels have exceeded supported limits"


async def test_an_update_may_not_make_an_item_too_large(tables: Tables) -> None:
    await tables.make()
    await tables.call("PutItem", TableName="things", Item={"id": {"S": "a"}, "x": {"S": "x" * 300_000}})
    error = await tables.refused(
        "UpdateItem",
        TableName="things",
        Key={"id": {"S": "a"}},
        UpdateExpression="SET y = x",
    )
    assert error.message == "Item size to update has exceeded the maximum allowed size"
