"""An API as an OpenAPI document, of version 2 or 3, with API Gateway's extensions where they are asked for. Pure."""

import json
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mayfly.services.apis.rest.model import Api, Authorizer, Integration, Method
from mayfly.services.apis.rest.openapi.extensions import PREFIX
from mayfly.services.apis.rest.schemas import name_of

INTEGRATIONS, AUTHORIZERS, EVERYTHING = "integrations", "authorizers", "apigateway"
_KEY = "api_key"
_PLACES = {"querystring": "query", "header": "header", "path": "path"}


class Writing:
    """One document."""

    def __init__(self, api: Api, url: str, stage: str, asked: Collection[str], *, is_3: bool) -> None:
        """`url`: where the API is, without a slash at its end; `asked`: which extensions."""
        self._api = api
        self._url = urlsplit(url)
        self._stage = stage
        self._is_3 = is_3
        everything = EVERYTHING in asked
        self._integrations = everything or INTEGRATIONS in asked
        self._authorizers = everything or AUTHORIZERS in asked
        self._everything = everything

    def document(self) -> dict[str, Any]:
        head = self._api.head
        info: dict[str, Any] = {"title": head.name}
        if head.description is not None:
            info["description"] = head.description
        info["version"] = head.version or "1.0"
        paths = {
            one.path: {self._verb(verb): self._operation(method) for verb, method in one.methods.items()}
            for one in sorted(self._api.parts.resources.values(), key=lambda one: one.path)
            if one.methods
        }
        schemas = {one.name: self._schema(one.schema) for one in self._api.parts.models.values()}
        schemes = self._schemes()
        if self._is_3:
            variables = {"basePath": {"default": self._stage}}
            servers = [{"url": f"{self._url.geturl()}/{{basePath}}", "variables": variables}]
            found = {"openapi": "3.0.1", "info": info, "servers": servers, "paths": paths}
            parts = {"schemas": schemas, "securitySchemes": schemes}
            found["components"] = {name: value for name, value in parts.items() if value}
        else:
            found = {"swagger": "2.0", "info": info, "host": self._url.netloc, "schemes": [self._url.scheme]}
            found |= {"basePath": f"{self._url.path}/{self._stage}", "paths": paths}
            if schemes:
                found["securityDefinitions"] = schemes
            if schemas:
                found["definitions"] = schemas
        return found | self._extensions()

    def _verb(self, verb: str) -> str:
        return f"{PREFIX}any-method" if verb == "ANY" else verb.lower()

    def _operation(self, method: Method) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if method.operation_name:
            found["operationId"] = method.operation_name
        if parameters := self._parameters(method):
            found["parameters"] = parameters
        models = method.request_models or {}
        if models and self._is_3:
            content = {kind: {"schema": self._reference(name)} for kind, name in models.items()}
            found["requestBody"] = {"content": content, "required": True}
        elif models:
            found["consumes"] = list(models)
        responses = {code: self._response(code, one) for code, one in (method.method_responses or {}).items()}
        kinds = sorted({kind for one in (method.method_responses or {}).values() for kind in one.response_models or ()})
        if kinds and not self._is_3:
            found["produces"] = kinds
        if responses:
            found["responses"] = responses
        if security := self._security(method):
            found["security"] = security
        validator = self._api.parts.validators.get(method.request_validator_id or "")
        if self._everything and validator is not None:
            found[f"{PREFIX}request-validator"] = validator.name
        if self._everything and method.authorization_type == "AWS_IAM":
            found[f"{PREFIX}auth"] = {"type": "AWS_IAM"}
        if self._integrations and method.method_integration is not None:
            found[f"{PREFIX}integration"] = integration(method.method_integration)
        return found

    def _parameters(self, method: Method) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for name, required in (method.request_parameters or {}).items():
            _, _, place, key = name.split(".", 3)
            one: dict[str, Any] = {"name": key, "in": _PLACES.get(place, "query")}
            if required or place == "path":
                one["required"] = True
            found.append(one | ({"schema": {"type": "string"}} if self._is_3 else {"type": "string"}))
        models = method.request_models or {}
        if models and not self._is_3:
            name = next(iter(models.values()))
            found.append({"in": "body", "name": name, "required": True, "schema": self._reference(name)})
        return found

    def _response(self, code: str, response: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"description": f"{code} response"}
        kind: dict[str, Any] = {"schema": {"type": "string"}} if self._is_3 else {"type": "string"}
        names = [name.removeprefix("method.response.header.") for name in response.response_parameters or ()]
        if names:
            found["headers"] = dict.fromkeys(names, kind)
        models = response.response_models or {}
        if self._is_3:
            found["content"] = {kind: {"schema": self._reference(name)} for kind, name in models.items()}
        elif models:
            found["schema"] = self._reference(next(iter(models.values())))
        return found

    def _reference(self, name: str) -> dict[str, str]:
        return {"$ref": f"{'#/components/schemas/' if self._is_3 else '#/definitions/'}{name}"}

    def _schema(self, text: str | None) -> Any:
        def local(value: Any) -> Any:
            if isinstance(value, list):
                return [local(one) for one in value]
            if not isinstance(value, dict):
                return value
            made = {key: local(one) for key, one in value.items() if key != "$schema"}
            reference = made.get("$ref")
            if isinstance(reference, str) and (name := name_of(reference)) is not None:
                made["$ref"] = self._reference(name)["$ref"]
            return made

        return local(json.loads(text or "{}"))

    def _security(self, method: Method) -> list[dict[str, list[str]]]:
        found: list[dict[str, list[str]]] = []
        authorizer = self._api.parts.authorizers.get(method.authorizer_id or "")
        if authorizer is not None:
            found.append({authorizer.name: method.authorization_scopes or []})
        if method.authorization_type == "AWS_IAM":
            found.append({"sigv4": []})
        if method.api_key_required:
            found.append({_KEY: []})
        return found

    def _schemes(self) -> dict[str, Any]:
        methods = [method for one in self._api.parts.resources.values() for method in one.methods.values()]
        found: dict[str, Any] = {}
        for one in self._api.parts.authorizers.values():
            source = (one.identity_source or "").rpartition(".")[2] or "Unused"
            found[one.name] = {"type": "apiKey", "name": source, "in": "header"}
            if self._authorizers:
                found[one.name] |= {f"{PREFIX}authtype": one.auth_type, f"{PREFIX}authorizer": authorizer(one)}
        if any(method.api_key_required for method in methods):
            found[_KEY] = {"type": "apiKey", "name": "x-api-key", "in": "header"}
        if any(method.authorization_type == "AWS_IAM" for method in methods):
            found["sigv4"] = {"type": "apiKey", "name": "Authorization", "in": "header"}
            if self._authorizers:
                found["sigv4"][f"{PREFIX}authtype"] = "awsSigv4"
        return found

    def _extensions(self) -> dict[str, Any]:
        if not self._everything:
            return {}
        head, parts, found = self._api.head, self._api.parts, dict[str, Any]()
        if parts.gateway_responses:
            found["gateway-responses"] = {
                kind: _without(msgspec.to_builtins(one), "responseType")
                for kind, one in parts.gateway_responses.items()
            }
        if parts.validators:
            found["request-validators"] = {
                one.name: _without(msgspec.to_builtins(one), "id", "name") for one in parts.validators.values()
            }
        if head.binary_media_types:
            found["binary-media-types"] = head.binary_media_types
        if head.minimum_compression_size is not None:
            found["minimum-compression-size"] = head.minimum_compression_size
        if head.policy is not None:
            found["policy"] = json.loads(head.policy)
        if head.api_key_source != "HEADER":
            found["api-key-source"] = head.api_key_source
        if parts.documentation_parts:
            listed = [
                {"location": msgspec.to_builtins(one.location), "properties": json.loads(one.properties)}
                for one in parts.documentation_parts.values()
            ]
            found["documentation"] = {"documentationParts": listed}
        return {PREFIX + name: value for name, value in found.items()}


def integration(value: Integration) -> dict[str, Any]:
    """`x-amazon-apigateway-integration`."""
    members = _without(
        msgspec.to_builtins(value), "integrationResponses", "cacheNamespace", "cacheKeyParameters", "timeoutInMillis"
    )
    members |= {"type": value.type.lower(), "passthroughBehavior": value.passthrough_behavior.lower()}
    if value.timeout_in_millis != 29_000:
        members["timeoutInMillis"] = value.timeout_in_millis
    if value.cache_key_parameters:
        members["cacheKeyParameters"] = value.cache_key_parameters
    if value.connection_type == "INTERNET":
        members.pop("connectionType")
    if value.integration_responses:
        members["responses"] = {
            one.selection_pattern or "default": _without(msgspec.to_builtins(one), "selectionPattern")
            for one in value.integration_responses.values()
        }
    return members


def authorizer(value: Authorizer) -> dict[str, Any]:
    """`x-amazon-apigateway-authorizer`."""
    members = _without(msgspec.to_builtins(value), "id", "name", "authType")
    return members | {"type": value.type.lower()}


def _without(members: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in names}
