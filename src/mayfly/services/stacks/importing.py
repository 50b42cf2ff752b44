"""Which resources of a change set exist already and are taken over, instead of being made."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.intake import Prepared
from mayfly.services.stacks.model import Stack
from mayfly.services.stacks.planner import Types
from mayfly.services.stacks.resources.base import Caller, Target
from mayfly.services.stacks.template.marks import has_unknown


async def chosen(
    call: Caller, params: Mapping[str, Any], stack: Stack, prepared: Prepared, types: Types
) -> frozenset[str]:
    """The logical ids of what is to be imported; `ServiceError` ValidationError."""
    if params.get("ChangeSetType") == "IMPORT":
        return frozenset(_named(params, stack, prepared, types))
    if not params.get("ImportExistingResources"):
        return frozenset()
    found = set()
    for name, item in prepared.drafts.items():
        kind = types[item.type]
        if name in stack.definition.template.resources or has_unknown(item.properties):
            continue
        if kind.custom_name(item.properties) is None:
            continue
        target = Target(stack.id, stack.name, name, 1, stack.account, stack.region, item.type)
        if await kind.exists(call, target, item.properties):
            found.add(name)
    return frozenset(found)


def _named(params: Mapping[str, Any], stack: Stack, prepared: Prepared, types: Types) -> set[str]:
    """Those that the caller names, each by what its template calls it as well."""
    found = set()
    for item in params.get("ResourcesToImport", ()):
        name, kind, identifier = item["LogicalResourceId"], item["ResourceType"], item["ResourceIdentifier"]
        drafted = prepared.drafts.get(name)
        if drafted is None or drafted.type != kind:
            raise validation(f"Resource {name} of type {kind} is not in the template")
        if name in stack.definition.template.resources:
            raise validation(f"Resource {name} is in the stack already")
        custom = types[kind].custom_name(drafted.properties)
        if custom is None:
            raise validation(f"Mayfly imports what a template gives its name to; resource {name} has none")
        values = [str(value) for value in identifier.values()]
        if not any(value == custom or value.endswith((f"/{custom}", f":{custom}")) for value in values):
            raise validation(
                f"The identifier [{', '.join(values)}] of resource {name} is not what the template calls it: {custom}"
            )
        found.add(name)
    if not found:
        raise validation("ResourcesToImport must name at least one resource for a change set of the type IMPORT")
    return found
