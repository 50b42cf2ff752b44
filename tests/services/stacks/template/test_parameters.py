"""Parameters: declared, given, constrained."""

from typing import Any

import pytest

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.template.parameters import bind


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
            "Parameter 'P' must be long",
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
            {"P": {"Type": "AWS::EC2::VPC::Id"}},
            {"P": "x"},
            "Template format error: Unrecognized parameter type: AWS::EC2::VPC::Id",
        ),
        ({"P": {"Type": "String", "Colour": 1}}, {"P": "x"}, "Invalid template parameter property 'Colour'"),
    ],
)
def test_declarations_and_values_have_to_meet(declared: Any, given: Any, message: str) -> None:
    assert refused(declared, given) == message
