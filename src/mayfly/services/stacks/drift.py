"""How a resource as it is differs from what its stack says. Pure.

Only what the stack says counts: a property that it is silent about may be anything. Paths and kinds of differences are
those of DescribeStackResourceDrifts.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mayfly.services.stacks.template.parameters import text_of

IN_SYNC, MODIFIED, DELETED, NOT_CHECKED = "IN_SYNC", "MODIFIED", "DELETED", "NOT_CHECKED"


class Difference(NamedTuple):
    path: str  # "/Tags/0/Value"
    expected: Any  # None: there should be nothing
    actual: Any  # None: there is nothing

    @property
    def kind(self) -> str:
        if self.expected is None:
            return "ADD"
        return "REMOVE" if self.actual is None else "NOT_EQUAL"

    def shape(self) -> dict[str, str]:
        """A `PropertyDifference`."""
        return {
            "PropertyPath": self.path,
            "ExpectedValue": _text(self.expected),
            "ActualValue": _text(self.actual),
            "DifferenceType": self.kind,
        }


def said(properties: Mapping[str, Any]) -> dict[str, Any]:
    """What a stack says of a resource, without what stands among its properties and is none."""
    return {name: value for name, value in properties.items() if not name.startswith("$")}


def differences(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[Difference]:
    """What differs in the properties of `expected`, by path."""
    found: list[Difference] = []
    for name, value in expected.items():
        found += _compared(f"/{name}", value, actual.get(name))
    return found


def _compared(path: str, expected: Any, actual: Any) -> Iterator[Difference]:
    if expected in (None, [], {}) and actual in (None, [], {}):
        return
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for name in [*expected, *(name for name in actual if name not in expected)]:
            yield from _compared(f"{path}/{name}", expected.get(name), actual.get(name))
    elif isinstance(expected, Sequence) and isinstance(actual, Sequence) and not _scalar(expected, actual):
        yield from _lists(path, list(expected), list(actual))
    elif expected is None or actual is None or _differ(expected, actual):
        yield Difference(path, expected, actual)


def _scalar(*values: Any) -> bool:
    return any(isinstance(value, str | bytes) for value in values)


def _differ(expected: Any, actual: Any) -> bool:
    if isinstance(expected, Mapping | list) or isinstance(actual, Mapping | list):
        return bool(expected != actual)
    return expected != actual and text_of(expected) != text_of(actual)


def _lists(path: str, expected: list[Any], actual: list[Any]) -> Iterator[Difference]:
    """Services keep most lists in an order of their own, so what is in both is the same wherever it stands."""
    left = list(actual)
    missing: list[tuple[int, Any]] = []
    for number, item in enumerate(expected):
        match = next((other for other in left if not list(_compared("", item, other))), None)
        if match is None:
            missing.append((number, item))
        else:
            left.remove(match)
    for number, item in missing:
        partner = next((other for other in left if _same_key(item, other)), None)
        if partner is None:
            yield Difference(f"{path}/{number}", item, None)
        else:
            left.remove(partner)
            yield from _compared(f"{path}/{number}", item, partner)
    for item in left:
        yield Difference(f"{path}/{actual.index(item)}", None, item)


def _same_key(one: Any, other: Any) -> bool:
    """Whether two members of lists are about the same, as two values of one tag."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return False
    return any(name in one and one[name] == other.get(name) for name in ("Key", "Name", "Id", "PolicyName"))


def _text(value: Any) -> str:
    if value is None:
        return "null"
    return json.dumps(value) if isinstance(value, Mapping | list) else text_of(value)
