"""Paths and input templates: pure."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.pipes import paths
from mayfly.services.pipes.filters import filter_of
from mayfly.services.pipes.templates import render

EVENT = {
    "messageId": "1",
    "body": json.dumps({"key": "v", "n": 5, "list": [{"id": "a"}, {"id": "b"}], "text": 'say "hi"'}),
    "attributes": {"SenderId": "me"},
}
TIME = "2026-01-01T00:00:00.000Z"
RESERVED = {"pipe-name": "p", "event.ingestion-time": TIME}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('"Hello, sender"', "Hello, sender"),
        ("<$.attributes.SenderId>", "me"),
        ('"Hello, <$.attributes.SenderId>"', "Hello, me"),
        ("Hello, <$.attributes.SenderId>", "Hello, me"),
        ('{"a": <$.body.key>, "n": <$.body.n>}', {"a": "v", "n": 5}),
        ('{"a": "<$.body.key>-<$.body.n>"}', {"a": "v-5"}),
        ('{"a": "<$.body.text>"}', {"a": 'say "hi"'}),
        ('{"a": "\\"<$.body.key>\\""}', {"a": '"v"'}),
        ('{"a": <$.body.list[1].id>}', {"a": "b"}),
        ('{"a": <$.body.list[*].id>}', {"a": ["a", "b"]}),
        ('{"a": <$.body>}', {"a": json.loads(EVENT["body"])}),  # type: ignore[arg-type]
        ("<$.body>", json.loads(EVENT["body"])),  # type: ignore[arg-type]
        ('{"a": <$.nothing>, "b": "<$.nothing>"}', {"a": None, "b": ""}),
        ('{"p": "<aws.pipes.pipe-name>", "t": <aws.pipes.event.ingestion-time>}', {"p": "p", "t": TIME}),
        ("<aws.pipes.event>", EVENT),
        ("plain", "plain"),
    ],
)  # fmt: skip
def test_a_template_becomes_what_it_says(template: str, expected: Any) -> None:
    assert render(template, EVENT, RESERVED) == expected


def test_the_whole_event_as_text_is_json_in_json() -> None:
    found = render('{"e": "<aws.pipes.event.json>"}', EVENT, RESERVED)
    assert json.loads(found["e"]) == EVENT


@given(st.text())
def test_any_text_stays_itself_within_quotes(text: str) -> None:
    assert render('{"a": "<$.x>"}', {"x": text}, {}) == {"a": text}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_value_stays_itself_without_quotes(value: Any) -> None:
    assert render('{"a": <$.x>}', {"x": value}, {}) == {"a": value}


def test_paths_lead_through_text_of_the_source_alone() -> None:
    assert paths.find(EVENT, "$.body.key") == "v"
    assert paths.find({"other": '{"key": 1}'}, "$.other.key") is paths.MISSING
    assert paths.find({"body": "no json"}, "$.body.key") is paths.MISSING
    assert paths.find(EVENT, "$") == EVENT


def test_parameters_are_text_or_paths() -> None:
    assert paths.dynamic("fixed", EVENT) == "fixed"
    assert paths.dynamic("$.body.n", EVENT) == "5"
    assert paths.dynamic("$.body.nothing", EVENT) is None


@pytest.mark.parametrize(
    ("patterns", "passes"),
    [
        ([], True),
        (['{"body": {"key": ["v"]}}'], True),
        (['{"body": {"key": ["w"]}}'], False),
        (['{"body": {"key": ["w"]}}', '{"attributes": {"SenderId": [{"prefix": "m"}]}}'], True),
        (['{"body": {"n": [{"numeric": [">", 4]}]}}'], True),
    ],
)
def test_a_record_passes_when_one_pattern_matches(patterns: list[str], passes: bool) -> None:
    criteria = {"FilterCriteria": {"Filters": [{"Pattern": pattern} for pattern in patterns]}}
    assert filter_of(criteria).passes(EVENT) is passes
