"""Real stacks on a real platform, with boto3: the services behind the resource types, not stand-ins."""

import io
import json
import urllib.request
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

Client = Callable[..., Any]
WAIT = {"Delay": 1, "MaxAttempts": 60}
HANDLER = "def handler(event, context):\n    return {'greeting': 'hello', 'event': event}\n"
APPLICATION = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Description: pictures in, items out
Parameters:
  Code: {Type: String}
  Size: {Type: Number, Default: 128}
Resources:
  Pictures:
    Type: AWS::S3::Bucket
    Properties: {BucketName: !Sub "${AWS::StackName}-pictures"}
  Items:
    Type: AWS::Serverless::SimpleTable
    Properties: {PrimaryKey: {Name: key, Type: String}}
  Record:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      MemorySize: !Ref Size
      CodeUri: {Bucket: !Ref Code, Key: code.zip}
      Environment: {Variables: {TABLE: !Ref Items}}
      Policies: [{DynamoDBCrudPolicy: {TableName: !Ref Items}}]
      EventInvokeConfig: {MaximumRetryAttempts: 0}
      Events:
        Picture:
          Type: S3
          Properties:
            Bucket: !Ref Pictures
            Events: s3:ObjectCreated:*
            Filter: {S3Key: {Rules: [{Name: suffix, Value: .jpg}]}}
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            return {"statusCode": 200, "body": "hello " + event["rawPath"]}
      FunctionUrlConfig: {AuthType: NONE}
Outputs:
  Url: {Value: !GetAtt HelloUrl.FunctionUrl}
  Bucket: {Value: !Ref Pictures}
  Table: {Value: !Ref Items}
  Function: {Value: !Ref Record}
"""


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, text in files.items():
            package.writestr(f"{name}.py", text)
    return buffer.getvalue()


def outputs(stack: Any) -> dict[str, str]:
    return {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}


def made_or_explained(cloudformation: Any, name: str) -> Any:
    """The stack once it is made; the events in the failure otherwise."""
    try:
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=WAIT)
    except WaiterError as error:
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        failed = [(event["LogicalResourceId"], event.get("ResourceStatusReason")) for event in reversed(events)
                  if event["ResourceStatus"].endswith("_FAILED")]  # fmt: skip
        raise AssertionError(failed) from error
    return described(cloudformation, name)


def described(cloudformation: Any, name: str) -> Any:
    return cloudformation.describe_stacks(StackName=name)["Stacks"][0]


def code_of(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_serverless_application_is_deployed_changed_and_deleted(client: Client) -> None:
    cloudformation, s3, functions = client("cloudformation"), client("s3"), client("lambda")
    s3.create_bucket(Bucket="app-code")
    s3.put_object(Bucket="app-code", Key="code.zip", Body=zipped(app=HANDLER))
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    parameters = [{"ParameterKey": "Code", "ParameterValue": "app-code"}]
    cloudformation.create_stack(
        StackName="app", TemplateBody=APPLICATION, Parameters=parameters, Capabilities=capabilities
    )
    made = outputs(made_or_explained(cloudformation, "app"))

    reply = functions.invoke(FunctionName=made["Function"], Payload=b'{"a": 1}')
    assert json.loads(reply["Payload"].read()) == {"greeting": "hello", "event": {"a": 1}}
    configuration = functions.get_function_configuration(FunctionName=made["Function"])
    assert configuration["Environment"]["Variables"] == {"TABLE": made["Table"]}
    assert client("dynamodb").describe_table(TableName=made["Table"])["Table"]["TableStatus"] == "ACTIVE"
    (notified,) = s3.get_bucket_notification_configuration(Bucket=made["Bucket"])["LambdaFunctionConfigurations"]
    assert notified["LambdaFunctionArn"] == configuration["FunctionArn"]
    with urllib.request.urlopen(made["Url"] + "there", timeout=60) as answer:
        assert answer.read() == b"hello /there"

    cloudformation.update_stack(
        StackName="app",
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": "Code", "UsePreviousValue": True},
            {"ParameterKey": "Size", "ParameterValue": "256"},
        ],
        Capabilities=capabilities,
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName="app", WaiterConfig=WAIT)
    assert functions.get_function_configuration(FunctionName=made["Function"])["MemorySize"] == 256

    cloudformation.delete_stack(StackName="app")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="app", WaiterConfig=WAIT)
    assert code_of(lambda: functions.get_function(FunctionName=made["Function"]))[0] == "ResourceNotFoundException"
    assert code_of(lambda: s3.get_bucket_location(Bucket=made["Bucket"]))[0] == "NoSuchBucket"
    roles = [role["RoleName"] for role in client("iam").list_roles()["Roles"]]
    assert not [name for name in roles if name.startswith("app-")]


PUBLISHED = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Text: {Type: String}
  Key: {Type: String}
Globals: {Function: {Runtime: python3.11, AutoPublishAlias: live}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      CodeUri: {Bucket: published-code, Key: !Ref Key}
      ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 1}
      ReservedConcurrentExecutions: 3
      FunctionUrlConfig: {AuthType: NONE}
      EventInvokeConfig: {MaximumRetryAttempts: 0}
      Environment: {Variables: {TEXT: !Ref Text}}
  Fast:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      CodeUri: {Bucket: published-code, Key: !Ref Key}
      SnapStart: {ApplyOn: PublishedVersions}
Outputs:
  Url: {Value: !GetAtt HelloUrl.FunctionUrl}
  Alias: {Value: !Ref Hello.Alias}
  Version: {Value: !Ref Hello.Version}
  Fast: {Value: !Ref Fast.Alias}
"""
TELLS = """
import os
def handler(event, context):
    return {"statusCode": 200, "body": f"%s {context.function_version} {os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']}"}
"""


