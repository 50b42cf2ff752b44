"""Parts of an API's documentation, in OpenAPI documents (`x-amazon-apigateway-documentation`). Pure."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly import ids
from mayfly.services.apis.rest import faults
from mayfly.services.apis.rest.model import DocumentationPart, Location

TYPES = [
    "API",
    "AUTHORIZER",
    "MODEL",
    "RESOURCE",
    "METHOD",
    "PATH_PARAMETER",
    "QUERY_PARAMETER",
    "REQUEST_HEADER",
    "REQUEST_BODY",
    "RESPONSE",
    "RESPONSE_HEADER",
    "RESPONSE_BODY",
]


def parts_of(found: Mapping[str, Any]) -> dict[str, DocumentationPart]:
    """By id; `ServiceError`."""
    made = {}
    for said in found.get("documentationParts") or ():
        properties = said.get("properties") or {}
        if not isinstance(properties, dict):
            raise faults.bad_request("Invalid JSON in the properties of a documentation part")
        one = DocumentationPart(
            id=ids.token(6), location=location(said.get("location") or {}), properties=json.dumps(properties)
        )
        made[one.id] = one
    return made


def location(said: Mapping[str, Any]) -> Location:
    """What a part is about; what its type leaves open is anything."""
    kind = str(said.get("type", ""))
    if kind not in TYPES:
        raise faults.bad_request(f"Invalid documentation part type: {kind}")
    status = said.get("statusCode")
    return Location(
        type=kind,
        path=said.get("path"),
        method=said.get("method"),
        status_code=str(status) if status is not None else None,
        name=said.get("name"),
    )
