"""Intrinsic functions, one by one and together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.template.intrinsics import Scope
from mayfly.services.stacks.template.marks import NUL, has_unknown, is_unknown
from mayfly.services.stacks.template.outside import import_key, output_key

MAP_SHAPE = (
    "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for "
    "return value"
)
RESOURCES = {("Unmade", None): f"{NUL}Unmade{NUL}", ("R", None): "r-1", ("R", "Arn"): "arn:r-1", ("R", "A.B"): "deep"}
PSEUDO = {"AWS::Region": "us-east-1", "AWS::StackName": "s"}


def scope(conditions: Any = None, **parameters: Any) -> Scope:
    return Scope(
        parameters,
        PSEUDO,
        {"M": {"k": {"a": "found", "l": ["x", "y"]}}},
        conditions or {},
        lambda name, attribute: RESOURCES[name, attribute],
        beyond={import_key("p-x"): "imported", output_key("us-east-1", "other", "Url"): "url"}.get,
        extended=True,
    )


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Ref": "P"}, "p"),
        ({"Ref": "R"}, "r-1"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Fn::GetAtt": ["R", "Arn"]}, "arn:r-1"),
        ({"Fn::GetAtt": "R.Arn"}, "arn:r-1"),
        ({"Fn::GetAtt": "R.A.B"}, "deep"),
        ({"Fn::GetAtt": ["R", {"Ref": "Attribute"}]}, "arn:r-1"),
        ({"Fn::Sub": "${P}/${R}/${R.Arn}/${AWS::Region}/${!P}/$P"}, "p/r-1/arn:r-1/us-east-1/${P}/$P"),
        ({"Fn::Sub": ["${x}${P}", {"x": {"Fn::Join": ["-", ["a", {"Ref": "N"}]]}}]}, "a-5p"),
        ({"Fn::Join": ["", ["a", {"Ref": "R"}, 1, True]]}, "ar-11true"),
        ({"Fn::Join": [",", {"Ref": "L"}]}, "a,b"),
        ({"Fn::Select": ["1", {"Fn::Split": ["|", "a|b|c"]}]}, "b"),
        ({"Fn::Select": [0, {"Ref": "L"}]}, "a"),
        ({"Fn::FindInMap": ["M", "k", "a"]}, "found"),
        ({"Fn::FindInMap": ["M", {"Ref": "Key"}, "l"]}, ["x", "y"]),
        ({"Fn::Base64": {"Ref": "P"}}, "cA=="),
        ({"Fn::GetAZs": ""}, ["us-east-1a", "us-east-1b", "us-east-1c"]),
        ({"Fn::GetAZs": "eu-west-1"}, []),
        ({"Fn::Equals": ["a", {"Ref": "P"}]}, False),
        ({"Fn::Join": ["", {"Fn::If": ["No", ["a"], ["b", {"Ref": "AWS::NoValue"}]]}]}, "b"),
        ({"Fn::Length": {"Ref": "L"}}, 2),
        ({"Fn::Length": {"Fn::Split": [",", "a,b,c"]}}, 3),
        ({"Fn::ToJsonString": {"a": {"Ref": "N"}, "b": [1, True]}}, '{"a":"5","b":[1,true]}'),
        ({"Fn::FindInMap": ["M", "k", "z", {"DefaultValue": {"Ref": "P"}}]}, "p"),
        ({"Fn::FindInMap": ["M", {"Fn::Join": ["", ["k"]]}, "a", {"DefaultValue": "no"}]}, "found"),
        ({"Ref": {"Fn::Join": ["", ["R"]]}}, "r-1"),
        ({"Fn::GetAtt": [{"Fn::Sub": "R"}, "Arn"]}, "arn:r-1"),
        ({"Fn::ImportValue": {"Fn::Sub": "${P}-x"}}, "imported"),
        ({"Fn::GetStackOutput": {"StackName": "other", "OutputName": "Url"}}, "url"),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::If": ["Yes", "a", {"Ref": "Missing"}]}, "a"),
        ({"Fn::If": ["No", "a", "b"]}, "b"),
        ([1, {"Ref": "AWS::NoValue"}, 2], [1, 2]),
        ({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}),
        ({"a": {"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}}, {}),
        ({"Condition": {"StringEquals": {"aws:x": "y"}}}, {"Condition": {"StringEquals": {"aws:x": "y"}}}),
    ],
)
def test_an_expression_has_its_value(expression: Any, value: Any) -> None:
    conditions = {"Yes": {"Fn::Equals": ["1", 1]}, "No": {"Fn::Not": [{"Condition": "Yes"}]}}
    seen = scope(conditions, P="p", N="5", L=["a", "b"], Key="k", Attribute="Arn")
    assert seen.evaluate(expression) == value


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ({"Fn::Select": [5, ["a"]]}, "Template error: Fn::Select cannot select nonexistent value at index 5"),
        ({"Fn::Select": [-1, ["a"]]}, "Template error: Fn::Select cannot select nonexistent value at index -1"),
        (
            {"Fn::FindInMap": ["X", "k", "a"]},
            "Template error: Mapping named 'X' is not present in the 'Mappings' section of template.",
        ),
        ({"Fn::FindInMap": ["M", "k", "z"]}, "Template error: Unable to get mapping for M::k::z"),
        ({"Fn::FindInMap": ["M", "k"]}, MAP_SHAPE),
        ({"Fn::FindInMap": ["M", "k", "a", "b"]}, MAP_SHAPE),
        ({"Fn::ImportValue": "x"}, "No export named x found."),
        (
            {"Fn::ImportValue": {"Ref": "Unmade"}},
            "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or "
            "Fn::GetAZs",
        ),
        (
            {"Fn::GetStackOutput": {"StackName": "other", "OutputName": "Gone", "Region": "eu-west-1"}},
            "Template error: output Gone of stack other in eu-west-1 is not there (Fn::GetStackOutput)",
        ),
        ({"Fn::If": ["Unknown", 1, 2]}, "Template error: unresolved condition dependency Unknown in Fn::If"),
        ({"Fn::Equals": ["a"]}, "Template error: every Fn::Equals object requires a list of 2 string parameters."),
        (
            {"Fn::Select": ["x", ["a"]]},
            "Template error: Fn::Select requires a list argument with two elements: an integer index and a list",
        ),
        (
            {"Fn::Length": "a"},
            "Template error: every Fn::Length object requires a list, or a function that returns one",
        ),
        ({"Ref": 1}, "Template error: every Ref object must have a single String value."),
        ({"Fn::Join": ["", [["a"]]]}, "Template error: Fn::Join can only put together strings, numbers and booleans"),
        (
            {"Fn::Cidr": ["10.0.0.0/30", 9, 8]},
            "Template error: Fn::Cidr cannot cut 9 blocks of 8 bits out of 10.0.0.0/30",
        ),
        (
            {"Fn::GetAtt": "R"},
            "Template error: every Fn::GetAtt object requires two non-empty parameters, "
            "the resource name and the resource attribute",
        ),
    ],
)
def test_what_cannot_be_evaluated_says_why(expression: Any, message: str) -> None:
    with pytest.raises(ServiceError) as caught:
        scope().evaluate(expression)
    assert caught.value.message == message


@pytest.mark.parametrize("name", ["Fn::Length", "Fn::ToJsonString"])
def test_functions_of_the_language_extensions_need_their_transform(name: str) -> None:
    with pytest.raises(ServiceError, match=f"{name} requires the transform AWS::LanguageExtensions"):
        Scope({}, PSEUDO, {}, {}).evaluate({name: ["a"]})


def test_an_unknown_function_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        ServiceError, match=r"Encountered unsupported function: Fn::Nope Supported functions are: \[Ref,"
    ):
        scope().evaluate({"Fn::Nope": 1})


def test_text_of_what_is_not_known_yet_is_known_to_be_unknown() -> None:
    early = Scope({}, PSEUDO, {}, {}, extended=True)
    assert is_unknown(early.evaluate({"Fn::ToJsonString": {"a": {"Ref": "R"}}}))
    assert has_unknown(early.evaluate({"a": [{"b": {"Ref": "R"}}]}))
    assert not has_unknown(early.evaluate({"a": ["b"]}))


def test_conditions_that_wait_for_one_another_are_refused() -> None:
    seen = scope({"A": {"Condition": "B"}, "B": {"Fn::Not": [{"Condition": "A"}]}})
    with pytest.raises(ServiceError, match="Circular dependencies for conditions"):
        seen.holds("A")


@pytest.mark.parametrize(
    ("a", "b", "both", "either"),
    [("1", "1", True, True), ("1", "0", False, True), ("0", "0", False, False)],
)
def test_and_and_or_are_what_they_say(a: str, b: str, both: bool, either: bool) -> None:
    tests = [{"Fn::Equals": [{"Ref": "A"}, "1"]}, {"Fn::Equals": [{"Ref": "B"}, "1"]}]
    seen = scope({"Both": {"Fn::And": tests}, "Either": {"Fn::Or": tests}}, A=a, B=b)
    assert (seen.holds("Both"), seen.holds("Either")) == (both, either)


def test_before_anything_exists_references_are_placeholders_that_functions_carry_along() -> None:
    early = Scope({}, PSEUDO, {}, {})
    for expression in (
        {"Ref": "R"},
        {"Fn::Sub": "x-${R.Arn}"},
        {"Fn::Join": ["", ["a", {"Ref": "R"}]]},
        {"Fn::Select": [0, {"Fn::Split": [":", {"Fn::GetAtt": ["R", "Arn"]}]}]},
        {"Fn::Base64": {"Ref": "R"}},
    ):
        assert is_unknown(early.evaluate(expression)), expression
    split = {"Fn::Split": [":", {"Ref": "R"}]}
    one, two = early.evaluate({"Fn::Select": [0, split]}), early.evaluate({"Fn::Select": [1, split]})
    assert one != two


@pytest.mark.parametrize(
    "expression",
    [
        {"Fn::Sub": "${P}" * 2000},
        {"Fn::Join": ["", [{"Ref": "P"}] * 2000]},
        {"Fn::Join": ["x" * 4000, ["a"] * 2000]},
        [{"Fn::Sub": "${P}" * 1000}] * 2,
    ],
)
def test_a_small_template_cannot_write_out_into_an_endless_one(expression: Any) -> None:
    with pytest.raises(ServiceError, match="write more than"):
        scope(P="p" * 4096).evaluate(expression)


plain = st.recursive(
    st.booleans() | st.integers() | st.text(st.characters(exclude_characters=NUL + "$"), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5).filter(lambda key: key not in ("Ref", "Condition")), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(plain)
def test_what_has_no_functions_evaluates_to_itself(value: Any) -> None:
    assert scope().evaluate(value) == value


@given(st.lists(st.text(st.characters(exclude_characters="|" + NUL), max_size=5), min_size=1, max_size=6))
def test_split_undoes_join(items: list[str]) -> None:
    assert scope().evaluate({"Fn::Split": ["|", {"Fn::Join": ["|", items]}]}) == items
