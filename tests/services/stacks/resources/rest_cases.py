"""Cases of REST APIs."""

from typing import Any

from mayfly.services.stacks.resources.base import Caller
from tests.services.stacks.resources.case import Case, Rest, World

TAG = [{"Key": "k", "Value": "v"}]
MOCK = {"Type": "MOCK", "RequestTemplates": {"application/json": '{"statusCode": 200}'}}
DOCUMENT = {
    "openapi": "3.0.1",
    "info": {"title": "contract", "version": "1"},
    "paths": {"/a": {"get": {"x-amazon-apigateway-integration": {"type": "mock"}}}},
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"}],
}


async def rest_of(call: Caller) -> Rest:
    api = await call("apigateway", "CreateRestApi", name="contract")
    where = {"restApiId": api["id"]}
    resource = await call("apigateway", "CreateResource", **where, parentId=api["rootResourceId"], pathPart="r")
    method = {**where, "resourceId": resource["id"], "httpMethod": "GET"}
    await call("apigateway", "PutMethod", **method, authorizationType="NONE")
    await call("apigateway", "PutIntegration", **method, type="MOCK")
    deployments = [(await call("apigateway", "CreateDeployment", **where))["id"] for _ in range(2)]
    for stage in ("s", "t"):
        await call("apigateway", "CreateStage", **where, stageName=stage, deploymentId=deployments[0])
    await call.unless("ConflictException BadRequestException", "apigateway", "CreateDomainName", domainName=Rest.domain)
    key = await call("apigateway", "CreateApiKey", name="contract")
    plan = await call("apigateway", "CreateUsagePlan", name="contract")
    both = (deployments[0], deployments[1])
    return Rest(api["id"], api["rootResourceId"], resource["id"], both, key["id"], plan["id"])


def cases(world: World) -> list[Case]:
    rest = world.rest
    region = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    uri = f"{region}{world.function}/invocations"
    api: dict[str, Any] = {"RestApiId": rest.api}
    return [
        Case(
            "AWS::ApiGateway::RestApi",
            {"Name": "one", "Description": "d", "BinaryMediaTypes": ["image/png"], "Tags": TAG, "Policy": POLICY},
            {"Name": "two", "BinaryMediaTypes": ["a/b", "c/d"], "MinimumCompressionSize": "10", "Tags": [],
             "EndpointConfiguration": {"Types": ["REGIONAL"]}},
        ),
        Case("AWS::ApiGateway::RestApi", {"Body": DOCUMENT}, {"Body": {**DOCUMENT, "paths": {}}}),
        Case("AWS::ApiGateway::Resource", {**api, "ParentId": rest.root, "PathPart": "{id}"}, {}),
        Case(
            "AWS::ApiGateway::Method",
            {
                **api,
                "ResourceId": rest.resource,
                "HttpMethod": "POST",
                "RequestParameters": {"method.request.querystring.q": "true"},
                "Integration": {**MOCK, "IntegrationResponses": [{"StatusCode": 200, "SelectionPattern": ""}]},
                "MethodResponses": [{"StatusCode": "200", "ResponseModels": {"application/json": "Empty"}}],
            },
            {"ApiKeyRequired": "true",
             "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": uri}},
        ),
        Case("AWS::ApiGateway::Model", {**api, "Schema": {"type": "object"}},
             {"Schema": {"type": "array"}, "Description": "d"}),
        Case("AWS::ApiGateway::Authorizer", {**api, "Name": "a", "Type": "TOKEN", "AuthorizerUri": uri},
             {"AuthorizerResultTtlInSeconds": "0", "IdentityValidationExpression": "x.*"}),
        Case("AWS::ApiGateway::RequestValidator", {**api, "Name": "v", "ValidateRequestBody": "true"},
             {"ValidateRequestParameters": "true", "ValidateRequestBody": "false"}),
        Case("AWS::ApiGateway::GatewayResponse", {**api, "ResponseType": "UNAUTHORIZED", "StatusCode": 400},
             {"StatusCode": "401", "ResponseParameters": {"gatewayresponse.header.x": "'y'"}}),
        Case("AWS::ApiGateway::Deployment", {**api, "Description": "d"}, {"Description": "e"}),
        Case(
            "AWS::ApiGateway::Deployment",
            {**api, "StageName": "brought", "StageDescription": {"Variables": {"a": "b"}, "LoggingLevel": "INFO"}},
            {"StageDescription": {"Variables": {"a": "c"}}},
        ),
        Case(
            "AWS::ApiGateway::Stage",
            {
                **api,
                "StageName": "own",
                "DeploymentId": rest.deployments[0],
                "Variables": {"a": "b"},
                "Tags": TAG,
                "MethodSettings": [
                    {"HttpMethod": "*", "ResourcePath": "/*", "ThrottlingBurstLimit": "5", "MetricsEnabled": "true"},
                    {"HttpMethod": "GET", "ResourcePath": "/~1r", "LoggingLevel": "INFO"},
                ],
                "CanarySetting": {"DeploymentId": rest.deployments[1], "PercentTraffic": "10.0"},
            },
            {
                "DeploymentId": rest.deployments[1],
                "Variables": {"c": "d"},
                "TracingEnabled": "true",
                "Tags": [],
                "MethodSettings": [{"HttpMethod": "*", "ResourcePath": "/*", "ThrottlingBurstLimit": 7}],
            },
        ),
        Case("AWS::ApiGateway::ApiKey", {"Description": "d", "Enabled": "true", "Tags": TAG},
             {"Description": "e", "Enabled": "false", "Tags": []}),
        Case(
            "AWS::ApiGateway::UsagePlan",
            {"Quota": {"Limit": "5", "Period": "DAY"}, "Throttle": {"RateLimit": "1.5", "BurstLimit": "2"}},
            {
                "Description": "d",
                "UsagePlanName": "p",
                "Quota": {"Limit": 7, "Period": "MONTH", "Offset": "3"},
                "ApiStages": [
                    {"ApiId": rest.api, "Stage": "s", "Throttle": {"/r/GET": {"RateLimit": 1, "BurstLimit": 1}}}
                ],
            },
        ),
        Case("AWS::ApiGateway::UsagePlanKey", {"KeyId": rest.key, "KeyType": "API_KEY", "UsagePlanId": rest.plan}, {}),
        Case("AWS::ApiGateway::DocumentationPart",
             {**api, "Location": {"Type": "METHOD", "Path": "/r"}, "Properties": '{"description": "d"}'},
             {"Properties": '{"description": "e"}'}),
        Case("AWS::ApiGateway::DocumentationVersion", {**api, "DocumentationVersion": "1"}, {"Description": "d"}),
        Case(
            "AWS::ApiGateway::DomainName",
            {"DomainName": "own.example.com", "EndpointConfiguration": {"Types": ["REGIONAL"]}, "Tags": TAG,
             "EndpointAccessMode": "STRICT"},
            {"RegionalCertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/c", "Tags": []},
        ),
        Case("AWS::ApiGateway::BasePathMapping",
             {"DomainName": rest.domain, "BasePath": "v1", "RestApiId": rest.api, "Stage": "s"}, {"Stage": "t"}),
        Case("AWS::ApiGateway::Account", {"CloudWatchRoleArn": world.role_arn}, {}),
        Case("AWS::ApiGateway::ClientCertificate", {"Description": "d", "Tags": TAG}, {"Description": "e", "Tags": []}),
    ]  # fmt: skip
