"""Replies of both rest protocols: members into status code, headers and body."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from botocore.model import ListShape, OperationModel, Shape, StructureShape

from mayfly.services.contract import HttpResponse, StreamBody
from mayfly.wire.event_stream import CONTENT_TYPE, EventEncoder
from mayfly.wire.rest import BodyFormat, body_members
from mayfly.wire.xml_values import to_text

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NO_TOKEN = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]")


def compile_serialiser(
    operation: OperationModel, body: BodyFormat, id_headers: Callable[[str], list[tuple[str, str]]]
) -> Callable[[Mapping[str, Any], str], HttpResponse]:
    """The function from the operation's output to the reply."""
    shape = operation.output_shape
    status = int(operation.http.get("responseCode", 200))
    if not isinstance(shape, StructureShape):
        return lambda _value, request_id: HttpResponse(status, id_headers(request_id))
    head = compile_head(shape)
    known, operation_name = frozenset(shape.members), operation.name
    write, content_type = _reply_body(operation, shape, body)
    status_member = next(
        (name for name, member in shape.members.items() if member.serialization.get("location") == "statusCode"), None
    )

    def serialise(value: Mapping[str, Any], request_id: str) -> HttpResponse:
        if not known.issuperset(value):
            raise KeyError(f"{operation_name} has no output {sorted(set(value) - known)}")
        headers = id_headers(request_id)
        head(value, headers)
        content = write(value)
        if content_type and (content or content_type == "application/json"):
            headers.append(("content-type", content_type))
        code = value.get(status_member, status) if status_member else status
        if code == 200 and "ContentRange" in value:  # S3's model does not say so, HTTP does
            code = 206
        return HttpResponse(code, headers, content)

    return serialise


def _reply_body(
    operation: OperationModel, shape: StructureShape, body: BodyFormat
) -> tuple[Callable[[Mapping[str, Any]], Any], str]:
    payload = shape.serialization.get("payload")
    if payload is None:
        if not body_members(shape):
            return (lambda _value: b""), ""
        return body.write_members(operation, shape), body.content_type
    member = shape.members[payload]
    if member.serialization.get("eventstream"):
        assert isinstance(member, StructureShape)
        encoder = EventEncoder(member, lambda shape: body.write_payload(shape, shape.name), body.content_type)
        return (lambda value: StreamBody(encoder.stream(value[payload]))), CONTENT_TYPE
    if member.type_name in {"blob", "string"}:

        def raw(value: Mapping[str, Any]) -> Any:
            content = value.get(payload, b"")
            return content.encode() if isinstance(content, str) else content

        bound = {m.serialization.get("name", "").lower() for m in shape.members.values()}
        if "content-type" in bound:
            return raw, ""
        return raw, "application/json" if body.content_type == "application/json" else ""
    write = body.write_payload(member, payload)
    return (lambda value: write(value[payload]) if payload in value else b""), body.content_type


def compile_head(shape: StructureShape) -> Callable[[Mapping[str, Any], list[tuple[str, str]]], None]:
    """The function that adds the headers that members of a reply, or of an error, are bound to."""
    writers: dict[str, Callable[[Any, list[tuple[str, str]]], None]] = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        key = str(member.serialization.get("name", name))
        if location == "header":
            writers[name] = _header_writer(key, header_text(member))
        elif location == "headers":
            writers[name] = _header_map_writer(key)

    def head(value: Mapping[str, Any], headers: list[tuple[str, str]]) -> None:
        for name, item in value.items():
            writer = writers.get(name)
            if writer is not None and item is not None:
                writer(item, headers)

    return head


def _header_writer(key: str, text: Callable[[Any], str]) -> Callable[[Any, list[tuple[str, str]]], None]:
    def write(value: Any, headers: list[tuple[str, str]]) -> None:
        headers.append((key, header_safe(text(value))))

    return write


def _header_map_writer(prefix: str) -> Callable[[Any, list[tuple[str, str]]], None]:
    def write(value: Any, headers: list[tuple[str, str]]) -> None:
        headers.extend((prefix + _NO_TOKEN.sub("-", key), header_safe(item)) for key, item in value.items())

    return write


def header_safe(text: str) -> str:
    """`text` as a header may carry it: no line ends, which would start another header, and bytes that are UTF-8.

    A server decodes and encodes headers as Latin-1, so that what came in a header goes out as it came.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _CONTROL.sub(" ", text)
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode().decode("latin-1")
    return text


def header_text(shape: Shape) -> Callable[[Any], str]:
    """The function that writes a value of `shape` as a header's text."""
    if shape.serialization.get("jsonvalue"):
        return lambda value: base64.b64encode(msgspec.json.encode(value)).decode("ascii")
    if isinstance(shape, ListShape):
        item = header_text(shape.member)
        quotes = shape.member.type_name == "string"
        return lambda value: ",".join(_quoted(item(each)) if quotes else item(each) for each in value)
    return to_text(shape, "rfc822")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"' if '"' in text or "," in text else text
