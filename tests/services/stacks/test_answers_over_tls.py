# ruff: noqa: E501 (programs, as somebody writes them)
"""Functions that answer stacks as programs written for AWS do: by TLS to the URL's host on port 443, or with the module
that CloudFormation puts beside code in templates."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.services.stacks.test_custom_resources import settled

Client = Callable[..., Any]
TEMPLATE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]
  WithModule:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |
          import cfnresponse
          def handler(event, context):
              cfnresponse.send(event, context, cfnresponse.SUCCESS, {"By": "module"}, "one")
  ByConnection:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |
          import http.client, json
          from urllib.parse import urlsplit
          def handler(event, context):
              url = urlsplit(event["ResponseURL"])
              names = ("StackId", "RequestId", "LogicalResourceId")
              answer = {name: event[name] for name in names} | {
                  "Status": "SUCCESS", "PhysicalResourceId": "two", "Data": {"By": "connection"}}
              connection = http.client.HTTPSConnection(url.hostname)
              place, headers = url.path + "?" + url.query, {"content-type": ""}
              connection.request("PUT", place, body=json.dumps(answer), headers=headers)
              print(connection.getresponse().status)
  First: {Type: Custom::Thing, Properties: {ServiceToken: !GetAtt WithModule.Arn, ServiceTimeout: 15}}
  Second: {Type: Custom::Thing, Properties: {ServiceToken: !GetAtt ByConnection.Arn, ServiceTimeout: 15}}
Outputs:
  By: {Value: !Sub "${First.By} ${Second.By}"}
"""
NODE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]
  WithModule:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: nodejs22.x
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: 30
      Code:
        ZipFile: |
          const response = require("cfn-response");
          exports.handler = async (event, context) => {
            await response.send(event, context, response.SUCCESS, { By: "module" }, "one");
          };
  ByRequest:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: nodejs22.x
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: 30
      Code:
        ZipFile: |
          const https = require("https"), url = require("url");
          exports.handler = (event) => new Promise((resolve, reject) => {
            const { StackId, RequestId, LogicalResourceId } = event, place = url.parse(event.ResponseURL);
            const body = JSON.stringify({ StackId, RequestId, LogicalResourceId, Status: "SUCCESS",
              PhysicalResourceId: "two", Data: { By: "request" } });
            const request = https.request({ hostname: place.hostname, port: 443, path: place.path, method: "PUT",
              headers: { "content-type": "", "content-length": body.length } }, (response) => resolve(response.statusCode));
            request.on("error", reject);
            request.end(body);
          });
  First: {Type: Custom::Thing, Properties: {ServiceToken: !GetAtt WithModule.Arn, ServiceTimeout: 15}}
  Second: {Type: Custom::Thing, Properties: {ServiceToken: !GetAtt ByRequest.Arn, ServiceTimeout: 15}}
Outputs:
  By: {Value: !Sub "${First.By} ${Second.By}"}
"""


@pytest.mark.parametrize(("name", "template", "by"), [
    ("answers-python", TEMPLATE, "module connection"),
    ("answers-node", NODE, "module request"),
])  # fmt: skip
def test_programs_written_for_aws_answer_unmodified(client: Client, name: str, template: str, by: str) -> None:
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    stack = settled(client, name)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    assert stack["StackStatus"] == "CREATE_COMPLETE", failed
    assert stack["Outputs"][0]["OutputValue"] == by
    cloudformation.delete_stack(StackName=name)
    assert settled(client, name) == {}
