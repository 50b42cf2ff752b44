"""Route keys of HTTP APIs: what they may look like, and which of them a request means. Pure.

A request goes to the most specific route whose method is its own or ANY: segment by segment from the left, a literal
is more specific than `{name}`, and that than `{name+}`, which takes all that follows; between routes of one path, a
method is more specific than ANY. `$default` takes what no other route does (API Gateway Developer Guide, "Routing API
requests").
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar
from urllib.parse import unquote

from mayfly.services.apis.http.model import DEFAULT

ANY: Final = "ANY"
METHODS: Final = frozenset({ANY, "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_KEY = re.compile(r"([A-Z]+) (/\S*)")
_VARIABLE = re.compile(r"\{([a-zA-Z0-9._:-]+)(\+?)\}")
_T = TypeVar("_T")


class RouteKeyError(ValueError):
    """A text is no route key of an HTTP API."""


class RouteKey(NamedTuple):
    """A method and the segments of a path."""

    method: str
    path: str
    segments: tuple[str, ...]  # literals; "{name}" and "{name+}" are variables


class Match(NamedTuple, Generic[_T]):
    """Where a request goes."""

    route: _T
    parameters: dict[str, str]  # decoded


def parse(text: str) -> RouteKey | None:
    """The parts of a route key, None for `$default`; `RouteKeyError`."""
    if text == DEFAULT:
        return None
    found = _KEY.fullmatch(text)
    if found is None or found[1] not in METHODS:
        raise RouteKeyError(text)
    segments = tuple(found[2][1:].split("/"))
    names: set[str] = set()
    for number, segment in enumerate(segments):
        if "{" not in segment and "}" not in segment:
            continue
        variable = _VARIABLE.fullmatch(segment)
        if variable is None or variable[1] in names or (variable[2] and number + 1 < len(segments)):
            raise RouteKeyError(text)
        names.add(variable[1])
    return RouteKey(found[1], found[2], segments)


@dataclass(slots=True)
class _Node(Generic[_T]):
    literal: "dict[str, _Node[_T]]" = field(default_factory=dict)
    variable: "_Node[_T] | None" = None
    greedy: "_Node[_T] | None" = None
    routes: dict[str, tuple[_T, tuple[str, ...]]] = field(default_factory=dict)  # by method, with names of variables

    def route(self, method: str) -> tuple[_T, tuple[str, ...]] | None:
        return self.routes.get(method) or self.routes.get(ANY)


class RouteTable(Generic[_T]):
    """The routes of an API, to be asked for every request."""

    def __init__(self, routes: Iterable[tuple[str, _T]]) -> None:
        """Route keys with what they lead to; `RouteKeyError`."""
        self._root: _Node[_T] = _Node()
        self._default: _T | None = None
        for text, route in routes:
            key = parse(text)
            if key is None:
                self._default = route
            else:
                self._add(key, route)

    def _add(self, key: RouteKey, route: _T) -> None:
        node, names = self._root, []
        for segment in key.segments:
            variable = _VARIABLE.fullmatch(segment)
            if variable is None:
                node = node.literal.setdefault(segment, _Node())
                continue
            names.append(variable[1])
            if variable[2]:
                node.greedy = node.greedy or _Node()
                node = node.greedy
            else:
                node.variable = node.variable or _Node()
                node = node.variable
        node.routes[key.method] = (route, tuple(names))

    def match(self, method: str, path: str) -> Match[_T] | None:
        """Where a request for `path` (raw, percent-encoded, beginning with a slash) goes; None: nowhere."""
        segments = path[1:].split("/")
        if "%" in path:
            segments = [unquote(segment) for segment in segments]
        found = _search(self._root, method, segments, 0, ())
        if found is not None:
            (route, names), values = found
            return Match(route, dict(zip(names, values, strict=True)))
        return None if self._default is None else Match(self._default, {})


def _search(
    node: "_Node[_T]", method: str, segments: Sequence[str], at: int, values: tuple[str, ...]
) -> tuple[tuple[_T, tuple[str, ...]], tuple[str, ...]] | None:
    """The first route in the order of specificity; depth is bounded by that of the routes."""
    if at == len(segments):
        route = node.route(method)
        return None if route is None else (route, values)
    segment = segments[at]
    literal = node.literal.get(segment)
    if literal is not None:
        found = _search(literal, method, segments, at + 1, values)
        if found is not None:
            return found
    if node.variable is not None and segment:
        found = _search(node.variable, method, segments, at + 1, (*values, segment))
        if found is not None:
            return found
    if node.greedy is not None and (rest := "/".join(segments[at:])):
        route = node.greedy.route(method)
        if route is not None:
            return route, (*values, rest)
    return None
