"""What members of APIs of version 2 may be, checked before anything is written. Pure.

Shapes, lengths and required members are the wire's to check, from the service's model; here is what the model does
not say.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mayfly.services.apis.http import faults, parameters, route_keys
from mayfly.services.apis.http.model import DEFAULT, MAX_TAGS, Api, Members
from mayfly.services.apis.integrations.subtypes import REFUSED, SUBTYPES

HTTP_SELECTION: Final = "$request.method $request.path"
API_KEY_SELECTION: Final = "$request.header.x-api-key"
_SELECTIONS = frozenset({HTTP_SELECTION, "${request.method} ${request.path}"})
_STAGE = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_VARIABLE_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,@!$'()*+;%\[\] ]{0,2048}")
_MODEL_NAME = re.compile(r"[A-Za-z0-9]+")
_FUNCTION = re.compile(r"arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:\d{12}:function:\S+")
_INVOCATIONS = re.compile(
    r"arn:aws[a-zA-Z-]*:apigateway:[a-z0-9-]+:lambda:path/\d{4}-\d{2}-\d{2}/functions/(?P<function>\S+)/invocations"
)
_URL = re.compile(r"https?://[^\s/]+\S*", re.IGNORECASE)
_TAG_KEY = re.compile(r"(?!aws:).{1,128}", re.DOTALL | re.IGNORECASE)
_LOG_GROUP = re.compile(r"arn:aws[a-zA-Z-]*:logs:[a-z0-9-]+:\d{12}:log-group:[^:*]+(:\*)?")
_FIREHOSE = ":firehose:"
_HTTP_SOURCE = re.compile(r"\$request\.(header|querystring)\.\S+|\$(context|stageVariables)\.\S+")
_TOKEN_SOURCE = re.compile(r"\$request\.(header|querystring)\.\S+")


def function_of(uri: str) -> str | None:
    """The ARN of the function that an integration's or authorizer's URI names; None: it names none."""
    if _FUNCTION.fullmatch(uri):
        return uri
    found = _INVOCATIONS.fullmatch(uri)
    return None if found is None else found["function"]


def check_selection(protocol: str, members: Mapping[str, Any]) -> None:
    """Of a new API, or one that changes."""
    expression = members.get("RouteSelectionExpression")
    if protocol == "HTTP":
        if expression is not None and expression not in _SELECTIONS:
            raise faults.bad(
                "Invalid routeSelectionExpression specified. For HTTP APIs, it must be "
                "${request.method} ${request.path}"
            )
    elif not expression:
        raise faults.bad("RouteSelectionExpression is a required parameter for WEBSOCKET protocol")


def check_cors(protocol: str, cors: Mapping[str, Any] | None) -> None:
    if not cors:
        return
    if protocol != "HTTP":
        raise faults.bad("CORS configuration is only supported for HTTP APIs")
    origins = cors.get("AllowOrigins", ())
    if cors.get("AllowCredentials") and "*" in origins:
        raise faults.bad("allowCredentials is not supported if allowOrigins contains *")
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S+", origin):
            raise faults.bad(f"Invalid format for origin {origin}: it must have a scheme, like https://example.com")
    for method in cors.get("AllowMethods", ()):
        if method != "*" and method not in route_keys.METHODS - {route_keys.ANY}:
            raise faults.bad(f"Invalid HTTP method {method} in allowMethods")
    age = cors.get("MaxAge", 0)
    if not -1 <= age <= 86_400:
        raise faults.bad("maxAge must be between -1 and 86400")


def check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise faults.bad(f"A resource can have at most {MAX_TAGS} tags.")
    for key in tags:
        if not _TAG_KEY.fullmatch(key):
            raise faults.bad(f"Invalid tag key {key}: it has 1 to 128 characters and does not begin with aws:.")


def check_route_key(api: Api, key: str) -> None:
    if api.protocol != "HTTP":
        if not key.strip():
            raise faults.bad("The provided route key is not formatted properly for WEBSOCKET protocol.")
        return
    try:
        route_keys.parse(key)
    except route_keys.RouteKeyError:
        raise faults.bad(
            "The provided route key is not formatted properly for HTTP protocol. "
            'The format should be "<HTTP METHOD> /<RESOURCE PATH>" or "$default"'
        ) from None


def check_route(api: Api, members: Mapping[str, Any]) -> None:
    """A route as a whole, without what it refers to."""
    check_route_key(api, members["RouteKey"])
    kind = members.get("AuthorizationType", "NONE")
    if kind not in ("NONE", "AWS_IAM", "CUSTOM", "JWT"):
        raise faults.bad(f"Invalid authorization type {kind} specified")
    if api.protocol == "HTTP":
        for name in ("ApiKeyRequired", "ModelSelectionExpression", "RequestModels", "RouteResponseSelectionExpression"):
            if members.get(name):
                raise faults.bad(f"{name} is not currently supported for HTTP APIs")
    elif kind == "JWT":
        raise faults.bad("Authorization type JWT is only supported for HTTP APIs")
    elif kind != "NONE" and members["RouteKey"] != "$connect":
        raise faults.bad("Currently, authorization is restricted to the $connect route only")
    if kind != "JWT" and members.get("AuthorizationScopes"):
        raise faults.bad("AuthorizationScopes are only supported for authorization type JWT")
    target = members.get("Target")
    if target is not None and not re.fullmatch(r"integrations/\S+", target):
        raise faults.bad("Invalid target specified. The format should be integrations/<integrationId>")


def check_integration(api: Api, members: Members) -> None:
    """An integration as a whole."""
    kind = members["IntegrationType"]
    if kind not in ("AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"):
        raise faults.bad(f"Invalid integration type {kind} specified")
    if members.get("ConnectionType", "INTERNET") == "VPC_LINK":
        raise faults.refused(
            "ConnectionType VPC_LINK", "there are no VPCs here; use INTERNET with an address it reaches"
        )
    if members.get("TlsConfig"):
        raise faults.bad("TlsConfig is only supported for private integrations")
    most = 30_000 if api.protocol == "HTTP" else 29_000
    if not 50 <= members.get("TimeoutInMillis", 50) <= most:
        raise faults.bad(f"Timeout should be between 50 ms and {most} ms")
    if api.protocol == "HTTP":
        _check_http_integration(members, kind)
    elif kind in ("HTTP", "HTTP_PROXY") and not members.get("IntegrationMethod"):
        raise faults.bad(f"IntegrationMethod is a required parameter for {kind} integrations")
    elif kind != "MOCK" and not members.get("IntegrationUri"):
        raise faults.bad("Integration URI cannot be null")


def _check_http_integration(members: Members, kind: str) -> None:
    if kind not in ("AWS_PROXY", "HTTP_PROXY"):
        raise faults.bad(
            "Currently, an API with a protocol type of HTTP may only be associated with proxy integrations "
            "(AWS_PROXY, HTTP_PROXY)"
        )
    version = members.get("PayloadFormatVersion")
    if version is None:
        raise faults.bad("PayloadFormatVersion is a required parameter for integration")
    uri, subtype = members.get("IntegrationUri"), members.get("IntegrationSubtype")
    if subtype is not None:
        _check_service_integration(members, kind, version)
    elif kind == "AWS_PROXY":
        if version not in ("1.0", "2.0"):
            raise faults.bad("PayloadFormatVersion must be 1.0 or 2.0 for AWS_PROXY integrations")
        if uri is None or (function_of(uri) is None and "${stageVariables." not in uri):
            raise faults.bad("Invalid function ARN or invalid uri")
    else:
        if version != "1.0":
            raise faults.bad("PayloadFormatVersion must be 1.0 for HTTP_PROXY integrations")
        if not members.get("IntegrationMethod"):
            raise faults.bad("HttpMethod is a required parameter for HTTP_PROXY integrations")
        if uri is None or (not _URL.fullmatch(uri) and "${stageVariables." not in uri):
            raise faults.bad("Invalid HTTP endpoint specified for URI")
    for name in ("RequestTemplates", "TemplateSelectionExpression", "PassthroughBehavior", "ContentHandlingStrategy"):
        if members.get(name):
            raise faults.bad(f"{name} is not currently supported for HTTP APIs")
    try:
        if subtype is None:
            parameters.check_request(members.get("RequestParameters", {}))
        parameters.check_responses(members.get("ResponseParameters", {}))
    except ValueError as error:
        raise faults.bad(str(error)) from None


def _check_service_integration(members: Members, kind: str, version: str) -> None:
    if kind != "AWS_PROXY" or version != "1.0":
        raise faults.bad("IntegrationSubtype is only supported for AWS_PROXY integrations with payload format 1.0")
    name, given = members["IntegrationSubtype"], members.get("RequestParameters", {})
    if name in REFUSED:
        raise faults.refused(f"The integration subtype {name}", f"it has no {REFUSED[name]}")
    subtype = SUBTYPES.get(name)
    if subtype is None:
        raise faults.bad(f"Invalid integration subtype {name} specified")
    if not members.get("CredentialsArn"):
        raise faults.bad("Role must be specified for an integration with an AWS service")
    if missing := subtype.missing(given):
        raise faults.bad(f"The required parameter(s) {', '.join(missing)} are missing for {name}")
    if unknown := subtype.unknown(given):
        raise faults.bad(f"Parameter(s) {', '.join(unknown)} are not supported for {name}")


def check_authorizer(api: Api, members: Mapping[str, Any]) -> None:
    """An authorizer as a whole."""
    if members["AuthorizerType"] == "JWT":
        if api.protocol != "HTTP":
            raise faults.bad("Authorizer type JWT is only supported for HTTP APIs")
        jwt = members.get("JwtConfiguration") or {}
        if not jwt.get("Issuer") or not jwt.get("Audience"):
            raise faults.bad("JwtConfiguration with issuer and audience is a required parameter for JWT authorizer")
        if not re.fullmatch(r"https?://\S+", jwt["Issuer"]):
            raise faults.bad(f"Invalid issuer: {jwt['Issuer']}. Issuer must have a valid URL")
        if len(members.get("IdentitySource", ())) != 1:
            raise faults.bad("JWT authorizers have exactly one identity source")
    elif members["AuthorizerType"] == "REQUEST":
        version = members.get("AuthorizerPayloadFormatVersion")
        if api.protocol == "HTTP" and version is None:
            raise faults.bad("AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizer")
        if version not in (None, "1.0", "2.0"):
            raise faults.bad("AuthorizerPayloadFormatVersion must be 1.0 or 2.0")
        if members.get("EnableSimpleResponses") and version != "2.0":
            raise faults.bad("EnableSimpleResponses is only supported for payload format version 2.0")
        if not members.get("AuthorizerUri"):
            raise faults.bad("AuthorizerUri is a required parameter for REQUEST authorizer")
        if "${" not in members["AuthorizerUri"] and function_of(members["AuthorizerUri"]) is None:
            raise faults.bad(
                f"Invalid Authorizer URI: {members['AuthorizerUri']}. Authorizer URI should be a valid API Gateway ARN "
                "that represents a Lambda function invocation."
            )
        if not 0 <= members.get("AuthorizerResultTtlInSeconds", 0) <= 3600:
            raise faults.bad("AuthorizerResultTtlInSeconds should be between 0 and 3600")
    else:
        raise faults.bad(f"Invalid authorizer type {members['AuthorizerType']} specified")
    if api.protocol == "HTTP":
        pattern = _TOKEN_SOURCE if members["AuthorizerType"] == "JWT" else _HTTP_SOURCE
        for source in members.get("IdentitySource", ()):
            if not pattern.fullmatch(source):
                raise faults.bad(f"Invalid mapping expression specified: {source}")


def check_stage(members: Mapping[str, Any]) -> None:
    """A stage as a whole."""
    name = members["StageName"]
    if name != DEFAULT and not _STAGE.fullmatch(name):
        raise faults.bad("Stage name only allows a-zA-Z0-9_- and $default")
    for key, value in members.get("StageVariables", {}).items():
        if not _VARIABLE_NAME.fullmatch(key) or not _VARIABLE_VALUE.fullmatch(value):
            raise faults.bad(
                "Stage variable names only allow a-zA-Z0-9_, their values no other characters than URLs have"
            )
    if members.get("ClientCertificateId"):
        raise faults.refused("ClientCertificateId", "integrations are called without client certificates")
    for settings in (members.get("DefaultRouteSettings", {}), *members.get("RouteSettings", {}).values()):
        _check_settings(settings)
    logs = members.get("AccessLogSettings") or {}
    destination = logs.get("DestinationArn")
    if destination is not None and not _LOG_GROUP.fullmatch(destination):
        if _FIREHOSE in destination:
            raise faults.refused("Access logging to Data Firehose", "there are no delivery streams; name a log group")
        raise faults.bad("Invalid ARN specified in the request. It must be the ARN of a log group")


def _check_settings(settings: Mapping[str, Any]) -> None:
    if settings.get("ThrottlingBurstLimit", 0) < 0 or settings.get("ThrottlingRateLimit", 0) < 0:
        raise faults.bad("Throttling limits cannot be negative")


def check_model(members: Mapping[str, Any]) -> None:
    if not _MODEL_NAME.fullmatch(members["Name"]):
        raise faults.bad("Model name must be alphanumeric: " + members["Name"])


def merged(old: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """A map of texts after a change: what is set to nothing is removed."""
    return {key: value for key, value in {**old, **changes}.items() if value != ""}


def updated(old: Members, request: Mapping[str, Any], fields: Sequence[str]) -> Members:
    """Members after a change that gives some of them; an empty text takes one away."""
    new = {**old, **{name: request[name] for name in fields if name in request}}
    return {name: value for name, value in new.items() if value != ""}
