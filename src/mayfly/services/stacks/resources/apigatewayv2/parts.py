"""The types of what an API consists of: routes, integrations, authorizers, models, responses."""

import json
from typing import Any, Final

from mayfly.services.stacks.resources.apigateway.templates import TEMPLATES
from mayfly.services.stacks.resources.apigatewayv2.part import Part
from mayfly.services.stacks.resources.reading import document_seen
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, JSON, STRING, STRINGS, Entries, Items, fields

_RESPONSES: Final = "ResponseParameters"


class Authorizer(Part):
    name = "AWS::ApiGatewayV2::Authorizer"
    noun = "Authorizer"
    attributes = frozenset({"AuthorizerId"})
    schema = fields(
        "ApiId AuthorizerType Name",
        ApiId=STRING,
        AuthorizerCredentialsArn=STRING,
        AuthorizerPayloadFormatVersion=STRING,
        AuthorizerResultTtlInSeconds=INTEGER,
        AuthorizerType=STRING,
        AuthorizerUri=STRING,
        EnableSimpleResponses=BOOLEAN,
        IdentitySource=STRINGS,
        IdentityValidationExpression=STRING,
        JwtConfiguration=fields(Audience=STRINGS, Issuer=STRING),
        Name=STRING,
    )
    replaced_by = frozenset({"ApiId", "AuthorizerType"})
    defaults = {"AuthorizerResultTtlInSeconds": 300, "EnableSimpleResponses": False}  # noqa: RUF012

    def parameters(self, properties: Any) -> dict[str, Any]:
        return {"IdentitySource": [], **properties}


class Integration(Part):
    name = "AWS::ApiGatewayV2::Integration"
    noun = "Integration"
    attributes = frozenset({"IntegrationId"})
    schema = fields(
        "ApiId IntegrationType",
        ApiId=STRING,
        ConnectionId=STRING,
        ConnectionType=STRING,
        ContentHandlingStrategy=STRING,
        CredentialsArn=STRING,
        Description=STRING,
        IntegrationMethod=STRING,
        IntegrationSubtype=STRING,
        IntegrationType=STRING,
        IntegrationUri=STRING,
        PassthroughBehavior=STRING,
        PayloadFormatVersion=STRING,
        RequestParameters=Entries(STRING),
        RequestTemplates=TEMPLATES,
        ResponseParameters=Entries(fields(ResponseParameters=Items(fields(Destination=STRING, Source=STRING)))),
        TemplateSelectionExpression=STRING,
        TimeoutInMillis=INTEGER,
        TlsConfig=fields(ServerNameToVerify=STRING),
    )
    replaced_by = frozenset({"ApiId", "IntegrationSubtype"})
    defaults = {  # noqa: RUF012
        "ConnectionType": "INTERNET",
        "IntegrationMethod": "POST",
        "PassthroughBehavior": "WHEN_NO_MATCH",
        "PayloadFormatVersion": "1.0",
        "TimeoutInMillis": 30_000,
    }

    def parameters(self, properties: Any) -> dict[str, Any]:
        """Templates list the changes of responses, where operations have a map."""
        said = dict(properties)
        if _RESPONSES in said:
            said[_RESPONSES] = {
                status: {one["Destination"]: one["Source"] for one in changes.get(_RESPONSES, ())}
                for status, changes in said[_RESPONSES].items()
            }
        return said

    def truth(self, found: dict[str, Any], properties: Any) -> dict[str, Any]:
        changes = self.parameters(properties).get(_RESPONSES)
        if found.get(_RESPONSES) == changes and changes is not None:
            return {**found, _RESPONSES: properties[_RESPONSES]}
        return found


class IntegrationResponse(Part):
    name = "AWS::ApiGatewayV2::IntegrationResponse"
    noun = "IntegrationResponse"
    attributes = frozenset({"IntegrationResponseId"})
    parents = ("ApiId", "IntegrationId")
    schema = fields(
        "ApiId IntegrationId IntegrationResponseKey",
        ApiId=STRING,
        ContentHandlingStrategy=STRING,
        IntegrationId=STRING,
        IntegrationResponseKey=STRING,
        ResponseParameters=Entries(STRING),
        ResponseTemplates=TEMPLATES,
        TemplateSelectionExpression=STRING,
    )
    replaced_by = frozenset({"ApiId", "IntegrationId"})


class Model(Part):
    name = "AWS::ApiGatewayV2::Model"
    noun = "Model"
    attributes = frozenset({"ModelId"})
    schema = fields("ApiId Name Schema", ApiId=STRING, ContentType=STRING, Description=STRING, Name=STRING, Schema=JSON)
    defaults = {"ContentType": "application/json"}  # noqa: RUF012

    def parameters(self, properties: Any) -> dict[str, Any]:
        said = dict(properties)
        if not isinstance(said.get("Schema", ""), str):
            said["Schema"] = json.dumps(said["Schema"])
        return said

    def truth(self, found: dict[str, Any], properties: Any) -> dict[str, Any]:
        if "Schema" in found:
            return {**found, "Schema": document_seen(properties.get("Schema"), found["Schema"])}
        return found


class Route(Part):
    name = "AWS::ApiGatewayV2::Route"
    noun = "Route"
    attributes = frozenset({"RouteId"})
    schema = fields(
        "ApiId RouteKey",
        ApiId=STRING,
        ApiKeyRequired=BOOLEAN,
        AuthorizationScopes=STRINGS,
        AuthorizationType=STRING,
        AuthorizerId=STRING,
        ModelSelectionExpression=STRING,
        OperationName=STRING,
        RequestModels=Entries(STRING),
        RequestParameters=JSON,
        RouteKey=STRING,
        RouteResponseSelectionExpression=STRING,
        Target=STRING,
    )
    defaults = {"ApiKeyRequired": False, "AuthorizationType": "NONE"}  # noqa: RUF012

    def parameters(self, properties: Any) -> dict[str, Any]:
        """A template may say of a parameter that it is required, or say `Required` of it."""
        said = dict(properties)
        if isinstance(said.get("RequestParameters"), dict):
            said["RequestParameters"] = {
                name: {"Required": str(value.get("Required") if isinstance(value, dict) else value).lower() == "true"}
                for name, value in said["RequestParameters"].items()
            }
        return said

    def truth(self, found: dict[str, Any], properties: Any) -> dict[str, Any]:
        if "RequestParameters" in found and found["RequestParameters"] == self.parameters(properties).get(
            "RequestParameters"
        ):
            return {**found, "RequestParameters": properties["RequestParameters"]}
        return found


class RouteResponse(Part):
    name = "AWS::ApiGatewayV2::RouteResponse"
    noun = "RouteResponse"
    attributes = frozenset({"RouteResponseId"})
    parents = ("ApiId", "RouteId")
    schema = fields(
        "ApiId RouteId RouteResponseKey",
        ApiId=STRING,
        ModelSelectionExpression=STRING,
        ResponseModels=Entries(STRING),
        ResponseParameters=Entries(fields("Required", Required=BOOLEAN)),
        RouteId=STRING,
        RouteResponseKey=STRING,
    )
    replaced_by = frozenset({"ApiId", "RouteId"})
