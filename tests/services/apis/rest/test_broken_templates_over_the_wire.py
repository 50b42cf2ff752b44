"""Mapping templates that are none: refused by every operation that takes one, and nothing is made."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.services.apis.rest.conftest import Rest, send
from tests.services.functions.test_elasticity_over_the_wire import until

KIND = "application/json"
BROKEN = {KIND: '{"a":\n #if($x)1}'}
SAYS = "Invalid mapping template specified for application/json: #end is missing for #if (line 2, column 2)"
GOOD = {KIND: '{"statusCode": 200, "text": "#iffy #1 $5 # $ #end_"}'}
INTEGRATION = {"type": "mock", "requestTemplates": BROKEN}
MOCK = {"Type": "MOCK", "RequestTemplates": GOOD}


def refused(call: Callable[..., Any], **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] == "BadRequestException"
    return str(caught.value.response["Error"]["Message"])


def test_integrations_and_their_responses_are_refused_and_stay_as_they_were(rest: Rest) -> None:
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "POST")
    where = {"restApiId": api, "resourceId": root, "httpMethod": "POST"}
    gateway = rest.gateway
    assert SAYS in refused(gateway.put_integration, **where, type="MOCK", requestTemplates=BROKEN)
    assert "methodIntegration" not in gateway.get_method(**where)
    rest.integrate(api, root, "POST", type="MOCK", requestTemplates=GOOD)
    rest.respond(api, root, "POST", responseTemplates=GOOD)
    of_response = {**where, "statusCode": "200"}
    assert SAYS in refused(gateway.put_integration_response, **of_response, responseTemplates=BROKEN)
    key, text = KIND.replace("/", "~1"), BROKEN[KIND]
    patch = {"op": "replace", "path": f"/requestTemplates/{key}", "value": text}
    assert SAYS in refused(gateway.update_integration, **where, patchOperations=[patch])
    patch = {"op": "add", "path": f"/responseTemplates/{key}", "value": text}
    assert SAYS in refused(gateway.update_integration_response, **of_response, patchOperations=[patch])
    found = gateway.get_integration(**where)
    assert (found["requestTemplates"], found["integrationResponses"]["200"]["responseTemplates"]) == (GOOD, GOOD)
    rest.deploy(api)
    assert send("POST", rest.url(api, "/"), b"{}").body.decode() == GOOD[KIND]


@pytest.mark.parametrize(
    "integration", [INTEGRATION, {"type": "mock", "responses": {"default": {"responseTemplates": BROKEN}}}]
)
def test_imports_are_refused_with_the_method_and_make_nothing(rest: Rest, integration: dict[str, Any]) -> None:
    name = f"broken-{uuid4().hex[:8]}"
    document = {
        "openapi": "3.0.1",
        "info": {"title": name, "version": "1"},
        "paths": {"/pets": {"get": {"responses": {}, "x-amazon-apigateway-integration": integration}}},
    }
    body = json.dumps(document).encode()
    said = refused(rest.gateway.import_rest_api, body=body)
    assert "'GET' for resource at path '/pets'" in said
    assert SAYS in said
    assert name not in [one["name"] for one in rest.gateway.get_rest_apis(limit=500)["items"]]
    api = rest.create()
    assert SAYS in refused(rest.gateway.put_rest_api, restApiId=api, mode="overwrite", body=body)
    assert [one["path"] for one in rest.gateway.get_resources(restApiId=api)["items"]] == ["/"]


def test_templates_of_gateway_responses_are_no_velocity(rest: Rest) -> None:
    api = rest.create()
    text = '{"#if(": "$context.error.message"}'
    rest.gateway.put_gateway_response(restApiId=api, responseType="DEFAULT_4XX", responseTemplates={KIND: text})
    rest.method(api, rest.root(api), "GET")
    rest.integrate(api, rest.root(api), "GET", type="MOCK", requestTemplates=GOOD)
    rest.deploy(api)
    assert send("GET", rest.url(api, "/nowhere")).json == {"#if(": "Missing Authentication Token"}


def test_integrations_of_websocket_apis_are_refused(rest: Rest) -> None:
    gateway = rest.platform.client("apigatewayv2")
    params = {"ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"}
    api = gateway.create_api(Name="broken", **params)["ApiId"]
    try:
        create = {"ApiId": api, "IntegrationType": "MOCK"}
        assert SAYS in refused(gateway.create_integration, **create, RequestTemplates=BROKEN)
        assert gateway.get_integrations(ApiId=api)["Items"] == []
        found = gateway.create_integration(**create, RequestTemplates=GOOD)
        where = {"ApiId": api, "IntegrationId": found["IntegrationId"]}
        assert SAYS in refused(gateway.update_integration, **where, RequestTemplates=BROKEN)
        response = {**where, "IntegrationResponseKey": "$default"}
        assert SAYS in refused(gateway.create_integration_response, **response, ResponseTemplates=BROKEN)
        made = gateway.create_integration_response(**response, ResponseTemplates=GOOD)["IntegrationResponseId"]
        changed = {**where, "IntegrationResponseId": made, "ResponseTemplates": BROKEN}
        assert SAYS in refused(gateway.update_integration_response, **changed)
        assert gateway.get_integration(**where)["RequestTemplates"] == GOOD
    finally:
        gateway.delete_api(ApiId=api)


def method(integration: dict[str, Any]) -> dict[str, Any]:
    root = {"Fn::GetAtt": ["Api", "RootResourceId"]}
    properties = {"RestApiId": {"Ref": "Api"}, "ResourceId": root, "HttpMethod": "GET", "Integration": integration}
    return {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "broken-of-stack"}},
        "Method": {"Type": "AWS::ApiGateway::Method", "Properties": properties},
    }


def body(integration: dict[str, Any]) -> dict[str, Any]:
    uri = {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Queue.Arn}/invocations"}
    operation = {"responses": {}, "x-amazon-apigateway-integration": {**integration, "uri": uri}}
    return {"openapi": "3.0.1", "info": {"title": "broken-of-stack"}, "paths": {"/x": {"get": operation}}}


def sam(integration: dict[str, Any]) -> dict[str, Any]:
    properties = {"StageName": "prod", "DefinitionBody": body(integration)}
    return {"Queue": {"Type": "AWS::SQS::Queue"}, "Api": {"Type": "AWS::Serverless::Api", "Properties": properties}}


SOCKETS = {
    "Api": {
        "Type": "AWS::ApiGatewayV2::Api",
        "Properties": {"Name": "broken-of-stack", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$x"},
    },
    "Integration": {
        "Type": "AWS::ApiGatewayV2::Integration",
        "Properties": {"ApiId": {"Ref": "Api"}, "IntegrationType": "MOCK", "RequestTemplates": BROKEN},
    },
}


@pytest.mark.parametrize(
    "resources",
    [
        method({**MOCK, "RequestTemplates": BROKEN}),
        method({**MOCK, "IntegrationResponses": [{"StatusCode": "200", "ResponseTemplates": BROKEN}]}),
        sam(INTEGRATION),
        SOCKETS,
    ],
    ids=["request", "response", "document", "websocket"],
)
def test_a_stack_with_a_broken_template_is_refused_before_anything_is_made(
    rest: Rest, resources: dict[str, Any]
) -> None:
    stacks = rest.platform.client("cloudformation")
    name = f"broken-{uuid4().hex[:8]}"
    text = json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources})
    with pytest.raises(ClientError) as caught:
        stacks.create_stack(
            StackName=name, TemplateBody=text, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        )
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert "#end is missing for #if (line 2, column 2)" in caught.value.response["Error"]["Message"]
    with pytest.raises(ClientError, match="does not exist"):
        stacks.describe_stacks(StackName=name)


def test_a_template_that_is_known_broken_only_with_a_value_rolls_the_stack_back(rest: Rest) -> None:
    stacks = rest.platform.client("cloudformation")
    name = f"broken-{uuid4().hex[:8]}"
    text = {"Fn::Sub": "#if($x) ${Topic.TopicName}"}
    topic = {"Topic": {"Type": "AWS::SNS::Topic"}}
    template = json.dumps({"Resources": {**topic, **method({**MOCK, "RequestTemplates": {KIND: text}})}})
    stacks.create_stack(StackName=name, TemplateBody=template)
    until(lambda: stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE")
    events = stacks.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [one.get("ResourceStatusReason", "") for one in events if one["ResourceStatus"] == "CREATE_FAILED"]
    assert any("#end is missing for #if (line 1, column 1)" in reason for reason in reasons)
    assert "broken-of-stack" not in [one["name"] for one in rest.gateway.get_rest_apis(limit=500)["items"]]
    stacks.delete_stack(StackName=name)
