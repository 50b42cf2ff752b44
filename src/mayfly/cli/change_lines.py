"""The changes of a change set as lines that people read: what is made, changed, replaced, removed. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mayfly.cli.output import escape

_MOST = 60  # characters of a value
_MARKS = {"Add": ("+", "green"), "Remove": ("-", "red"), "Import": (">", "cyan"), "Dynamic": ("?", "yellow")}


class Line(NamedTuple):
    """One resource, and what differs."""

    mark: str
    style: str
    logical_id: str
    kind: str
    note: str
    details: tuple[str, ...] = ()


def lines(changes: list[dict[str, Any]]) -> Iterator[Line]:
    """A line for each change, as DescribeChangeSet has them."""
    for change in changes:
        resource = change["ResourceChange"]
        action = resource["Action"]
        name, kind = resource["LogicalResourceId"], resource["ResourceType"]
        if action == "Modify":
            replaced = resource.get("Replacement", "False")
            mark, style = ("~", "yellow") if replaced == "False" else ("!", "red")
            note = {"True": "is replaced", "Conditional": "may be replaced"}.get(replaced, "")
            yield Line(mark, style, name, kind, note, tuple(_details(resource)))
        else:
            mark, style = _MARKS[action]
            kept = action == "Remove" and resource.get("PolicyAction") == "Retain"
            yield Line(mark, style, name, kind, "is kept, and no longer part of the stack" if kept else "")


def _details(resource: Mapping[str, Any]) -> Iterator[str]:
    """What of a resource differs, a line a property; one that is named twice (for two causes) once."""
    seen = set()
    for detail in resource.get("Details", ()):
        target = detail.get("Target", {})
        path = target.get("Path", "").removeprefix("/Properties/") or target.get("Name") or target.get("Attribute", "")
        if not path or path in seen:
            continue
        seen.add(path)
        if "BeforeValue" in target or "AfterValue" in target:
            before, after = _value(target.get("BeforeValue")), _value(target.get("AfterValue"))
            yield f"{path}: {before} → {after}"
        elif detail.get("CausingEntity"):
            yield f"{path}: follows from {detail['CausingEntity']}"
        else:
            yield str(path)
    if not seen:
        yield from resource.get("Scope", ())


def _value(text: str | None) -> str:
    """A value as it is worth reading in a line."""
    if text is None:
        return "(none)"
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = " ".join(shown.split())
    return shown if len(shown) <= _MOST else shown[: _MOST - 1] + "…"


def rendered(line: Line) -> Iterator[str]:
    """A line and its details, in rich's markup."""
    note = f"  {line.note}" if line.note else ""
    yield f"[{line.style}]{line.mark} {escape(line.logical_id)}[/]  [dim]{line.kind}[/][{line.style}]{note}[/]"
    for detail in line.details:
        yield f"    {escape(detail)}"
