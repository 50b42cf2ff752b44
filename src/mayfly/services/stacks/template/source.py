"""The text of a template, JSON or YAML with CloudFormation's short tags, as plain dicts, lists and scalars. Pure.

YAML is built here from parser events, not with PyYAML's constructors: nothing is instantiated, aliases and merges are
refused as CloudFormation refuses them (so a small text cannot become a large value), and depth is bounded without
recursion. Scalars keep the meaning that YAML 1.1 gives them, except that dates, sexagesimal numbers and numbers with
leading zeros stay text: `2010-09-09` is a version, `012345678901` an account.
"""

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

from mayfly.services.stacks.faults import validation

DEPTH_LIMIT = 100
_STANDARD = "tag:yaml.org,2002:"
# Short tags by the name of their long form.
_SHORT_TAGS = {"!Ref": "Ref", "!Condition": "Condition"} | {
    f"!{name}": f"Fn::{name}"
    for name in (
        "And", "Base64", "Cidr", "Contains", "EachMemberEquals", "EachMemberIn", "Equals", "FindInMap", "GetAtt",
        "GetAZs", "GetStackOutput", "If", "ImportValue", "Join", "Length", "Not", "Or", "RefAll", "Select", "Split",
        "Sub", "ToJsonString", "Transform", "ValueOf", "ValueOfAll",
    )
}  # fmt: skip
# What may stand before JSON; other spaces, the one that does not break among them, are a part of YAML's plain texts.
_JSON_SPACE = " \t\r\n"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]*([eE][-+][0-9]+)?")
_TRUE = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}
_FALSE = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}
_NULL = {"", "~", "null", "Null", "NULL"}


Repeated = Callable[[str], None]


def load(text: str, repeated: Repeated | None = None) -> dict[str, Any]:
    """The template in `text`; `ServiceError` ValidationError. `repeated` is told of keys that stand twice in one
    object, of which the last counts then, as it does for SAM's command line; without it, they are an error."""
    value = load_value(text, repeated)
    if not isinstance(value, dict):
        raise validation("Template format error: unsupported structure.")
    return value


def load_value(text: str, repeated: Repeated | None = None) -> Any:
    """What `text` says, a part of a template for example; `ServiceError` ValidationError."""
    return _json(text, repeated) if text.lstrip(_JSON_SPACE).startswith("{") else _yaml(text, repeated)


def _json(text: str, repeated: Repeated | None) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=lambda pairs: _unique(pairs, repeated))
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise validation(f"Template format error: JSON not well-formed.{where}") from error
    check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """`ServiceError` ValidationError for a value that is nested deeper than the rest of the code goes."""
    level = [value]
    for _ in range(DEPTH_LIMIT):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> Exception:
    return validation(f"Template format error: nested more than {DEPTH_LIMIT} levels deep.")


def _unique(pairs: list[tuple[str, Any]], repeated: Repeated | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            if repeated is None:
                raise validation(f"Template format error: the key {key!r} stands twice in one object.")
            repeated(key)
        found[key] = value
    return found


class _Open(NamedTuple):
    """A collection whose end has not been seen; a mapping's keys and values alternate in `items`."""

    mapping: bool
    tag: str | None
    items: list[Any]
    line: int


class _Builder:
    """Turns the events of one document into a value."""

    def __init__(self, repeated: Repeated | None) -> None:
        self._repeated = repeated
        self._open: list[_Open] = []
        self._documents = 0
        self.value: Any = None

    def feed(self, event: yaml.Event) -> None:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            raise validation("Template error: YAML aliases are not allowed in CloudFormation templates")
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise validation("Template format error: a template is one YAML document.")
        elif isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event), line)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self._open) >= DEPTH_LIMIT:
                raise _too_deep()
            self._open.append(_Open(isinstance(event, yaml.MappingStartEvent), event.tag, [], line))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._add(_collection(self._open.pop(), self._repeated), line)

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        if self._open and self._open[-1].mapping and len(self._open[-1].items) % 2 == 0:
            return event.value  # a key is its text, whatever it looks like
        plain = event.implicit[0] and event.tag is None
        value = _plain(event.value) if plain else event.value
        return _tagged(event.tag, value, _line(event))

    def _add(self, value: Any, line: int) -> None:
        if not self._open:
            self.value = value
            return
        top = self._open[-1]
        if top.mapping and len(top.items) % 2 == 0:
            if not isinstance(value, str):
                raise validation(f"Template format error: YAML not well-formed. (line {line}: a key must be text)")
            if value == "<<":
                raise validation("Template error: YAML merges are not allowed in CloudFormation templates")
        top.items.append(value)


def _yaml(text: str, repeated: Repeated | None) -> Any:
    builder = _Builder(repeated)
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.feed(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise validation(f"Template format error: YAML not well-formed.{where}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise validation("Template format error: YAML not well-formed.") from error
    return builder.value


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _collection(done: _Open, repeated: Repeated | None) -> Any:
    if not done.mapping:
        return _tagged(done.tag, done.items, done.line)
    keys, values = done.items[::2], done.items[1::2]
    return _tagged(done.tag, _unique(list(zip(keys, values, strict=True)), repeated), done.line)


def _tagged(tag: str | None, value: Any, line: int) -> Any:
    if tag is None or tag == "!":
        return value
    if tag.startswith(_STANDARD):
        return _standard(tag.removeprefix(_STANDARD), value, line)
    name = _SHORT_TAGS.get(tag)
    if name is None:
        raise validation(f"Template format error: unknown tag {tag} (line {line})")
    if name == "Fn::GetAtt" and isinstance(value, str):
        resource, _, attribute = value.partition(".")
        value = [resource, attribute]
    return {name: value}


def _standard(kind: str, value: Any, line: int) -> Any:
    if kind == "str" and isinstance(value, str):
        return value
    if kind in ("int", "float", "bool", "null") and isinstance(value, str):
        return _plain(value)
    if (kind == "map" and isinstance(value, dict)) or (kind == "seq" and isinstance(value, list)):
        return value
    raise validation(f"Template format error: unknown tag !!{kind} (line {line})")


def _plain(text: str) -> Any:
    """What an unquoted scalar means."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if len(text) < 40 and _FLOAT.fullmatch(text):
        return float(text)
    return text
