"""HTTP APIs as OpenAPI documents with API Gateway's extensions; WebSocket APIs, which have none, by their parts."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mayfly.cli.exports.rest import deployment_of, stage_of
from mayfly.cli.exports.things import Name, Reading, Thing, said

API, STAGE, DEPLOYMENT = "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::Deployment"
INTEGRATION, AUTHORIZER, ROUTE = (f"AWS::ApiGatewayV2::{word}" for word in ("Integration", "Authorizer", "Route"))
MODEL, ANSWER = "AWS::ApiGatewayV2::Model", "AWS::ApiGatewayV2::IntegrationResponse"
_INTEGRATION = (
    "IntegrationType IntegrationUri IntegrationMethod ContentHandlingStrategy CredentialsArn Description "
    "PassthroughBehavior RequestParameters RequestTemplates TemplateSelectionExpression TimeoutInMillis TlsConfig"
)
_ROUTE = (
    "RouteKey ApiKeyRequired AuthorizationType AuthorizationScopes ModelSelectionExpression OperationName "
    "RequestModels RequestParameters RouteResponseSelectionExpression"
)
_RESPONSE = "RouteResponseKey ModelSelectionExpression ResponseModels ResponseParameters"
_ANSWER = (
    "IntegrationResponseKey ContentHandlingStrategy ResponseParameters ResponseTemplates TemplateSelectionExpression"
)
_OFF = {"DisableExecuteApiEndpoint": False, "DisableSchemaValidation": False}
_INTEGRATION_DEFAULTS = {"PassthroughBehavior": "WHEN_NO_MATCH", "TimeoutInMillis": 29_000}
_EXPRESSIONS = {"ApiKeySelectionExpression": "$request.header.x-api-key"}
_AUTHORIZER = "Name AuthorizerType AuthorizerUri AuthorizerCredentialsArn IdentitySource"


def http_apis(reading: Reading) -> Iterator[Thing]:
    for api in reading.pages("apigatewayv2", "get_apis", "Items"):
        if reading.is_held(API, api["ApiId"]):
            continue
        if api["ProtocolType"] == "HTTP":
            yield _documented(reading, api)
            yield from _stages(reading, api, ())
        else:
            parts = list(_parts(reading, api))
            yield from parts
            yield from _stages(reading, api, tuple(part.ref for part in parts if part.type == ROUTE))


def _documented(reading: Reading, api: Mapping[str, Any]) -> Thing:
    exported = reading.client("apigatewayv2").export_api(
        ApiId=api["ApiId"], OutputType="JSON", Specification="OAS30", IncludeExtensions=True
    )
    body = exported["body"]
    document = json.loads(body if isinstance(body, str | bytes) else body.read())
    document.pop("servers", None)
    properties = {"Body": document, **_settings(api)}
    return Thing(API, f"{api['Name']} api", api["ApiId"], properties, _endpoint(api), foreseen=False)


def _settings(api: Mapping[str, Any]) -> dict[str, Any]:
    kept = said(api, "Description DisableExecuteApiEndpoint DisableSchemaValidation", _OFF)
    tags = {key: value for key, value in api.get("Tags", {}).items() if not key.startswith("aws:")}
    return kept | ({"Tags": tags} if tags else {})


def _endpoint(api: Mapping[str, Any]) -> dict[str, str]:
    return {"ApiEndpoint": api["ApiEndpoint"]} if "ApiEndpoint" in api else {}


def _stages(reading: Reading, api: Mapping[str, Any], routes: tuple[str, ...]) -> Iterator[Thing]:
    id_, name = api["ApiId"], api["Name"]
    stages = list(reading.pages("apigatewayv2", "get_stages", "Items", ApiId=id_))
    if any(not stage.get("AutoDeploy") for stage in stages):
        yield Thing(DEPLOYMENT, f"{name} deployment", deployment_of(id_), {"ApiId": Name(API, id_)}, after=routes)
    for stage in stages:
        properties: dict[str, Any] = {
            "ApiId": Name(API, id_),
            **said(stage, "StageName Description StageVariables"),
            **said(stage, "RouteSettings AccessLogSettings"),
        }
        if any(stage.get("DefaultRouteSettings", {}).values()):
            properties["DefaultRouteSettings"] = {
                key: value for key, value in stage["DefaultRouteSettings"].items() if value is not None
            }
        if stage.get("AutoDeploy"):
            properties["AutoDeploy"] = True
        else:
            properties["DeploymentId"] = Name(DEPLOYMENT, deployment_of(id_))
        tags = {key: value for key, value in stage.get("Tags", {}).items() if not key.startswith("aws:")}
        properties |= {"Tags": tags} if tags else {}
        label = "default" if stage["StageName"] == "$default" else stage["StageName"]
        yield Thing(STAGE, f"{name} {label} stage", stage_of(id_, stage["StageName"]), properties, foreseen=False)


def _parts(reading: Reading, api: Mapping[str, Any]) -> Iterator[Thing]:
    """A WebSocket API."""
    id_, name = api["ApiId"], api["Name"]
    told = said(api, "Name ProtocolType RouteSelectionExpression ApiKeySelectionExpression", _EXPRESSIONS)
    properties = {**told, **_settings(api)}
    yield Thing(API, f"{name} api", id_, properties, _endpoint(api), foreseen=False)
    whose = {"ApiId": Name(API, id_)}
    models: list[str] = []
    for found in reading.pages("apigatewayv2", "get_models", "Items", ApiId=id_):
        told = {**whose, **said(found, "Name ContentType Description", {"ContentType": "application/json"})}
        told["Schema"] = json.loads(found["Schema"])
        models.append(f"model {found['Name']} of {id_}")
        yield Thing(MODEL, f"{name} {found['Name']} model", models[-1], told, foreseen=False)
    for found in reading.pages("apigatewayv2", "get_authorizers", "Items", ApiId=id_):
        label = f"{name} {found['Name']} authorizer"
        yield Thing(AUTHORIZER, label, found["AuthorizerId"], {**whose, **said(found, _AUTHORIZER)}, foreseen=False)
    for found in reading.pages("apigatewayv2", "get_integrations", "Items", ApiId=id_):
        told = {**whose, **said(found, _INTEGRATION, _INTEGRATION_DEFAULTS)}
        yield Thing(INTEGRATION, f"{name} integration", found["IntegrationId"], told, foreseen=False)
        answers = reading.pages(
            "apigatewayv2", "get_integration_responses", "Items", ApiId=id_, IntegrationId=found["IntegrationId"]
        )
        for answer in answers:
            shape = {**whose, "IntegrationId": Name(INTEGRATION, found["IntegrationId"]), **said(answer, _ANSWER)}
            yield Thing(ANSWER, f"{name} integration {answer['IntegrationResponseKey']} answer", "", shape)
    for found in reading.pages("apigatewayv2", "get_routes", "Items", ApiId=id_):
        told = {**whose, **said(found, _ROUTE, {"AuthorizationType": "NONE", "ApiKeyRequired": False})}
        if found.get("AuthorizerId"):
            told["AuthorizerId"] = Name(AUTHORIZER, found["AuthorizerId"])
        if found.get("Target"):
            told["Target"] = found["Target"]
        label = f"{name} {found['RouteKey'].lstrip('$')} route"
        yield Thing(ROUTE, label, found["RouteId"], told, foreseen=False, after=tuple(models))
        responses = reading.pages("apigatewayv2", "get_route_responses", "Items", ApiId=id_, RouteId=found["RouteId"])
        for response in responses:
            shape = {**whose, "RouteId": Name(ROUTE, found["RouteId"]), **said(response, _RESPONSE)}
            yield Thing("AWS::ApiGatewayV2::RouteResponse", f"{label} response", "", shape)
