"""Methods of lists."""

from collections.abc import Mapping
from typing import Any

from mayfly.vtl.errors import TemplateLimitError, TemplateRunError
from mayfly.vtl.methods.arguments import Method, items, whole
from mayfly.vtl.values import Listing, json_of

MOST = 100_000  # members that a template may put into a list or a map


def _at(value: list[Any], index: Any) -> Any:
    return value[_place(value, index, len(value))]


def _place(value: list[Any], index: Any, bound: int) -> int:
    at = whole(index)
    if not 0 <= at < bound:
        raise TemplateRunError(f"index {at} of a list of {len(value)}")
    return at


def _add(value: list[Any], *arguments: Any) -> bool | None:
    room(value, 1)
    if len(arguments) == 1:
        value.append(arguments[0])
        return True
    index, item = arguments
    value.insert(_place(value, index, len(value) + 1), item)
    return None


def _add_all(value: list[Any], others: Any) -> bool:
    added = list(items(others))
    room(value, len(added))
    value.extend(added)
    return bool(added)


def _remove(value: list[Any], which: Any) -> Any:
    if isinstance(which, int) and not isinstance(which, bool):
        return value.pop(_place(value, which, len(value)))
    if which in value:
        value.remove(which)
        return True
    return False


def _set(value: list[Any], index: Any, item: Any) -> Any:
    at = _place(value, index, len(value))
    before, value[at] = value[at], item
    return before


def _index(value: list[Any], item: Any, *, last: bool = False) -> int:
    found = [place for place, other in enumerate(value) if other == item]
    return (found[-1] if last else found[0]) if found else -1


def _sub_list(value: list[Any], begin: Any, end: Any) -> Listing:
    first, last = whole(begin), whole(end)
    if not 0 <= first <= last <= len(value):
        raise TemplateRunError(f"subList({first}, {last}) of a list of {len(value)}")
    return Listing(value[first:last])


def room(value: list[Any] | dict[Any, Any], more: int) -> None:
    """`TemplateLimitError` unless that many more may be put into a list or a map."""
    if len(value) + more > MOST:
        raise TemplateLimitError(f"a list or map of more than {MOST}")


METHODS: Mapping[str, Method] = {
    "size": len,
    "length": len,
    "isEmpty": lambda value: not value,
    "get": _at,
    "contains": lambda value, item: item in value,
    "containsAll": lambda value, others: all(item in value for item in items(others)),
    "add": _add,
    "addAll": _add_all,
    "remove": _remove,
    "set": _set,
    "indexOf": _index,
    "lastIndexOf": lambda value, item: _index(value, item, last=True),
    "clear": lambda value: value.clear(),
    "subList": _sub_list,
    "toArray": Listing,
    "iterator": Listing,
    "toJSONString": json_of,
}
