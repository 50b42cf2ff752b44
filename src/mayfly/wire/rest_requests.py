"""Requests of both rest protocols: members out of path labels, query string, headers and body."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

import msgspec
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from mayfly.services.contract import ServiceError, StreamBody
from mayfly.wire.codec import Parser
from mayfly.wire.exchange import Request
from mayfly.wire.rest import BodyFormat, Malformed, body_members
from mayfly.wire.xml_values import ValueFormatError, from_text

Bind = Callable[[Request, dict[str, Any]], None]


def compile_parser(operation: OperationModel, body: BodyFormat) -> Parser:
    """The function from a request to the operation's input."""
    shape = operation.input_shape
    if not isinstance(shape, StructureShape):
        return lambda _request: {}
    binds: list[Bind] = [
        *_label_binds(shape, body.malformed),
        *_query_binds(operation, shape, body.malformed),
        *_header_binds(shape, body.malformed),
    ]
    payload = shape.serialization.get("payload")
    if payload is not None:
        binds.append(_payload_bind(operation, payload, shape.members[payload], body))
    elif body_members(shape):
        binds.append(_members_bind(body.read_members(shape)))

    def parse(request: Request) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for bind in binds:
            bind(request, found)
        return found

    return parse


def _located(shape: StructureShape, location: str) -> list[tuple[str, str, Shape]]:
    """Members bound to `location`: name, name on the wire, shape."""
    return [
        (name, str(member.serialization.get("name", name)), member)
        for name, member in shape.members.items()
        if member.serialization.get("location") == location
    ]


def _members_bind(read: Callable[[bytes], dict[str, Any]]) -> Bind:
    def bind(request: Request, found: dict[str, Any]) -> None:
        if request.body:
            found.update(read(request.body))

    return bind


def _payload_bind(operation: OperationModel, name: str, member: Shape, body: BodyFormat) -> Bind:
    if member.serialization.get("eventstream"):
        refusal = ServiceError(
            "NotImplemented", f"Mayfly does not read the event stream of {operation.name} yet.", status=501
        )

        def refuse(_request: Request, _found: dict[str, Any]) -> None:
            raise refusal

        return refuse
    if member.type_name == "blob" and member.serialization.get("streaming"):

        def stream(request: Request, found: dict[str, Any]) -> None:
            found[name] = request.stream if request.stream is not None else buffered(request.body)

        return stream
    if member.type_name == "blob":
        read: Callable[[bytes], Any] = bytes
    elif member.type_name == "string":
        read = _read_text(name, body.malformed)
    else:
        read = body.read_payload(member)

    def whole(request: Request, found: dict[str, Any]) -> None:
        if request.body:
            found[name] = read(request.body)

    return whole


def buffered(body: bytes) -> StreamBody:
    """Bytes at hand as a `ByteStream`."""

    async def once() -> Any:
        if body:
            yield body

    return StreamBody(once(), len(body))


def _read_text(name: str, malformed: Malformed) -> Callable[[bytes], str]:
    def read(body: bytes) -> str:
        try:
            return body.decode()
        except UnicodeDecodeError as error:
            raise malformed(name, "", error) from error

    return read


def _guarded(read: Callable[[str], Any], key: str, malformed: Malformed) -> Callable[[str], Any]:
    def guarded(text: str) -> Any:
        try:
            return read(text)
        except ValueFormatError as error:
            raise malformed(key, text, error) from error

    return guarded


def _label_binds(shape: StructureShape, malformed: Malformed) -> list[Bind]:
    labels = {
        key: (name, _guarded(from_text(member.type_name), key, malformed))
        for name, key, member in _located(shape, "uri")
    }
    if not labels:
        return []

    def bind(request: Request, found: dict[str, Any]) -> None:
        for key, text in request.labels.items():
            label = labels.get(key)
            if label is not None:
                found[label[0]] = label[1](text)

    return [bind]


