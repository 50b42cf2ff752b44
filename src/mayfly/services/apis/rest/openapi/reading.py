"""An OpenAPI document as an API: what it says of the API itself, and its parts. Pure; `ServiceError`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from mayfly import ids
from mayfly.services.apis.rest import checks, faults
from mayfly.services.apis.rest.model import Authorizer, Parts, Resource
from mayfly.services.apis.rest.openapi import extensions, methods
from mayfly.services.apis.rest.openapi.bodies import Bodies
from mayfly.services.apis.rest.openapi.documentation import parts_of
from mayfly.services.apis.rest.openapi.documents import is_openapi_3
from mayfly.services.apis.rest.openapi.extensions import PREFIX
from mayfly.services.apis.rest.openapi.methods import Reading
from mayfly.services.apis.rest.operations.resources import add
from mayfly.services.contract import ServiceError

VERBS = {"get", "put", "post", "delete", "patch", "options", "head"}
_ANY = f"{PREFIX}any-method"


@dataclass(frozen=True)
class Read:
    """What a document says."""

    settings: dict[str, Any]  # of the API itself, by the names of CreateRestApi
    parts: Parts
    warnings: list[str]


def read(document: dict[str, Any], api_id: str, root_id: str, asked: Mapping[str, str]) -> Read:
    """`asked`: the parameters of the import, such as `basepath` and `ignore`. `ServiceError`, also where something in
    the document has another shape than it should."""
    try:
        found = _read(document, api_id, root_id, asked)
        msgspec.convert(msgspec.to_builtins(found.parts), Parts)  # what stands in fields is checked nowhere else
    except (AttributeError, TypeError, KeyError, ValueError, IndexError, RecursionError) as error:
        raise faults.bad_request("Invalid OpenAPI input.") from error
    return found


def _read(document: dict[str, Any], api_id: str, root_id: str, asked: Mapping[str, str]) -> Read:
    is_3 = is_openapi_3(document)
    components = document.get("components") or {}
    schemes = (components.get("securitySchemes") if is_3 else document.get("securityDefinitions")) or {}
    schemas = (components.get("schemas") if is_3 else document.get("definitions")) or {}
    validators = extensions.validators(document.get(f"{PREFIX}request-validators") or {}, lambda: ids.token(6))
    authorizers = _authorizers(schemes)
    reading = Reading(document, is_3, Bodies(api_id, schemas), authorizers, schemes, validators)
    parts = Parts(
        resources={root_id: Resource(id=root_id, path="/")},
        models=reading.bodies.models,
        validators={one.id: one for one in validators.values()},
        authorizers={one.id: one for one in authorizers.values()},
        gateway_responses=extensions.gateway_responses(document.get(f"{PREFIX}gateway-responses") or {}),
    )
    if asked.get("ignore") != "documentation":
        parts.documentation_parts.update(parts_of(document.get(f"{PREFIX}documentation") or {}))
    _paths(reading, parts, root_id, _base_path(document, is_3, asked.get("basepath", "ignore")))
    return Read(_settings(document, asked), parts, reading.warnings)


def _authorizers(schemes: Mapping[str, Any]) -> dict[str, Authorizer]:
    found = {}
    for name, scheme in schemes.items():
        if (made := extensions.authorizer(name, scheme, ids.token(6))) is not None:
            found[name] = made
    return found


def _settings(document: Mapping[str, Any], asked: Mapping[str, str]) -> dict[str, Any]:
    info = document.get("info") or {}
    policy = document.get(f"{PREFIX}policy")
    source = document.get(f"{PREFIX}api-key-source")
    size = document.get(f"{PREFIX}minimum-compression-size")
    endpoint = dict(document.get(f"{PREFIX}endpoint-configuration") or {})
    for server in _servers(document):
        endpoint.update(server.get(f"{PREFIX}endpoint-configuration") or {})
    said: dict[str, Any] = {
        "name": str(info.get("title") or ""),
        "description": info.get("description"),
        "version": str(info["version"]) if info.get("version") is not None else None,
        "binaryMediaTypes": document.get(f"{PREFIX}binary-media-types"),
        "minimumCompressionSize": int(size) if size is not None else None,
        "policy": json.dumps(policy) if policy is not None else None,
        "apiKeySource": str(source).upper() if source is not None else None,
    }
    types = asked.get("endpointConfigurationTypes")
    configuration: dict[str, Any] = {}
    if types:
        configuration["types"] = types.split(",")
    if endpoint.get("vpcEndpointIds"):
        configuration["vpcEndpointIds"] = endpoint["vpcEndpointIds"]
    if configuration:
        said["endpointConfiguration"] = configuration
    if endpoint.get("disableExecuteApiEndpoint") is not None:
        said["disableExecuteApiEndpoint"] = bool(endpoint["disableExecuteApiEndpoint"])
    return {name: value for name, value in said.items() if value is not None}


def _servers(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is a list in a document that keeps to the specification; anything else is passed over."""
    said = document.get("servers")
    return [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []


def _base_path(document: Mapping[str, Any], is_3: bool, mode: str) -> str:
    """What goes before every path."""
    if is_3:
        server = next(iter(_servers(document)), {})
        said = ((server.get("variables") or {}).get("basePath") or {}).get("default", "")
    else:
        said = document.get("basePath") or ""
    path = "/" + str(said).strip("/") if str(said).strip("/") else ""
    if mode == "prepend":
        return path
    if mode == "split":
        first, _, rest = path.strip("/").partition("/")
        return f"/{rest}" if first and rest else ""
    return ""


def _paths(reading: Reading, parts: Parts, root_id: str, base: str) -> None:
    paths = reading.document.get("paths") or {}
    if not isinstance(paths, dict):
        raise faults.bad_request("Invalid OpenAPI input.")
    for path, raw in paths.items():
        item = reading.resolve(raw)
        resource_id = _resource(parts, root_id, base + path)
        for name, said in item.items():
            verb = "ANY" if name == _ANY else name.upper()
            if (name.lower() not in VERBS and name != _ANY) or not isinstance(said, dict):
                continue
            resource = parts.resources[resource_id]
            try:
                method = methods.read(reading, verb, item, said, resource_id)
            except ServiceError as error:
                raise faults.bad_request(
                    f"Errors found during import:\n\tUnable to put integration on '{verb}' for resource at path "
                    f"'{resource.path}': {error.message}"
                ) from None
            merged = dict(sorted({**resource.methods, verb: method}.items()))
            parts.resources[resource_id] = replace(resource, methods=merged)


def _resource(parts: Parts, root_id: str, path: str) -> str:
    """The resource of a path, made with those above it where it is not there."""
    here = parts.resources[root_id]
    for part in [piece for piece in path.split("/") if piece]:
        below = next(
            (one for one in parts.resources.values() if one.parent_id == here.id and one.path_part == part), None
        )
        if below is None:
            if len(parts.resources) >= checks.MOST_RESOURCES:
                raise faults.too_many(
                    f"Maximum number of resources for this API has been reached: {checks.MOST_RESOURCES}"
                )
            try:
                below = add(parts, ids.token(6), here, part)
            except ServiceError as error:
                raise faults.bad_request(
                    f"Errors found during import:\n\tUnable to create resource at path '{path}': {error.message}"
                ) from None
        here = below
    return here.id
