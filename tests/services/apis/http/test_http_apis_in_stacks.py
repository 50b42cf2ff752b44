"""HTTP APIs that templates describe, with SAM and without."""

import time
from typing import Any

import pytest

from tests.conftest import PlatformProcess
from tests.services.apis.http.wire import ask

SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Own:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: prod
      StageVariables: {colour: NAME}
      Tags: {team: pets}
      CorsConfiguration: {AllowOrigins: ['https://a.example'], AllowMethods: [GET]}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.h
      InlineCode: |
        import json
        def h(event, context):
            return {"statusCode": 200, "body": json.dumps([event["routeKey"], event.get("stageVariables")])}
      Events:
        Pet: {Type: HttpApi, Properties: {Path: '/pets/{id}', Method: get, ApiId: !Ref Own}}
        All: {Type: HttpApi}
Outputs:
  Own: {Value: !GetAtt Own.ApiEndpoint}
  Implicit: {Value: !GetAtt ServerlessHttpApi.ApiEndpoint}
"""
PLAIN = """
Resources:
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: plain, ProtocolType: HTTP, Description: DESCRIPTION}}
  Backend:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: HTTP_PROXY
      IntegrationMethod: GET
      IntegrationUri: https://example.com
      PayloadFormatVersion: '1.0'
      ResponseParameters: {'200': {ResponseParameters: [{Destination: 'overwrite:statuscode', Source: '201'}]}}
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Api, RouteKey: KEY, Target: !Sub 'integrations/${Backend}'}
  Deployment: {Type: AWS::ApiGatewayV2::Deployment, DependsOn: Route, Properties: {ApiId: !Ref Api}}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Api, StageName: dev, DeploymentId: !Ref Deployment, StageVariables: {a: '1'}}
Outputs:
  Api: {Value: !Ref Api}
"""


@pytest.fixture(scope="module")
def stacks(platform: PlatformProcess) -> Any:
    return platform.client("cloudformation")


def ended(stacks: Any, name: str) -> Any:
    """The stack when nothing happens to it any more; the test's time-out bounds it."""
    while True:
        found = stacks.describe_stacks(StackName=name)["Stacks"][0]
        if not found["StackStatus"].endswith("_IN_PROGRESS"):
            return found
        time.sleep(0.05)


def deployed(stacks: Any, name: str, template: str, operation: str = "create_stack") -> dict[str, str]:
    """The outputs of a stack that was made or changed."""
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    stack = getattr(stacks, operation)(StackName=name, TemplateBody=template, Capabilities=capabilities)["StackId"]
    found = ended(stacks, stack)
    assert found["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), found
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def test_a_sam_application_has_its_routes_and_goes_again(platform: PlatformProcess, stacks: Any) -> None:
    outputs = deployed(stacks, "http-api-sam", SAM.replace("NAME", "red"))
    answer = ask(outputs["Own"], "/prod/pets/7", headers={"Origin": "https://a.example"})
    assert answer.json == ["GET /pets/{id}", {"colour": "red"}]
    assert answer.header("access-control-allow-origin") == "https://a.example"
    assert ask(outputs["Implicit"], "/anything").json == ["$default", None]
    again = deployed(
        stacks, "http-api-sam", SAM.replace("NAME", "blue").replace("/pets/{id}", "/cats/{id}"), "update_stack"
    )
    assert again == outputs
    assert ask(outputs["Own"], "/prod/cats/7").json == ["GET /cats/{id}", {"colour": "blue"}]
    assert ask(outputs["Own"], "/prod/pets/7").status == 404
    stack = stacks.describe_stacks(StackName="http-api-sam")["Stacks"][0]["StackId"]
    stacks.delete_stack(StackName=stack)
    assert ended(stacks, stack)["StackStatus"] == "DELETE_COMPLETE"
    assert ask(outputs["Own"], "/prod/cats/7").status == 403


def test_a_plain_template_makes_and_changes_the_parts_of_an_api(platform: PlatformProcess, stacks: Any) -> None:
    first = PLAIN.replace("KEY", "GET /one").replace("DESCRIPTION", "first")
    api_id = deployed(stacks, "http-api-plain", first)["Api"]
    apis = platform.client("apigatewayv2")
    (route,) = apis.get_routes(ApiId=api_id)["Items"]
    (integration,) = apis.get_integrations(ApiId=api_id)["Items"]
    assert integration["ResponseParameters"] == {"200": {"overwrite:statuscode": "201"}}
    assert route["Target"] == f"integrations/{integration['IntegrationId']}"
    second = PLAIN.replace("KEY", "GET /two").replace(", Description: DESCRIPTION", "").replace("{a: '1'}", "{b: '2'}")
    assert deployed(stacks, "http-api-plain", second, "update_stack")["Api"] == api_id
    (changed,) = apis.get_routes(ApiId=api_id)["Items"]
    assert (changed["RouteId"], changed["RouteKey"]) == (route["RouteId"], "GET /two")
    assert apis.get_stage(ApiId=api_id, StageName="dev")["StageVariables"] == {"b": "2"}
    assert "Description" not in apis.get_api(ApiId=api_id)
    stack = stacks.describe_stacks(StackName="http-api-plain")["Stacks"][0]["StackId"]
    stacks.delete_stack(StackName=stack)
    assert ended(stacks, stack)["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(apis.exceptions.NotFoundException):
        apis.get_api(ApiId=api_id)
