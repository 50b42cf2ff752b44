"""Methods of maps. A key that the payload gave is a string."""

from collections.abc import Mapping
from typing import Any

from mayfly.vtl.methods.arguments import Method, mapping
from mayfly.vtl.methods.lists import room
from mayfly.vtl.values import Fields, Listing, json_of


class Entry(dict[str, Any]):
    """What `entrySet()` has for each key: `.key`, `.value`, `.getKey()`, `.getValue()`."""

    __slots__ = ()


def get(value: dict[Any, Any], key: Any) -> Any:
    """What a map has under a key; None where it has nothing."""
    if isinstance(key, (dict, list)):
        return None
    if isinstance(value, Fields) and isinstance(key, str):
        return value.field(key)
    return value.get(key)


def put(value: dict[Any, Any], key: Any, item: Any) -> Any:
    """Put something into a map; what was there before."""
    if isinstance(key, (dict, list)):
        return None
    room(value, 1)
    before = value.get(key)
    value[key] = item
    return before


def _put_all(value: dict[Any, Any], others: Any) -> None:
    added = mapping(others)
    room(value, len(added))
    value.update(added)


def _put_if_absent(value: dict[Any, Any], key: Any, item: Any) -> Any:
    before = get(value, key)
    if before is None:
        put(value, key, item)
    return before


def _or_default(value: dict[Any, Any], key: Any, default: Any) -> Any:
    found = get(value, key)
    return default if found is None else found


METHODS: Mapping[str, Method] = {
    "size": len,
    "isEmpty": lambda value: not value,
    "get": get,
    "getOrDefault": _or_default,
    "put": put,
    "putAll": _put_all,
    "putIfAbsent": _put_if_absent,
    "remove": lambda value, key: None if isinstance(key, (dict, list)) else value.pop(key, None),
    "containsKey": lambda value, key: not isinstance(key, (dict, list)) and key in value,
    "containsValue": lambda value, item: item in value.values(),
    "keySet": Listing,
    "values": lambda value: Listing(value.values()),
    "entrySet": lambda value: Listing(Entry(key=key, value=item) for key, item in value.items()),
    "clear": lambda value: value.clear(),
    "toJSONString": json_of,
}
ENTRY_METHODS: Mapping[str, Method] = {
    "getKey": lambda value: value["key"],
    "getValue": lambda value: value["value"],
    "toString": lambda value: f"{value['key']}={value['value']}",
}
