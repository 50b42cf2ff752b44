"""What a target gets of an event: Input, InputPath, InputTransformer. Pure.

The rules are those of the user guide's page on input transformation, and of what EventBridge is known to send:

- a template is one JSON value, in which a variable stands for a value, or for a part of a string; or it is text in
  quotes, one or more, in which variables stand for text;
- outside quotes a variable is its JSON; a path that finds nothing is an empty string;
- inside quotes of JSON a string is its characters, escaped, numbers and booleans their text; an object or array breaks
  the JSON, and such an event is not delivered;
- in a template of text, objects and arrays are written without their quotes;
- `<aws.events.event>` is the event without its detail, with `detailType` for its type; `<aws.events.event.json>` all
  of it. Both, like any variable that holds more than a string, belong outside quotes.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mayfly.services.events.model import Event, Target, Transformer
from mayfly.services.events.paths import MISSING, Path

_PLACEHOLDER: Final = re.compile(r"<([A-Za-z0-9._-]+)>")
RULE_ARN: Final = "aws.events.rule-arn"
RULE_NAME: Final = "aws.events.rule-name"
INGESTED: Final = "aws.events.event.ingestion-time"
EVENT: Final = "aws.events.event"
EVENT_JSON: Final = "aws.events.event.json"
RESERVED: Final = frozenset({RULE_ARN, RULE_NAME, INGESTED, EVENT, EVENT_JSON})

_encode = msgspec.json.Encoder().encode


class NotJsonError(ValueError):
    """What the template made of this event is no JSON: it cannot be delivered."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a template may say besides the event."""

    rule_arn: str
    rule_name: str
    ingested_at: str  # ISO 8601


Render = Callable[[Event, Circumstances], bytes]


def rendering(target: Target) -> Render | None:
    """How to make what the target gets; None: it gets the event itself. ValueError says what is wrong with it."""
    if target.input is not None:
        constant = target.input.encode()
        return lambda _event, _circumstances: constant
    if target.input_path is not None:
        path = Path(target.input_path)
        return lambda event, _circumstances: _found(path.find(event.fields))
    if target.transformer is not None:
        return _Template(target.transformer).render
    return None


def unknown_placeholders(transformer: Transformer) -> list[str]:
    """The placeholders of the template that stand for nothing, in order."""
    known = RESERVED | transformer.paths.keys()
    return [name for name in _PLACEHOLDER.findall(transformer.template) if name not in known]


def _found(value: Any) -> bytes:
    return b"null" if value is MISSING else _encode(value)


@dataclass(frozen=True, slots=True)
class _Hole:
    """Where a variable stands."""

    name: str
    quoted: bool


class _Template:
    """A template, cut at its variables."""

    def __init__(self, transformer: Transformer) -> None:
        self._paths = {name: Path(path) for name, path in transformer.paths.items()}
        for name in self._paths:
            if name.startswith("aws.events."):
                raise ValueError(f"the name {name} is reserved")
        text = transformer.template.strip()
        if not text:
            raise ValueError("the template is empty")
        self._is_text = text.startswith('"')
        self._pieces = _cut(text)
        if not self._is_text:
            _probe(self._pieces)

    def render(self, event: Event, circumstances: Circumstances) -> bytes:
        """What the target gets; `NotJsonError`."""
        written = "".join(
            piece if isinstance(piece, str) else self._fill(piece, event, circumstances) for piece in self._pieces
        ).encode()
        if not self._is_text and not is_json(written):
            raise NotJsonError("the input template does not make JSON of this event")
        return written

    def _fill(self, hole: _Hole, event: Event, circumstances: Circumstances) -> str:
        value = self._value(hole.name, event, circumstances)
        if value is MISSING:
            value = ""
        written = bytes(value).decode() if isinstance(value, msgspec.Raw) else _encode(value).decode()
        if not hole.quoted:
            return written
        if isinstance(value, str):
            return written[1:-1]
        if self._is_text:
            return written.replace('"', "")
        if isinstance(value, (Mapping, list, msgspec.Raw)):
            # Its quotes would end the string that it stands in, and what it says decide what comes after.
            raise NotJsonError(f"the variable {hole.name} is no string, and stands in one")
        return written

    def _value(self, name: str, event: Event, circumstances: Circumstances) -> Any:
        if name in self._paths:
            return self._paths[name].find(event.fields)
        return _reserved(name, event, circumstances)


def _reserved(name: str, event: Event, circumstances: Circumstances) -> Any:
    if name == RULE_ARN:
        return circumstances.rule_arn
    if name == RULE_NAME:
        return circumstances.rule_name
    if name == INGESTED:
        return circumstances.ingested_at
    if name == EVENT:
        return _without_detail(event.fields)
    if name == EVENT_JSON:
        return msgspec.Raw(event.text)
    return MISSING


def _without_detail(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"detailType" if name == "detail-type" else name: fields[name] for name in fields if name != "detail"}


def _cut(text: str) -> tuple[str | _Hole, ...]:
    """The template as text and holes; a hole is quoted when an odd number of quotes, unescaped, stand before it."""
    pieces: list[str | _Hole] = []
    at, quoted = 0, False
    for match in _PLACEHOLDER.finditer(text):
        literal = text[at : match.start()]
        quoted ^= _quotes(literal) % 2 == 1
        pieces += [literal, _Hole(match[1], quoted)]
        at = match.end()
    pieces.append(text[at:])
    return tuple(pieces)


def _quotes(literal: str) -> int:
    count, escaped = 0, False
    for character in literal:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            count += 1
    return count


def _probe(pieces: tuple[str | _Hole, ...]) -> None:
    """ValueError unless the template is JSON with some value in each hole."""
    filled = "".join(piece if isinstance(piece, str) else ("x" if piece.quoted else "0") for piece in pieces)
    try:
        msgspec.json.decode(filled)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def is_json(text: bytes) -> bool:
    """Whether this is JSON."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True