def test_an_alias_that_sam_publishes_follows_the_code(client: Client) -> None:
    cloudformation, s3, functions = client("cloudformation"), client("s3"), client("lambda")
    s3.create_bucket(Bucket="published-code")
    for number in ("1", "2"):
        s3.put_object(Bucket="published-code", Key=f"code{number}.zip", Body=zipped(app=TELLS % number))
    usual = {"StackName": "published", "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]}

    def parameters(key: str) -> list[dict[str, str]]:
        return [
            {"ParameterKey": "Text", "ParameterValue": key},
            {"ParameterKey": "Key", "ParameterValue": key},
        ]

    def answer(url: str) -> str:
        with urllib.request.urlopen(url, timeout=60) as reply:
            return str(reply.read().decode())

    cloudformation.create_stack(TemplateBody=PUBLISHED, Parameters=parameters("code1.zip"), **usual)
    first = outputs(made_or_explained(cloudformation, "published"))
    assert first["Alias"].endswith(":live")
    assert first["Version"].endswith(":1")
    assert answer(first["Url"]) == "1 1 provisioned-concurrency"
    name = first["Alias"].split(":")[6]
    assert functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 3
    assert functions.invoke(FunctionName=first["Fast"])["ExecutedVersion"] == "1"

    cloudformation.update_stack(TemplateBody=PUBLISHED, Parameters=parameters("code2.zip"), **usual)
    cloudformation.get_waiter("stack_update_complete").wait(StackName="published", WaiterConfig=WAIT)
    second = outputs(described(cloudformation, "published"))
    assert second["Version"].endswith(":2")
    assert (second["Alias"], second["Url"]) == (first["Alias"], first["Url"])
    assert answer(second["Url"]) == "2 2 provisioned-concurrency"
    assert functions.get_function(FunctionName=first["Version"])["Configuration"]["Version"] == "1"  # it is retained

    cloudformation.delete_stack(StackName="published")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="published", WaiterConfig=WAIT)
    assert code_of(lambda: functions.get_function(FunctionName=first["Version"]))[0] == "ResourceNotFoundException"


