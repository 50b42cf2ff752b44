"""Dynamic references, `{{resolve:service:…}}`: texts of a template that stand for what is kept elsewhere. Pure.

{{resolve:ssm:name}}                {{resolve:ssm:name:version}}              plain parameters
{{resolve:ssm-secure:name}}         {{resolve:ssm-secure:name:version}}       encrypted ones
{{resolve:secretsmanager:secret:SecretString:json-key:version-stage:version-id}}
                                    secrets; everything after the secret may be left out
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template.marks import NUL
from mayfly.services.stacks.template.parameters import text_of

PLAIN, SECURE, SECRET = "ssm", "ssm-secure", "secretsmanager"
MARK = "{{resolve:"
_REFERENCE = re.compile(r"\{\{resolve:([^{}]*)\}\}")
_VERSIONED = re.compile(r"(.+?)(?::([0-9]+))?")
_SECRET_ARN_PARTS = 7


class Reference(NamedTuple):
    text: str  # all of it, as it stands in the template
    service: str  # PLAIN | SECURE | SECRET
    name: str
    version: str = ""  # the number of a parameter's version, or the id of a secret's; "": the current one
    key: str = ""  # of a secret that is a JSON object: the member; "": all of it
    stage: str = ""  # of a secret

    @property
    def asked(self) -> str:
        """The name as the parameter store wants it, with the version."""
        return f"{self.name}:{self.version}" if self.version else self.name


def is_dynamic(value: Any) -> bool:
    """Whether a dynamic reference is in a text."""
    return isinstance(value, str) and MARK in value


def references(value: Any) -> set[Reference]:
    """The dynamic references in all texts of `value` that are known; `ServiceError` for one without sense."""
    found = set()
    for text in _texts(value):
        if MARK in text:
            found |= {_parsed(match) for match in _REFERENCE.finditer(text) if NUL not in match[0]}
    return found


def replaced(value: Any, by: Mapping[str, str]) -> Any:
    """`value` with what references stand for in their place; bytes that hold a JSON text included."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: by.get(match[0], match[0]), value) if MARK in value else value
    if isinstance(value, bytes):
        text = _json_text(value)
        inner = {key: json.dumps(item)[1:-1] for key, item in by.items()}
        return value if text is None else replaced(text, inner).encode()
    if isinstance(value, dict):
        return {replaced(key, by): replaced(item, by) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [replaced(item, by) for item in value]
    return value


def concealed(expected: Any, actual: Any) -> Any:
    """`actual`, with the reference in the place of what came of it wherever `expected` has one: what is kept elsewhere
    is neither shown nor compared."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {key: concealed(expected.get(key), item) for key, item in actual.items()}
    if isinstance(expected, list) and isinstance(actual, list) and references(expected):
        return expected  # services keep lists in orders of their own: nobody can say which item it is
    return expected if is_dynamic(expected) and isinstance(actual, str) else actual


def member(secret: str, key: str) -> str:
    """The member of a secret that is a JSON object; `ServiceError` ValidationError."""
    try:
        value = json.loads(secret)[key]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise validation("Could not find a value associated with JSONKey in SecretString") from None
    return text_of(value) if isinstance(value, str | int | float | bool) else json.dumps(value, separators=(",", ":"))


def _texts(value: Any) -> Iterator[str]:
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, bytes):
            text = _json_text(item)
            if text is not None:
                yield text
        elif isinstance(item, dict):
            left += item
            left += item.values()
        elif isinstance(item, list | tuple):
            left += item


def _json_text(value: bytes) -> str | None:
    """Bytes that may hold a reference, as text: those of a JSON object; None for others."""
    if not value.startswith(b"{") or MARK.encode() not in value:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _parsed(match: re.Match[str]) -> Reference:
    service, _, body = match[1].partition(":")
    if service in (PLAIN, SECURE) and (found := _VERSIONED.fullmatch(body)):
        return Reference(match[0], service, found[1], found[2] or "")
    if service == SECRET and body:
        parts = body.split(":")
        length = _SECRET_ARN_PARTS if body.startswith("arn:") else 1
        name, rest = ":".join(parts[:length]), [*parts[length:], "", "", "", ""]
        what, key, stage, version = rest[:4]
        complete = len(parts) <= length + 4 and len(parts) >= length
        if name and complete and what in ("", "SecretString") and not (stage and version):
            return Reference(match[0], SECRET, name, version, key, stage)
    raise validation(f"Incorrect format is used in the following dynamic reference: [{match[0]}]")
