"""What change sets say about changes, in the cases that AWS's answers to the same templates are known for."""

import json
from typing import Any

import pytest

from mayfly.services.stacks.model import Definition, Resource
from mayfly.services.stacks.planner import Place, changes, draft
from mayfly.services.stacks.predictions import KNOWN_AFTER, Side, predict, shown
from mayfly.services.stacks.resources.cloudformation.nested import NestedStack
from mayfly.services.stacks.template.document import parse
from mayfly.services.stacks.template.parameters import bind

from .conftest import Stage, Thing, template, thing

TYPES = {Thing.name: Thing()}
PLACE = Place("123456789012", "us-east-1", "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1", "s")


def side(resources: Any, given: Any = None, **sections: Any) -> Side:
    template = parse({"Resources": resources, **sections})
    definition = Definition(template, bind(template.parameters, given or {}))
    return Side(definition, draft(definition, PLACE, TYPES))


def rows_of(before: Side) -> dict[str, Resource]:
    """The resources as they were made."""
    made: dict[str, Resource] = {}

    def known(value: Any) -> Any:
        if isinstance(value, str):
            for name, row in made.items():
                value = value.replace(f"\0{name}\0", row.physical_id).replace(f"\0{name}.Arn\0", row.attributes["Arn"])
        return value

    for name, item in before.drafts.items():
        properties = {key: known(value) for key, value in item.properties.items()}
        physical_id = properties.get("Name", f"made-{name}")
        made[name] = Resource(
            PLACE.stack_id, name, 1, "current", item.type, physical_id, "CREATE_COMPLETE", "", 0.0, properties, None,
            {"Arn": f"arn:{physical_id}"}, tuple(item.depends_on), item.deletion_policy, item.replace_policy, True,
        )  # fmt: skip
    return made


def predicted(before: Side, after: Side, *, values: bool = False) -> dict[str, dict[str, Any]]:
    found = predict(changes(before.drafts, after.drafts, TYPES), before, after, rows_of(before), PLACE, TYPES)
    views = {change.logical_id: (change, shown(change._asdict(), values=values)) for change in found}
    return {
        name: {"Action": change.action, "Replacement": change.replacement, **view}
        for name, (change, view) in views.items()
        if view is not None
    }


def detail(name: str, source: str, evaluation: str, recreation: str = "Never", entity: str = "") -> dict[str, Any]:
    found = {
        "Target": {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation},
        "Evaluation": evaluation,
        "ChangeSource": source,
    }
    return found | ({"CausingEntity": entity} if entity else {})


def test_a_property_that_the_template_changes_is_modified_directly() -> None:
    before, after = side({"A": thing(Label="one")}), side({"A": thing(Label="two")})
    assert predicted(before, after)["A"] == {
        "Action": "Modify",
        "Replacement": "False",
        "Scope": ["Properties"],
        "Details": [detail("Label", "DirectModification", "Static")],
    }
    valued = predicted(before, after, values=True)["A"]
    assert valued["Details"][0]["Target"] == {
        "Attribute": "Properties",
        "Name": "Label",
        "RequiresRecreation": "Never",
        "Path": "/Properties/Label",
        "BeforeValue": "one",
        "AfterValue": "two",
        "AttributeChangeType": "Modify",
    }
    assert json.loads(valued["BeforeContext"]) == {"Properties": {"Label": "one"}}
    assert json.loads(valued["AfterContext"]) == {"Properties": {"Label": "two"}}


def test_a_property_that_asks_for_another_resource_replaces_it() -> None:
    found = predicted(side({"A": thing(Kind="one", Label="x")}), side({"A": thing(Kind="two", Label="y")}))["A"]
    assert (found["Replacement"], found["PolicyAction"]) == ("True", "ReplaceAndDelete")
    assert found["Details"] == [
        detail("Kind", "DirectModification", "Static", "Always"),
        detail("Label", "DirectModification", "Static"),
    ]
    kept = thing(Kind="two", UpdateReplacePolicy="Retain")
    assert predicted(side({"A": thing(Kind="one")}), side({"A": kept}))["A"]["PolicyAction"] == "ReplaceAndRetain"


def test_a_parameter_that_changes_is_the_cause() -> None:
    resources, declared = {"A": thing(Kind={"Ref": "P"})}, {"P": {"Type": "String"}}
    before = side(resources, {"P": "one"}, Parameters=declared)
    after = side(resources, {"P": "two"}, Parameters=declared)
    found = predicted(before, after)["A"]
    assert found["Replacement"] == "True"
    assert found["Details"] == [
        detail("Kind", "ParameterReference", "Static", "Always", "P"),
        detail("Kind", "DirectModification", "Dynamic", "Always"),
    ]
    assert len(predicted(before, after, values=True)["A"]["Details"]) == 2


