"""What types share when they tell how a resource looks in truth, in the form of a template. Pure but for `tags_of`."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller


def observed(
    properties: Mapping[str, Any], truth: Mapping[str, Any], *unseen: str, defaults: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What a resource has: `truth` without what is None, and without defaults that nobody asked for.

    `unseen`: properties that no service tells, which are given as the template has them.
    """
    kept = {name: properties[name] for name in unseen if name in properties}
    for name, value in truth.items():
        filled_in = name not in properties and defaults is not None and defaults.get(name) == value
        if value is not None and not filled_in:
            kept[name] = value
    return kept


def like(given: Any, found: Any) -> Any:
    """`found` without what a service filled in below the top: members that an object of the template lacks."""
    if isinstance(given, Mapping) and isinstance(found, Mapping):
        return {name: like(given[name], value) for name, value in found.items() if name in given}
    if isinstance(given, list) and isinstance(found, list) and len(given) == len(found):
        return [like(one, other) for one, other in zip(given, found, strict=True)]
    return found


def in_order(given: Iterable[Any], found: Iterable[Any], key: Callable[[Any], Any]) -> list[Any]:
    """`found` in the order in which the template gives what has the same key, and what it does not give at the end."""
    rank = {key(item): place for place, item in enumerate(given)}
    return sorted(found, key=lambda item: (rank.get(key(item), len(rank)), str(key(item))))


def tags_seen(properties: Mapping[str, Any], found: Iterable[Mapping[str, Any]] | Mapping[str, str]) -> dict[str, Any]:
    """`Tags` as a service lists them, a list or a map; nothing where there are none and the template has none."""
    if isinstance(found, Mapping):
        tags = [{"Key": key, "Value": value} for key, value in found.items()]
    else:
        tags = [{"Key": tag["Key"], "Value": tag["Value"]} for tag in found]
    if not tags and "Tags" not in properties:
        return {}
    return {"Tags": in_order(properties.get("Tags", ()), tags, lambda tag: tag["Key"])}


async def tags_of(call: Caller, service: str, properties: Mapping[str, Any], **resource: str) -> dict[str, Any]:
    """`tags_seen` for services with ListTagsForResource."""
    return tags_seen(properties, (await call(service, "ListTagsForResource", **resource)).get("Tags", ()))


def parsed(text: str | None) -> Any:
    """A JSON document that a service keeps as text, as a template has it; None for none."""
    return None if not text else json.loads(text)


def document_seen(given: Any, text: str | None) -> Any:
    """Likewise, in the form in which the template gives it: an object, or text."""
    found = parsed(text)
    return given if isinstance(given, str) and found == parsed(given) else found
