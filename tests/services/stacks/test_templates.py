"""What is told of templates: GetTemplate, GetTemplateSummary, ValidateTemplate; and templates that are bad."""

import json
from typing import Any

import pytest

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.operations.templates import named_by
from mayfly.services.stacks.resources.registry import resource_types

from .conftest import Stage, Thing, template, thing

pytestmark = pytest.mark.asyncio
LOOPING = """
Transform: [AWS::LanguageExtensions, Mine]
Description: loops
Parameters:
  Names: {Type: CommaDelimitedList, Default: "a,b", AllowedValues: [a, b], Description: some}
  Secret: {Type: String, NoEcho: true}
Conditions:
  Fn::ForEach::Each: [X, !Ref Names, {"Is${X}": !Equals [!Ref X, a]}]
Resources:
  Fn::ForEach::Things:
    - X
    - !Ref Names
    - "Thing${X}": {Type: Test::Shelf::Thing, DeletionPolicy: !Ref Names, Properties: {Label: !Sub "${X}"}}
  Other:
    Type: AWS::IAM::Role
    Properties:
      Fn::Transform: {Name: "AWS::Include", Parameters: {Location: "s3://b/k"}}
Outputs:
  Fn::ForEach::Out: [X, !Ref Names, {"Out${X}": {Value: !Ref X}}]
"""


async def test_a_summary_tells_all_that_can_be_told_without_the_macros(stage: Stage) -> None:
    found = await stage.call("GetTemplateSummary", TemplateBody=LOOPING)
    parameters = found.pop("Parameters")
    assert found == {
        "Description": "loops",
        "DeclaredTransforms": ["AWS::Include", "AWS::LanguageExtensions", "Mine"],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        "CapabilitiesReason": "The following resource(s) require capabilities: [AWS::IAM::Role]",
        "ResourceTypes": ["AWS::IAM::Role", "Test::Shelf::Thing"],
        "ResourceIdentifierSummaries": [
            {"ResourceType": "AWS::IAM::Role", "LogicalResourceIds": ["Other"]},
            {"ResourceType": "Test::Shelf::Thing", "LogicalResourceIds": ["ThingsThingX"],
             "ResourceIdentifiers": ["Name"]},
        ],
        "Version": "2010-09-09",
    }  # fmt: skip
    assert parameters == [
        {"ParameterKey": "Names", "DefaultValue": "a,b", "ParameterType": "CommaDelimitedList", "NoEcho": False,
         "Description": "some", "ParameterConstraints": {"AllowedValues": ["a", "b"]}},
        {"ParameterKey": "Secret", "ParameterType": "String", "NoEcho": True, "ParameterConstraints": {}},
    ]  # fmt: skip
    valid = await stage.call("ValidateTemplate", TemplateBody=LOOPING)
    assert valid["DeclaredTransforms"] == found["DeclaredTransforms"]
    assert [set(item) - {"DefaultValue", "Description"} for item in valid["Parameters"]] == [
        {"ParameterKey", "NoEcho"}
    ] * 2


async def test_unknown_types_are_warnings_on_demand(stage: Stage) -> None:
    body = template({"A": thing(), "B": {"Type": "X::Y::Z"}})
    code, message = await stage.refused("GetTemplateSummary", TemplateBody=body)
    assert (code, "X::Y::Z" in message) == ("ValidationError", True)
    lenient = {"TreatUnrecognizedResourceTypesAsWarnings": True}
    found = await stage.call("GetTemplateSummary", TemplateBody=body, TemplateSummaryConfig=lenient)
    assert found["Warnings"] == {"UnrecognizedResourceTypes": ["X::Y::Z"]}


async def test_a_summary_of_a_stack_is_that_of_its_template(stage: Stage) -> None:
    await stage.create({"A": thing()}, more={"Metadata": {"a": 1}})
    found = await stage.call("GetTemplateSummary", StackName="s")
    assert (found["ResourceTypes"], json.loads(found["Metadata"])) == ([Thing.name], {"a": 1})
    await stage.call("CreateChangeSet", StackName="r", ChangeSetName="c", ChangeSetType="CREATE",
                     TemplateBody=template({"A": thing()}))  # fmt: skip
    answer = await stage.refused("GetTemplateSummary", StackName="r")
    assert answer == ("ValidationError", "GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")


async def test_a_stack_that_could_not_be_made_still_shows_its_template(stage: Stage) -> None:
    stage.shelf.fail["Create A"] = ServiceError("No", "no")
    assert (await stage.create({"A": thing()}))["StackStatus"] == "ROLLBACK_COMPLETE"
    for which in ("Original", "Processed"):
        shown = await stage.call("GetTemplate", StackName="s", TemplateStage=which)
        assert json.loads(shown["TemplateBody"]) == {"Resources": {"A": thing()}}
    assert (await stage.call("GetTemplateSummary", StackName="s"))["ResourceTypes"] == [Thing.name]


async def test_a_template_is_asked_for_by_a_name(stage: Stage) -> None:
    assert await stage.refused("GetTemplate") == (
        "ValidationError",
        "StackName is required if ChangeSetName is not specified.",
    )
    answer = await stage.refused("GetTemplate", ChangeSetName="c")
    assert answer == ("ValidationError", "StackName is a required parameter.")
    assert await stage.refused("GetTemplate", StackName="no") == (
        "ValidationError",
        "Stack with id no does not exist",
    )


async def test_a_template_is_processed_into_json(stage: Stage) -> None:
    body = "Resources:\n  A: {Type: Test::Shelf::Thing}  # a comment\n"
    await stage.call("CreateStack", StackName="s", TemplateBody=body)
    await stage.settled()
    assert (await stage.call("GetTemplate", StackName="s"))["TemplateBody"] == body
    found = await stage.call("GetTemplate", StackName="s", TemplateStage="Processed")
    assert json.loads(found["TemplateBody"])["Resources"] == {"A": {"Type": "Test::Shelf::Thing"}}


