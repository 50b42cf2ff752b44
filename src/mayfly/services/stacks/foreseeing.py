"""What change sets of nested stacks are drawn up from: parameters of which some are not known before the stack around
has been worked on. Pure.

What a resource answers is known where it is there and the change set leaves it alone. A parameter that is not known
stands in the predictions as what it is, and conditions are decided by its former value.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.intake import Prepared
from mayfly.services.stacks.model import Definition, Resource
from mayfly.services.stacks.planner import Place, Types, draft, resolve, scope
from mayfly.services.stacks.predictions import KNOWN_AFTER
from mayfly.services.stacks.resources.schema import PropertyError
from mayfly.services.stacks.template.intrinsics import Lookup
from mayfly.services.stacks.template.marks import has_unknown, placeholder

_ALWAYS = {"Fn::Equals": ["", ""]}
_NEVER = {"Fn::Equals": ["", "-"]}


def properties_of(
    prepared: Prepared, place: Place, types: Types, name: str, rows: Mapping[str, Resource], changed: Mapping[str, str]
) -> dict[str, Any]:
    """The properties of a nested stack, as far as they are known now.

    `rows`: the resources that there are. `changed`: those that the change set is about, with the `Replacement` of each.
    """
    try:
        return resolve(prepared.definition, place, types, name, _lookup(rows, changed))
    except (PropertyError, ServiceError):  # of values that are not there yet
        return prepared.drafts[name].properties


def _lookup(rows: Mapping[str, Resource], changed: Mapping[str, str]) -> Lookup:
    def lookup(logical_id: str, attribute: str | None) -> Any:
        row, unknown = rows.get(logical_id), placeholder(logical_id, attribute)
        if row is None or changed.get(logical_id, "False") != "False":
            return unknown
        if attribute is None:
            return row.physical_id
        return unknown if logical_id in changed else {**row.properties, **row.attributes}.get(attribute, unknown)

    return lookup


def parameters(given: Mapping[str, Any], former: Collection[str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The `Parameters` of a request, from those of a nested stack's properties; and those that are not known."""
    asked, unknown = [], {}
    for key, value in given.items():
        if not has_unknown(value):
            asked.append({"ParameterKey": key, "ParameterValue": value})
            continue
        unknown[key] = value
        stand_in = {"UsePreviousValue": True} if key in former else {"ParameterValue": KNOWN_AFTER}
        asked.append({"ParameterKey": key, **stand_in})
    return asked, unknown


def foreseen(prepared: Prepared, unknown: Mapping[str, str], place: Place, types: Types) -> Prepared:
    """`prepared` with what is not known in the place of what stood in for it."""
    if not unknown:
        return prepared
    seen, template = scope(prepared.definition, place), prepared.definition.template
    decided = {name: _ALWAYS if seen.holds(name) else _NEVER for name in template.conditions}
    definition = msgspec.structs.replace(
        prepared.definition,
        template=msgspec.structs.replace(template, conditions=decided),
        parameters={**prepared.definition.parameters, **unknown},
        stored={name: value for name, value in prepared.definition.stored.items() if name not in unknown},
    )
    try:
        return Prepared(definition, draft(definition, place, types))
    except ServiceError:  # something has to be known before anything can be said of the rest
        return prepared


def shown(definition: Definition, unknown: Collection[str]) -> Definition:
    """The definition of a change set as it is described."""
    marks = dict.fromkeys(unknown, KNOWN_AFTER)
    return msgspec.structs.replace(definition, parameters={**definition.parameters, **marks})
