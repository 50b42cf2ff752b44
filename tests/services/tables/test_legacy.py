"""The parameters that came before expressions."""

from typing import Any

import pytest

from .conftest import Tables

KEY = {"id": {"S": "a"}}


@pytest.fixture
async def item(tables: Tables) -> dict[str, Any]:
    await tables.make()
    item = {**KEY, "n": {"N": "5"}, "s": {"S": "abc"}, "ss": {"SS": ["x", "y"]}}
    await tables.call("PutItem", TableName="things", Item=item)
    return item


@pytest.mark.parametrize(
    ("expected", "operator", "holds"),
    [
        ({"n": {"Value": {"N": "5"}}}, "AND", True),
        ({"n": {"Value": {"N": "6"}}}, "AND", False),
        ({"none": {"Exists": False}}, "AND", True),
        ({"n": {"Exists": False}}, "AND", False),
        ({"n": {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "4"}]}}, "AND", True),
        ({"n": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "4"}, {"N": "5"}]}}, "AND", True),
        ({"n": {"ComparisonOperator": "IN", "AttributeValueList": [{"N": "4"}, {"N": "5"}]}}, "AND", True),
        ({"s": {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [{"S": "ab"}]}}, "AND", True),
        ({"ss": {"ComparisonOperator": "CONTAINS", "AttributeValueList": [{"S": "x"}]}}, "AND", True),
        ({"ss": {"ComparisonOperator": "NOT_CONTAINS", "AttributeValueList": [{"S": "x"}]}}, "AND", False),
        ({"none": {"ComparisonOperator": "NULL"}, "n": {"ComparisonOperator": "NOT_NULL"}}, "AND", True),
        ({"n": {"Value": {"N": "6"}}, "s": {"Value": {"S": "abc"}}}, "AND", False),
        ({"n": {"Value": {"N": "6"}}, "s": {"Value": {"S": "abc"}}}, "OR", True),
    ],
)
async def test_expected_is_a_condition(
    tables: Tables, item: dict[str, Any], expected: dict[str, Any], operator: str, holds: bool
) -> None:
    request = {"TableName": "things", "Item": {**item, "new": {"S": "x"}}, "Expected": expected}
    if holds:
        await tables.call("PutItem", ConditionalOperator=operator, **request)
        assert "new" in (await tables.item("a") or {})
    else:
        error = await tables.refused("PutItem", ConditionalOperator=operator, **request)
        assert error.code == "ConditionalCheckFailedException"
        assert await tables.item("a") == item


async def test_attribute_updates_are_an_update(tables: Tables, item: dict[str, Any]) -> None:
    reply = await tables.call(
        "UpdateItem",
        TableName="things",
        Key=KEY,
        AttributeUpdates={
            "n": {"Action": "ADD", "Value": {"N": "2"}},
            "s": {"Action": "DELETE"},
            "ss": {"Action": "DELETE", "Value": {"SS": ["x"]}},
            "p": {"Value": {"S": "put"}},
            "l": {"Action": "ADD", "Value": {"L": [{"N": "1"}]}},
        },
        ReturnValues="ALL_NEW",
    )
    assert reply["Attributes"] == {
        **KEY,
        "n": {"N": "7"},
        "ss": {"SS": ["y"]},
        "p": {"S": "put"},
        "l": {"L": [{"N": "1"}]},
    }


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"AttributeUpdates": {"x": {"Action": "PUT"}}},
            "One or more parameter values were invalid: "
            "Only DELETE action is allowed when no attribute value is specified",
        ),
        (
            {"AttributeUpdates": {"x": {"Action": "ADD", "Value": {"S": "a"}}}},
            "One or more parameter values were invalid: ADD action is not supported for the type S",
        ),
        (
            {"Expected": {"x": {}}},
            "One or more parameter values were invalid: Value must be provided when Exists is null for Attribute: x",
        ),
        (
            {"Expected": {"x": {"ComparisonOperator": "EQ", "AttributeValueList": []}}},
            "One or more parameter values were invalid: Invalid number of argument(s) for the EQ ComparisonOperator",
        ),
        (
            {"Expected": {"x": {"Exists": False}}, "UpdateExpression": "REMOVE x"},
            "Can not use both expression and non-expression parameters in the same request: "
            "Non-expression parameters: {Expected} Expression parameters: {UpdateExpression}",
        ),
    ],
)
async def test_bad_legacy_parameters_are_refused(
    tables: Tables, item: dict[str, Any], request_: dict[str, Any], message: str
) -> None:
    error = await tables.refused("UpdateItem", TableName="things", Key=KEY, **request_)
    assert (error.code, error.message) == ("ValidationException", message)
    assert await tables.item("a") == item
