"""From an OpenAPI document to what an HTTP API consists of. Pure.

Read are `info`, `servers` (for a base path), `paths`, `security` and `components.securitySchemes`, and of API Gateway's
extensions -any-method, -authorizer, -authtype, -auth, -cors, -endpoint-configuration, -integration, -integrations and
-tag-value. What an API can do without is a warning; what makes none of it is an error.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct, field

from mayfly.services.apis.http import faults
from mayfly.services.apis.http.model import DEFAULT, Members

EXTENSION: Final = "x-amazon-apigateway-"
ANY_METHOD: Final = f"{EXTENSION}any-method"
_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
_BASE_PATHS: Final = ("ignore", "prepend", "split")
CORS: Final = {
    "allowCredentials": "AllowCredentials",
    "allowHeaders": "AllowHeaders",
    "allowMethods": "AllowMethods",
    "allowOrigins": "AllowOrigins",
    "exposeHeaders": "ExposeHeaders",
    "maxAge": "MaxAge",
}
INTEGRATION: Final = {
    "connectionId": "ConnectionId",
    "connectionType": "ConnectionType",
    "credentials": "CredentialsArn",
    "description": "Description",
    "httpMethod": "IntegrationMethod",
    "integrationSubtype": "IntegrationSubtype",
    "payloadFormatVersion": "PayloadFormatVersion",
    "requestParameters": "RequestParameters",
    "responseParameters": "ResponseParameters",
    "timeoutInMillis": "TimeoutInMillis",
    "tlsConfig": "TlsConfig",
    "uri": "IntegrationUri",
}
AUTHORIZER: Final = {
    "authorizerCredentials": "AuthorizerCredentialsArn",
    "authorizerPayloadFormatVersion": "AuthorizerPayloadFormatVersion",
    "authorizerResultTtlInSeconds": "AuthorizerResultTtlInSeconds",
    "authorizerUri": "AuthorizerUri",
    "enableSimpleResponses": "EnableSimpleResponses",
}
Object = Mapping[str, Any]
# Members that are no text. Documents are written by hand: a number may be text, and one text stand for a list of it.
_NUMBERS: Final = frozenset({"AuthorizerResultTtlInSeconds", "MaxAge", "TimeoutInMillis"})
_FLAGS: Final = frozenset({"AllowCredentials", "EnableSimpleResponses"})
_LISTS: Final = frozenset({"AllowHeaders", "AllowMethods", "AllowOrigins", "ExposeHeaders"})
_MAPS: Final = frozenset({"RequestParameters", "ResponseParameters", "TlsConfig"})
_NO_AUTHORIZER: Final = "NONE"  # what SAM calls the security of a route without any


class Definition(Struct):
    """What a document defines. Integrations and authorizers are named by keys of the document's own."""

    members: Members
    tags: dict[str, str]
    authorizers: dict[str, Members] = field(default_factory=dict)
    integrations: dict[str, Members] = field(default_factory=dict)
    routes: list[tuple[Members, str | None, str | None]] = field(
        default_factory=list
    )  # keys of both, where it has them
    warnings: list[str] = field(default_factory=list)


def definition(document: Object, base_path: str) -> Definition:
    """What `document` defines; `base_path`: what becomes of the path of its server; BadRequestException."""
    if base_path not in _BASE_PATHS:
        raise faults.bad("Invalid basepath specified. It must be one of ignore, prepend, split")
    info = _object(document.get("info"), "info")
    title = info.get("title")
    if not title:
        raise faults.bad("Invalid OpenAPI input: attribute info.title is missing")
    members: Members = {"Name": str(title)}
    for name, key in (("Version", "version"), ("Description", "description")):
        if info.get(key) is not None:
            members[name] = str(info[key])
    if cors := document.get(f"{EXTENSION}cors"):
        members["CorsConfiguration"] = _renamed(_object(cors, "cors"), CORS)
    endpoint = _inner(document, f"{EXTENSION}endpoint-configuration")
    if "disableExecuteApiEndpoint" in endpoint:
        members["DisableExecuteApiEndpoint"] = bool(endpoint["disableExecuteApiEndpoint"])
    found = Definition(members, _tags(document))
    _read_authorizers(document, found)
    prefix = _prefix(document, base_path)
    for path, item in _object(document.get("paths", {}), "paths").items():
        _read_path(document, found, prefix, str(path), _object(item, f"paths.'{path}'"))
    _check_references(document, found)
    return found


