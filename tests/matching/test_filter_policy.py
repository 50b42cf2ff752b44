"""SNS's filter policies: the same language, attributes of messages, limits of their own."""

import json
from typing import Any

import pytest

from mayfly.matching.errors import FilterPolicyError
from mayfly.matching.filter_policy import Scope, compile_filter_policy


def wanted(policy: dict[str, Any], attributes: dict[str, tuple[str, str | bytes]]) -> bool:
    return compile_filter_policy(json.dumps(policy), "MessageAttributes").matches(attributes, "")


@pytest.mark.parametrize(
    ("policy", "attributes", "expected"),
    [
        ({"store": ["x"]}, {"store": ("String", "x")}, True),
        ({"store": ["x"]}, {"store": ("String.custom", "x")}, True),
        ({"store": ["x"]}, {"store": ("Binary", b"x")}, False),
        ({"store": ["x"]}, {}, False),
        ({"price": [100]}, {"price": ("Number", "100.0")}, True),
        ({"price": [100]}, {"price": ("String", "100")}, False),
        ({"price": ["100"]}, {"price": ("Number", "100")}, False),
        ({"price": [{"numeric": [">", 5, "<=", 10]}]}, {"price": ("Number.int", "10")}, True),
        ({"tags": ["b"]}, {"tags": ("String.Array", '["a", "b"]')}, True),
        ({"tags": [3, None]}, {"tags": ("String.Array", "[1, null]")}, True),
        ({"tags": [{"anything-but": ["a", "b"]}]}, {"tags": ("String.Array", '["a", "c"]')}, True),
        ({"tags": [{"anything-but": ["a", "b"]}]}, {"tags": ("String.Array", '["a", "b"]')}, False),
        ({"tags": ["no array"]}, {"tags": ("String.Array", "no array")}, True),
        ({"a": [{"exists": False}]}, {"a": ("Binary", b"x")}, True),
        ({"a": [{"exists": True}]}, {"a": ("String", "x")}, True),
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": ("String", "y")}, True),
        ({"$or": ["x"]}, {"$or": ("String", "x")}, True),
        ({"ip": [{"cidr": "10.0.0.0/24"}]}, {"ip": ("String", "10.0.0.9")}, True),
        ({}, {}, True),
    ],
)
def test_a_policy_of_attributes_sees_their_types(
    policy: dict[str, Any], attributes: dict[str, tuple[str, str | bytes]], expected: bool
) -> None:
    assert wanted(policy, attributes) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"order": {"items": [{"sku": "a", "n": 2}]}}', True),
        ('{"order": {"items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]}}', False),
        ("no JSON", False),
        ("[1]", False),
        ('{"order": NaN}', False),
        ("[" * 100_000, False),
    ],
)
def test_a_policy_of_the_body_looks_into_json_objects_alone(body: str, expected: bool) -> None:
    policy = compile_filter_policy('{"order": {"items": {"sku": ["a"], "n": [2]}}}', "MessageBody")
    assert policy.matches({"order": ("String", "x")}, body) is expected


BODY: Scope = "MessageBody"
ATTRIBUTES: Scope = "MessageAttributes"


@pytest.mark.parametrize(
    ("document", "scope", "message"),
    [
        ("{", ATTRIBUTES, "FilterPolicy: failed to parse JSON."),
        ('{"a": []}', ATTRIBUTES, "FilterPolicy: Empty arrays are not allowed"),
        ('{"a": "x"}', ATTRIBUTES, 'FilterPolicy: "a" must be an object or an array'),
        ('{"a": [["x"]]}', ATTRIBUTES, "FilterPolicy: Match value must be String, number, true, false, or null"),
        ('{"a": [{"like": "x"}]}', BODY, "FilterPolicy: Unrecognized match type like"),
        ('{"a": [{"numeric": [">", 20, "<"]}]}', BODY, "FilterPolicy: Value of < must be numeric"),
        ('{"a": {"b": ["x"]}}', ATTRIBUTES, "Filter policy scope MessageAttributes does not support nested"),
        (json.dumps({f"k{n}": ["x"] for n in range(6)}), ATTRIBUTES, "FilterPolicy: Filter policy can not have more"),
        (json.dumps({"p": {f"k{n}": ["x"] for n in range(6)}}), BODY, "FilterPolicy: Filter policy can not have more"),
        (json.dumps({"a": [str(n) for n in range(151)]}), ATTRIBUTES, "FilterPolicy: Filter policy is too complex"),
        (
            # What AWS's documentation counts: 4 × 3 levels × 3 × 2 levels × 3 = 216.
            '{"a": {"b": {"c": [1, 2, 3, 4]}}, "d": {"e": [1, 2, 3]}, "f": [1, 2, 3]}',
            BODY,
            "FilterPolicy: Filter policy is too complex",
        ),
    ],
)
def test_what_is_no_policy_is_refused_as_sns_does(document: str, scope: Scope, message: str) -> None:
    with pytest.raises(FilterPolicyError) as refused:
        compile_filter_policy(document, scope)
    assert str(refused.value).startswith(f"Invalid parameter: {message}")


def test_alternatives_are_added_up_and_their_keys_counted_once() -> None:
    values = [str(n) for n in range(70)]
    alternatives = [{"a": values}, {"a": values, "b": ["x"]}]
    compile_filter_policy(json.dumps({"$or": alternatives}), "MessageAttributes")
    with pytest.raises(FilterPolicyError, match="too complex"):
        compile_filter_policy(json.dumps({"$or": [*alternatives, {"c": values}]}), "MessageAttributes")
