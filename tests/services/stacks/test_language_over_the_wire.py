"""The template language on a real platform, with boto3: parameters, secrets, macros, loops, exports."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]
WAIT = {"Delay": 1, "MaxAttempts": 60}
MACRO = """
def handler(event, context):
    fragment = event["fragment"]
    for loop in (item for key, item in fragment["Resources"].items() if key.startswith("Fn::ForEach::")):
        for resource in loop[2].values():
            resource["Properties"]["VisibilityTimeout"] = int(event["params"]["Seconds"])
    return {"requestId": event["requestId"], "status": "success", "fragment": fragment}
"""
MACROS = {
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            },
        },
        "Patience": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": MACRO},
            },
        },
        "Macro": {
            "Type": "AWS::CloudFormation::Macro",
            "Properties": {"Name": "Patience", "FunctionName": {"Fn::GetAtt": ["Patience", "Arn"]}},
        },
    }
}
APPLICATION = """
Transform: [{Name: Patience, Parameters: {Seconds: !Ref Seconds}}, AWS::LanguageExtensions]
Parameters:
  Seconds: {Type: Number, Default: 45}
  Stage: {Type: "AWS::SSM::Parameter::Value<String>", Default: /language/stage}
  Names: {Type: CommaDelimitedList, Default: "red,blue"}
Rules:
  Known:
    Assertions:
      - Assert: !Contains [[test, live], !Ref Stage]
        AssertDescription: the stage is test or live
Resources:
  Fn::ForEach::Queues:
    - Colour
    - !Ref Names
    - "Queue${Colour}":
        Type: AWS::SQS::Queue
        Properties: {QueueName: !Sub "${AWS::StackName}-${Stage}-${Colour}"}
  Shown:
    Type: AWS::SSM::Parameter
    Properties:
      Type: String
      Name: !Sub "/language/${AWS::StackName}"
      Value: !Join ["/", ["{{resolve:ssm:/language/plain}}", !Length [a, b], !ToJsonString {q: !Ref Queuered}]]
  Url:
    Type: AWS::SecretsManager::Secret
    Properties:
      SecretString: !Sub "db://user:{{resolve:secretsmanager:language:SecretString:password}}@host"
Outputs:
  Fn::ForEach::Arns:
    - Colour
    - !Ref Names
    - "Arn${Colour}":
        Value: !GetAtt [!Sub "Queue${Colour}", Arn]
        Export: {Name: !Sub "${AWS::StackName}-${Colour}"}
  Secret: {Value: !Ref Url}
"""
USER = """
Resources:
  Shown:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !ImportValue language-red}
"""


def made(client: Client, name: str, body: str) -> dict[str, str]:
    cloudformation = client("cloudformation")
    given = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    cloudformation.create_stack(StackName=name, TemplateBody=body, Capabilities=given)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=WAIT)
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", ())}


def deleted(client: Client, name: str) -> None:
    cloudformation = client("cloudformation")
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=WAIT)


def test_a_template_that_uses_the_whole_language_is_deployed(client: Client) -> None:
    cloudformation, ssm, secrets = client("cloudformation"), client("ssm"), client("secretsmanager")
    ssm.put_parameter(Name="/language/stage", Type="String", Value="test")
    ssm.put_parameter(Name="/language/plain", Type="String", Value="plain")
    secrets.create_secret(Name="language", SecretString=json.dumps({"password": "s3cret"}))
    with pytest.raises(ClientError, match="No transform named Patience found"):
        cloudformation.create_stack(
            StackName="language", TemplateBody=APPLICATION, Capabilities=["CAPABILITY_AUTO_EXPAND"]
        )
    made(client, "language-macros", json.dumps(MACROS))
    outputs = made(client, "language", APPLICATION)

    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName="language-test-red")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (attributes["VisibilityTimeout"], attributes["QueueArn"]) == ("45", outputs["Arnred"])
    shown = ssm.get_parameter(Name="/language/language")["Parameter"]["Value"]
    assert shown == f'plain/2/{{"q":"{url}"}}'
    kept = secrets.get_secret_value(SecretId=outputs["Secret"])["SecretString"]
    assert kept == "db://user:s3cret@host"
    told = [
        cloudformation.describe_stack_events(StackName="language")["StackEvents"],
        cloudformation.get_template(StackName="language", TemplateStage="Processed"),
        cloudformation.describe_stack_resource(StackName="language", LogicalResourceId="Url"),
    ]
    assert "s3cret" not in json.dumps(told, default=str)

    made(client, "language-user", USER)
    assert cloudformation.list_imports(ExportName="language-red")["Imports"] == ["language-user"]
    assert {"language-red", "language-blue"} <= {
        item["Name"] for page in cloudformation.get_paginator("list_exports").paginate() for item in page["Exports"]
    }
    with pytest.raises(ClientError, match="Export language-red cannot be deleted as it is in use by language-user"):
        cloudformation.delete_stack(StackName="language")
    _change_set_tells(cloudformation, ssm)
    for name in ("language-user", "language", "language-macros"):
        deleted(client, name)


def _change_set_tells(cloudformation: Any, ssm: Any) -> None:
    """What comes of a parameter that was changed in the parameter store: the queues have other names."""
    ssm.put_parameter(Name="/language/stage", Type="String", Value="live", Overwrite=True)
    given = {"StackName": "language", "ChangeSetName": "live", "UsePreviousTemplate": True}
    cloudformation.create_change_set(**given, Capabilities=["CAPABILITY_AUTO_EXPAND"])
    cloudformation.get_waiter("change_set_create_complete").wait(StackName="language", ChangeSetName="live")
    found = cloudformation.describe_change_set(StackName="language", ChangeSetName="live", IncludePropertyValues=True)
    changes = {item["ResourceChange"]["LogicalResourceId"]: item["ResourceChange"] for item in found["Changes"]}
    assert set(changes) == {"Queuered", "Queueblue", "Shown"}
    red = changes["Queuered"]
    assert (red["Replacement"], red["PolicyAction"]) == ("True", "ReplaceAndDelete")
    target = red["Details"][0]["Target"]
    assert (target["BeforeValue"], target["AfterValue"]) == ("language-test-red", "language-live-red")
    ssm.put_parameter(Name="/language/stage", Type="String", Value="other", Overwrite=True)
    with pytest.raises(ClientError, match="Rule Known is not satisfied: the stage is test or live"):
        cloudformation.update_stack(
            StackName="language", UsePreviousTemplate=True, Capabilities=["CAPABILITY_AUTO_EXPAND"]
        )
