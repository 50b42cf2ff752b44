"""XML elements to and from the model's types; what the `rest-xml` and `query` codecs have in common.

A parser takes a `Node`; a serialiser takes a value and the element's name and appends pieces of text to a list.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from mayfly.wire import timestamps
from mayfly.wire.shapes import Compiler
from mayfly.wire.xml import Node, escape, escape_attribute

Parse = Callable[[Node], Any]
Write = Callable[[list[str], str, Any], None]


class ValueFormatError(ValueError):
    """A text is not what the model's type demands."""


def parsers() -> Compiler[Parse]:
    """Compiles shapes to functions from elements to values; they raise `ValueFormatError`."""
    return Compiler(_parser)


def serialisers(iso: Callable[[datetime], str] = timestamps.to_iso) -> Compiler[Write]:
    """Compiles shapes to functions that write a value as an element; `iso` writes the times without a format."""
    return Compiler(lambda shape, compiler: _serialiser(shape, compiler, iso))


def from_text(type_name: str) -> Callable[[str], Any]:
    """The function that reads a scalar from text; it raises `ValueFormatError`."""
    return _READERS[type_name]


def to_text(shape: Shape, default_timestamp: str) -> Callable[[Any], str]:
    """The function that writes a scalar of `shape` as text."""
    if shape.type_name == "timestamp":
        return timestamps.formatter(shape.serialization.get("timestampFormat", default_timestamp))
    return _WRITERS[shape.type_name]


def element_name(member: Shape, name: str) -> str:
    """The name of the element, in a structure, that holds a member: a flattened list goes by its member's name."""
    if isinstance(member, ListShape) and member.serialization.get("flattened"):
        inner = member.member.serialization.get("name")
        if inner is not None:
            return str(inner)
    return str(member.serialization.get("name", name))


def _parser(shape: Shape, compiler: Compiler[Parse]) -> Parse:
    if isinstance(shape, StructureShape):
        return _structure_parser(shape, compiler)
    if isinstance(shape, ListShape):
        name = shape.member.serialization.get("name", "member")
        step = compiler.step(shape.member)
        return lambda node: [step(child) for child in node.children if child.name == name]
    if isinstance(shape, MapShape):
        entry = _entry_parser(shape, compiler)
        return lambda node: dict(entry(child) for child in node.children if child.name == "entry")
    read = from_text(shape.type_name)
    return lambda node: read(node.text)


def _entry_parser(shape: MapShape, compiler: Compiler[Parse]) -> Callable[[Node], tuple[Any, Any]]:
    key_name, value_name = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
    key_step, value_step = compiler.step(shape.key), compiler.step(shape.value)

    def entry(node: Node) -> tuple[Any, Any]:
        key, value = node.first(key_name), node.first(value_name)
        if key is None or value is None:
            raise ValueFormatError(f"an entry of {node.name} lacks its {key_name} or {value_name}")
        return key_step(key), value_step(value)

    return entry


def _structure_parser(shape: StructureShape, compiler: Compiler[Parse]) -> Parse:
    single: dict[str, tuple[str, Parse]] = {}
    repeated: dict[str, tuple[str, Callable[[Node], Any], bool]] = {}  # name, step, whether it is a map
    attributes: dict[str, tuple[str, Callable[[str], Any]]] = {}
    for name, member in shape.members.items():
        if "location" in member.serialization:
            continue
        key = element_name(member, name)
        if member.serialization.get("xmlAttribute"):
            attributes[key.rpartition(":")[2]] = (name, from_text(member.type_name))
        elif isinstance(member, ListShape) and member.serialization.get("flattened"):
            repeated[key] = (name, compiler.step(member.member), False)
        elif isinstance(member, MapShape) and member.serialization.get("flattened"):
            repeated[key] = (name, _entry_parser(member, compiler), True)
        else:
            single[key] = (name, compiler.step(member))

    def structure(node: Node) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for child in node.children:
            one = single.get(child.name)
            if one is not None:
                found[one[0]] = one[1](child)
            elif child.name in repeated:
                name, step, is_map = repeated[child.name]
                if is_map:
                    key, value = step(child)
                    found.setdefault(name, {})[key] = value
                else:
                    found.setdefault(name, []).append(step(child))
        for key, (name, read) in attributes.items():
            if key in node.attributes:
                found[name] = read(node.attributes[key])
        return found

    return structure


def _serialiser(shape: Shape, compiler: Compiler[Write], iso: Callable[[datetime], str]) -> Write:
    if isinstance(shape, StructureShape):
        return _structure_serialiser(shape, compiler)
    if isinstance(shape, ListShape):
        return _list_serialiser(shape, compiler)
    if isinstance(shape, MapShape):
        return _map_serialiser(shape, compiler)
    formatted = shape.type_name == "timestamp" and "timestampFormat" not in shape.serialization
    text = iso if formatted else to_text(shape, "iso8601")
    namespace = _namespace(shape)

    def scalar(out: list[str], name: str, value: Any) -> None:
        out.append(f"<{name}{namespace}>{escape(text(value))}</{name}>")

    return scalar


