"""Whether the parts of a REST API are what API Gateway takes, in its words. Pure; `ServiceError`."""

import json
import re
from collections.abc import Mapping
from typing import Any

from mayfly.services.apis.rest import faults
from mayfly.services.apis.rest.model import Head, Parts, Resource
from mayfly.services.contract import ServiceError

ENDPOINT_TYPES = ("REGIONAL", "EDGE", "PRIVATE")
METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY")
MOST_COMPRESSION = 10_485_760
MOST_RESOURCES = 300
_PART = re.compile(r"[a-zA-Z0-9._\-:*@!$&'()+,;=~%]+")
_VARIABLE = re.compile(r"\{[a-zA-Z0-9._\-:]+\+?\}")
_STAGE = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_STAGE_VARIABLE = re.compile(r"[A-Za-z0-9_]+")
_STAGE_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,@]*")


def bad_compression() -> ServiceError:
    return faults.bad_request(f"Invalid minimum compression size, must be between 0 and {MOST_COMPRESSION}")


def description(params: Mapping[str, Any]) -> None:
    if params.get("description") == "":
        raise faults.bad_request("Description cannot be an empty string")


def head(value: Head) -> None:
    if not value.name.strip():
        raise faults.bad_request("API name cannot be empty")
    size = value.minimum_compression_size
    if size is not None and not 0 <= size <= MOST_COMPRESSION:
        raise bad_compression()
    endpoint = value.endpoint_configuration
    if len(endpoint.types) > 1:
        raise faults.bad_request("Cannot create an api with multiple Endpoint Types.")
    if endpoint.types == ["PRIVATE"] and endpoint.ip_address_type != "dualstack":
        raise faults.bad_request("Only dualstack ipAddressType is supported for Private APIs.")
    if value.policy is not None:
        policy(value.policy)


def policy(text: str) -> None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or "Statement" not in document:
        raise faults.bad_request(
            "Invalid policy document. Please check the policy syntax and ensure that Principals are valid."
        )


def path_part(parts: Parts, parent: Resource, part: str, myself: str | None = None) -> None:
    """Whether a resource may be `part` below `parent`; `myself`: its id, where there is one already."""
    if not _PART.fullmatch(part) and not _VARIABLE.fullmatch(part):
        raise faults.bad_request(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the "
            "beginning and the end."
        )
    if (parent.path_part or "").endswith("+}"):
        raise faults.bad_request(f"Cannot create a child of a resource with a greedy path variable: {parent.path_part}")
    for other in parts.resources.values():
        if other.parent_id != parent.id or other.id == myself:
            continue
        if other.path_part == part:
            raise faults.conflict(f"Another resource with the same parent already has this name: {part}")
        if part.startswith("{") and (other.path_part or "").startswith("{"):
            raise faults.bad_request(
                f"A sibling ({other.path_part}) of this resource already has a variable path part -- only one is "
                "allowed"
            )


def method(verb: str) -> None:
    if verb not in METHODS:
        raise faults.bad_request(f"Invalid HttpMethod specified. Valid options are {','.join(METHODS)}")


def parameters(given: Mapping[str, Any], prefix: str = "method.request") -> None:
    """Of a request, or of a response."""
    seen = set()
    for name in given:
        pieces = name.split(".", 3)
        kinds = ("querystring", "header", "path") if prefix == "method.request" else ("header",)
        if not name.startswith(f"{prefix}.") or len(pieces) != 4 or pieces[2] not in kinds or not pieces[3]:
            raise faults.bad_request(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
                f"[Invalid mapping expression specified: {name}]"
            )
        said = pieces[3].removeprefix("multivalue")
        if said in seen:
            raise faults.bad_request("Parameter names must be unique across querystring, header and path")
        seen.add(said)


def templates(given: Mapping[str, Any]) -> None:
    for kind in given:
        if "/" not in kind and kind != "$default":
            raise faults.bad_request(
                f"Validation Result: warnings : [], errors : [Invalid content type specified: {kind}]"
            )


def stage_name(name: str) -> None:
    if not _STAGE.fullmatch(name):
        raise faults.bad_request("Stage name only allows a-zA-Z0-9_")


def variables(given: Mapping[str, str]) -> None:
    for name, value in given.items():
        if not _STAGE_VARIABLE.fullmatch(name):
            raise faults.bad_request("Stage variable names only allow alphanumeric characters and underscores")
        if not _STAGE_VALUE.fullmatch(value):
            raise faults.bad_request("Stage variable value does not match the allowed pattern: [A-Za-z0-9-._~:/?#&=,]+")


def schema(text: str | None) -> None:
    """Of a model."""
    try:
        document = json.loads(text) if text else None
    except (ValueError, RecursionError) as error:
        raise faults.bad_request(f"Invalid model schema specified: {error}") from None
    if not isinstance(document, dict) or not document:
        raise faults.bad_request("Model schema must have at least 1 property or array items defined")
