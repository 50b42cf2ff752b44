"""AWS::ApiGateway::Method: a method of a resource, with its integration and responses.

An update puts all of it anew: what is served is a deployment, which knows nothing of it.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE
from mayfly.services.stacks.resources.apigateway.templates import TEMPLATES
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.reading import like, observed
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, STRING, STRINGS, Entries, Items, Refused, fields

_NO_LINKS = Refused("VPC links lead into networks that only exist inside AWS.")
_TEXTS = Entries(STRING)
_INTEGRATION_RESPONSE = fields(
    "StatusCode",
    ContentHandling=STRING,
    ResponseParameters=_TEXTS,
    ResponseTemplates=TEMPLATES,
    SelectionPattern=STRING,
    StatusCode=STRING,
)
_INTEGRATION = fields(
    "Type",
    CacheKeyParameters=STRINGS,
    CacheNamespace=STRING,
    ConnectionId=_NO_LINKS,
    ConnectionType=STRING,
    ContentHandling=STRING,
    Credentials=STRING,
    IntegrationHttpMethod=STRING,
    IntegrationResponses=Items(_INTEGRATION_RESPONSE),
    IntegrationTarget=_NO_LINKS,
    PassthroughBehavior=STRING,
    RequestParameters=_TEXTS,
    RequestTemplates=TEMPLATES,
    ResponseTransferMode=STRING,
    TimeoutInMillis=INTEGER,
    Type=STRING,
    Uri=STRING,
)
_RENAMED = {"IntegrationHttpMethod": "httpMethod"}


class Method:
    name = "AWS::ApiGateway::Method"
    schema = fields(
        "HttpMethod ResourceId RestApiId",
        ApiKeyRequired=BOOLEAN,
        AuthorizationScopes=STRINGS,
        AuthorizationType=STRING,
        AuthorizerId=STRING,
        HttpMethod=STRING,
        Integration=_INTEGRATION,
        MethodResponses=Items(
            fields("StatusCode", ResponseModels=_TEXTS, ResponseParameters=Entries(BOOLEAN), StatusCode=STRING)
        ),
        OperationName=STRING,
        RequestModels=_TEXTS,
        RequestParameters=Entries(BOOLEAN),
        RequestValidatorId=STRING,
        ResourceId=STRING,
        RestApiId=STRING,
    )
    replaced_by = frozenset({"HttpMethod", "ResourceId", "RestApiId"})
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(80)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return f"{properties['RestApiId']}|{properties['ResourceId']}|{properties['HttpMethod']}"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await call.unless(GONE, "apigateway", "GetMethod", **_where(properties)) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        where = _where(properties)
        await call.unless(GONE, "apigateway", "DeleteMethod", **where)
        await call("apigateway", "PutMethod", **where, **_method(properties))
        for response in properties.get("MethodResponses", ()):
            await call("apigateway", "PutMethodResponse", **where, **_lower(response))
        if (integration := properties.get("Integration")) is not None:
            said = {name: value for name, value in integration.items() if name != "IntegrationResponses"}
            await call("apigateway", "PutIntegration", **where, **_lower(said))
            for response in integration.get("IntegrationResponses", ()):
                await call("apigateway", "PutIntegrationResponse", **where, **_lower(response))
        return Made(self.physical_id(target, properties))

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return await self.create(call, target, new)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "apigateway", "DeleteMethod", **_where(properties))

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "apigateway", "GetMethod", **_where(properties))
        if found is None:
            return None
        truth = {
            "ApiKeyRequired": found["apiKeyRequired"],
            "AuthorizationScopes": found.get("authorizationScopes"),
            "AuthorizationType": found["authorizationType"],
            "AuthorizerId": found.get("authorizerId"),
            "OperationName": found.get("operationName"),
            "RequestModels": found.get("requestModels"),
            "RequestParameters": found.get("requestParameters"),
            "RequestValidatorId": found.get("requestValidatorId"),
            "MethodResponses": _responses(found.get("methodResponses"), properties.get("MethodResponses")),
            "Integration": _seen(found.get("methodIntegration"), properties.get("Integration")),
        }
        defaults = {"ApiKeyRequired": False, "AuthorizationType": "NONE"}
        return observed(properties, truth, "HttpMethod", "ResourceId", "RestApiId", defaults=defaults)


def _where(properties: Mapping[str, Any]) -> dict[str, str]:
    return {
        "restApiId": properties["RestApiId"],
        "resourceId": properties["ResourceId"],
        "httpMethod": properties["HttpMethod"],
    }


def _method(properties: Mapping[str, Any]) -> dict[str, Any]:
    beside = ("HttpMethod", "Integration", "MethodResponses", "ResourceId", "RestApiId")
    return {"authorizationType": "NONE", **_lower({k: v for k, v in properties.items() if k not in beside})}


def _lower(given: Mapping[str, Any]) -> dict[str, Any]:
    """Members as the service names them."""
    return {name[0].lower() + name[1:]: value for name, value in given.items()}


def _seen(found: Mapping[str, Any] | None, given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    given = given or {}
    shown = {}
    for name in _INTEGRATION.members:
        value = found.get(_RENAMED.get(name, name[0].lower() + name[1:]))
        if value is not None and name in given:
            shown[name] = value
    shown["Type"] = found["type"]
    responses = _responses(found.get("integrationResponses"), given.get("IntegrationResponses"))
    return {**shown, "IntegrationResponses": responses} if responses else shown


def _responses(found: Mapping[str, Any] | None, given: Any) -> list[Any] | None:
    """In the order of the template."""
    if not found:
        return None
    upper = {code: {name[0].upper() + name[1:]: value for name, value in one.items()} for code, one in found.items()}
    ordered = [upper.pop(one["StatusCode"]) for one in given or () if one["StatusCode"] in upper]
    seen = [*ordered, *upper.values()]
    shown: list[Any] = like(given or [], seen)
    return shown
