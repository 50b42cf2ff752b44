"""Cases of HTTP and WebSocket APIs."""

from typing import Any

from mayfly.services.stacks.resources.base import Caller
from tests.services.stacks.resources.case import Case, Http, World

CORS = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": "5"}
LIMITS = {"ThrottlingBurstLimit": "5", "ThrottlingRateLimit": "1.5"}
DOCUMENT = {
    "openapi": "3.0.1",
    "info": {"title": "contract", "version": "1"},
    "paths": {"/a": {"get": {}}},
}


async def http_of(call: Caller) -> Http:
    api = (await call("apigatewayv2", "CreateApi", Name="contract", ProtocolType="HTTP"))["ApiId"]
    kind = {"IntegrationType": "HTTP_PROXY", "IntegrationMethod": "GET", "IntegrationUri": "https://a.example"}
    http = {"ApiId": api}
    integration = await call("apigatewayv2", "CreateIntegration", **http, **kind, PayloadFormatVersion="1.0")
    target = f"integrations/{integration['IntegrationId']}"
    await call("apigatewayv2", "CreateRoute", **http, RouteKey="GET /there", Target=target)
    deployments = [(await call("apigatewayv2", "CreateDeployment", **http))["DeploymentId"] for _ in range(2)]
    await call("apigatewayv2", "CreateStage", **http, StageName="there", AutoDeploy=True)
    expression = {"RouteSelectionExpression": "$request.body.action"}
    socket = await call("apigatewayv2", "CreateApi", Name="contract", ProtocolType="WEBSOCKET", **expression)
    own = {"ApiId": socket["ApiId"]}
    mock = await call("apigatewayv2", "CreateIntegration", **own, IntegrationType="MOCK")
    route = await call("apigatewayv2", "CreateRoute", **own, RouteKey="$default")
    taken = "ConflictException"
    await call.unless(taken, "apigatewayv2", "CreateDomainName", DomainName="contract.example")
    return Http(api, socket["ApiId"], mock["IntegrationId"], route["RouteId"], target, (deployments[0], deployments[1]))


def cases(world: World) -> list[Case]:
    http = world.http
    api: dict[str, Any] = {"ApiId": http.api}
    socket: dict[str, Any] = {"ApiId": http.socket}
    return [
        Case(
            "AWS::ApiGatewayV2::Api",
            {"Name": "one", "ProtocolType": "HTTP", "CorsConfiguration": CORS, "Tags": {"k": "v"}, "Description": "d"},
            {"Name": "two", "CorsConfiguration": {"AllowOrigins": ["*"]}, "Tags": {},
             "DisableExecuteApiEndpoint": "true"},
        ),
        Case("AWS::ApiGatewayV2::Api", {"Body": DOCUMENT}, {"Body": {**DOCUMENT, "paths": {}}}),
        Case("AWS::ApiGatewayV2::Api", {"Name": "socket", "ProtocolType": "WEBSOCKET",
             "RouteSelectionExpression": "$request.body.a"}, {"RouteSelectionExpression": "$request.body.b"}),
        Case("AWS::ApiGatewayV2::ApiGatewayManagedOverrides", {**api, "Stage": {"Description": "d"}}, {}),
        Case("AWS::ApiGatewayV2::ApiMapping", {**api, "DomainName": "contract.example", "Stage": "there",
             "ApiMappingKey": "a/b"}, {"ApiMappingKey": ""}),
        Case(
            "AWS::ApiGatewayV2::Authorizer",
            {**api, "Name": "a", "AuthorizerType": "JWT", "IdentitySource": ["$request.header.Authorization"],
             "JwtConfiguration": {"Issuer": "https://a.example", "Audience": ["a"]}},
            {"Name": "b", "JwtConfiguration": {"Issuer": "https://b.example", "Audience": ["a", "b"]}},
        ),
        Case(
            "AWS::ApiGatewayV2::Authorizer",
            {**api, "Name": "f", "AuthorizerType": "REQUEST", "AuthorizerUri": world.function,
             "AuthorizerPayloadFormatVersion": "2.0", "IdentitySource": ["$request.header.A"]},
            {"EnableSimpleResponses": "true", "AuthorizerResultTtlInSeconds": "0"},
        ),
        Case("AWS::ApiGatewayV2::Deployment", {**api, "Description": "d"}, {"Description": "e"}),
        Case("AWS::ApiGatewayV2::DomainName", {"DomainName": "mine.example", "Tags": {"k": "v"}},
             {"DomainNameConfigurations": [{"EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}], "Tags": {}}),
        Case(
            "AWS::ApiGatewayV2::Integration",
            {
                **api,
                "IntegrationType": "HTTP_PROXY",
                "IntegrationMethod": "GET",
                "IntegrationUri": "https://a.example",
                "PayloadFormatVersion": "1.0",
                "RequestParameters": {"append:header.a": "1"},
                "ResponseParameters": {
                    "200": {"ResponseParameters": [{"Destination": "overwrite:statuscode", "Source": "201"}]}
                },
            },
            {"IntegrationMethod": "POST", "TimeoutInMillis": "1000", "RequestParameters": {"append:header.b": "2"}},
        ),
        Case("AWS::ApiGatewayV2::Integration", {**api, "IntegrationType": "AWS_PROXY",
             "IntegrationUri": world.function, "PayloadFormatVersion": "2.0"}, {"PayloadFormatVersion": "1.0"}),
        Case("AWS::ApiGatewayV2::IntegrationResponse", {**socket, "IntegrationId": http.integration,
             "IntegrationResponseKey": "/200/"}, {"ResponseTemplates": {"a": "b"}}),
        Case("AWS::ApiGatewayV2::Model", {**socket, "Name": "m", "Schema": {"type": "object"}},
             {"Schema": {"type": "array"}, "Description": "d"}),
        Case("AWS::ApiGatewayV2::Route", {**api, "RouteKey": "GET /a", "Target": http.target},
             {"RouteKey": "GET /b", "OperationName": "o", "AuthorizationType": "AWS_IAM"}),
        Case("AWS::ApiGatewayV2::RouteResponse", {**socket, "RouteId": http.route, "RouteResponseKey": "$default"},
             {"ModelSelectionExpression": "$default"}),
        Case(
            "AWS::ApiGatewayV2::Stage",
            {**api, "StageName": "own", "AutoDeploy": "true", "StageVariables": {"a": "b"}, "Tags": {"k": "v"}},
            {"Description": "d", "StageVariables": {"c": "d"}, "Tags": {}, "DefaultRouteSettings": LIMITS,
             "RouteSettings": {"GET /there": LIMITS},
             "AccessLogSettings": {"DestinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:a", "Format": "f"}},
        ),
        Case("AWS::ApiGatewayV2::Stage", {**api, "StageName": "kept", "DeploymentId": http.deployments[0]},
             {"DeploymentId": http.deployments[1]}),
    ]  # fmt: skip
