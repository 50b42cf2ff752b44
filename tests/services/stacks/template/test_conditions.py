"""Rules about parameters, and the functions that only rules have."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.template.conditions import check_rules
from mayfly.services.stacks.template.intrinsics import Scope

VALUES: dict[str, Any] = {"Size": "large", "Zones": ["a", "b"], "One": "v-1", "Two": "v-2", "Port": "80"}
TYPES = {"Size": "String", "Zones": "CommaDelimitedList", "One": "AWS::EC2::VPC::Id", "Two": "AWS::EC2::VPC::Id",
         "Port": "Number"}  # fmt: skip


def judge(*rules: Any) -> None:
    scope = Scope(VALUES, {"AWS::Region": "us-east-1"}, {}, {"Yes": {"Fn::Equals": ["a", "a"]}})
    parameters = {name: (TYPES[name], value) for name, value in VALUES.items()}
    check_rules({f"Rule{number}": rule for number, rule in enumerate(rules)}, scope.evaluate, scope.holds, parameters)


def holds(expression: Any) -> bool:
    try:
        judge({"Assertions": [{"Assert": expression}]})
    except ServiceError as error:
        if error.message != "Template error: Rule Rule0 is not satisfied by the parameters":
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ({"Fn::Contains": [["small", "large"], {"Ref": "Size"}]}, True),
        ({"Fn::Contains": [{"Ref": "Zones"}, "c"]}, False),
        ({"Fn::Contains": [[80, 443], {"Ref": "Port"}]}, True),
        ({"Fn::EachMemberEquals": [["a", "a"], "a"]}, True),
        ({"Fn::EachMemberEquals": [{"Ref": "Zones"}, "a"]}, False),
        ({"Fn::EachMemberIn": [{"Ref": "Zones"}, ["a", "b", "c"]]}, True),
        ({"Fn::EachMemberIn": [{"Ref": "Zones"}, ["a"]]}, False),
        ({"Fn::EachMemberIn": [{"Fn::RefAll": "AWS::EC2::VPC::Id"}, ["v-1", "v-2"]]}, True),
        ({"Fn::EachMemberEquals": [{"Fn::RefAll": "AWS::EC2::VPC::Id"}, "v-1"]}, False),
        ({"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}, True),
        ({"Fn::Not": [{"Fn::Equals": [{"Ref": "Size"}, "large"]}]}, False),
        ({"Fn::And": [{"Fn::Contains": [["large"], {"Ref": "Size"}]}, {"Condition": "Yes"}]}, True),
        ({"Fn::Or": [{"Fn::Contains": [["x"], {"Ref": "Size"}]}, {"Fn::Equals": ["a", "b"]}]}, False),
    ],
)
def test_an_assertion_is_judged(expression: Any, verdict: bool) -> None:
    assert holds(expression) is verdict


def test_a_rule_whose_condition_does_not_hold_asks_nothing() -> None:
    never = {"Fn::Equals": ["a", "b"]}
    judge({"RuleCondition": never, "Assertions": [{"Assert": never}]})


def test_a_broken_rule_is_named_with_its_description() -> None:
    fine = {"Assertions": [{"Assert": {"Fn::Equals": ["a", "a"]}}]}
    broken = {"Assertions": [{"Assert": {"Fn::Equals": ["a", "b"]}, "AssertDescription": "a is to be b"}]}
    with pytest.raises(ServiceError) as caught:
        judge(fine, broken)
    assert caught.value.message == "Template error: Rule Rule1 is not satisfied: a is to be b"


def test_attributes_of_what_is_not_there_cannot_be_asked_for() -> None:
    with pytest.raises(ServiceError, match="does not support Fn::ValueOf: it asks for attributes of VPCs"):
        judge({"Assertions": [{"Assert": {"Fn::Equals": [{"Fn::ValueOf": ["One", "DefaultSecurityGroup"]}, "x"]}}]})


def test_what_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(ServiceError, match="Conditions can only be boolean operations"):
        judge({"Assertions": [{"Assert": {"Ref": "Size"}}]})


texts = st.lists(st.text("ab1", max_size=2), max_size=4)


@given(texts, texts)
def test_members_are_in_a_list_if_each_of_them_is_contained(items: list[str], others: list[str]) -> None:
    each = all(holds({"Fn::Contains": [others, item]}) for item in items)
    assert holds({"Fn::EachMemberIn": [items, others]}) is each
