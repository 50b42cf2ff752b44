"""JSON values to and from the model's types; what the `json` and `rest-json` codecs have in common.

Parsing is strict about types, because AWS's services are: a number where the model has a string is refused. A JSON null
means an absent member. Serialising passes a value through untouched where its shape needs no conversion, and leaves the
encoding of bytes as base64 to msgspec.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from botocore.model import ListShape, MapShape, Shape, StructureShape

from mayfly.wire import timestamps
from mayfly.wire.faults import serialization
from mayfly.wire.shapes import Compiler

Convert = Callable[[Any], Any]

MAX_DEPTH = 200  # of nested arrays and objects; the deepest documented limit is DynamoDB's, 32 levels of two

_NAMES = {bool: "VALUE", int: "NUMBER_VALUE", float: "DECIMAL_VALUE", str: "STRING_VALUE"}


def decode(body: bytes) -> Any:
    """The JSON value that `body` is; `SerializationException` when it is none, or one nested too deeply."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise serialization(f"Unable to parse the request body as JSON: {error}") from error
    except RecursionError as error:
        raise serialization("The request body is nested too deeply.") from error


def parsers() -> Compiler[Convert]:
    """Compiles shapes to functions from JSON values to values of the model."""
    return Compiler(_parser)


def serialisers() -> Compiler[Convert]:
    """Compiles shapes to functions from values of the model to what msgspec encodes."""
    return Compiler(_serialiser)


def _mismatch(value: Any, wanted: str) -> Exception:
    """AWS's words for a value of the wrong type."""
    if isinstance(value, dict):
        return serialization("Start of structure or map found where not expected.")
    if isinstance(value, list):
        return serialization("Start of list found where not expected")
    name = ("TRUE_VALUE" if value else "FALSE_VALUE") if isinstance(value, bool) else _NAMES[type(value)]
    article = "an" if wanted[0] in "AEIOU" else "a"
    return serialization(f"{name} can not be converted to {article} {wanted}")


def _parser(shape: Shape, compiler: Compiler[Convert]) -> Convert:
    if isinstance(shape, StructureShape):
        return _document if shape.is_document_type else _structure_parser(shape, compiler)
    if isinstance(shape, ListShape):
        return _list_parser(shape, compiler)
    if isinstance(shape, MapShape):
        return _map_parser(shape, compiler)
    if shape.serialization.get("jsonvalue"):
        return _json_value
    return _SCALARS[shape.type_name]


def _structure_parser(shape: StructureShape, compiler: Compiler[Convert]) -> Convert:
    members = {
        member.serialization.get("name", name): (name, compiler.step(member))
        for name, member in shape.members.items()
        if "location" not in member.serialization
    }

    def structure(value: Any) -> Any:
        if type(value) is not dict:
            raise _unstructured(value)
        found = {}
        for key, item in value.items():
            member = members.get(key)
            if member is not None and item is not None:
                found[member[0]] = member[1](item)
        return found

    return structure


def _unstructured(value: Any) -> Exception:
    if isinstance(value, list):
        return serialization("Start of list found where not expected")
    return serialization("Unexpected value type in payload")


def _list_parser(shape: ListShape, compiler: Compiler[Convert]) -> Convert:
    step = compiler.step(shape.member)

    def items(value: Any) -> Any:
        if type(value) is not list:
            if isinstance(value, dict):
                raise serialization("Start of structure or map found where not expected.")
            raise serialization("Unexpected value type in payload")
        return [None if item is None else step(item) for item in value]

    return items


def _map_parser(shape: MapShape, compiler: Compiler[Convert]) -> Convert:
    step = compiler.step(shape.value)

    def entries(value: Any) -> Any:
        if type(value) is not dict:
            raise _unstructured(value)
        return {key: None if item is None else step(item) for key, item in value.items()}

    return entries


def _document(value: Any) -> Any:
    return value


def _string(value: Any) -> str:
    if type(value) is not str:
        raise _mismatch(value, "String")
    return value


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise _mismatch(value, "Integer")


def _long(value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise _mismatch(value, "Long")


def _double(value: Any) -> float:
    if type(value) is float or type(value) is int:
        return value
    if value in {"NaN", "Infinity", "-Infinity"}:
        return float(value)
    raise _mismatch(value, "Double")


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise _mismatch(value, "Boolean")
    return value


def _timestamp(value: Any) -> datetime:
    try:
        if type(value) is int or type(value) is float:
            return timestamps.from_unix(value)
        if type(value) is str:
            return timestamps.parse(value)
    except (ValueError, OverflowError) as error:
        raise serialization(f"Unparseable timestamp: {error}") from error
    raise _mismatch(value, "Timestamp")


def _blob(value: Any) -> bytes:
    if type(value) is not str:
        raise _mismatch(value, "Blob")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise serialization("Invalid Base64 data in a member of type Blob") from error


def _json_value(value: Any) -> Any:
    return decode(_string(value).encode())


_SCALARS: dict[str, Convert] = {
    "string": _string,
    "character": _string,
    "integer": _integer,
    "long": _long,
    "float": _double,
    "double": _double,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "blob": _blob,
}


def _serialiser(shape: Shape, compiler: Compiler[Convert]) -> Convert:
    if plain(shape):
        return _as_is
    if isinstance(shape, StructureShape):
        return _structure_serialiser(shape, compiler)
    if isinstance(shape, ListShape):
        member = compiler.step(shape.member)
        return lambda value: [None if item is None else member(item) for item in value]
    if isinstance(shape, MapShape):
        step = compiler.step(shape.value)
        return lambda value: {key: None if item is None else step(item) for key, item in value.items()}
    if shape.type_name == "timestamp":
        style = shape.serialization.get("timestampFormat", "unixTimestamp").lower()
        return timestamps.to_unix if style == "unixtimestamp" else timestamps.formatter(style)
    if shape.type_name in {"float", "double"}:
        return _finite
    return lambda value: msgspec.json.encode(value).decode()  # jsonvalue


def _structure_serialiser(shape: StructureShape, compiler: Compiler[Convert]) -> Convert:
    members = {
        name: (member.serialization.get("name", name), compiler.step(member))
        for name, member in shape.members.items()
        if member.serialization.get("location") not in {"header", "headers", "statusCode"}
    }

    def structure(value: Any) -> Any:
        found = {}
        for key, item in value.items():
            if item is not None:
                name, step = members[key]
                found[name] = step(item)
        return found

    return structure


def _as_is(value: Any) -> Any:
    return value


def _finite(value: float) -> float | str:
    if value != value:
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "Infinity" if value > 0 else "-Infinity"
    return value


def plain(shape: Shape, above: frozenset[str] = frozenset()) -> bool:
    """Whether values of `shape` are encoded as they are: no times, no floats, nothing renamed, all the way down."""
    if shape.name in above or (isinstance(shape, StructureShape) and shape.is_document_type):
        return True
    above |= {shape.name}
    if isinstance(shape, StructureShape):
        return all(
            "name" not in member.serialization and "location" not in member.serialization and plain(member, above)
            for member in shape.members.values()
        )
    if isinstance(shape, ListShape):
        return plain(shape.member, above)
    if isinstance(shape, MapShape):
        return plain(shape.value, above)
    return shape.type_name not in {"timestamp", "float", "double"} and not shape.serialization.get("jsonvalue")