def conditions(count: int) -> dict[str, Any]:
    """A chain of conditions, each of which asks for the next."""
    chain: dict[str, Any] = {f"C{number}": {"Fn::Not": [{"Condition": f"C{number + 1}"}]} for number in range(count)}
    return chain | {f"C{count}": {"Fn::Equals": ["a", "a"]}}


@pytest.mark.parametrize(
    ("resources", "sections", "message"),
    [
        ({"A": thing()}, {"Conditions": {"A": {"Condition": "B"}, "B": {"Condition": "A"}}},
         "Circular dependencies for conditions: [A, B]"),
        ({"A": thing()}, {"Conditions": conditions(5000)},
         "Template format error: more than 50 conditions depend on one another."),
        ({"A": thing()}, {"Conditions": {"A": {"Ref": "AWS::Region"}}},
         "Template format error: Conditions can only be boolean operations on parameters and other conditions"),
        ({"A": thing(Label={"Ref": "B"}), "B": thing(Label={"Ref": "A"})}, {},
         "Circular dependency between resources: [A, B]"),
        ({"A": thing(Label={"Fn::Nope": 1})}, {}, "Template error: Encountered unsupported function: Fn::Nope"),
        ({"A": thing(Label={"Fn::Join": "x"})}, {}, "Template error: every Fn::Join object requires two parameters"),
        ({"A": thing(Label={"Fn::Length": []})}, {}, "Template error: Fn::Length requires the transform"),
        ({"Fn::ForEach::X": []}, {}, "Template format error: Fn::ForEach::X requires the transform"),
        ({f"R{number}": thing() for number in range(501)}, {},
         "Template format error: Number of resources, 501, is greater than maximum allowed, 500"),
        ({"A": thing()}, {"Rules": {"R": {"Assertions": [{"Assert": {"Ref": "A"}}]}}},
         "Template format error: Unresolved dependencies [A]. Cannot reference resources in the Rules block"),
        ({"A": thing()}, {"Rules": {"R": {}}}, "Template format error: Rule R takes a list of Assertions"),
        ({"A": thing()}, {"Parameters": {"P": {"Type": "String"}}}, "Parameters: [P] must have values"),
        ({"A": None}, {}, "[/Resources/A] 'null' values are not allowed in templates"),
        ({"A": "x"}, {}, "Template format error: Any Resources member must be an object."),
        ({"A": thing()}, {"Mappings": {"M": {"A": "x"}}},
         "Template format error: Every Mappings member A must be a map"),
        ({"A": thing()}, {"Mappings": {"M": {"A": {"b": {"c": "d"}}}}},
         "Template format error: Every Mappings attribute must be a String or a List."),
        ({"A": thing()}, {"Outputs": {"O": {"Value": None}}},
         "[/Outputs/O/Value] 'null' values are not allowed in templates"),
    ],
)  # fmt: skip
async def test_a_bad_template_is_refused_and_nothing_is_made(
    stage: Stage, resources: Any, sections: Any, message: str
) -> None:
    stage.code.objects["b", "t"] = template(resources, **sections).encode()
    url = "https://b.s3.amazonaws.com/t"
    code, said = await stage.refused("CreateStack", StackName="s", TemplateURL=url)
    assert (code, said[: len(message)]) == ("ValidationError", message)
    assert stage.shelf.log == []
    assert (await stage.call("ListStacks"))["StackSummaries"] == []


@pytest.mark.parametrize(
    "text",
    [
        "[" * 500_000,
        '{"a":' * 200_000,
        "a: " + "[" * 500_000,
        "a:\n" + "".join(" " * depth + "- \n" for depth in range(1000)),
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
        "? [a, b]\n: c",
        "!!python/object/apply:os.system [ls]",
        "Resources: !!binary aGVsbG8=",
        "Resources: !Nope x",
        "a: 1\n---\nb: 2",
        "\x00",
        '{"Resources": {"A": 1}, "Resources": {}}',
        "x",
        "",
    ],
    ids=range(14),
)
async def test_text_that_is_no_template_is_refused(stage: Stage, text: str) -> None:
    stage.code.objects["b", "t"] = text.encode()
    code, message = await stage.refused("CreateStack", StackName="s", TemplateURL="https://b.s3.amazonaws.com/t")
    assert code == "ValidationError"
    assert message.startswith("Template ")


async def test_a_template_of_the_greatest_size_is_read(stage: Stage) -> None:
    resources = {f"R{number}": thing(Label={"Fn::Sub": "${AWS::Region}-" * 120}) for number in range(500)}
    body = template(resources, Outputs={"O": {"Value": {"Ref": "R7"}}}).encode()
    assert 900_000 < len(body) < 1024 * 1024
    stage.code.objects["b", "t"] = body
    await stage.call("CreateChangeSet", StackName="s", ChangeSetName="c", ChangeSetType="CREATE",
                     TemplateURL="https://b.s3.amazonaws.com/t")  # fmt: skip
    found = await stage.call("DescribeChangeSet", StackName="s", ChangeSetName="c", IncludePropertyValues=True)
    assert len(found["Changes"]) == 100


async def test_of_every_type_it_is_told_by_what_one_can_be_imported() -> None:
    types = resource_types()
    found = {name: named_by(kind) for name, kind in types.items()}
    assert found["AWS::SQS::Queue"] == ["QueueName"]
    assert found["AWS::S3::Bucket"] == ["BucketName"]
    assert found["AWS::ApiGateway::Method"] == []  # the API, the resource and the verb together
