"""Which resource a path means. Pure.

Of siblings, a part that is written out goes before a variable, and that before a greedy one; where the better one leads
nowhere, the next one is tried. A slash at the end says nothing, and several at the beginning are one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mayfly.services.apis.rest.model import Resource


@dataclass(slots=True)
class Node:
    """A resource, and those below it."""

    resource: Resource | None = None
    written: "dict[str, Node]" = field(default_factory=dict)
    variable: "tuple[str, Node] | None" = None
    greedy: "tuple[str, Node] | None" = None


@dataclass(frozen=True, slots=True)
class Match:
    resource: Resource
    variables: dict[str, str]  # as they stand in the path, not decoded


def build(resources: Iterable[Resource]) -> Node:
    """The tree of an API's resources. Those without methods are on the way only."""
    root = Node()
    for resource in resources:
        node = root
        for part in [piece for piece in resource.path.split("/") if piece]:
            node = _below(node, part)
        node.resource = resource
    return root


def _below(node: Node, part: str) -> Node:
    if not part.startswith("{"):
        return node.written.setdefault(part, Node())
    name = part.strip("{}")
    if name.endswith("+"):
        node.greedy = node.greedy or (name[:-1], Node())
        return node.greedy[1]
    node.variable = node.variable or (name, Node())
    return node.variable[1]


def match(root: Node, path: str) -> Match | None:
    """The resource with methods that a path (below the stage, still encoded) means."""
    parts = path.strip("/").split("/") if path.strip("/") else []
    variables: dict[str, str] = {}
    found = _match(root, parts, 0, variables)
    return Match(found, variables) if found is not None else None


def _match(node: Node, parts: list[str], at: int, variables: dict[str, str]) -> Resource | None:
    if at == len(parts):
        return node.resource if node.resource is not None and node.resource.methods else None
    part = parts[at]
    below = node.written.get(part)
    if below is not None and (found := _match(below, parts, at + 1, variables)) is not None:
        return found
    if node.variable is not None and part:
        name, below = node.variable
        if (found := _match(below, parts, at + 1, variables)) is not None:
            variables[name] = part
            return found
    if node.greedy is not None:
        name, below = node.greedy
        if below.resource is not None and below.resource.methods:
            variables[name] = "/".join(parts[at:])
            return below.resource
    return None