def _namespace(shape: Shape) -> str:
    namespace = shape.serialization.get("xmlNamespace")
    if not namespace:
        return ""
    if isinstance(namespace, str):
        return f' xmlns="{escape_attribute(namespace)}"'
    prefix = f":{namespace['prefix']}" if namespace.get("prefix") else ""
    return f' xmlns{prefix}="{escape_attribute(namespace["uri"])}"'


def members_writer(shape: StructureShape, compiler: Compiler[Write]) -> Callable[[list[str], Any], None]:
    """The function that writes the members of a structure, in the model's order, without an element around them."""
    members = [
        (name, element_name(member, name), compiler.step(member))
        for name, member in shape.members.items()
        if not member.serialization.get("xmlAttribute")
        and member.serialization.get("location") not in {"header", "headers", "statusCode"}
    ]
    known = frozenset(shape.members)

    def write(out: list[str], value: Any) -> None:
        if not known.issuperset(value):
            raise KeyError(f"{shape.name} has no member {sorted(set(value) - known)}")
        for name, element, step in members:
            item = value.get(name)
            if item is not None:
                step(out, element, item)

    return write


def _structure_serialiser(shape: StructureShape, compiler: Compiler[Write]) -> Write:
    namespace = _namespace(shape)
    write = members_writer(shape, compiler)
    attributes = [
        (name, member.serialization["name"], to_text(member, "iso8601"))
        for name, member in shape.members.items()
        if member.serialization.get("xmlAttribute")
    ]

    def structure(out: list[str], name: str, value: Any) -> None:
        extra = "".join(
            f' {key}="{escape_attribute(text(value[member]))}"' for member, key, text in attributes if member in value
        )
        out.append(f"<{name}{namespace}{extra}>")
        write(out, value)
        out.append(f"</{name}>")

    return structure


def _list_serialiser(shape: ListShape, compiler: Compiler[Write]) -> Write:
    step = compiler.step(shape.member)
    namespace = _namespace(shape)
    if shape.serialization.get("flattened"):

        def flattened(out: list[str], name: str, value: Any) -> None:
            for item in value:
                step(out, name, item)

        return flattened
    inner = shape.member.serialization.get("name", "member")

    def wrapped(out: list[str], name: str, value: Any) -> None:
        out.append(f"<{name}{namespace}>")
        for item in value:
            step(out, inner, item)
        out.append(f"</{name}>")

    return wrapped


def _map_serialiser(shape: MapShape, compiler: Compiler[Write]) -> Write:
    key_name, value_name = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
    key_step, value_step = compiler.step(shape.key), compiler.step(shape.value)
    flattened = bool(shape.serialization.get("flattened"))

    def entries(out: list[str], name: str, value: Any) -> None:
        entry = name if flattened else "entry"
        if not flattened:
            out.append(f"<{name}>")
        for key, item in value.items():
            out.append(f"<{entry}>")
            key_step(out, key_name, key)
            value_step(out, value_name, item)
            out.append(f"</{entry}>")
        if not flattened:
            out.append(f"</{name}>")

    return entries


def _read_integer(text: str) -> int:
    try:
        if len(text) > 32:
            raise ValueError(text)
        return int(text)
    except ValueError as error:
        raise ValueFormatError(f"{text!r} is not an integer") from error


def _read_double(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueFormatError(f"{text!r} is not a number") from error


def _read_boolean(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in {"true", "1"}:
        return True
    if lowered in {"false", "0"}:
        return False
    raise ValueFormatError(f"{text!r} is not a boolean")


def _read_timestamp(text: str) -> datetime:
    try:
        return timestamps.parse(text)
    except (ValueError, OverflowError, IndexError, TypeError) as error:
        raise ValueFormatError(f"{text!r} is not a timestamp") from error


def _read_blob(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError) as error:
        raise ValueFormatError("a blob is not Base64") from error


def _write_double(value: float) -> str:
    if value != value:
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "Infinity" if value > 0 else "-Infinity"
    return str(value)


_READERS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "character": str,
    "integer": _read_integer,
    "long": _read_integer,
    "float": _read_double,
    "double": _read_double,
    "boolean": _read_boolean,
    "timestamp": _read_timestamp,
    "blob": _read_blob,
}
_WRITERS: dict[str, Callable[[Any], str]] = {
    "string": str,
    "character": str,
    "integer": str,
    "long": str,
    "float": _write_double,
    "double": _write_double,
    "boolean": lambda value: "true" if value else "false",
    "blob": lambda value: base64.b64encode(value).decode("ascii"),
}
