"""Which macros a raw template asks for, and with which parameters. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template.loops import LOOP

SNIPPET: Final = "Fn::Transform"
INCLUDE: Final = "AWS::Include"
_SECTIONS = ("Parameters", "Mappings", "Conditions", "Resources", "Outputs", "Rules")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]")


class Call(NamedTuple):
    """One macro, asked for."""

    name: str
    parameters: dict[str, Any]  # functions are in them


def calls_of(declared: Any) -> list[Call]:
    """The macros of a section Transform, in order; `ServiceError` ValidationError."""
    if declared is None:
        return []
    found = []
    for item in declared if isinstance(declared, list) else [declared]:
        if isinstance(item, list):  # lists in lists are tolerated
            found += calls_of(item)
        else:
            found.append(_call(item))
    return found


def snippet_calls(argument: Any) -> list[Call]:
    """The macros of a Fn::Transform, in order; `ServiceError` ValidationError."""
    if not isinstance(argument, str | dict | list):
        raise validation(f"Template error: every {SNIPPET} object requires a name and parameters")
    return calls_of(argument)


def _call(item: Any) -> Call:
    if isinstance(item, str):
        return Call(item, {})
    if not isinstance(item, dict) or not {"Name"} <= set(item) <= {"Name", "Parameters"}:
        raise validation("Template format error: every transform is a name, or an object with Name and Parameters")
    name, parameters = item["Name"], item.get("Parameters") or {}
    if not isinstance(name, str):
        raise validation("Key Name of transform definition must be a string.")
    if not isinstance(parameters, dict):
        raise validation(f"Transform {name} failed with: its parameters must be an object")
    return Call(name, parameters)


def declared_names(raw: Mapping[str, Any]) -> list[str]:
    """The names of all macros that a raw template asks for, those of the whole template last; each once."""
    names = [call.name for argument in _snippets(raw) for call in snippet_calls(argument)]
    names += [call.name for call in calls_of(raw.get("Transform"))]
    return list(dict.fromkeys(names))


def without_macros(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What can be seen of a raw template whose macros are not carried out: what they will add is left away, and what
    loops are about stands once."""
    seen = {key: item for key, item in raw.items() if key not in ("Transform", SNIPPET)}
    for section in _SECTIONS:
        if isinstance(seen.get(section), dict):
            seen[section] = dict(_members(seen[section]))
    return without_policies(seen)


def without_policies(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A raw template whose resources' policies of deletion, where they are to be computed, are left away."""
    resources = raw.get("Resources")
    if not isinstance(resources, dict):
        return dict(raw)
    return {**raw, "Resources": {name: _plain(item) for name, item in resources.items()}}


def _members(section: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, item in section.items():
        if key.startswith(LOOP):
            body = item[2] if isinstance(item, list) and len(item) == 3 and isinstance(item[2], dict) else {}
            for name, part in _members(body):
                yield _NOT_IN_NAMES.sub("", key.removeprefix(LOOP) + name), part
        elif key != SNIPPET:
            yield key, item


def _plain(resource: Any) -> Any:
    """A resource without what is to be computed beside its properties."""
    if not isinstance(resource, dict):
        return resource
    return {
        key: item
        for key, item in resource.items()
        if key != SNIPPET and not (key in ("DeletionPolicy", "UpdateReplacePolicy") and isinstance(item, dict))
    }


def _snippets(raw: Mapping[str, Any]) -> Iterator[Any]:
    left: list[Any] = [raw]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            if SNIPPET in item:
                yield item[SNIPPET]
            left += item.values()
        elif isinstance(item, list):
            left += item
