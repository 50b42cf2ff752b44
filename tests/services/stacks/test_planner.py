"""What a definition comes to: refused before anything is made, ordered, and compared with another."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.model import Definition
from mayfly.services.stacks.planner import Change, Draft, Place, changes, check, draft, ordered
from mayfly.services.stacks.resources.registry import resource_types
from mayfly.services.stacks.template.document import parse
from mayfly.services.stacks.template.parameters import bind

from .conftest import Thing, thing

TYPES = {Thing.name: Thing()}
PLACE = Place("123456789012", "us-east-1", "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1", "s")


def planned(resources: Any, given: Any = None, **sections: Any) -> dict[str, Draft]:
    template = parse({"Resources": resources, **sections})
    check(template, TYPES)
    return draft(Definition(template, bind(template.parameters, given or {})), PLACE, TYPES)


def refused(resources: Any, **sections: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        planned(resources, **sections)
    assert caught.value.code == "ValidationError"
    return caught.value.message


def test_dependencies_are_found_wherever_a_reference_stands() -> None:
    drafts = planned(
        {
            "A": thing(),
            "B": thing(Label={"Ref": "A"}),
            "C": thing(Label={"Fn::Sub": ["${x}${B.Arn}", {"x": {"Fn::GetAtt": ["A", "Arn"]}}]}),
            "D": thing(Needs={"deep": [{"Fn::Join": ["", [{"Ref": "C"}]]}]}),
            "E": thing(DependsOn=["D", "A"]),
        }
    )
    assert {name: set(item.depends_on) for name, item in drafts.items()} == {
        "A": set(),
        "B": {"A"},
        "C": {"A", "B"},
        "D": {"C"},
        "E": {"D", "A"},
    }
    assert list(drafts) == ["A", "B", "C", "D", "E"]


def test_only_the_branch_that_is_taken_makes_a_dependency() -> None:
    drafts = planned(
        {
            "A": thing(Label={"Fn::If": ["Yes", "x", {"Ref": "B"}]}),
            "B": thing(Label={"Ref": "A"}),
            "Off": thing(Condition="No"),
            "C": thing(DependsOn="Off", Label={"Fn::If": ["No", {"Ref": "Off"}, {"Ref": "AWS::NoValue"}]}),
        },
        Conditions={"Yes": {"Fn::Equals": ["a", "a"]}, "No": {"Fn::Not": [{"Condition": "Yes"}]}},
    )
    assert drafts.keys() == {"A", "B", "C"}
    assert drafts["A"].depends_on == drafts["C"].depends_on == set()
    assert drafts["C"].properties == {}


@pytest.mark.parametrize(
    ("resources", "sections", "message"),
    [
        ({}, {}, "Template format error: At least one Resources member must be defined."),
        (
            {"A": {"Type": "X::Y::Z"}, "B": {"Type": "K::L::M"}, "C": thing()},
            {},
            "Template format error: Unrecognized resource types: [K::L::M, X::Y::Z]. "
            "The page reference/resource-types of Mayfly's documentation lists those that it has.",
        ),
        (
            {"A": {"Type": "AWS::Serverless::Function"}},
            {},
            "Template format error: Unrecognized resource types: [AWS::Serverless::Function]. "
            "Types of SAM want the line 'Transform: AWS::Serverless-2016-10-31' in the template.",
        ),
        (
            {"A": {"Type": "AWS::Serverless::Functoin"}},
            {},
            "Template format error: Unrecognized resource types: [AWS::Serverless::Functoin]. "
            "The page reference/resource-types of Mayfly's documentation lists those that it has.",
        ),
        (
            {"A": thing(Label={"Ref": "Nope"}), "B": thing(Label={"Fn::Sub": "${Neither.Arn}"})},
            {},
            "Template format error: Unresolved resource dependencies [Neither, Nope] "
            "in the Resources block of the template",
        ),
        (
            {"A": thing(DependsOn="Nope")},
            {},
            "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template",
        ),
        (
            {"A": thing()},
            {"Outputs": {"O": {"Value": {"Ref": "Nope"}}}},
            "Template format error: Unresolved resource dependencies [Nope] in the Outputs block of the template",
        ),
        (
            {"A": thing(Label={"Fn::GetAtt": ["A", "Colour"]})},
            {},
            "Template error: resource A does not support attribute type Colour in Fn::GetAtt",
        ),
        (
            {"A": thing(Label={"Ref": "B"}), "B": thing(DependsOn="C"), "C": thing(Label={"Ref": "A"}), "D": thing()},
            {},
            "Circular dependency between resources: [A, B, C]",
        ),
        (
            {"A": thing(Label={"Ref": "A"}), "B": thing(Label={"Ref": "A"})},
            {},
            "Circular dependency between resources: [A]",
        ),
        (
            {"A": thing(Condition="Nope")},
            {},
            "Template format error: Unresolved condition dependencies [Nope]",
        ),
        (
            {"A": thing()},
            {"Conditions": {"C": {"Fn::Equals": [{"Ref": "A"}, "x"]}}},
            "Template format error: Unresolved dependencies [A]. "
            "Cannot reference resources in the Conditions block of the template",
        ),
        (
            {"A": thing(Size="many")},
            {},
            "Properties validation failed for resource A with message: #/Size: expected type: Integer, found: String",
        ),
        (
            {"A": thing(Colour="red")},
            {},
            "Properties validation failed for resource A with message: Encountered unsupported property Colour",
        ),
        (
            {"Off": thing(Condition="C"), "A": thing(Label={"Ref": "Off"})},
            {"Conditions": {"C": {"Fn::Equals": ["a", "b"]}}},
            "Template format error: Unresolved resource dependencies [Off] in the Resources block of the template",
        ),
        ({"A": thing(Label="a\0b")}, {}, "Template format error: the character NUL is not allowed in a template"),
        ({"A-B": thing()}, {}, "Template format error: Resource name A-B is non alphanumeric."),
        ({"A": {"Properties": {}}}, {}, "Template format error: [/Resources/A] Every Resources object must contain a "
                                        "Type member."),
        ({"A": {"Type": "x", "Colour": 1}}, {}, "Invalid template resource property 'Colour'"),
        ({"A": thing()}, {"Colours": 1}, "Template format error: Invalid template property or properties [Colours]"),
    ],
)  # fmt: skip
def test_a_template_that_cannot_work_is_refused_before_anything_is_made(
    resources: Any, sections: Any, message: str
) -> None:
    assert refused(resources, **sections) == message


def test_custom_resources_may_say_a_version_that_nothing_follows_from() -> None:
    for kind in ("AWS::CloudFormation::CustomResource", "Custom::Thing"):
        assert parse({"Resources": {"A": {"Type": kind, "Version": "1.0"}}}).resources["A"].type == kind
    assert refused({"A": {**thing(), "Version": "1.0"}}) == "Invalid template resource property 'Version'"


def test_changes_are_told_apart() -> None:
    old = {"A": thing(Size=1), "B": thing(Kind="x"), "C": thing(Label={"Ref": "B"}), "D": thing(), "E": thing(Size=1)}
    new = {"A": thing(Size=2), "B": thing(Kind="y"), "C": thing(Label={"Ref": "B"}), "E": thing(Size="1"), "F": thing()}
    assert changes(planned(old), planned(new), TYPES) == [
        Change("Modify", "A", Thing.name, "False", ("Size",)),
        Change("Modify", "B", Thing.name, "True", ("Kind",)),
        Change("Modify", "C", Thing.name, "Conditional"),
        Change("Remove", "D", Thing.name),
        Change("Add", "F", Thing.name),
    ]


graphs = st.integers(1, 12).flatmap(
    lambda size: st.fixed_dictionaries(
        {f"R{n}": st.sets(st.sampled_from([f"R{m}" for m in range(size)]), max_size=3) for n in range(size)}
    )
)


def reaches_itself(graph: dict[str, set[str]], name: str) -> bool:
    seen: set[str] = set()
    todo = list(graph[name])
    while todo:
        item = todo.pop()
        if item not in seen:
            seen.add(item)
            todo += graph[item]
    return name in seen


@given(graphs)
def test_an_order_has_everything_after_what_it_needs_or_there_is_a_circle(graph: dict[str, set[str]]) -> None:
    circular = {name for name in graph if reaches_itself(graph, name)}
    if circular:
        with pytest.raises(ServiceError) as caught:
            ordered(graph)
        named = caught.value.message.partition("[")[2].rstrip("]").split(", ")
        assert circular <= set(named)
    else:
        order = ordered(graph)
        assert sorted(order) == sorted(graph)
        assert all(order.index(need) < order.index(name) for name, needs in graph.items() for need in needs)


def test_all_that_mayfly_cannot_honour_is_listed_at_once_before_anything_is_made() -> None:
    key = [{"AttributeName": "id", "KeyType": "HASH"}]
    resources = {
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {"KeySchema": key, "StreamSpecification": {"StreamViewType": "NEW_IMAGE"}},
        },
        "Mail": {
            "Type": "AWS::SNS::Topic",
            "Properties": {
                "Subscription": [
                    {"Protocol": "sqs", "Endpoint": "q"},
                    {"Protocol": "email", "Endpoint": "me@example.com"},
                ]
            },
        },
        "Unmade": {"Type": "AWS::SNS::Subscription", "Condition": "Never", "Properties": {"Protocol": "sms"}},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {"ZipFile": "x"},
                "Role": {"Ref": "Mail"},
                "Runtime": {"Ref": "Language"},
                "FileSystemConfigs": [{"Arn": {"Ref": "Table"}, "LocalMountPath": "/mnt/x"}],
            },
        },
    }
    sections = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Parameters": {"Language": {"Type": "String", "Default": "dotnet8"}},
    }
    definition = Definition(parse({"Resources": resources, **sections}), {"Language": "dotnet8"})
    with pytest.raises(ServiceError) as caught:
        draft(definition, PLACE, resource_types())
    told = caught.value.message
    for path in (
        "resource Table with message: #/StreamSpecification:",
        "resource Mail with message: #/Subscription/1/Protocol:",
        "#/FileSystemConfigs:",
        "#/Runtime: the value dotnet8 is not supported: Mayfly has no .NET",
    ):
        assert path in told
    assert "Unmade" not in told