def test_a_parameter_is_the_cause_also_where_the_template_changes_at_once() -> None:
    declared = {"P": {"Type": "String"}}
    after = side({"A": thing(Label={"Fn::Sub": "x-${P}"})}, {"P": "one"}, Parameters=declared)
    assert predicted(side({"A": thing(Label="x")}), after)["A"]["Details"] == [
        detail("Label", "ParameterReference", "Static", entity="P"),
        detail("Label", "DirectModification", "Dynamic"),
    ]


def test_what_refers_to_a_replaced_resource_changes_with_it() -> None:
    def resources(kind: str) -> dict[str, Any]:
        return {"A": thing(Kind=kind), "B": thing(Label={"Ref": "A"}), "C": thing(Kind={"Fn::GetAtt": ["A", "Arn"]})}

    found = predicted(side(resources("one")), side(resources("two")))
    assert found["B"]["Replacement"] == "False"
    assert found["B"]["Details"] == [detail("Label", "ResourceReference", "Static", entity="A")]
    assert found["C"]["Replacement"] == "True"
    assert found["C"]["Details"] == [detail("Kind", "ResourceAttribute", "Static", "Always", "A.Arn")]
    valued = predicted(side(resources("one")), side(resources("two")), values=True)["B"]
    assert [item["ChangeSource"] for item in valued["Details"]] == ["ResourceReference", "DirectModification"]
    target = valued["Details"][1]["Target"]
    assert (target["BeforeValue"], target["AfterValue"]) == ("made-A", KNOWN_AFTER)
    assert json.loads(valued["AfterContext"]) == {"Properties": {"Label": KNOWN_AFTER}}


def test_an_attribute_of_a_resource_that_is_updated_may_change() -> None:
    def resources(label: str) -> dict[str, Any]:
        return {
            "A": thing(Label=label),
            "B": thing(Kind={"Fn::GetAtt": ["A", "Arn"]}),
            "C": thing(Label={"Fn::GetAtt": ["B", "Arn"]}),
            "D": thing(Label={"Ref": "A"}),
        }

    before, after = side(resources("one")), side(resources("two"))
    found = predicted(before, after)
    assert set(found) == {"A", "B", "C"}
    assert found["B"]["Replacement"] == "Conditional"
    assert found["B"]["Details"] == [detail("Kind", "ResourceAttribute", "Dynamic", "Always", "A.Arn")]
    assert set(predicted(before, after, values=True)) == {"A"}


def test_what_comes_and_goes_says_what_becomes_of_it() -> None:
    gone = thing(Label="y", DeletionPolicy="Retain")
    before, after = side({"A": thing(), "Gone": gone}), side({"A": thing(), "New": thing(Label={"Ref": "A"})})
    found = predicted(before, after, values=True)
    assert found["Gone"] == {
        "Action": "Remove", "Replacement": "", "Scope": [], "PolicyAction": "Retain", "Details": [],
        "BeforeContext": '{"Properties":{"Label":"y"}}',
    }  # fmt: skip
    assert found["New"] == {
        "Action": "Add", "Replacement": "", "Scope": [], "Details": [],
        "AfterContext": '{"Properties":{"Label":"made-A"}}',
    }  # fmt: skip


def test_a_policy_is_changed_beside_the_properties() -> None:
    found = predicted(side({"A": thing()}), side({"A": thing(DeletionPolicy="Retain")}))["A"]
    assert found["Scope"] == ["DeletionPolicy"]
    assert found["Details"] == [
        {"Target": {"Attribute": "DeletionPolicy", "RequiresRecreation": "Never"}, "Evaluation": "Static",
         "ChangeSource": "DirectModification"},
    ]  # fmt: skip


def test_hidden_parameters_are_not_shown() -> None:
    declared = {"P": {"Type": "String", "NoEcho": True}}
    resources = {"A": thing(Label={"Fn::Sub": "x-${P}"})}
    before = side(resources, {"P": "hush-one"}, Parameters=declared)
    after = side(resources, {"P": "hush-two"}, Parameters=declared)
    assert "hush" not in json.dumps(predicted(before, after, values=True))


@pytest.mark.parametrize(
    ("old", "new", "kind", "values"),
    [
        ({}, {"Label": "x"}, "Add", ("", "x")),
        ({"Label": "x"}, {}, "Remove", ("x", "")),
        ({"Needs": [1]}, {"Needs": [1, 2]}, "Modify", ("[1]", "[1,2]")),
    ],
)
def test_values_come_go_and_change(old: Any, new: Any, kind: str, values: tuple[str, str]) -> None:
    (found,) = predicted(side({"A": thing(**old)}), side({"A": thing(**new)}), values=True)["A"]["Details"]
    target = found["Target"]
    assert (target["AttributeChangeType"], target["BeforeValue"], target["AfterValue"]) == (kind, *values)


