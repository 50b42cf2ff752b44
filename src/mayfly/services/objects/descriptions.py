"""What a request says about an object besides its bytes, and how a reply shows it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from mayfly.clock import utc
from mayfly.services.objects import checks, tagging
from mayfly.services.objects.model import Description, StoredObject

_HEADERS: Final = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "WebsiteRedirectLocation",
)
# Members that a presigned or signed GetObject may set for its reply.
_OVERRIDES: Final = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}
DEFAULT_CONTENT_TYPE: Final = "binary/octet-stream"


def of_request(request: Mapping[str, Any]) -> Description:
    """The description that a write carries, checked."""
    headers: dict[str, str] = {}
    for member in _HEADERS:
        value = request.get(member)
        if value is None:
            continue
        if isinstance(value, datetime):
            headers[member] = str(int(value.timestamp()))
        else:
            headers[member] = str(value)
    _drop_transfer_coding(headers)
    headers.setdefault("ContentType", DEFAULT_CONTENT_TYPE)
    metadata = dict(request.get("Metadata", {}))
    checks.check_metadata(metadata)
    return Description(headers, metadata, tagging.of_header(request.get("Tagging", "")))


def to_reply(stored: StoredObject, request: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a GetObject or HeadObject reply that describe the object, with the request's overrides."""
    description = stored.description
    reply: dict[str, Any] = dict(description.headers)
    if "Expires" in reply:
        reply["Expires"] = utc(int(reply["Expires"]))
    for asked, member in _OVERRIDES.items():
        if asked in request:
            reply[member] = request[asked]
    if description.metadata:
        reply["Metadata"] = dict(description.metadata)
    if description.tags:
        reply["TagCount"] = len(description.tags)
    reply["LastModified"] = utc(stored.modified_at)
    reply["ETag"] = stored.quoted_etag
    reply["AcceptRanges"] = "bytes"
    return reply


def _drop_transfer_coding(headers: dict[str, str]) -> None:
    # "aws-chunked" says how the bytes travelled, not what they are.
    if "aws-chunked" not in headers.get("ContentEncoding", "aws-chunked").lower():
        return  # kept in the caller's own spelling
    codings = [coding.strip() for coding in headers.pop("ContentEncoding", "").split(",")]
    kept = ",".join(coding for coding in codings if coding and coding.lower() != "aws-chunked")
    if kept:
        headers["ContentEncoding"] = kept
