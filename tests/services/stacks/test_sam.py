"""The SAM macro, in process and without a network."""

from typing import Any

import pytest

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.model import Definition
from mayfly.services.stacks.planner import Place, check, draft
from mayfly.services.stacks.resources.registry import resource_types
from mayfly.services.stacks.template.document import parse
from mayfly.services.stacks.template.sam import SamTransform
from mayfly.services.stacks.template.source import load

PLACE = Place("123456789012", "us-east-1", "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1", "s")
FACES = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.11, Timeout: 30}}
Resources:
  Photos: {Type: AWS::S3::Bucket}
  Faces:
    Type: AWS::Serverless::SimpleTable
    Properties: {PrimaryKey: {Name: key, Type: String}}
  Detect:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: s3://code/detect.zip
      Handler: app.handler
      Environment: {Variables: {TABLE: !Ref Faces}}
      Policies:
        - DynamoDBCrudPolicy: {TableName: !Ref Faces}
        - S3ReadPolicy: {BucketName: !Sub "${AWS::StackName}-photos"}
        - AWSXrayWriteOnlyAccess
      EventInvokeConfig: {MaximumRetryAttempts: 1}
      Events:
        Picture:
          Type: S3
          Properties: {Bucket: !Ref Photos, Events: "s3:ObjectCreated:*"}
  Gallery:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): return 1"
      Handler: index.handler
      FunctionUrlConfig: {AuthType: NONE}
Outputs:
  Url: {Value: !GetAtt GalleryUrl.FunctionUrl}
"""


async def transformed(text: str) -> dict[str, Any]:
    sam = SamTransform()
    try:
        return await sam.apply(load(text), {}, "us-east-1")
    finally:
        sam.close()


async def test_a_sam_application_becomes_resources_that_can_be_made_in_order() -> None:
    template = parse(await transformed(FACES))
    types = resource_types()
    check(template, types)
    drafts = draft(Definition(template), PLACE, types)
    order = list(drafts)
    assert {item.type for item in drafts.values()} == {
        "AWS::DynamoDB::Table",
        "AWS::IAM::Role",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Url",
        "AWS::S3::Bucket",
    }
    # The bucket notifies the function, so the function has to trust the bucket first.
    story = ["DetectRole", "Detect", "DetectPicturePermission", "Photos"]
    assert sorted(story, key=order.index) == story


async def test_a_function_of_a_template_may_run_several_calls_in_an_instance() -> None:
    machine = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:mayfly"
    asked = {"Arn": machine, "PerExecutionEnvironmentMaxConcurrency": 32}
    text = FACES.replace("Handler: app.handler", f"Handler: app.handler\n      CapacityProviderConfig: {asked}")
    template = parse(await transformed(text))
    types = resource_types()
    check(template, types)
    detect = draft(Definition(template), PLACE, types)["Detect"]
    assert detect.properties["CapacityProviderConfig"] == {
        "LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": machine,
            "PerExecutionEnvironmentMaxConcurrency": 32,
        }
    }


SCALED = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Many:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "async def handler(event, context): return 1"
      Handler: index.handler
      Runtime: python3.11
      CapacityProviderConfig: {Arn: "arn:aws:lambda:us-east-1:123456789012:capacity-provider:mayfly"}
      FunctionScalingConfig: {MinExecutionEnvironments: 1, MaxExecutionEnvironments: 4}
      ReservedConcurrentExecutions: 9
      AutoPublishAlias: live
"""


async def test_the_instances_of_what_sam_publishes_may_be_bounded() -> None:
    template = parse(await transformed(SCALED))
    types = resource_types()
    check(template, types)
    drafts = draft(Definition(template), PLACE, types).values()
    (version,) = (each for each in drafts if each.type == "AWS::Lambda::Version")
    (function,) = (each for each in drafts if each.type == "AWS::Lambda::Function")
    assert version.properties["FunctionScalingConfig"] == {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 4}
    assert "FunctionScalingConfig" not in function.properties
    assert function.properties["ReservedConcurrentExecutions"] == 9


async def test_bounds_of_what_is_not_published_are_refused_by_name() -> None:
    template = parse(await transformed(SCALED.replace("      AutoPublishAlias: live\n", "")))
    with pytest.raises(ServiceError, match="FunctionScalingConfig"):
        draft(Definition(template), PLACE, resource_types())


async def test_the_template_that_was_given_is_not_changed() -> None:
    raw = load(FACES)
    sam = SamTransform()
    await sam.apply(raw, {}, "us-east-1")
    sam.close()
    assert raw == load(FACES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Resources: {A: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.11}}}", "CodeUri"),
        ("Resources: {A: {Type: AWS::Serverless::Function, Properties: 5}}", "failed with"),
        ("Resources: 5", "failed with"),
        ("Globals: {Function: {Nope: 1}}\nResources: {A: {Type: AWS::Serverless::Function}}", "Nope"),
    ],
)
async def test_what_sam_does_not_understand_is_the_templates_fault(text: str, message: str) -> None:
    with pytest.raises(ServiceError) as caught:
        await transformed(text)
    assert caught.value.code == "ValidationError"
    assert message in caught.value.message


async def test_an_application_of_the_repository_of_aws_is_refused_with_the_reason() -> None:
    with pytest.raises(ServiceError) as caught:
        await transformed("""
Transform: AWS::Serverless-2016-10-31
Resources:
  Shop:
    Type: AWS::Serverless::Application
    Properties:
      Location: {ApplicationId: "arn:aws:serverlessrepo:us-east-1:1:applications/s", SemanticVersion: 1.0.0}
""")
    assert caught.value.code == "ValidationError"
    assert "Resource with id [Shop] is invalid. Mayfly does not fetch applications" in caught.value.message


async def test_an_application_at_a_url_is_a_nested_stack() -> None:
    template = await transformed("""
Transform: AWS::Serverless-2016-10-31
Resources:
  Shop: {Type: AWS::Serverless::Application, Properties: {Location: "https://s3.amazonaws.com/b/shop.yaml"}}
""")
    assert template["Resources"]["Shop"]["Type"] == "AWS::CloudFormation::Stack"
    assert template["Resources"]["Shop"]["Properties"]["TemplateURL"] == "https://s3.amazonaws.com/b/shop.yaml"


async def test_a_default_reaches_the_macro_as_it_stands_and_a_given_value_as_text() -> None:
    text = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Cors: {Type: String, Default: true}}
Resources:
  Api: {Type: AWS::Serverless::HttpApi, Properties: {CorsConfiguration: !Ref Cors}}
"""
    sam = SamTransform()
    try:
        template = await sam.apply(load(text), {"Cors": "true"}, "us-east-1")
        assert template["Resources"]["Api"]["Properties"]["Body"]["x-amazon-apigateway-cors"]["allowOrigins"] == ["*"]
        with pytest.raises(ServiceError, match="Invalid value for 'Cors'"):
            await sam.apply(load(text), {"Cors": "everybody"}, "us-east-1")
    finally:
        sam.close()
