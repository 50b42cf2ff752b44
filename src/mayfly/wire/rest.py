"""Members that travel outside the body: path labels, query string, headers, status code. For both rest protocols.

`rest_json` and `rest_xml` hand in what differs: how a structure is read from and written to a body, and which error a
malformed value gives.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from mayfly.services.contract import HttpResponse, ServiceError, StreamBody
from mayfly.wire.codec import Parser
from mayfly.wire.exchange import Request
from mayfly.wire.xml_values import ValueFormatError, from_text, to_text

Malformed = Callable[[str, str, Exception], ServiceError]  # member's name on the wire, value, cause
WriteBody = Callable[[Any], bytes]
Bind = Callable[[Request, dict[str, Any]], None]

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NO_TOKEN = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]")


@dataclass(frozen=True, slots=True)
class BodyFormat:
    """What a rest protocol adds: its body. The functions compile; what they return runs."""

    content_type: str
    read_members: Callable[[StructureShape], Callable[[bytes], dict[str, Any]]]  # of the input itself
    read_payload: Callable[[Shape], Callable[[bytes], Any]]  # of a payload member
    write_members: Callable[[OperationModel, StructureShape], WriteBody]
    write_payload: Callable[[Shape, str], WriteBody]  # shape, the member's name
    malformed: Malformed


def body_members(shape: StructureShape) -> bool:
    """Whether any member travels in the body."""
    return any("location" not in member.serialization for member in shape.members.values())


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


def compile_serialiser(
    operation: OperationModel, body: BodyFormat, id_headers: Callable[[str], list[tuple[str, str]]]
) -> Callable[[Mapping[str, Any], str], HttpResponse]:
    """The function from the operation's output to the reply."""
    shape = operation.output_shape
    status = int(operation.http.get("responseCode", 200))
    if not isinstance(shape, StructureShape):
        return lambda _value, request_id: HttpResponse(status, id_headers(request_id))
    head = compile_head(shape)
    known = frozenset(shape.members)
    write, content_type = _reply_body(operation, shape, body)
    status_member = next(
        (name for name, member in shape.members.items() if member.serialization.get("location") == "statusCode"), None
    )

    def serialise(value: Mapping[str, Any], request_id: str) -> HttpResponse:
        if not known.issuperset(value):
            raise KeyError(f"{operation.name} has no output {sorted(set(value) - known)}")
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
        # What a handler gives is bytes already framed; there is no encoder for events yet.
        return (lambda value: value.get(payload, b"")), "application/vnd.amazon.eventstream"
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
