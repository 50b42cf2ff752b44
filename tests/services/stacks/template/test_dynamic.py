"""Dynamic references: found in texts, read, replaced."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.template.dynamic import (
    PLAIN,
    SECRET,
    SECURE,
    Reference,
    concealed,
    member,
    references,
    replaced,
)

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:mine-AbCdEf"


def one(body: str) -> Reference:
    (found,) = references(f"before {{{{resolve:{body}}}}} after")
    return found._replace(text="")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("ssm:/a/b", (PLAIN, "/a/b")),
        ("ssm:/a/b:3", (PLAIN, "/a/b", "3")),
        ("ssm:arn:aws:ssm:us-east-1:123456789012:parameter/a:3",
         (PLAIN, "arn:aws:ssm:us-east-1:123456789012:parameter/a", "3")),
        ("ssm-secure:p:10", (SECURE, "p", "10")),
        ("secretsmanager:mine", (SECRET, "mine")),
        ("secretsmanager:mine:SecretString", (SECRET, "mine")),
        ("secretsmanager:mine:SecretString:password", (SECRET, "mine", "", "password")),
        ("secretsmanager:mine:SecretString:password:AWSPREVIOUS", (SECRET, "mine", "", "password", "AWSPREVIOUS")),
        ("secretsmanager:mine:SecretString:::v1", (SECRET, "mine", "v1")),
        (f"secretsmanager:{ARN}:SecretString:user::", (SECRET, ARN, "", "user")),
        (f"secretsmanager:{ARN}", (SECRET, ARN)),
    ],
)  # fmt: skip
def test_a_reference_is_read(body: str, expected: tuple[str, ...]) -> None:
    assert one(body) == Reference("", *expected)


@pytest.mark.parametrize(
    "body",
    ["ssm:", "nothing:a", "secretsmanager:", "secretsmanager:a:SecretBinary", "secretsmanager:a:SecretString:k:S:v",
     "secretsmanager:a:SecretString:k:S::x"],
)  # fmt: skip
def test_a_reference_without_sense_is_refused(body: str) -> None:
    with pytest.raises(ServiceError, match="Incorrect format is used in the following dynamic reference"):
        one(body)


def test_references_are_found_and_replaced_anywhere() -> None:
    value = {"a": ["x {{resolve:ssm:p}} y", {"{{resolve:ssm:p}}": 1}], "b": 2, "c": "{{resolve:ssm:q:1}}"}
    assert {item.asked for item in references(value)} == {"p", "q:1"}
    by = {"{{resolve:ssm:p}}": "P", "{{resolve:ssm:q:1}}": "{{resolve:ssm:p}}"}
    assert replaced(value, by) == {"a": ["x P y", {"P": 1}], "b": 2, "c": "{{resolve:ssm:p}}"}


def test_bytes_of_json_are_looked_into_and_other_bytes_are_not() -> None:
    by = {"{{resolve:ssm:p}}": 'quo"te'}
    text = json.dumps({"a": "{{resolve:ssm:p}}"}).encode()
    assert json.loads(replaced(text, by)) == {"a": 'quo"te'}
    zipped = b"PK\xff{{resolve:ssm:p}}"
    assert replaced(zipped, by) is zipped
    assert references(zipped) == set()


def test_a_member_of_a_secret_is_text() -> None:
    assert member('{"a": "b", "n": 5, "t": true, "o": {"x": 1}}', "a") == "b"
    assert member('{"n": 5}', "n") == "5"
    assert member('{"o": {"x": 1}}', "o") == '{"x":1}'
    for secret in ("text", "[]", "{}"):
        with pytest.raises(ServiceError, match="Could not find a value associated with JSONKey"):
            member(secret, "a")


def test_what_came_of_a_reference_is_neither_shown_nor_compared() -> None:
    expected = {
        "a": "x {{resolve:secretsmanager:s}}",
        "b": {"c": "d"},
        "l": [{"v": "{{resolve:ssm-secure:p}}"}],
        "m": ["n"],
    }
    actual = {"a": "x s3cret", "b": {"c": "other"}, "l": [{"v": "s3cret"}], "m": ["other"]}
    assert concealed(expected, actual) == {**expected, "b": {"c": "other"}, "m": ["other"]}
    assert concealed({"a": "{{resolve:ssm:p}}"}, {}) == {}


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(anything)
def test_what_holds_no_reference_stays_as_it_is(value: Any) -> None:
    assert references(value) == set()
    assert replaced(value, {"{{resolve:ssm:p}}": "x"}) == value
