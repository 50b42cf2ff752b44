"""Attributes of messages: what they may be, the digest that clients check, and which of them a receiver asked for."""

import hashlib
import re
import struct
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from mayfly.services.queues.errors import InvalidValueError
from mayfly.services.queues.model import Value

MOST: Final = 10
TRACE_HEADER: Final = "AWSTraceHeader"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}\Z")
_TYPE = re.compile(r"(String|Number|Binary)(\.[^\x00]*)?\Z", re.DOTALL)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LENGTH = struct.Struct(">I").pack
_STRING, _BINARY = b"\x01", b"\x02"


def forbidden_character(text: str) -> str | None:
    """The first character that no message may have (W3C XML 1.0, section 2.2), or None."""
    found = _FORBIDDEN.search(text)
    return found[0] if found is not None else None


def checked(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Value]:
    """Attributes as they came, by name; `InvalidValueError`."""
    if len(given) > MOST:
        raise InvalidValueError(f"Number of message attributes [{len(given)}] exceeds the allowed maximum [{MOST}].")
    return {name: _value(_checked_name(name), attribute) for name, attribute in given.items()}


def checked_system(given: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The trace header, the one system attribute that a sender may give; `InvalidValueError`."""
    for name, attribute in given.items():
        if name != TRACE_HEADER:
            raise InvalidValueError(
                f"Message system attribute name '{name}' is invalid. The only one that can be sent is {TRACE_HEADER}."
            )
        if attribute["DataType"] != "String":
            raise InvalidValueError(f"The message system attribute '{name}' must use the type 'String'.")
        value = attribute.get("StringValue")
        if not value:
            raise InvalidValueError(
                f"Message (system) attribute '{name}' must contain a non-empty value of type 'String'."
            )
        return str(value)
    return None


def _checked_name(name: str) -> str:
    if not name:
        raise InvalidValueError("Message (user) attribute name must not be empty.")
    lowered = name.lower()
    if lowered.startswith(("aws.", "amazon.")):
        raise InvalidValueError(f"Message (user) attribute name '{name}' uses a reserved prefix.")
    if not _NAME.match(name) or name[0] == "." or name[-1] == "." or ".." in name:
        raise InvalidValueError(
            f"Message (user) attribute name '{name}' is invalid. It can contain A-Z, a-z, 0-9, underscore, hyphen and "
            "period, must not start or end with a period or have two in succession, and is at most 256 long."
        )
    return name


def _value(name: str, attribute: Mapping[str, Any]) -> Value:
    kind = attribute["DataType"]
    if not kind:
        raise InvalidValueError(f"The message attribute '{name}' must contain a non-empty message attribute type.")
    if len(kind) > 256:
        raise InvalidValueError(f"The type of message (user) attribute '{name}' must not be longer than 256 bytes.")
    found = _TYPE.match(kind)
    if found is None:
        raise InvalidValueError(
            f"The type of message (user) attribute '{name}' is invalid. You must use only the following supported type "
            "prefixes: Binary, Number, String."
        )
    if attribute.get("StringListValues") or attribute.get("BinaryListValues"):
        raise InvalidValueError("Message attribute list values in SendMessage operation are not supported.")
    base = found[1]
    if base == "Binary":
        data = attribute.get("BinaryValue")
        if not data:
            raise _empty(name, base)
        return kind, bytes(data)
    text = attribute.get("StringValue")
    if not text:
        raise _empty(name, "String")
    if (character := forbidden_character(text)) is not None:
        raise InvalidValueError(f"Invalid binary character '#x{ord(character):X}' was found in attribute '{name}'.")
    if base == "Number":
        _check_number(name, text)
    return kind, str(text)


def _empty(name: str, kind: str) -> InvalidValueError:
    return InvalidValueError(f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.")


def _check_number(name: str, text: str) -> None:
    try:
        number = Decimal(text)
        fine = number.is_finite() and -128 <= number.adjusted() <= 126
    except InvalidOperation:
        fine = False
    if not fine:
        raise InvalidValueError(f"Can't cast the value of message (user) attribute '{name}' to a number.")


def size(attributes: Mapping[str, Value]) -> int:
    """Bytes that attributes add to a message: names, types and values."""
    return sum(
        _bytes(name) + _bytes(kind) + (_bytes(value) if isinstance(value, str) else len(value))
        for name, (kind, value) in attributes.items()
    )


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def digest(attributes: Mapping[str, Value]) -> str:
    """The MD5 over attributes in order of their names, as the developer guide of SQS lays it down."""
    parts: list[bytes] = []
    for name in sorted(attributes):
        kind, value = attributes[name]
        for text in (name.encode(), kind.encode()):
            parts += (_LENGTH(len(text)), text)
        data = value.encode() if isinstance(value, str) else value
        parts += (_STRING if isinstance(value, str) else _BINARY, _LENGTH(len(data)), data)
    return hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()


def selected(attributes: Mapping[str, Value], names: Iterable[str]) -> dict[str, Value]:
    """Those that a receiver asked for: by name, by a prefix (`foo.*`, `foo*`) or all (`All`, `.*`)."""
    found: dict[str, Value] = {}
    for wanted in names:
        if wanted in {"All", ".*", "*"}:
            return dict(attributes)
        if wanted.endswith("*"):
            prefix = wanted[:-1].removesuffix(".")
            found |= {name: value for name, value in attributes.items() if name.startswith(prefix)}
        elif wanted in attributes:
            found[wanted] = attributes[wanted]
    return found


def shaped(attributes: Mapping[str, Value]) -> dict[str, dict[str, Any]]:
    """Attributes as replies have them."""
    return {
        name: {"DataType": kind, ("StringValue" if isinstance(value, str) else "BinaryValue"): value}
        for name, (kind, value) in attributes.items()
    }