def _query_binds(operation: OperationModel, shape: StructureShape, malformed: Malformed) -> list[Bind]:
    """Scalars take the first value of their key, lists all of them; a map takes what nothing else is bound to."""
    scalars: dict[str, tuple[str, Callable[[str], Any], bool]] = {}
    lists: dict[str, tuple[str, Callable[[str], Any]]] = {}
    rest: list[tuple[str, bool]] = []
    for name, key, member in _located(shape, "querystring"):
        if isinstance(member, MapShape):
            rest.append((name, isinstance(member.value, ListShape)))
        elif isinstance(member, ListShape):
            lists[key] = (name, _guarded(from_text(member.member.type_name), key, malformed))
        else:
            read = _guarded(from_text(member.type_name), key, malformed)
            scalars[key] = (name, read, member.type_name == "string")
    binds: list[Bind] = []

    def bind(request: Request, found: dict[str, Any]) -> None:
        for key, text in request.query:
            scalar = scalars.get(key)
            if scalar is not None:
                name, read, keeps_empty = scalar
                if name not in found and (text or keeps_empty):
                    found[name] = read(text)
            elif key in lists:
                name, read = lists[key]
                found.setdefault(name, []).append(read(text))

    if scalars or lists:
        binds.append(bind)
    pairs = operation.http["requestUri"].partition("?")[2].split("&")
    bound = {pair.partition("=")[0] for pair in pairs} | scalars.keys() | lists.keys()
    binds.extend(_query_map_bind(name, many, bound) for name, many in rest)
    return binds


def _query_map_bind(name: str, many: bool, bound: set[str]) -> Bind:
    def entries(request: Request, found: dict[str, Any]) -> None:
        values: dict[str, Any] = {}
        for key, text in request.query:
            if key in bound:
                continue
            if many:
                values.setdefault(key, []).append(text)
            else:
                values.setdefault(key, text)
        if values:
            found[name] = values

    return entries


def _header_binds(shape: StructureShape, malformed: Malformed) -> list[Bind]:
    """One pass over the request's headers, since an operation of S3 has many more members than a request headers."""
    headers: dict[str, tuple[str, Callable[[str], Any], bool]] = {}
    for name, key, member in _located(shape, "header"):
        as_json = bool(member.serialization.get("jsonvalue"))
        if as_json:
            read: Callable[[str], Any] = _read_json_header
        elif isinstance(member, ListShape):
            read = _header_list_reader(member)
        else:
            read = from_text(member.type_name)
        keeps_empty = member.type_name == "string" and not as_json
        headers[key.lower()] = (name, _guarded(read, key, malformed), keeps_empty)
    binds: list[Bind] = []

    def bind(request: Request, found: dict[str, Any]) -> None:
        for key, text in request.headers.items():
            header = headers.get(key)
            if header is not None and (text or header[2]):
                found[header[0]] = header[1](text)

    if headers:
        binds.append(bind)
    binds.extend(_header_map_bind(name, key.lower()) for name, key, _ in _located(shape, "headers"))
    return binds


def _read_json_header(text: str) -> Any:
    try:
        return msgspec.json.decode(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError) as error:
        raise ValueFormatError("not JSON in Base64") from error


def _header_list_reader(member: ListShape) -> Callable[[str], list[Any]]:
    read = from_text(member.member.type_name)
    dates = member.member.type_name == "timestamp"

    def items(text: str) -> list[Any]:
        parts = split_list(text)
        if dates:  # the comma of "Sat, 31 Jan 2026 12:00:00 GMT" separates nothing
            parts = [f"{day},{rest}" for day, rest in zip(parts[::2], parts[1::2], strict=False)]
        return [read(part) for part in parts]

    return items


def split_list(text: str) -> list[str]:
    """The elements of a list in a header: separated by commas, in double quotes where they hold one themselves."""
    if '"' not in text:
        return [part.strip() for part in text.split(",")]
    parts: list[str] = []
    current, quoted, escaped = [], False, False
    for character in text:
        if escaped:
            current.append(character)
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            parts.append("".join(current).strip())
            current = []
        else:
            current.append(character)
    parts.append("".join(current).strip())
    return parts


def _header_map_bind(name: str, prefix: str) -> Bind:
    cut = len(prefix)

    def entries(request: Request, found: dict[str, Any]) -> None:
        values = {key[cut:]: value for key, value in request.headers.items() if key.startswith(prefix)}
        if values:
            found[name] = values

    return entries
