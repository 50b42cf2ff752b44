"""Fn::ForEach and the rest of AWS::LanguageExtensions, on raw templates."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.template.extensions import extend, with_policies
from mayfly.services.stacks.template.parameters import Value

PSEUDO = {"AWS::Region": "us-east-1", "AWS::StackName": "s"}


def extended(resources: Any, values: dict[str, Value] | None = None, **sections: Any) -> dict[str, Any]:
    return extend({"Resources": resources, **sections}, values or {}, PSEUDO)


def refused(resources: Any, values: dict[str, Value] | None = None, **sections: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        extended(resources, values, **sections)
    return caught.value.message.removeprefix("Transform AWS::LanguageExtensions failed with: ")


def loop(collection: Any, body: Any, identifier: str = "X") -> list[Any]:
    return [identifier, collection, body]


def test_a_loop_writes_its_object_once_an_item_in_keys_references_and_texts() -> None:
    body = {"Topic${X}": {"Type": "T", "DependsOn": "Base${X}", "Properties": {"Name": {"Ref": "X"},
            "Text": {"Fn::Sub": "${X}-${AWS::Region}"}}}}  # fmt: skip
    found = extended({"Fn::ForEach::Topics": loop(["A", "B"], body), "Other": {"Type": "T"}})
    assert list(found["Resources"]) == ["TopicA", "TopicB", "Other"]
    assert found["Resources"]["TopicB"] == {
        "Type": "T",
        "DependsOn": "BaseB",
        "Properties": {"Name": "B", "Text": {"Fn::Sub": "B-${AWS::Region}"}},
    }


def test_a_collection_may_be_a_parameter_or_a_mapping() -> None:
    body = {"T${X}": {"Type": "T"}}
    declared = {"P": {"Type": "CommaDelimitedList"}}
    found = extended({"Fn::ForEach::L": loop({"Ref": "P"}, body)}, {"P": ["1", "2"]}, Parameters=declared)
    assert list(found["Resources"]) == ["T1", "T2"]
    mapped = {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "Names"]}
    mappings = {"M": {"us-east-1": {"Names": ["a"]}}}
    assert list(extended({"Fn::ForEach::L": loop(mapped, body)}, Mappings=mappings)["Resources"]) == ["Ta"]


def test_loops_stand_in_one_another_and_inside_of_properties() -> None:
    inner = {"Fn::ForEach::Inner": loop(["1", "2"], {"R${X}${Y}": {"Type": "T"}}, "Y")}
    found = extended({"Fn::ForEach::Outer": loop(["a", "b"], inner)})
    assert list(found["Resources"]) == ["Ra1", "Ra2", "Rb1", "Rb2"]
    tags = {"Fn::ForEach::Tags": loop(["a", "b"], {"key-${X}": {"Ref": "X"}})}
    found = extended({"R": {"Type": "T", "Properties": {"Tags": {"own": "x", **tags}}}})
    assert found["Resources"]["R"]["Properties"]["Tags"] == {"own": "x", "key-a": "a", "key-b": "b"}


def test_loops_write_conditions_and_outputs_too() -> None:
    found = extended(
        {"R": {"Type": "T"}},
        Conditions={"Fn::ForEach::C": loop(["A"], {"Is${X}": {"Fn::Equals": ["A", {"Ref": "X"}]}})},
        Outputs={"Fn::ForEach::O": loop(["A"], {"Out${X}": {"Value": {"Fn::GetAtt": ["R", {"Ref": "X"}]}}})},
    )
    assert found["Conditions"] == {"IsA": {"Fn::Equals": ["A", "A"]}}
    assert found["Outputs"] == {"OutA": {"Value": {"Fn::GetAtt": ["R", "A"]}}}


def test_what_names_may_not_have_is_left_out_on_demand() -> None:
    found = extended({"Fn::ForEach::L": loop(["10.0.0.0/16"], {"Net&{X}": {"Type": "T", "Properties": {"C": "${X}"}}})})
    assert found["Resources"] == {"Net1000016": {"Type": "T", "Properties": {"C": "10.0.0.0/16"}}}


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"Fn::ForEach::L": ["X", ["a"]]}, "Fn::ForEach::L layout is incorrect"),
        ({"Fn::ForEach::L": loop(["a"], {"R": {"Type": "T"}}, "a-b")}, "the identifier must be alphanumeric"),
        ({"Fn::ForEach::L": loop(["a"], {"R": {"Type": "T"}}, "P")}, "identifier P is already the name"),
        ({"Fn::ForEach::L": loop({"Ref": "R"}, {"T${X}": {}})}, "the collection must be a list of texts"),
        ({"Fn::ForEach::L": loop([{"Ref": "Secret"}], {"T${X}": {}})}, "must not depend on resources or on hidden"),
        ({"Fn::ForEach::L": loop(["a", "a"], {"T${X}": {}})}, "the key Ta is written twice"),
        ({"Fn::ForEach::L": loop(["a"], {"T": {}}), "T": {}}, "the key T is written twice"),
    ],
)
def test_a_loop_that_cannot_be_written_out_says_why(resources: Any, message: str) -> None:
    declared = {"P": {"Type": "String"}, "Secret": {"Type": "String", "NoEcho": True}}
    assert message in refused(resources, {"P": "p", "Secret": "s"}, Parameters=declared)


def test_loops_within_loops_are_bounded_while_they_are_written() -> None:
    body: Any = {"R${A}${B}${C}": {"Type": "T"}}
    for name in "CBA":
        body = {f"Fn::ForEach::L{name}": loop([str(number) for number in range(300)], body, name)}
    assert "longer than 1048576 characters" in refused(body)
    for number in range(6):
        body = {f"Fn::ForEach::N{number}": loop(["a"], body, f"N{number}")}
    assert "nested 5 deep" in refused(body)


def test_what_can_be_known_is_written_and_what_cannot_is_left() -> None:
    declared = {"L": {"Type": "CommaDelimitedList"}, "S": {"Type": "String", "NoEcho": "true"}}
    properties = {
        "Count": {"Fn::Length": {"Ref": "L"}},
        "Text": {"Fn::ToJsonString": {"l": {"Ref": "L"}}},
        "Secret": {"Fn::ToJsonString": {"s": {"Ref": "S"}}},
        "Later": {"Fn::ToJsonString": {"r": {"Fn::GetAtt": ["R", "Arn"]}}},
        "Default": {"Fn::FindInMap": ["No", "such", "map", {"DefaultValue": "d"}]},
        "Named": {"Fn::GetAtt": [{"Fn::Join": ["", ["R", "2"]]}, "Arn"]},
    }
    found = extended(
        {"R": {"Type": "T", "Properties": properties}}, {"L": ["a", "b"], "S": "hush"}, Parameters=declared
    )
    written = found["Resources"]["R"]["Properties"]
    assert written == {
        "Count": 2,
        "Text": '{"l":["a","b"]}',
        "Secret": properties["Secret"],
        "Later": properties["Later"],
        "Default": "d",
        "Named": {"Fn::GetAtt": ["R2", "Arn"]},
    }
    assert "hush" not in json.dumps(found)


def test_policies_of_deletion_may_be_computed() -> None:
    policy = {"Fn::If": ["Keep", "Retain", "Delete"]}
    raw = {
        "Resources": {"R": {"Type": "T", "DeletionPolicy": policy, "UpdateReplacePolicy": {"Ref": "P"}}},
        "Parameters": {"P": {"Type": "String"}},
        "Conditions": {"Keep": {"Fn::Equals": [{"Ref": "P"}, "Retain"]}},
    }
    found = with_policies(raw, {"P": "Retain"}, PSEUDO)
    assert found["Resources"]["R"] == {"Type": "T", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    with pytest.raises(ServiceError, match="DeletionPolicy must be a text that can be known"):
        with_policies({"Resources": {"R": {"Type": "T", "DeletionPolicy": {"Ref": "R"}}}}, {}, PSEUDO)


names = st.text("abcXYZ019", min_size=1, max_size=4)


@given(st.lists(names, max_size=5, unique=True), st.lists(names, max_size=5, unique=True))
def test_nested_loops_write_the_product_of_their_items(first: list[str], second: list[str]) -> None:
    inner = {"Fn::ForEach::I": loop(second, {"R${X}x${Y}": {"Type": "T", "Properties": {"V": "${X}|${Y}"}}}, "Y")}
    written = [f"R{one}x{two}" for one in first for two in second]
    if len(set(written)) == len(written):
        found = extended({"Fn::ForEach::O": loop(first, inner)})["Resources"]
        assert list(found) == written
        assert [item["Properties"]["V"] for item in found.values()] == [f"{a}|{b}" for a in first for b in second]
