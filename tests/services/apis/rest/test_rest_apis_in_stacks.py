"""REST APIs of templates: as SAM makes them, and as CloudFormation has them, deployed and asked."""

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import WaiterError

from tests.conftest import PlatformProcess
from tests.services.apis.rest.conftest import send

CODE = """
import json

def handler(event, context):
    return {"statusCode": 200, "body": json.dumps({"path": event["path"]})}

def authorize(event, context):
    effect = "Allow" if event["authorizationToken"] == "yes" else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": "*"}
    return {"principalId": "p", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
"""
SAM = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Api": {
            "Type": "AWS::Serverless::Api",
            "Properties": {
                "StageName": "prod",
                "Cors": "'*'",
                "Auth": {
                    "DefaultAuthorizer": "Token",
                    "AddDefaultAuthorizerToCorsPreflight": False,
                    "Authorizers": {"Token": {"FunctionArn": {"Fn::GetAtt": ["Door", "Arn"]}}},
                },
            },
        },
        "Door": {
            "Type": "AWS::Serverless::Function",
            "Properties": {"InlineCode": CODE, "Handler": "index.authorize", "Runtime": "python3.11"},
        },
        "Function": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "InlineCode": CODE,
                "Handler": "index.handler",
                "Runtime": "python3.11",
                "Events": {
                    "Get": {
                        "Type": "Api",
                        "Properties": {"RestApiId": {"Ref": "Api"}, "Path": "/pets/{id}", "Method": "get"},
                    },
                    "Implicit": {
                        "Type": "Api",
                        "Properties": {"Path": "/open", "Method": "any"},
                    },
                },
            },
        },
    },
    "Outputs": {"Api": {"Value": {"Ref": "Api"}}, "Implicit": {"Value": {"Ref": "ServerlessRestApi"}}},
}


def deployed(platform: PlatformProcess, name: str, template: dict[str, Any]) -> dict[str, str]:
    """The outputs of a stack."""
    stacks = platform.client("cloudformation")
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(template), Capabilities=capabilities)
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())}


def removed(platform: PlatformProcess, name: str) -> None:
    stacks = platform.client("cloudformation")
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def test_apis_of_sam_answer_keep_strangers_out_and_let_browsers_ask(platform: PlatformProcess) -> None:
    name = f"sam-rest-{uuid4().hex[:8]}"
    outputs = deployed(platform, name, SAM)
    base = f"{platform.url}/_mayfly/api/{outputs['Api']}/prod"
    assert send("GET", f"{base}/pets/7").status == 401
    assert send("GET", f"{base}/pets/7", headers={"Authorization": "no"}).status == 403
    answer = send("GET", f"{base}/pets/7", headers={"Authorization": "yes"})
    assert (answer.status, answer.json["path"]) == (200, "/pets/7")
    preflight = send("OPTIONS", f"{base}/pets/7")
    assert preflight.headers["access-control-allow-origin"] == "*"
    implicit = f"{platform.url}/_mayfly/api/{outputs['Implicit']}/Prod"
    assert send("PUT", f"{implicit}/open", b"{}").json["path"] == "/open"
    removed(platform, name)
    assert send("GET", f"{base}/pets/7").status == 403


@pytest.mark.parametrize("again", [False, True])
def test_an_api_of_parts_is_made_changed_and_removed(platform: PlatformProcess, again: bool) -> None:
    mock = {
        "Type": "MOCK",
        "RequestTemplates": {"application/json": '{"statusCode": 200}'},
        "IntegrationResponses": [{"StatusCode": "200", "ResponseTemplates": {"application/json": '{"n": 1}'}}],
    }
    method = {
        "RestApiId": {"Ref": "Api"},
        "ResourceId": {"Ref": "Pets"},
        "HttpMethod": "GET",
        "AuthorizationType": "NONE",
        "Integration": mock,
        "MethodResponses": [{"StatusCode": "200"}],
    }
    parent = {"Fn::GetAtt": ["Api", "RootResourceId"]}
    resources: dict[str, Any] = {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "parts"}},
        "Pets": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {"RestApiId": {"Ref": "Api"}, "ParentId": parent, "PathPart": "pets"},
        },
        "Get": {"Type": "AWS::ApiGateway::Method", "Properties": method},
        "One": {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": "Get",
            "Properties": {"RestApiId": {"Ref": "Api"}},
        },
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "DeploymentId": {"Ref": "One"},
                "StageName": "dev",
                "MethodSettings": [{"HttpMethod": "*", "ResourcePath": "/*", "MetricsEnabled": True}],
            },
        },
    }
    template = {"Resources": resources, "Outputs": {"Api": {"Value": {"Ref": "Api"}}}}
    name = f"parts-rest-{uuid4().hex[:8]}"
    outputs = deployed(platform, name, template)
    url = f"{platform.url}/_mayfly/api/{outputs['Api']}/dev/pets"
    assert send("GET", url).json == {"n": 1}
    if again:
        mock["IntegrationResponses"][0]["ResponseTemplates"] = {"application/json": '{"n": 2}'}  # type: ignore[index]
        resources["Two"] = resources.pop("One")
        resources["Stage"]["Properties"]["DeploymentId"] = {"Ref": "Two"}
        stacks = platform.client("cloudformation")
        stacks.update_stack(StackName=name, TemplateBody=json.dumps(template))
        waiter = stacks.get_waiter("stack_update_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        assert send("GET", url).json == {"n": 2}
    removed(platform, name)
    assert send("GET", url).status == 403


def broken(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """What a stack of an API that can be made, and not be made what it is to be, consists of."""
    document = {"openapi": "3.0.1", "info": {"title": name, "version": "1"}, "paths": {}}
    return {"Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": name, "Body": document, **properties}}}


def failing(name: str) -> dict[str, dict[str, Any]]:
    """Templates whose last step fails, after the service has made something under an id of its own."""
    integration = {"type": "AWS", "httpMethod": "POST", "uri": "arn:aws:nowhere:us-east-1:x:y"}
    paths = {"/": {"get": {"x-amazon-apigateway-integration": integration}}}
    wrong = {"Body": {"openapi": "3.0.1", "info": {"title": name, "version": "1"}, "paths": paths}}
    stage = {"RestApiId": {"Ref": "Api"}, "StageName": "s", "StageDescription": {"CacheClusterSize": "7"}}
    deployment = {"Type": "AWS::ApiGateway::Deployment", "DependsOn": "Method", "Properties": stage}
    method = {
        "RestApiId": {"Ref": "Api"},
        "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
        "HttpMethod": "GET",
        "AuthorizationType": "NONE",
        "Integration": {"Type": "MOCK"},
    }
    parts = {"Deployment": deployment, "Method": {"Type": "AWS::ApiGateway::Method", "Properties": method}}
    return {
        "document": {"Resources": broken(name, wrong)},
        "stage": {"Resources": {**broken(name, {}), **parts}},
    }


@pytest.mark.parametrize("what", ["document", "stage"])
def test_nothing_is_left_of_what_failed_half_way(platform: PlatformProcess, what: str) -> None:
    name = f"half-{uuid4().hex[:8]}"
    stacks, gateway = platform.client("cloudformation"), platform.client("apigateway")
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(failing(name)[what]))
    with pytest.raises(WaiterError):
        stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert name not in {api["name"] for api in gateway.get_rest_apis(limit=500)["items"]}
    removed(platform, name)
