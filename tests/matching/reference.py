"""What a pattern means, said as plainly as can be: every choice of values is tried. Slow, and independent of the
product.

It reads patterns as parsed JSON and knows nothing of branches, indexes or leaves.
"""

import ipaddress
import itertools
import re
from typing import Any

Leaf = tuple[Any, frozenset[tuple[int, int]]]  # the value; elements of arrays that it is in


def reference(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    return any(_met(sorted(branch.items()), leaves(event), frozenset()) for branch in alternatives(pattern, [{}], ()))


def alternatives(
    pattern: dict[str, Any], so_far: list[dict[str, list[Any]]], path: tuple[str, ...]
) -> list[dict[str, list[Any]]]:
    for name, value in pattern.items():
        if name == "$or":
            so_far = list(itertools.chain.from_iterable(alternatives(one, so_far, path) for one in value))
        elif isinstance(value, dict):
            so_far = alternatives(value, so_far, (*path, name))
        else:
            so_far = [branch | {".".join((*path, name)): value} for branch in so_far]
    return so_far


def leaves(event: Any) -> dict[str, list[Leaf]]:
    found: dict[str, list[Leaf]] = {}
    numbers = itertools.count()

    def walk(path: tuple[str, ...], value: Any, within: frozenset[tuple[int, int]]) -> None:
        if isinstance(value, dict):
            for name, member in value.items():
                walk((*path, name), member, within)
        elif isinstance(value, list):
            array = next(numbers)
            for at, item in enumerate(value):
                walk(path, item, within | {(array, at)} if isinstance(item, (dict, list)) else within)
        else:
            found.setdefault(".".join(path), []).append((value, within))

    walk((), event, frozenset())
    return found


def _met(asked: list[tuple[str, list[Any]]], found: dict[str, list[Leaf]], chosen: frozenset[tuple[int, int]]) -> bool:
    if not asked:
        return True
    (path, conditions), *rest = asked
    together = [one for one in found.get(path, []) if _together(chosen, one[1])]
    for value, within in together:
        if any(holds(one, value) for one in conditions) and _met(rest, found, chosen | within):
            return True
    return {"exists": False} in conditions and not together and _met(rest, found, chosen)


def _together(one: frozenset[tuple[int, int]], other: frozenset[tuple[int, int]]) -> bool:
    return not any(a == b and i != j for (a, i), (b, j) in itertools.product(one, other))


def holds(condition: Any, value: Any) -> bool:
    if not isinstance(condition, dict):
        if isinstance(condition, str) and isinstance(value, str) and _address(condition) is not None:
            return _address(condition) == _address(value)
        return _same(condition, value)
    ((operator, asked),) = condition.items()
    text = isinstance(value, str)
    match operator:
        case "exists":
            return bool(asked)
        case "prefix" | "suffix" | "equals-ignore-case" if isinstance(asked, dict):
            return text and _texts(operator, asked["equals-ignore-case"].lower(), value.lower())
        case "equals-ignore-case":
            return text and _texts("equal", asked.lower(), value.lower())
        case "prefix" | "suffix":
            return text and _texts(operator, asked, value)
        case "wildcard":
            return text and re.fullmatch(_expression(asked), value, re.DOTALL) is not None
        case "anything-but" if isinstance(asked, dict):
            ((inner, values),) = asked.items()
            return not any(holds({inner: one}, value) for one in _list(values))
        case "anything-but":
            return not any(_same(one, value) for one in _list(asked))
        case "cidr":
            at = _address(value) if text else None
            network = ipaddress.ip_network(asked, strict=False)
            return at is not None and at.version == network.version and at in network
        case "numeric":
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                return False
            pairs = zip(asked[::2], asked[1::2], strict=True)
            return all(_compare(value, sign, operand) for sign, operand in pairs)
    raise AssertionError(operator)


def _same(one: Any, other: Any) -> bool:
    numbers = [isinstance(each, (int, float)) and not isinstance(each, bool) for each in (one, other)]
    return one == other and (all(numbers) or type(one) is type(other))


def _texts(operator: str, asked: str, value: str) -> bool:
    part = {"prefix": value[: len(asked)], "suffix": value[max(len(value) - len(asked), 0) :]}.get(operator, value)
    return part == asked


def _expression(wildcard: str) -> str:
    return "".join(
        ".*" if part == "*" else re.escape(part[-1]) for part in re.findall(r"\\[*\\]|.", wildcard, re.DOTALL)
    )


def _compare(value: float, sign: str, operand: float) -> bool:
    return {
        "=": value == operand,
        "<": value < operand,
        "<=": value <= operand,
        ">": value > operand,
        ">=": value >= operand,
    }[sign]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
