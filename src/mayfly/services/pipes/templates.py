"""Input templates: a text with `<$.path>` and `<aws.pipes.…>` in it, filled in for one event. Pure.

What comes out is a value: that of the path where the template is nothing else, what the text says where it is JSON, and
the text itself where it is not. In JSON, a reference within quotes is put in as text, one outside as JSON; one that
leads nowhere is empty, or null.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from mayfly.services.pipes import paths

_REFERENCE = re.compile(r"<(\$(?:\.[\w/-]+(?:\[(?:\d+|\*)\])*)*|aws\.pipes\.[a-z.-]+)>")


def render(template: str, event: Any, reserved: Mapping[str, Any]) -> Any:
    """The template filled in. `reserved` are values by the names after `aws.pipes.`, without the event itself."""
    whole = _REFERENCE.fullmatch(template.strip())
    if whole is not None:
        value = _value(whole[1], event, reserved)
        return "" if value is paths.MISSING else value
    is_json = template.lstrip()[:1] in ("{", "[", '"')
    parts: list[str] = []
    at, quoted = 0, False
    for reference in _REFERENCE.finditer(template):
        literal = template[at : reference.start()]
        quoted = _quoted_after(literal, quoted)
        parts += [literal, _inserted(_value(reference[1], event, reserved), is_json, quoted)]
        at = reference.end()
    text = "".join([*parts, template[at:]])
    return paths.parsed(text) if is_json else text


def _value(name: str, event: Any, reserved: Mapping[str, Any]) -> Any:
    if name.startswith("$"):
        return paths.find(event, name)
    short = name.removeprefix("aws.pipes.")
    if short == "event":
        return event
    if short == "event.json":
        return json.dumps(event, separators=(",", ":"))
    return reserved.get(short, paths.MISSING)


def _quoted_after(literal: str, quoted: bool) -> bool:
    """Whether what follows `literal` stands within a string of JSON."""
    escaped = False
    for character in literal:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = quoted
        elif character == '"':
            quoted = not quoted
    return quoted


def _inserted(value: Any, is_json: bool, quoted: bool) -> str:
    if value is paths.MISSING:
        return "null" if is_json and not quoted else ""
    if is_json and not quoted:
        return json.dumps(value, separators=(",", ":"))
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return json.dumps(text)[1:-1] if is_json else text
