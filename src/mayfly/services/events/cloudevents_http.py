"""The HTTP binding of CloudEvents 1.0 (binary, structured and batched), in both directions. Pure.

In binary mode the attributes are headers `ce-*` and the body is the data; in structured mode the body is the event as
JSON; a batch is a list of those. Which it is, the content type says.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from mayfly.services.events.cloudevents import CloudEvent, CloudEventError, is_json, structured

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MOST_IN_A_BATCH = 500
_PREFIX = "ce-"
_TO_ENCODE = re.compile(r"[^\x21\x23\x24\x26-\x7e]")  # everything but what a header's value has as it is

_encode = msgspec.json.Encoder().encode


class UnknownContentError(CloudEventError):
    """Content of a kind that no mode has."""


def parse(headers: Mapping[str, str], body: bytes) -> list[CloudEvent]:
    """The CloudEvents of a request, whose headers have lower-case names; `CloudEventError`."""
    content_type = headers.get("content-type", "")
    media = content_type.partition(";")[0].strip().lower()
    if media.startswith("application/cloudevents"):
        _check_charset(content_type)
        if media == STRUCTURED:
            return [_structured(_decoded(body))]
        if media == BATCH:
            return _batch(_decoded(body))
        raise UnknownContentError(f"{media} is not a format that is understood here; {STRUCTURED} and {BATCH} are")
    if f"{_PREFIX}specversion" not in headers:
        raise UnknownContentError(
            f"the content type is neither {STRUCTURED} nor {BATCH}, and there is no header ce-specversion"
        )
    return [_binary(headers, content_type, body)]


def binary(cloud: CloudEvent) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """Headers and body of a CloudEvent in binary mode."""
    content_type = cloud.attributes.get("datacontenttype", "")
    headers = [
        (f"{_PREFIX}{name}", _header(value)) for name, value in cloud.attributes.items() if name != "datacontenttype"
    ]
    if cloud.binary is not None:
        return (*headers, ("Content-Type", content_type or "application/octet-stream")), cloud.binary
    if cloud.data is None:
        return tuple(headers), b""
    body = cloud.data
    if not is_json(content_type):
        value: Any = msgspec.json.decode(cloud.data)
        body = value.encode() if isinstance(value, str) else cloud.data
    return (*headers, ("Content-Type", content_type or "application/json")), body


def whole(cloud: CloudEvent) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """Headers and body of a CloudEvent in structured mode."""
    return (("Content-Type", f"{STRUCTURED}; charset=utf-8"),), structured(cloud)


def _binary(headers: Mapping[str, str], content_type: str, body: bytes) -> CloudEvent:
    attributes = {name[len(_PREFIX) :]: _value(value) for name, value in headers.items() if name.startswith(_PREFIX)}
    if "datacontenttype" in attributes:
        raise CloudEventError("in binary mode the content type is datacontenttype")
    if content_type:
        attributes["datacontenttype"] = content_type
    if not body:
        return CloudEvent(attributes)
    if is_json(content_type):
        _decoded(body)
        return CloudEvent(attributes, body)
    if content_type.partition(";")[0].strip().lower().startswith("text/"):
        try:
            return CloudEvent(attributes, _encode(body.decode()))
        except UnicodeDecodeError:
            pass
    return CloudEvent(attributes, binary=body)


def _structured(value: object) -> CloudEvent:
    if not isinstance(value, dict):
        raise CloudEventError("a CloudEvent is a JSON object")
    members = {name: member for name, member in value.items() if member is not None or name == "data"}
    if "data" in members and "data_base64" in members:
        raise CloudEventError("data and data_base64 exclude each other")
    attributes = dict(_texts((name, members[name]) for name in members if name not in {"data", "data_base64"}))
    if "data_base64" in members:
        return CloudEvent(attributes, binary=_decoded_base64(members["data_base64"]))
    if "data" not in members:
        return CloudEvent(attributes)
    return CloudEvent(attributes, _encode(members["data"]))


def _batch(value: object) -> list[CloudEvent]:
    if not isinstance(value, list):
        raise CloudEventError("a batch is a JSON array")
    if len(value) > MOST_IN_A_BATCH:
        raise CloudEventError(f"a batch has at most {MOST_IN_A_BATCH} events, not {len(value)}")
    found = []
    for number, one in enumerate(value):
        try:
            found.append(_structured(one))
        except CloudEventError as error:
            raise CloudEventError(f"event {number} of the batch: {error}") from None
    return found


def _texts(members: Iterable[tuple[str, object]]) -> Iterable[tuple[str, str]]:
    for name, value in members:
        if isinstance(value, bool):
            yield name, "true" if value else "false"
        elif isinstance(value, (str, int)):
            yield name, str(value)
        else:
            raise CloudEventError(f"the attribute {name[:64]} is neither a string nor a whole number nor a truth value")


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CloudEventError(f"the body is no JSON: {error}") from None


def _decoded_base64(value: object) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise CloudEventError("data_base64 is no base64") from None


def _check_charset(content_type: str) -> None:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "charset" and value.strip('"').lower() not in {"utf-8", "utf8", "us-ascii"}:
            raise UnknownContentError("JSON is UTF-8")


def _value(header: str) -> str:
    """An attribute as a header has it: percent-encoded, perhaps in quotes."""
    if len(header) >= 2 and header[0] == header[-1] == '"':
        header = re.sub(r"\\(.)", r"\1", header[1:-1])
    try:
        return unquote(header, errors="strict")
    except UnicodeDecodeError:
        raise CloudEventError("a header's percent-encoding is not UTF-8") from None


def _header(value: str) -> str:
    return _TO_ENCODE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), value)
