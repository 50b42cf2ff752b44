"""Parameters: declared, given, constrained."""

from typing import Any

import pytest

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.template.parameters import bind, stored_value


def refused(declared: Any, given: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        bind(declared, given)
    return caught.value.message


def test_values_come_from_the_caller_or_from_the_default() -> None:
    declared: dict[str, dict[str, Any]] = {
        "A": {"Type": "String", "Default": "a"},
        "B": {"Type": "Number", "Default": 5},
        "C": {"Type": "CommaDelimitedList"},
        "D": {"Type": "String", "Default": True},
    }
    assert bind(declared, {"C": "x, y"}) == {"A": "a", "B": "5", "C": ["x", "y"], "D": "true"}
    assert bind(declared, {"C": "", "A": "z"})["A"] == "z"
    assert bind(declared, {"C": ""})["C"] == []


@pytest.mark.parametrize(
    ("declaration", "value", "message"),
    [
        ({"Type": "String", "AllowedValues": ["a", 1]}, "b", "Parameter 'P' must be one of AllowedValues"),
        ({"Type": "String", "MinLength": 2}, "a", "Parameter 'P' must contain at least 2 characters"),
        ({"Type": "String", "MaxLength": "2"}, "abc", "Parameter 'P' must contain at most 2 characters"),
        ({"Type": "Number"}, "x", "Parameter 'P' must be a number."),
        ({"Type": "Number", "MinValue": 3}, "2", "Parameter 'P' must be a number not less than 3"),
        ({"Type": "Number", "MaxValue": 3}, "4", "Parameter 'P' must be a number not greater than 3"),
        ({"Type": "List<Number>"}, "1,x", "Parameter 'P' must be a number."),
        (
            {"Type": "String", "MinLength": 2, "ConstraintDescription": "must be long"},
            "A",
            "Parameter P failed to satisfy constraint: must be long",
        ),
        ({"Type": "String"}, "a\0b", "Parameter 'P' must not contain the character NUL"),
        ({"Type": "String"}, "x" * 4097, "Parameter 'P' must be 4096 bytes at most"),
    ],
)
def test_a_value_outside_its_constraints_is_refused(declaration: Any, value: str, message: str) -> None:
    assert refused({"P": declaration}, {"P": value}) == message


def test_a_default_has_to_meet_the_constraints_too() -> None:
    assert "AllowedValues" in refused({"P": {"Type": "String", "Default": "z", "AllowedValues": ["a"]}}, {})


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        ({"P": {"Type": "String"}}, {}, "Parameters: [P] must have values"),
        ({}, {"P": "x"}, "Parameters: [P] do not exist in the template"),
        ({"P": {}}, {}, "Template format error: Every Parameters object must contain a Type member."),
        (
            {"P": {"Type": "AWS::EC2::Moon::Id"}},
            {"P": "x"},
            "Template format error: Unrecognized parameter type: AWS::EC2::Moon::Id",
        ),
        ({"P": {"Type": "String", "Colour": 1}}, {"P": "x"}, "Invalid template parameter property 'Colour'"),
    ],
)
def test_declarations_and_values_have_to_meet(declared: Any, given: Any, message: str) -> None:
    assert refused(declared, given) == message


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("AWS::EC2::VPC::Id", "vpc-1", "vpc-1"),
        ("List<AWS::EC2::Subnet::Id>", "a, b", ["a", "b"]),
        ("AWS::SSM::Parameter::Name", "/a/b", "/a/b"),
        ("AWS::SSM::Parameter::Value<String>", "/a/b", "/a/b"),
        ("AWS::SSM::Parameter::Value<List<String>>", "/a,b", "/a,b"),
    ],
)
def test_types_that_name_something_elsewhere_are_bound_to_the_name(kind: str, text: str, value: Any) -> None:
    assert bind({"P": {"Type": kind}}, {"P": text}) == {"P": value}


@pytest.mark.parametrize("kind", ["Number", "List<Number>", "AWS::SSM::Parameter::Name", "Nope"])
def test_only_some_types_can_be_in_the_parameter_store(kind: str) -> None:
    name = f"AWS::SSM::Parameter::Value<{kind}>"
    assert refused({"P": {"Type": name}}, {"P": "x"}) == f"Template format error: Unrecognized parameter type: {name}"


def test_what_is_stored_has_the_type_that_the_template_says() -> None:
    declared = {"Type": "AWS::SSM::Parameter::Value<List<String>>"}
    assert stored_value("P", declared, "a, b") == ["a", "b"]
    assert stored_value("P", {"Type": "AWS::SSM::Parameter::Value<String>"}, "a, b") == "a, b"


def test_a_parameter_that_is_looked_up_needs_a_name() -> None:
    message = refused({"P": {"Type": "AWS::SSM::Parameter::Value<String>"}}, {})
    assert message == "Parameter P should either have input value or default value"


@pytest.mark.parametrize("attribute", ["MinLength", "MaxLength", "MinValue", "MaxValue"])
def test_a_bound_is_a_number(attribute: str) -> None:
    message = refused({"P": {"Type": "String", attribute: "few"}}, {"P": "x"})
    assert message == f"Template format error: {attribute} of parameter P must be a number."
