"""From what an HTTP API consists of to an OpenAPI 3 document. Pure: the counterpart of `importing`."""

from collections.abc import Mapping
from typing import Any, Final

from mayfly.services.apis.http.model import DEFAULT, Content, Members
from mayfly.services.apis.http.openapi.importing import ANY_METHOD, AUTHORIZER, CORS, EXTENSION, INTEGRATION
from mayfly.services.apis.http.route_keys import parse

_IAM: Final = "sigv4Reference"


def document(content: Content, url: str, variables: Mapping[str, Any], *, extensions: bool) -> dict[str, Any]:
    """The document of an API that is reached at `url`; without `extensions`, what OpenAPI itself has words for."""
    api = content.api.members
    info = {"title": api["Name"], "version": api.get("Version", api["CreatedDate"].strftime("%Y-%m-%d %H:%M:%S UTC"))}
    if "Description" in api:
        info["description"] = api["Description"]
    server: dict[str, Any] = {"url": url}
    if variables:
        server["variables"] = dict(variables)
    made: dict[str, Any] = {"openapi": "3.0.1", "info": info, "servers": [server], "paths": {}}
    if api.get("Tags"):
        made["tags"] = [{"name": key, **_if(extensions, "tag-value", value)} for key, value in api["Tags"].items()]
    integrations = {f"integrations/{part.id}": part.members for part in content.of("integration")}
    authorizers = {part.id: part.members for part in content.of("authorizer")}
    schemes: dict[str, Any] = {}
    for route in sorted(content.of("route"), key=lambda part: str(part.members["RouteKey"])):
        path, method = _place(route.members["RouteKey"])
        operation = _operation(route.members, path)
        if security := _security(route.members, authorizers, schemes, extensions=extensions):
            operation["security"] = security
        integration = integrations.get(route.members.get("Target", ""))
        if extensions and integration is not None:
            operation[f"{EXTENSION}integration"] = _integration(integration)
        made["paths"].setdefault(path, {})[method] = operation
    if schemes:
        made["components"] = {"securitySchemes": schemes}
    if extensions:
        if api.get("CorsConfiguration"):
            made[f"{EXTENSION}cors"] = _renamed(api["CorsConfiguration"], CORS)
        made[f"{EXTENSION}importexport-version"] = "1.0"
    return made


def _if(wanted: bool, name: str, value: Any) -> dict[str, Any]:
    return {f"{EXTENSION}{name}": value} if wanted else {}


def _place(key: str) -> tuple[str, str]:
    if key == DEFAULT:
        return f"/{DEFAULT}", ANY_METHOD
    parsed = parse(key)
    assert parsed is not None
    return parsed.path, ANY_METHOD if parsed.method == "ANY" else parsed.method.lower()


def _operation(members: Members, path: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "responses": {"default": {"description": f"Default response for {members['RouteKey']}"}}
    }
    if "OperationName" in members:
        operation["operationId"] = members["OperationName"]
    if path == f"/{DEFAULT}":
        operation["isDefaultRoute"] = True
    names = [segment[1:-1].removesuffix("+") for segment in path.split("/") if segment.startswith("{")]
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    return operation


def _security(
    members: Members, authorizers: Mapping[str, Members], schemes: dict[str, Any], *, extensions: bool
) -> list[dict[str, Any]]:
    if members.get("AuthorizationType") == "AWS_IAM":
        schemes[_IAM] = {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            **_if(extensions, "authtype", "awsSigv4"),
        }
        return [{_IAM: []}]
    authorizer = authorizers.get(members.get("AuthorizerId", ""))
    if authorizer is None:
        return []
    said: dict[str, Any] = {"identitySource": ",".join(authorizer.get("IdentitySource", ()))}
    if authorizer["AuthorizerType"] == "JWT":
        jwt = authorizer["JwtConfiguration"]
        said |= {"type": "jwt", "jwtConfiguration": {"issuer": jwt["Issuer"], "audience": jwt["Audience"]}}
        scheme: dict[str, Any] = {"type": "oauth2", "flows": {}}
    else:
        said |= {"type": "request", **_renamed(authorizer, AUTHORIZER)}
        scheme = {"type": "apiKey", "name": "Authorization", "in": "header"}
    schemes[authorizer["Name"]] = {**scheme, **_if(extensions, "authorizer", said)}
    return [{authorizer["Name"]: list(members.get("AuthorizationScopes", ()))}]


def _integration(members: Members) -> dict[str, Any]:
    return {"type": members["IntegrationType"].lower(), **_renamed(members, INTEGRATION)}


def _renamed(members: Members, names: Mapping[str, str]) -> dict[str, Any]:
    return {key: members[name] for key, name in names.items() if name in members}