def _object(value: Any, where: str) -> Object:
    if not isinstance(value, Mapping):
        raise faults.bad(f"Invalid OpenAPI input: attribute {where} is not of type `object`")
    return value


def _listed(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise faults.bad(f"Invalid OpenAPI input: attribute {where} is not of type `array`")
    return value


def _renamed(value: Object, names: Mapping[str, str]) -> Members:
    """The members under the service's names, as the service has them; BadRequestException."""
    return {name: _typed(name, value[key]) for key, name in names.items() if value.get(key) is not None}


def _typed(name: str, value: Any) -> Any:
    if name in _NUMBERS:
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError):
            raise faults.bad(f"Invalid OpenAPI input: {name} is not a number") from None
    if name in _FLAGS:
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if name in _LISTS:
        return [str(item) for item in value] if isinstance(value, list) else [str(value)]
    if name == "ResponseParameters":
        given = _object(value, name)
        return {str(status): _texts(_object(changes, name)) for status, changes in given.items()}
    return _texts(_object(value, name)) if name in _MAPS else str(value)


def _texts(value: Object) -> dict[str, str]:
    return {str(key): str(item) for key, item in value.items()}


def _tags(document: Object) -> dict[str, str]:
    key = f"{EXTENSION}tag-value"
    listed = _listed(document.get("tags"), "tags")
    return {
        str(tag["name"]): str(tag[key]) for tag in listed if isinstance(tag, Mapping) and key in tag and "name" in tag
    }


def _prefix(document: Object, base_path: str) -> str:
    """What comes before every path, without a slash at its end."""
    servers = document.get("servers") or []
    if base_path == "ignore" or not isinstance(servers, list) or not servers:
        return ""
    server = _object(servers[0], "servers")
    url = str(server.get("url", ""))
    for name, variable in _inner(server, "variables").items():
        url = url.replace(f"{{{name}}}", str(_object(variable, "servers.variables").get("default", "")))
    path = urlsplit(url).path.strip("/")
    if base_path == "split":
        path = path.partition("/")[2]  # its first segment would be the name of a stage
    return f"/{path}" if path else ""


def _read_authorizers(document: Object, found: Definition) -> None:
    for name, scheme in _inner(_inner(document, "components"), "securitySchemes").items():
        said = _object(scheme, f"securitySchemes.{name}").get(f"{EXTENSION}authorizer")
        if not said:
            continue
        said = _object(said, f"{EXTENSION}authorizer")
        kind = str(said.get("type", "")).lower()
        source = said.get("identitySource")
        sources = source if isinstance(source, list) else [part.strip() for part in str(source or "").split(",")]
        members: Members = {"Name": str(name), "IdentitySource": [part for part in sources if part]}
        if kind == "jwt":
            jwt = _object(said.get("jwtConfiguration", {}), "jwtConfiguration")
            audience = jwt.get("audience") or []
            members["AuthorizerType"] = "JWT"
            members["JwtConfiguration"] = {
                "Audience": [str(each) for each in (audience if isinstance(audience, list) else [audience])],
                "Issuer": str(jwt.get("issuer", "")),
            }
            members["IdentitySource"] = members["IdentitySource"] or ["$request.header.Authorization"]
        elif kind == "request":
            members |= {"AuthorizerType": "REQUEST", **_renamed(said, AUTHORIZER)}
        else:
            raise faults.bad(f"Invalid authorizer type {kind} of {name} specified: it must be jwt or request")
        found.authorizers[str(name)] = members


