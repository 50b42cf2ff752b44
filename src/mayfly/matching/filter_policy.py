"""SNS's filter policies: which messages a subscription wants, by their attributes or by their bodies.

The language is that of event patterns, with limits of its own; where `$or` cannot mean alternatives, it is a name like
any other. A policy of attributes sees strings, numbers, and the elements of a String.Array; what is binary it does not
see.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from mayfly.matching.branches import Branch
from mayfly.matching.document import Node, read
from mayfly.matching.errors import FilterPolicyError
from mayfly.matching.grammar import OR, Reading, means_alternatives
from mayfly.matching.leaves import number
from mayfly.matching.pattern import Pattern, pattern_of

Scope = Literal["MessageAttributes", "MessageBody"]
Attributes = Mapping[str, tuple[str, str | bytes]]  # by name: the type, as SNS has it, and the value

MOST_KEYS, MOST_COMBINATIONS, MOST_BYTES = 5, 150, 256 * 1024


@dataclass(frozen=True, slots=True)
class FilterPolicy:
    """What a message must be like. `pattern` is for an index over the policies of many subscriptions, which is asked
    with `event_of_attributes` or `event_of_body`, whichever the scope says."""

    scope: Scope
    pattern: Pattern

    def matches(self, attributes: Attributes, body: str) -> bool:
        """Whether a message is wanted. One whose body is no JSON object is not, if it is the body that counts."""
        event = event_of_attributes(attributes) if self.scope == "MessageAttributes" else event_of_body(body)
        return event is not None and self.pattern.matches(event)


def compile_filter_policy(document: str, scope: Scope) -> FilterPolicy:
    """A policy from its JSON text; `FilterPolicyError`. An empty one wants every message."""
    if len(document.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise FilterPolicyError("Filter policy is too long")
    parsed = read(document, _unreadable)
    root = parsed.root
    if root.kind == "object" and not root.members:
        return FilterPolicy(scope, pattern_of((Branch(()),)))
    branches = Reading(parsed, FilterPolicyError, or_may_be_a_name=True).branches()
    if scope == "MessageAttributes" and _nested(root):
        raise FilterPolicyError("Filter policy scope MessageAttributes does not support nested filter policy")
    if len(_leaves(root, ())) > MOST_KEYS:
        raise FilterPolicyError("Filter policy can not have more than 5 keys")
    if _combinations(root, 1, 1) > MOST_COMBINATIONS:
        raise FilterPolicyError("Filter policy is too complex")
    return FilterPolicy(scope, pattern_of(tuple(map(Branch.of, branches))))


def event_of_attributes(attributes: Attributes) -> dict[str, Any]:
    """A message's attributes as patterns see them."""
    event: dict[str, Any] = {}
    for name, (kind, value) in attributes.items():
        if isinstance(value, bytes):
            continue
        family = kind.partition(".")[0]
        if kind == "String.Array":
            event[name] = _elements(value)
        elif family == "Number":
            event[name] = _number(value)
        elif family == "String":
            event[name] = value
    return event


def event_of_body(body: str) -> dict[str, Any] | None:
    """A message's body as patterns see it; None: it is no JSON object."""
    try:
        event = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _elements(value: str) -> object:
    try:
        found = json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return value
    if not isinstance(found, list):
        return value
    return [item for item in found if not isinstance(item, (dict, list))]


def _number(value: str) -> object:
    try:
        float(value)  # what a number is at all
        return number(value.strip().lstrip("+"))
    except ValueError:
        return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _unreadable(reason: str) -> FilterPolicyError:
    return FilterPolicyError("failed to parse JSON." if reason == "Invalid JSON" else reason)


def _alternatives(name: str, value: Node) -> bool:
    return name == OR and means_alternatives(value)


def _nested(node: Node) -> bool:
    for name, value in node.members:
        if value.kind == "object" or (_alternatives(name, value) and any(map(_nested, value.items))):
            return True
    return False


def _leaves(node: Node, path: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The keys that count: those that have values."""
    found: set[tuple[str, ...]] = set()
    for name, value in node.members:
        if _alternatives(name, value):
            found.update(*(_leaves(item, path) for item in value.items))
        elif value.kind == "object":
            found |= _leaves(value, (*path, name))
        else:
            found.add((*path, name))
    return found


def _combinations(node: Node, depth: int, so_far: int) -> int:
    """How many combinations of values there are: those of a nested key count as often as it is deep, those of
    alternatives are added up."""
    for name, value in node.members:
        if _alternatives(name, value):
            so_far = sum(_combinations(item, depth, so_far) for item in value.items)
        elif value.kind == "object":
            so_far = _combinations(value, depth + 1, so_far)
        elif value.kind == "array":
            so_far *= len(value.items) * depth
    return so_far
