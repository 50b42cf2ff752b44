"""Transactions."""

import asyncio
from typing import Any

from mayfly.clock import ManualClock
from mayfly.services.contract import ServiceError

from .conftest import Tables


def put(key: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": "things", "Item": {"id": {"S": key}, **more}}}


def check(key: str, condition: str, **more: Any) -> dict[str, Any]:
    return {
        "ConditionCheck": {"TableName": "things", "Key": {"id": {"S": key}}, "ConditionExpression": condition, **more}
    }


async def test_all_actions_are_done_together(tables: Tables) -> None:
    await tables.make()
    await tables.call("PutItem", TableName="things", Item={"id": {"S": "gone"}})
    update = {
        "TableName": "things",
        "Key": {"id": {"S": "b"}},
        "UpdateExpression": "SET x = :x",
        "ExpressionAttributeValues": {":x": {"N": "1"}},
    }
    reply = await tables.call(
        "TransactWriteItems",
        TransactItems=[
            put("a"),
            {"Update": update},
            {"Delete": {"TableName": "things", "Key": {"id": {"S": "gone"}}}},
            check("other", "attribute_not_exists(id)"),
        ],
        ReturnConsumedCapacity="TOTAL",
    )
    assert reply["ConsumedCapacity"] == [
        {"TableName": "things", "CapacityUnits": 8.0, "WriteCapacityUnits": 8.0},
    ]
    keys = [{"Get": {"TableName": "things", "Key": {"id": {"S": key}}}} for key in ("a", "b", "gone")]
    reply = await tables.call("TransactGetItems", TransactItems=keys)
    assert reply["Responses"] == [{"Item": {"id": {"S": "a"}}}, {"Item": {"id": {"S": "b"}, "x": {"N": "1"}}}, {}]


async def test_one_failed_condition_undoes_everything_and_says_which(tables: Tables) -> None:
    await tables.make()
    await tables.call("PutItem", TableName="things", Item={"id": {"S": "b"}})
    actions = [
        put("a"),
        check("b", "attribute_not_exists(id)", ReturnValuesOnConditionCheckFailure="ALL_OLD"),
    ]
    error = await tables.refused("TransactWriteItems", TransactItems=actions)
    assert error.code == "TransactionCanceledException"
    assert error.message == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]"
    )
    assert error.members["CancellationReasons"] == [
        {"Code": "None"},
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": {"id": {"S": "b"}},
        },
    ]
    assert await tables.item("a") is None


async def test_an_item_may_come_once_in_a_transaction(tables: Tables) -> None:
    await tables.make()
    error = await tables.refused("TransactWriteItems", TransactItems=[put("a"), check("a", "attribute_exists(id)")])
    assert error.message == "Transaction request cannot include multiple operations on one item"


async def test_a_token_makes_a_transaction_happen_once_for_ten_minutes(tables: Tables, clock: ManualClock) -> None:
    await tables.make()
    add = {
        "Update": {
            "TableName": "things",
            "Key": {"id": {"S": "a"}},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    for _ in range(2):
        await tables.call("TransactWriteItems", TransactItems=[add], ClientRequestToken="t")
    assert (await tables.item("a") or {})["n"] == {"N": "1"}
    error = await tables.refused("TransactWriteItems", TransactItems=[put("a")], ClientRequestToken="t")
    assert error.code == "IdempotentParameterMismatchException"
    clock.advance(601)
    await tables.call("TransactWriteItems", TransactItems=[add], ClientRequestToken="t")
    assert (await tables.item("a") or {})["n"] == {"N": "2"}


async def test_a_failed_transaction_does_not_use_up_its_token(tables: Tables) -> None:
    await tables.make()
    actions = [check("a", "attribute_exists(id)"), put("b")]
    await tables.refused("TransactWriteItems", TransactItems=actions, ClientRequestToken="t")
    await tables.call("PutItem", TableName="things", Item={"id": {"S": "a"}})
    await tables.call("TransactWriteItems", TransactItems=actions, ClientRequestToken="t")
    assert await tables.item("b") is not None


async def test_money_is_neither_made_nor_lost_by_transfers_at_once(tables: Tables) -> None:
    await tables.make()
    for key in ("a", "b"):
        await tables.call("PutItem", TableName="things", Item={"id": {"S": key}, "n": {"N": "10"}})

    async def transfer(source: str, target: str) -> bool:
        values = {":one": {"N": "1"}}
        take = {"UpdateExpression": "SET n = n - :one", "ConditionExpression": "n >= :one"}
        give = {"UpdateExpression": "SET n = n + :one"}
        actions = [
            {
                "Update": {
                    "TableName": "things",
                    "Key": {"id": {"S": key}},
                    "ExpressionAttributeValues": values,
                    **expressions,
                }
            }
            for key, expressions in ((source, take), (target, give))
        ]
        try:
            await tables.call("TransactWriteItems", TransactItems=actions)
        except ServiceError as error:
            if error.code != "TransactionCanceledException":
                raise
            return False
        return True

    done = await asyncio.gather(*(transfer("a", "b") for _ in range(30)))
    assert sum(done) == 10
    assert (await tables.item("a") or {})["n"] == {"N": "0"}
    assert (await tables.item("b") or {})["n"] == {"N": "20"}
