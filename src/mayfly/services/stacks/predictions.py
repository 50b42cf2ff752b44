"""What a change set says about each change: why it comes, what it replaces, from which value to which. Pure.

Two views of one list. Without values, what may change because something else does is listed, too: an attribute of a
resource that is updated may come out otherwise (*Dynamic*). With values, what comes out the same as it is now is left
away. The forms are those of DescribeChangeSet.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.model import Definition, Resource
from mayfly.services.stacks.planner import Change, Draft, Place, Types, resolve
from mayfly.services.stacks.records import masked, secrets_of
from mayfly.services.stacks.resources.schema import PropertyError
from mayfly.services.stacks.template.intrinsics import Lookup
from mayfly.services.stacks.template.marks import has_unknown, placeholder
from mayfly.services.stacks.template.parameters import text_of
from mayfly.services.stacks.template.references import references_in

KNOWN_AFTER = "{{changeSet:KNOWN_AFTER_APPLY}}"
_UNKNOWN = re.compile(r"\0[^\0]*\0")
_POLICIES = (("deletion_policy", "DeletionPolicy"), ("replace_policy", "UpdateReplacePolicy"))
_ABSENT = object()


class Side(NamedTuple):
    """A stack before or after."""

    definition: Definition
    drafts: Mapping[str, Draft]


class _Cause(NamedTuple):
    """Why one property comes to another value."""

    source: str  # ChangeSource
    static: bool
    entity: str = ""

    def shape(self, target: dict[str, Any]) -> dict[str, Any]:
        evaluation = "Static" if self.static else "Dynamic"
        detail: dict[str, Any] = {"Target": target, "Evaluation": evaluation, "ChangeSource": self.source}
        return detail | ({"CausingEntity": self.entity} if self.entity else {})


_DIRECTLY = _Cause("DirectModification", static=True)
# Of a nested stack: what is in it may change although nothing of the resource itself does.
_AUTOMATIC = {
    "detail": _Cause("Automatic", static=False).shape({}),
    "target": {"Attribute": "Properties", "RequiresRecreation": "Never"},
    "values": {},
    "plain": True,
    "valued": True,
}
_MAYBE = _Cause("DirectModification", static=False)


def predict(
    found: Collection[Change], before: Side, after: Side, rows: Mapping[str, Resource], place: Place, types: Types
) -> list[Change]:
    """The changes of a change set, with their predictions; those that others bring about included.

    `rows`: the stack's current resources by logical id.
    """
    by_name = {change.logical_id: change for change in found}
    if not by_name:
        return []
    run = _Run(before, after, rows, place, types)
    for name in after.drafts:  # in the order of dependencies: what is replaced is known before what refers to it
        run.look(name, by_name.get(name))
    for change in by_name.values():
        if change.action == "Remove":
            run.remove(change)
    return sorted(run.found, key=lambda change: change.logical_id)


def shown(change: Mapping[str, Any], *, values: bool) -> dict[str, Any] | None:
    """The predicted members of a ResourceChange, with values or without; None for what only the other view lists."""
    prediction = change.get("prediction") or {"Scope": [], "details": []}  # those of older versions have none
    if not values:
        wanted = [{**item["detail"], "Target": item["target"]} for item in prediction["details"] if item["plain"]]
        members = {key: prediction[key] for key in ("Scope", "PolicyAction") if key in prediction}
        return members | {"Details": wanted}
    if change["action"] == "Modify" and not any(item["valued"] for item in prediction["details"]):
        return None
    details = [
        {**item["detail"], "Target": {**item["target"], **item["values"]}}
        for item in prediction["details"]
        if item["valued"]
    ]
    contexts = ("Scope", "PolicyAction", "BeforeContext", "AfterContext")
    return {key: prediction[key] for key in contexts if key in prediction} | {"Details": details}


class _Run:
    def __init__(self, before: Side, after: Side, rows: Mapping[str, Resource], place: Place, types: Types) -> None:
        self.found: list[Change] = []
        self._before = before
        self._after = after
        self._rows = rows
        self._place = place
        self._types = types
        self._secrets = secrets_of(before.definition) | secrets_of(after.definition)
        self._fresh: dict[str, str] = {}  # what gets another physical id: "True" | "Conditional"
        self._updated: set[str] = set()  # what may get other attributes
        old, new = before.definition.values(), after.definition.values()
        # What was looked up anew is a modification as if it stood there.
        self._parameters = {name for name in new if old.get(name) != new[name]} - set(after.definition.stored)
        self._unknown = {name for name in self._parameters if has_unknown(new[name])}  # of a nested stack

    def look(self, name: str, change: Change | None) -> None:
        """Predict one resource that is to be there."""
        draft = self._after.drafts[name]
        if change is not None and change.action == "Add":
            self._fresh[name] = "True"
            context = {"AfterContext": self._context(self._foreseen(name))}
            self.found.append(change._replace(prediction={"Scope": [], "details": [], **context}))
            return
        if name not in self._before.drafts:
            return
        details = [*self._details(name), *self._attributes(name)]
        if change is None and not details:
            return
        details = details or [_AUTOMATIC]
        kind = draft.type
        replacement = "True" if self._before.drafts[name].type != kind else _replacement(details)
        if replacement != "False":
            self._fresh[name] = replacement
        self._updated.add(name)
        prediction: dict[str, Any] = {
            "Scope": list(dict.fromkeys(item["target"]["Attribute"] for item in details)),
            "details": details,
            "BeforeContext": self._context(self._current(name)),
            "AfterContext": self._context(self._foreseen(name)),
        }
        if replacement == "True":
            keeps = draft.replace_policy == "Retain"
            prediction["PolicyAction"] = "ReplaceAndRetain" if keeps else "ReplaceAndDelete"
        properties = change.properties if change is not None else ()
        self.found.append(Change("Modify", name, kind, replacement, properties, prediction))

    def remove(self, change: Change) -> None:
        deletes = self._before.drafts[change.logical_id].deletion_policy == "Delete"
        prediction: dict[str, Any] = {
            "Scope": [],
            "details": [],
            "PolicyAction": "Delete" if deletes else "Retain",
            "BeforeContext": self._context(self._current(change.logical_id)),
        }
        self.found.append(change._replace(prediction=prediction))

    def _details(self, name: str) -> Iterator[dict[str, Any]]:
        old, new = self._before.drafts[name].properties, self._after.drafts[name].properties
        now, then = self._current(name), self._foreseen(name)
        always = self._types[self._after.drafts[name].type].replaced_by
        for key in sorted(old.keys() | new.keys()):
            changed = old.get(key) != new.get(key)
            causes = self._causes(name, key, changed=changed)
            values = _values(key, now.get(key, _ABSENT), then.get(key, _ABSENT))
            differ = values["BeforeValue"] != values["AfterValue"]
            target = _target(key, "Always" if key in always else "Never")
            for cause in causes:
                yield {
                    "detail": cause.shape({}),
                    "target": target,
                    "values": values,
                    "plain": True,
                    "valued": differ or changed,  # hidden values look the same
                }
            if differ and causes and all(cause.source.startswith("Resource") for cause in causes):
                direct = {"detail": _MAYBE.shape({}), "target": target, "values": values}
                yield {**direct, "plain": False, "valued": True}

    def _causes(self, name: str, key: str, *, changed: bool) -> list[_Cause]:
        raw = self._after.definition.template.resources[name].properties.get(key)
        parameters, others = [], []
        for entity, attribute in sorted(set(references_in(raw)), key=str):
            if entity in self._parameters and changed:
                parameters.append(_Cause("ParameterReference", entity not in self._unknown, entity))
            elif entity in self._fresh and entity in self._before.drafts:
                static = self._fresh[entity] == "True"
                source = "ResourceReference" if attribute is None else "ResourceAttribute"
                others.append(_Cause(source, static, entity if attribute is None else f"{entity}.{attribute}"))
            elif entity in self._updated and attribute is not None:
                others.append(_Cause("ResourceAttribute", static=False, entity=f"{entity}.{attribute}"))
        if not changed:
            return others
        direct = _MAYBE if parameters else _DIRECTLY
        return [*parameters, direct, *others]

    def _attributes(self, name: str) -> Iterator[dict[str, Any]]:
        """Changes beside the properties."""
        for field, attribute in _POLICIES:
            old, new = getattr(self._before.drafts[name], field), getattr(self._after.drafts[name], field)
            if old != new:
                target = {"Attribute": attribute, "RequiresRecreation": "Never"}
                values = {
                    "Path": f"/{attribute}",
                    "BeforeValue": old,
                    "AfterValue": new,
                    "AttributeChangeType": "Modify",
                }
                yield {"detail": _DIRECTLY.shape({}), "target": target, "values": values, "plain": True, "valued": True}

    def _current(self, name: str) -> dict[str, Any]:
        """The properties as they were last applied; as they were planned where that is not known."""
        row = self._rows.get(name)
        properties: Mapping[str, Any] = self._before.drafts[name].properties if row is None else row.properties
        return self._told(properties)

    def _foreseen(self, name: str) -> dict[str, Any]:
        """The properties as they will be, as far as that can be known."""
        try:
            found = resolve(self._after.definition, self._place, self._types, name, self._lookup())
        except (PropertyError, ServiceError):  # of values that are not there yet
            found = self._after.drafts[name].properties
        return self._told(found)

    def _lookup(self) -> Lookup:
        def lookup(logical_id: str, attribute: str | None) -> Any:
            row = self._rows.get(logical_id)
            if row is None or self._fresh.get(logical_id) == "True":
                return placeholder(logical_id, attribute)
            if attribute is None:
                return row.physical_id
            known = {**row.properties, **row.attributes}
            return known.get(attribute, placeholder(logical_id, attribute))

        return lookup

    def _told(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = _known(masked(dict(properties), self._secrets))
        return {key: value for key, value in told.items() if not key.startswith("$")}

    def _context(self, properties: dict[str, Any]) -> str:
        return json.dumps({"Properties": properties}, separators=(",", ":"))


def _known(value: Any) -> Any:
    """`value` with a mark where something will be known when it is made."""
    if isinstance(value, str):
        return _UNKNOWN.sub(KNOWN_AFTER, value)
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items()}
    return [_known(item) for item in value] if isinstance(value, list) else value


def _target(key: str, recreation: str) -> dict[str, Any]:
    if key == "Tags":
        return {"Attribute": "Tags", "RequiresRecreation": recreation}
    if key.startswith("$"):
        return {"Attribute": key[1:], "RequiresRecreation": recreation}
    return {"Attribute": "Properties", "Name": key, "RequiresRecreation": recreation}


def _values(key: str, before: Any, after: Any) -> dict[str, Any]:
    kind = "Add" if before is _ABSENT else "Remove" if after is _ABSENT else "Modify"
    path = f"/{key[1:]}" if key.startswith("$") else f"/Properties/{key}"
    return {
        "Path": path,
        "BeforeValue": _text(before),
        "AfterValue": _text(after),
        "AttributeChangeType": kind,
    }


def _text(value: Any) -> str:
    if value is _ABSENT:
        return ""
    return text_of(value) if isinstance(value, str | int | float | bool) else json.dumps(value, separators=(",", ":"))


def _replacement(details: Collection[Mapping[str, Any]]) -> str:
    always = [item["detail"] for item in details if item["target"]["RequiresRecreation"] == "Always"]
    if any(item["Evaluation"] == "Static" for item in always):
        return "True"
    return "Conditional" if always else "False"
