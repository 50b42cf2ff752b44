"""Filter patterns over JSON, with the cases of AWS's documentation of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.telemetry.patterns import PatternError, parse

MESSAGE = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "ThisFlag": True,
        "a-b": "x [1]?",
        "ms": 12.5,
    }
)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ("{ $.eventType = UpdateTrail }", True),
        ('{ $.eventType = "Update*" }', True),
        ('{ $.eventType = "update*" }', False),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ('{ $.sourceIPAddress != "111.*" }', False),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.arrayKey[1] = "value" }', False),
        ('{ $.arrayKey[*] = "another*" }', True),
        ("{ $.objectList[1].id = 2 }", True),
        ("{ $.objectList[*].id > 2 }", False),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.ThisFlag IS TRUE }", True),
        ("{ $.ThisFlag IS FALSE }", False),
        ("{ $.SomeOtherObject NOT EXISTS }", True),
        ("{ $.ms NOT EXISTS }", False),
        ("{ $.ms >= 12.5 && $.ms < 13 }", True),
        ('{ ($.ms = 1) || ($.eventType = "U*" && $.ThisFlag IS TRUE) }', True),
        ("{ ($.ms = 1 || $.ms = 12.5) && $.ms != 12.5 }", False),
        ("{ $['a-b'] = \"x [1]?\" }", True),
        ("{ $.nothing != 1 }", False),
        ('{ $.nothing != "x" }', False),
    ],
)
def test_a_pattern_selects_what_it_says(pattern: str, expected: bool) -> None:
    assert parse(pattern).matches(MESSAGE) is expected


@pytest.mark.parametrize("message", ["not json", "[1]", '"text"', "{"])
def test_what_is_no_object_matches_nothing(message: str) -> None:
    assert not parse("{ $.a NOT EXISTS }").matches(message)


@pytest.mark.parametrize(
    "pattern",
    [
        "{",
        "{ $.a }",
        "{ $.a = }",
        "{ a = 1 }",
        "{ ($.a = 1 }",
        "{ $.a = 1 ) }",
        "{ $.a IS 1 }",
        "{ $.a < b }",
        "{ $.a = %x% }",
        "{ $.a NOT 1 }",
        "{ $.a = 1 && }",
        "{ $.a $.b }",
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        parse(pattern)


@given(st.text())
def test_a_property_equals_its_own_text(text: str) -> None:
    written = text.replace("\\", "\\\\").replace('"', '\\"')
    assert parse(f'{{ $.a = "{written}" }}').matches(json.dumps({"a": text}))


@given(st.text())
def test_whatever_is_written_is_a_pattern_or_refused(text: str) -> None:
    try:
        parse(f"{{{text}}}").matches(MESSAGE)
    except PatternError:
        return
