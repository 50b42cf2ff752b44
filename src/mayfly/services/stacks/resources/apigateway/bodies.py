"""OpenAPI documents that templates hold, or that lie in a bucket."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller
from mayfly.services.stacks.resources.schema import PropertyError


async def document_of(call: Caller, properties: Mapping[str, Any]) -> bytes | None:
    """The document; None where there is none; `ServiceError`, `PropertyError`."""
    if "Body" in properties:
        body = properties["Body"]
        return body.encode() if isinstance(body, str) else json.dumps(body).encode()
    place = properties.get("BodyS3Location")
    if place is None:
        return None
    if "Bucket" not in place or "Key" not in place:
        raise PropertyError("#/BodyS3Location: required keys [Bucket, Key] not found")
    version = {"VersionId": place["Version"]} if "Version" in place else {}
    reply = await call("s3", "GetObject", Bucket=place["Bucket"], Key=place["Key"], **version)
    if "ETag" in place and reply["ETag"].strip('"') != place["ETag"].strip('"'):
        raise PropertyError("#/BodyS3Location/ETag: the object has another one")
    stream = reply["Body"]
    if hasattr(stream, "read"):
        read: bytes = stream.read()
        return read
    return b"".join([chunk async for chunk in stream])


def title_of(document: bytes) -> str | None:
    """The name that a document in JSON gives its API."""
    try:
        title = json.loads(document)["info"]["title"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(title) if title else None