def test_a_stack_that_cannot_be_made_is_rolled_back_and_says_why(client: Client) -> None:
    cloudformation = client("cloudformation")
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ]
            }
        },
    }
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Runtime": "python3.11",
            "Handler": "app.handler",
            "Code": {"S3Bucket": "no-such-bucket-anywhere", "S3Key": "k"},
            "Environment": {"Variables": {"TOKEN": "sesame"}},
        },
    }
    logs = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/broken/logs", "RetentionInDays": "7"}}
    body = json.dumps({"Resources": {"Role": role, "Function": function, "Logs": logs}})
    assert code_of(lambda: cloudformation.create_stack(StackName="broken", TemplateBody=body)) == (
        "InsufficientCapabilitiesException",
        "Requires capabilities : [CAPABILITY_IAM]",
    )
    cloudformation.create_stack(StackName="broken", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    with pytest.raises(WaiterError):
        cloudformation.get_waiter("stack_create_complete").wait(StackName="broken", WaiterConfig=WAIT)
    while described(cloudformation, "broken")["StackStatus"] == "ROLLBACK_IN_PROGRESS":
        cloudformation.describe_stack_events(StackName="broken")
    assert described(cloudformation, "broken")["StackStatus"] == "ROLLBACK_COMPLETE"
    events = cloudformation.describe_stack_events(StackName="broken")["StackEvents"]
    (failed,) = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    assert failed["LogicalResourceId"] == "Function"
    assert "Resource handler returned message" in failed["ResourceStatusReason"]
    assert json.loads(failed["ResourceProperties"])["Environment"] == {"Variables": {"TOKEN": "****"}}
    assert "sesame" not in json.dumps(events, default=str)
    assert [role for role in client("iam").list_roles()["Roles"] if role["RoleName"].startswith("broken-")] == []
    cloudformation.delete_stack(StackName="broken")


def test_tables_buckets_logs_and_policies_follow_their_template(client: Client) -> None:
    cloudformation = client("cloudformation")

    def body(**changes: Any) -> str:
        table = {
            "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            "DeletionProtectionEnabled": changes.get("protect", "true"),
            "Tags": [{"Key": "k", "Value": changes.get("tag", "1")}],
        }
        rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAge": changes.get("age", "60")}
        bucket: dict[str, Any] = {
            "CorsConfiguration": {"CorsRules": [rule]},
            "PublicAccessBlockConfiguration": {"BlockPublicAcls": "true"},
        }
        if "bucket_tag" in changes:
            bucket["Tags"] = [{"Key": "k", "Value": changes["bucket_tag"]}]
        logs = {"RetentionInDays": changes["days"]} if "days" in changes else {}
        allow = {"Effect": "Allow", "Action": changes.get("action", "s3:GetObject"), "Resource": "*"}
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        return json.dumps(
            {
                "Resources": {
                    "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table},
                    "Bucket": {"Type": "AWS::S3::Bucket", "Properties": bucket},
                    "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": logs},
                    "Role": {
                        "Type": "AWS::IAM::Role",
                        "Properties": {
                            "AssumeRolePolicyDocument": {"Statement": [trust]},
                            "ManagedPolicyArns": [{"Ref": "Managed"}, "arn:aws:iam::aws:policy/ReadOnlyAccess"],
                        },
                    },
                    "Inline": {
                        "Type": "AWS::IAM::Policy",
                        "Properties": {
                            "PolicyName": "inline",
                            "Roles": [{"Ref": "Role"}],
                            "PolicyDocument": {"Statement": [allow]},
                        },
                    },
                    "Managed": {
                        "Type": "AWS::IAM::ManagedPolicy",
                        "Properties": {"PolicyDocument": {"Statement": [allow]}},
                    },
                },
                "Outputs": {name: {"Value": {"Ref": name}} for name in ("Table", "Bucket", "Logs", "Role")},
            }
        )

    cloudformation.create_stack(StackName="things", TemplateBody=body(days=7), Capabilities=["CAPABILITY_IAM"])
    made = outputs(made_or_explained(cloudformation, "things"))
    s3, dynamodb, logs, iam = client("s3"), client("dynamodb"), client("logs"), client("iam")
    assert s3.get_bucket_cors(Bucket=made["Bucket"])["CORSRules"][0]["MaxAgeSeconds"] == 60
    blocked = s3.get_public_access_block(Bucket=made["Bucket"])["PublicAccessBlockConfiguration"]
    assert blocked["BlockPublicAcls"] is True
    assert logs.describe_log_groups(logGroupNamePrefix=made["Logs"])["logGroups"][0]["retentionInDays"] == 7
    policies = iam.list_attached_role_policies(RoleName=made["Role"])["AttachedPolicies"]
    assert {policy["PolicyName"].split("-")[0] for policy in policies} == {"things", "ReadOnlyAccess"}

    changed = body(protect="false", tag="2", age=90, bucket_tag="b", action="s3:PutObject")
    cloudformation.update_stack(StackName="things", TemplateBody=changed, Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_update_complete").wait(StackName="things", WaiterConfig=WAIT)
    assert outputs(described(cloudformation, "things")) == made
    assert s3.get_bucket_cors(Bucket=made["Bucket"])["CORSRules"][0]["MaxAgeSeconds"] == 90
    assert s3.get_bucket_tagging(Bucket=made["Bucket"])["TagSet"] == [{"Key": "k", "Value": "b"}]
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=made["Logs"])["logGroups"][0]
    table = dynamodb.describe_table(TableName=made["Table"])["Table"]
    assert table["DeletionProtectionEnabled"] is False
    assert dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"] == [{"Key": "k", "Value": "2"}]
    inline = iam.get_role_policy(RoleName=made["Role"], PolicyName="inline")["PolicyDocument"]
    assert inline["Statement"][0]["Action"] == "s3:PutObject"

    cloudformation.delete_stack(StackName="things")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="things", WaiterConfig=WAIT)
    assert made["Table"] not in dynamodb.list_tables()["TableNames"]