def _read_path(document: Object, found: Definition, prefix: str, path: str, item: Object) -> None:
    shared = item.get(f"{EXTENSION}integration")
    for method in (*_METHODS, ANY_METHOD):
        if method not in item:
            continue
        operation = _object(item[method] or {}, f"paths.'{path}'({method})")
        if path.lstrip("/") == DEFAULT or operation.get("isDefaultRoute"):
            key = DEFAULT
        else:
            key = f"{'ANY' if method == ANY_METHOD else method.upper()} {prefix}{path}"
        members: Members = {"RouteKey": key}
        if operation.get("operationId"):
            members["OperationName"] = str(operation["operationId"])[:64]
        integration = _read_integration(document, found, operation.get(f"{EXTENSION}integration") or shared, key)
        authorizer = _read_security(document, found, operation, members)
        if integration is None:
            found.warnings.append(f"Route {key} has no integration")
        found.routes.append((members, integration, authorizer))


def _read_integration(document: Object, found: Definition, said: Any, key: str) -> str | None:
    if said is None:
        return None
    said = _object(said, f"{EXTENSION}integration")
    name = f"of {key}"
    if reference := said.get("$ref"):
        name = str(reference)
        said = _object(_resolved(document, name), name)
    if name not in found.integrations:
        members = {"IntegrationType": str(said.get("type", "")).upper(), **_renamed(said, INTEGRATION)}
        members.setdefault("PayloadFormatVersion", "1.0")
        if "TlsConfig" in members:
            members["TlsConfig"] = _renamed(members["TlsConfig"], {"serverNameToVerify": "ServerNameToVerify"})
        found.integrations[name] = members
    return name


def _read_security(document: Object, found: Definition, operation: Object, members: Members) -> str | None:
    """The name of the authorizer of a route, its type and scopes entered into `members`."""
    if str(_inner(operation, f"{EXTENSION}auth").get("type", "")).upper() == "AWS_IAM":
        members["AuthorizationType"] = "AWS_IAM"
        return None
    schemes = _inner(_inner(document, "components"), "securitySchemes")
    for requirement in _listed(operation.get("security", document.get("security")), "security"):
        for name, scopes in _object(requirement, "security").items():
            if str(_inner(schemes, name).get(f"{EXTENSION}authtype", "")).lower() == "awssigv4":
                members["AuthorizationType"] = "AWS_IAM"
                return None
            if name in found.authorizers:
                jwt = found.authorizers[name]["AuthorizerType"] == "JWT"
                members["AuthorizationType"] = "JWT" if jwt else "CUSTOM"
                if jwt and scopes:
                    members["AuthorizationScopes"] = [str(scope) for scope in _listed(scopes, f"security.{name}")]
                return str(name)
            if name == _NO_AUTHORIZER:
                return None
            found.warnings.append(f"Security scheme {name} of {members['RouteKey']} has no authorizer and is ignored")
    return None


def _resolved(document: Object, reference: str) -> Any:
    """What a reference within the document points to; None: nothing."""
    if not reference.startswith("#/"):
        return None
    value: Any = document
    for part in reference[2:].split("/"):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part.replace("~1", "/").replace("~0", "~"))
    return value


def _check_references(document: Object, found: Definition) -> None:
    """Warn of schemas that are referred to and missing."""
    for path, item in _inner(document, "paths").items():
        for method in _METHODS:
            for status, response in _inner(_inner(item, method), "responses").items():
                for content in _inner(response, "content").values():
                    reference = _inner(content, "schema").get("$ref")
                    if reference is not None and _resolved(document, str(reference)) is None:
                        found.warnings.append(
                            f"Parse issue: attribute paths.'{path}'({method}).responses.{status}.content.schema."
                            f"{reference} is missing"
                        )


def _inner(value: Any, name: str) -> Object:
    """A member that is an object; an empty one where it is none."""
    inner = value.get(name) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}
