"""Tables through boto3, against a running platform."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary
from botocore.config import Config
from botocore.exceptions import ClientError

Client = Callable[..., Any]


@pytest.fixture
def dynamodb(client: Client) -> Any:
    return client("dynamodb", max_pool_connections=50)


@pytest.fixture
def resource(platform: Any) -> Any:
    session: Any = boto3.session.Session()
    return session.resource(
        "dynamodb",
        endpoint_url=platform.url,
        region_name=platform.region,
        aws_access_key_id=platform.access_key_id,
        aws_secret_access_key=platform.secret_access_key,
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def table(dynamodb: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """A table with the keys `id` (S) and `at` (N), named after the test."""
    name = request.node.name[:200]
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
        ],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name)
    yield name
    dynamodb.delete_table(TableName=name)
    dynamodb.get_waiter("table_not_exists").wait(TableName=name)


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    code: str = error.value.response["Error"]["Code"]
    return code


def test_every_type_makes_the_round_trip_through_the_resource(resource: Any, table: str) -> None:
    item = {
        "id": "a",
        "at": Decimal("1.5"),
        "text": "grüße \U0001f600",
        "binary": Binary(b"\x00\x01"),
        "truth": False,
        "nothing": None,
        "list": [Decimal(1), "two", [None]],
        "map": {"deep": {"er": Decimal("-1E-20")}},
        "strings": {"a", "b"},
        "numbers": {Decimal(1), Decimal("2.5")},
        "binaries": {Binary(b"a"), Binary(b"b")},
    }
    things = resource.Table(table)
    things.put_item(Item=item)
    assert things.get_item(Key={"id": "a", "at": Decimal("1.5")}, ConsistentRead=True)["Item"] == item
    assert things.item_count == 1


def test_a_batch_writer_and_a_paginated_query(resource: Any, dynamodb: Any, table: str) -> None:
    things = resource.Table(table)
    with things.batch_writer() as batch:
        for number in range(60):
            batch.put_item(Item={"id": "a", "at": number, "odd": bool(number % 2)})
    reply = things.query(
        KeyConditionExpression=Key("id").eq("a") & Key("at").between(10, 19),
        FilterExpression=Attr("odd").eq(True),
        ScanIndexForward=False,
    )
    assert [int(item["at"]) for item in reply["Items"]] == [19, 17, 15, 13, 11]
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": {"S": "a"}},
        PaginationConfig={"PageSize": 7},
    )
    found = [int(item["at"]["N"]) for page in pages for item in page["Items"]]
    assert found == list(range(60))


def test_a_counter_raised_by_fifty_clients_ends_exact(dynamodb: Any, table: str) -> None:
    key = {"id": {"S": "counter"}, "at": {"N": "0"}}
    dynamodb.put_item(TableName=table, Item={**key, "n": {"N": "0"}})

    def raise_it(number: int) -> int:
        tries = 0
        while True:
            tries += 1
            seen = dynamodb.get_item(TableName=table, Key=key)["Item"]["n"]
            try:
                dynamodb.update_item(
                    TableName=table,
                    Key=key,
                    UpdateExpression="SET n = :next",
                    ConditionExpression="n = :seen",
                    ExpressionAttributeValues={":seen": seen, ":next": {"N": str(int(seen["N"]) + 1)}},
                )
            except dynamodb.exceptions.ConditionalCheckFailedException:
                continue
            return tries

    with ThreadPoolExecutor(50) as clients:
        tries = list(clients.map(raise_it, range(50)))
    assert len(tries) == 50
    assert dynamodb.get_item(TableName=table, Key=key)["Item"]["n"] == {"N": "50"}


def test_errors_arrive_as_boto3s_exceptions(dynamodb: Any, table: str) -> None:
    key = {"id": {"S": "a"}, "at": {"N": "0"}}
    dynamodb.put_item(TableName=table, Item=key)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as failed:
        dynamodb.put_item(
            TableName=table,
            Item=key,
            ConditionExpression="attribute_not_exists(id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert failed.value.response["Item"] == key
    actions = [
        {"Put": {"TableName": table, "Item": {"id": {"S": "b"}, "at": {"N": "0"}}}},
        {"ConditionCheck": {"TableName": table, "Key": key, "ConditionExpression": "attribute_not_exists(id)"}},
    ]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as cancelled:
        dynamodb.transact_write_items(TransactItems=actions)
    reasons = cancelled.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.get_item(TableName="nowhere", Key=key)
    with pytest.raises(ClientError) as invalid:
        dynamodb.update_item(TableName=table, Key=key, UpdateExpression="SET x = ")
    assert code_of(invalid) == "ValidationException"
    assert invalid.value.response["Error"]["Message"] == (
        'Invalid UpdateExpression: Syntax error; token: "<EOF>", near: "x ="'
    )


def test_transactions_move_between_items(dynamodb: Any, table: str) -> None:
    def add(key: str, amount: str) -> dict[str, Any]:
        return {
            "Update": {
                "TableName": table,
                "Key": {"id": {"S": key}, "at": {"N": "0"}},
                "UpdateExpression": "ADD n :amount",
                "ExpressionAttributeValues": {":amount": {"N": amount}},
            }
        }

    for _ in range(3):
        dynamodb.transact_write_items(TransactItems=[add("a", "-5"), add("b", "5")], ClientRequestToken="one")
    gets = [{"Get": {"TableName": table, "Key": {"id": {"S": key}, "at": {"N": "0"}}}} for key in ("a", "b")]
    reply = dynamodb.transact_get_items(TransactItems=gets)
    assert [one["Item"]["n"] for one in reply["Responses"]] == [{"N": "-5"}, {"N": "5"}]


def test_a_scan_in_segments_finds_everything_once(resource: Any, dynamodb: Any, table: str) -> None:
    with resource.Table(table).batch_writer() as batch:
        for number in range(100):
            batch.put_item(Item={"id": f"k{number}", "at": number})
    found = [
        item["id"]["S"]
        for segment in range(4)
        for page in dynamodb.get_paginator("scan").paginate(TableName=table, Segment=segment, TotalSegments=4)
        for item in page["Items"]
    ]
    assert sorted(found) == sorted(f"k{number}" for number in range(100))


def test_what_is_not_implemented_is_refused_by_name(dynamodb: Any) -> None:
    with pytest.raises(ClientError) as refused:
        dynamodb.execute_statement(Statement="SELECT * FROM things")
    assert "ExecuteStatement" in refused.value.response["Error"]["Message"]