def test_a_bucket_with_objects_is_not_deleted_with_its_stack(client: Client) -> None:
    cloudformation, s3 = client("cloudformation"), client("s3")
    body = json.dumps(
        {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}, "Outputs": {"B": {"Value": {"Ref": "Bucket"}}}}
    )
    cloudformation.create_stack(StackName="full", TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="full", WaiterConfig=WAIT)
    bucket = outputs(described(cloudformation, "full"))["B"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    cloudformation.delete_stack(StackName="full")
    with pytest.raises(WaiterError):
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="full", WaiterConfig=WAIT)
    assert described(cloudformation, "full")["StackStatus"] == "DELETE_FAILED"
    s3.delete_object(Bucket=bucket, Key="k")
    cloudformation.delete_stack(StackName="full")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="full", WaiterConfig=WAIT)


def test_change_sets_and_errors_have_their_form_on_the_wire(client: Client) -> None:
    cloudformation = client("cloudformation")
    body = json.dumps({"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup"}}})
    cloudformation.create_change_set(StackName="sets", ChangeSetName="one", ChangeSetType="CREATE", TemplateBody=body)
    cloudformation.get_waiter("change_set_create_complete").wait(
        StackName="sets", ChangeSetName="one", WaiterConfig=WAIT
    )
    cloudformation.execute_change_set(StackName="sets", ChangeSetName="one")
    cloudformation.get_waiter("stack_create_complete").wait(StackName="sets", WaiterConfig=WAIT)
    assert code_of(lambda: cloudformation.update_stack(StackName="sets", TemplateBody=body)) == (
        "ValidationError",
        "No updates are to be performed.",
    )
    assert code_of(lambda: cloudformation.describe_change_set(StackName="sets", ChangeSetName="two"))[0] == (
        "ChangeSetNotFound"
    )
    assert code_of(lambda: cloudformation.create_stack(StackName="sets", TemplateBody=body))[0] == (
        "AlreadyExistsException"
    )
    assert code_of(lambda: cloudformation.describe_stacks(StackName="none")) == (
        "ValidationError",
        "Stack with id none does not exist",
    )
    assert cloudformation.get_template(StackName="sets")["TemplateBody"]["Resources"].keys() == {"Logs"}
    cloudformation.delete_stack(StackName="sets")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="sets", WaiterConfig=WAIT)