@pytest.mark.asyncio
async def test_what_a_nested_stack_is_given_that_nobody_knows_yet_is_marked_and_replaces_perhaps(stage: Stage) -> None:
    child = {
        "Parameters": {name: {"Type": "String"} for name in ("Name", "Steady", "Arn")},
        "Conditions": {"Same": {"Fn::Equals": [{"Ref": "Arn"}, {"Ref": "Arn"}]}},
        "Resources": {
            "Perhaps": thing(Kind={"Ref": "Name"}),
            "InPlace": thing(Label={"Fn::Sub": "of ${Arn}"}, Condition="Same"),
            "Untouched": thing(Label={"Ref": "Steady"}),
        },
        "Outputs": {"Given": {"Value": {"Ref": "Steady"}}},
    }
    stage.code.objects["b", "child.json"] = json.dumps(child).encode()
    given = {
        "Name": {"Ref": "Moved"},
        "Arn": {"Fn::GetAtt": "Changed.Arn"},
        "Steady": {"Fn::GetAtt": "Steady.Arn"},
    }
    url = "https://b.s3.amazonaws.com/child.json"

    def around(kind: str, size: int) -> dict[str, Any]:
        return {
            "Moved": thing(Kind=kind),
            "Changed": thing(Size=size),
            "Steady": thing(),
            "Child": {"Type": NestedStack.name, "Properties": {"TemplateURL": url, "Parameters": given}},
        }

    await stage.create(around("old", 1))
    made = await stage.call(
        "CreateChangeSet",
        StackName="s",
        ChangeSetName="c",
        TemplateBody=template(around("new", 2)),
        IncludeNestedStacks=True,
    )
    root = await stage.call("DescribeChangeSet", ChangeSetName=made["Id"])
    by_name = {item["ResourceChange"]["LogicalResourceId"]: item["ResourceChange"] for item in root["Changes"]}
    asked = {"ChangeSetName": by_name["Child"]["ChangeSetId"], "IncludePropertyValues": True}
    below = await stage.call("DescribeChangeSet", **asked)
    known = {item["ParameterKey"]: item["ParameterValue"] for item in below["Parameters"]}
    assert known == {"Name": KNOWN_AFTER, "Arn": KNOWN_AFTER, "Steady": known["Steady"]}
    assert known["Steady"].startswith("arn:aws:shelf:::s-Steady-")
    changes = {item["ResourceChange"]["LogicalResourceId"]: item["ResourceChange"] for item in below["Changes"]}
    assert {name: change["Replacement"] for name, change in changes.items()} == {
        "Perhaps": "Conditional",
        "InPlace": "False",
    }
    details = changes["Perhaps"]["Details"]
    assert {detail["Evaluation"] for detail in details} == {"Dynamic"}
    assert {detail["Target"]["AfterValue"] for detail in details} == {KNOWN_AFTER}
    assert ("ParameterReference", "Name") in {(one["ChangeSource"], one.get("CausingEntity")) for one in details}
    assert changes["InPlace"]["Details"][0]["Target"]["AfterValue"] == f"of {KNOWN_AFTER}"
    await stage.call("ExecuteChangeSet", ChangeSetName=made["Id"])
    assert (await stage.settled())["StackStatus"] == "UPDATE_COMPLETE"
    assert stage.held()["Perhaps"]["Kind"] != known["Name"]


@pytest.mark.asyncio
async def test_a_nested_stack_that_is_given_what_is_known_has_no_changes(stage: Stage) -> None:
    child = {"Parameters": {"Of": {"Type": "String"}}, "Resources": {"X": thing(Kind={"Ref": "Of"})}}
    stage.code.objects["b", "child.json"] = json.dumps(child).encode()
    url = "https://b.s3.amazonaws.com/child.json"
    inner = {"TemplateURL": url, "Parameters": {"Of": {"Fn::GetAtt": "A.Arn"}}}
    resources = {"A": thing(), "B": thing(), "Child": {"Type": NestedStack.name, "Properties": inner}}
    await stage.create(resources)
    changed = {**resources, "B": thing(Size=3)}
    made = await stage.call(
        "CreateChangeSet",
        StackName="s",
        ChangeSetName="c",
        TemplateBody=template(changed),
        IncludeNestedStacks=True,
    )
    found = await stage.call("DescribeChangeSet", ChangeSetName=made["Id"])
    changes = [item["ResourceChange"] for item in found["Changes"]]
    (below,) = [change["ChangeSetId"] for change in changes if "ChangeSetId" in change]
    assert (await stage.call("DescribeChangeSet", ChangeSetName=below))["Status"] == "FAILED"
