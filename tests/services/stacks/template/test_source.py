"""From text to plain values: short tags, scalars, and everything that must not get through."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.template.source import DEPTH_LIMIT, load


def refused(text: str) -> str:
    with pytest.raises(ServiceError) as caught:
        load(text)
    assert caught.value.code == "ValidationError"
    return caught.value.message


def test_short_tags_become_their_long_forms() -> None:
    text = """
    A: !Ref X
    B: !GetAtt X.Arn
    C: !GetAtt [X, Arn]
    D: !Sub "${X}-y"
    E: !Join ["-", [a, !Ref X]]
    F: !If [C, 1, !Ref AWS::NoValue]
    G: !Base64 {"Fn::Sub": t}
    H: !And [!Condition P, !Not [!Equals [a, b]]]
    I: !GetAtt X.Outputs.Y
    """
    assert load(text) == {
        "A": {"Ref": "X"},
        "B": {"Fn::GetAtt": ["X", "Arn"]},
        "C": {"Fn::GetAtt": ["X", "Arn"]},
        "D": {"Fn::Sub": "${X}-y"},
        "E": {"Fn::Join": ["-", ["a", {"Ref": "X"}]]},
        "F": {"Fn::If": ["C", 1, {"Ref": "AWS::NoValue"}]},
        "G": {"Fn::Base64": {"Fn::Sub": "t"}},
        "H": {"Fn::And": [{"Condition": "P"}, {"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}]},
        "I": {"Fn::GetAtt": ["X", "Outputs.Y"]},
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2010-09-09", "2010-09-09"),
        ("012345678901", "012345678901"),
        ("12:30:45", "12:30:45"),
        ("0x10", "0x10"),
        ("10", 10),
        ("-1", -1),
        ("1.5", 1.5),
        ("1e5", "1e5"),
        ("yes", True),
        ("off", False),
        ('"yes"', "yes"),
        ("~", None),
        ("", None),
        ("!!str 10", "10"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_scalar_means_what_it_looks_like_but_for_dates_and_codes(text: str, value: Any) -> None:
    assert load(f"A: {text}") == {"A": value}


def test_a_key_is_its_text() -> None:
    assert load("on: 1\n200: 2\n2012-10-17: 3") == {"on": 1, "200": 2, "2012-10-17": 3}


def test_a_billion_laughs_are_refused_at_the_first() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(9))
    assert refused(bomb) == "Template error: YAML aliases are not allowed in CloudFormation templates"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "Template format error: YAML not well-formed. (line 2, column 1)"),
        ("{", "Template format error: JSON not well-formed. (line 1, column 2)"),
        ("- a", "Template format error: unsupported structure."),
        ("", "Template format error: unsupported structure."),
        ("A: 1\nA: 2", "Template format error: the key 'A' stands twice in one object."),
        ('{"A": 1, "A": 2}', "Template format error: the key 'A' stands twice in one object."),
        ("A: !!python/name:os.x y", "Template format error: unknown tag !!python/name:os.x (line 1)"),
        ("A: !Nope x", "Template format error: unknown tag !Nope (line 1)"),
        ("A: 1\n---\nB: 2", "Template format error: a template is one YAML document."),
        ("? [a]\n: b", "Template format error: YAML not well-formed. (line 1: a key must be text)"),
        ("<<: {a: b}", "Template error: YAML merges are not allowed in CloudFormation templates"),
    ],
)  # fmt: skip
def test_what_is_no_template_is_refused_with_the_place(text: str, message: str) -> None:
    assert refused(text) == message


@pytest.mark.parametrize("opening", ["A: " + "[" * 20_000, '{"A":' + "[" * 100_000, "A: " + "{a: " * 10_000])
def test_depth_is_bounded_however_it_is_written(opening: str) -> None:
    message = refused(opening)
    assert "deep" in message or "not well-formed" in message


def test_depth_up_to_the_limit_is_fine() -> None:
    deep = "[" * (DEPTH_LIMIT - 2) + "]" * (DEPTH_LIMIT - 2)
    load(f"A: {deep}")
    load(f'{{"A": {deep}}}')
    refused(f"A: [[{deep}]]")
    refused(f'{{"A": [[{deep}]]}}')


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | texts,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts.filter(lambda key: key != "<<"), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(texts.filter(lambda key: key != "<<"), values, max_size=5))
@example({"\xa0{": None})
def test_json_and_yaml_of_one_value_load_the_same(value: dict[str, Any]) -> None:
    assert load(json.dumps(value)) == value
    assert load(yaml.safe_dump(value, default_flow_style=False, allow_unicode=True) or "{}") == value


@given(st.text(max_size=200))
def test_any_text_loads_or_is_refused_and_nothing_else(text: str) -> None:
    try:
        found: Any = load(text)
    except ServiceError as error:
        found = {"refused": error.code}
    assert isinstance(found, dict)


def test_a_key_that_stands_twice_is_an_error_unless_somebody_wants_to_be_told() -> None:
    for text in ("A: 1\nB: {C: 2, C: 3}\n", '{"A": 1, "B": {"C": 2, "C": 3}}'):
        with pytest.raises(ServiceError, match="the key 'C' stands twice"):
            load(text)
        told: list[str] = []
        assert load(text, told.append) == {"A": 1, "B": {"C": 3}}
        assert told == ["C"]
