"""How types of API Gateway change what is there: patch operations from two property sets. Pure."""

from collections.abc import Mapping
from typing import Any

GONE = "NotFoundException"
Patch = dict[str, str]


def said(value: Any) -> str:
    """A value as a patch has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def escaped(name: str) -> str:
    """A name as a part of a path."""
    return name.replace("~", "~0").replace("/", "~1")


def scalars(
    old: Mapping[str, Any], new: Mapping[str, Any], paths: Mapping[str, str], defaults: Mapping[str, str] | None = None
) -> list[Patch]:
    """Of properties with one value each, by their paths. `defaults`: what one is again that is said no more; those
    without are removed."""
    found: list[Patch] = []
    for name, path in paths.items():
        before, after = old.get(name), new.get(name)
        if after is not None and after != before:
            found.append({"op": "replace", "path": path, "value": said(after)})
        elif after is None and before is not None:
            usual = (defaults or {}).get(name)
            found.append(
                {"op": "remove", "path": path} if usual is None else {"op": "replace", "path": path, "value": usual}
            )
    return found


def entries(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, path: str, put: str = "add") -> list[Patch]:
    """Of a map, each entry at `path/key`."""
    before, after = old or {}, new or {}
    found: list[Patch] = [{"op": "remove", "path": f"{path}/{escaped(key)}"} for key in before if key not in after]
    for key, value in after.items():
        if before.get(key) != value:
            found.append({"op": put, "path": f"{path}/{escaped(key)}", "value": said(value)})
    return found


def members(old: list[str] | None, new: list[str] | None, path: str) -> list[Patch]:
    """Of a list of texts, each at `path/text`."""
    before, after = old or [], new or []
    found: list[Patch] = [{"op": "remove", "path": f"{path}/{escaped(one)}"} for one in before if one not in after]
    return found + [{"op": "add", "path": f"{path}/{escaped(one)}"} for one in after if one not in before]
