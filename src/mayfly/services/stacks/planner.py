"""What a definition comes to: which resources, in which order, and what differs from another definition. Pure.

Resources appear here as *drafts*: properties evaluated as far as they can be before anything exists, with placeholders
for what other resources will answer. Two drafts are equal if the resource would be the same.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from mayfly.ids import PARTITION
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.model import Definition
from mayfly.services.stacks.resources.base import UPDATE_POLICY, ResourceType
from mayfly.services.stacks.resources.schema import PropertyError, shape
from mayfly.services.stacks.template.document import Resource, Template
from mayfly.services.stacks.template.intrinsics import Lookup, Scope, is_unknown, placeholder
from mayfly.services.stacks.template.references import check_references

Types = Mapping[str, ResourceType]


class Place(NamedTuple):
    """Where a definition is evaluated: what the pseudo parameters say."""

    account: str
    region: str
    stack_id: str
    stack_name: str


class Draft(NamedTuple):
    type: str
    properties: dict[str, Any]  # shaped, with placeholders
    depends_on: frozenset[str]
    deletion_policy: str
    replace_policy: str


class Change(NamedTuple):
    action: str  # "Add" | "Modify" | "Remove"
    logical_id: str
    type: str
    replacement: str = ""  # "True" | "False" | "Conditional", for Modify
    properties: tuple[str, ...] = ()  # that differ


def scope(definition: Definition, place: Place, lookup: Lookup = placeholder) -> Scope:
    """What the expressions of `definition` see."""
    pseudo = {
        "AWS::AccountId": place.account,
        "AWS::NotificationARNs": [],
        "AWS::Partition": PARTITION,
        "AWS::Region": place.region,
        "AWS::StackId": place.stack_id,
        "AWS::StackName": place.stack_name,
        "AWS::URLSuffix": "amazonaws.com",
    }
    template = definition.template
    return Scope(definition.parameters, pseudo, template.mappings, template.conditions, lookup)


# Where the transform ran, none of these is left. They are named, so that a misspelt type is not taken for a lack of it.
_EXPANDED_BY_SAM = frozenset(
    f"AWS::Serverless::{name}" for name in ("Api", "Function", "HttpApi", "LayerVersion", "SimpleTable", "StateMachine")
)


def check(template: Template, types: Types) -> None:
    """Refuse what is wrong whatever the parameters are: types, then references. `ServiceError` ValidationError."""
    unknown = sorted({resource.type for resource in template.resources.values()} - set(types))
    if unknown:
        sam = not _EXPANDED_BY_SAM.isdisjoint(unknown)
        cure = (
            "Types of SAM want the line 'Transform: AWS::Serverless-2016-10-31' in the template."
            if sam
            else "The page reference/resource-types of Mayfly's documentation lists those that it has."
        )
        raise validation(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]. {cure}")
    for name, resource in template.resources.items():
        if resource.update_policy and UPDATE_POLICY not in types[resource.type].schema.members:
            raise validation(
                f"Template format error: Mayfly does not support an UpdatePolicy of {resource.type} (resource {name})"
            )
        if UPDATE_POLICY in resource.properties:
            raise validation(f"Template format error: {UPDATE_POLICY} is no property (resource {name})")
    if exported := [name for name, output in template.outputs.items() if output.export is not None]:
        raise validation(f"Template format error: Mayfly does not support Export yet (outputs {', '.join(exported)})")
    check_references(template, {name: types[resource.type].attributes for name, resource in template.resources.items()})


def draft(definition: Definition, place: Place, types: Types) -> dict[str, Draft]:
    """The drafts of `definition`, by logical id, in an order that can be carried out; `ServiceError` ValidationError.

    Conditions are decided, dependencies found, circles refused, and properties shaped as far as they are known.
    """
    template = definition.template
    names = {
        name
        for name, resource in template.resources.items()
        if resource.condition is None or scope(definition, place).holds(resource.condition)
    }
    drafts = {}
    for name in template.resources:
        if name in names:
            drafts[name] = _draft(definition, place, types, name, names)
    _check_outputs(definition, place, names)
    return {name: drafts[name] for name in ordered({name: item.depends_on for name, item in drafts.items()})}


def _draft(definition: Definition, place: Place, types: Types, name: str, names: Collection[str]) -> Draft:
    resource = definition.template.resources[name]
    used, lookup = _recorder(names, "Resources")
    properties = scope(definition, place, lookup).evaluate(_written(resource))
    try:
        shaped = shape(properties, types[resource.type].schema)
    except PropertyError as error:
        raise validation(f"Properties validation failed for resource {name} with message: {error}") from error
    depends_on = frozenset(used | (set(resource.depends_on) & set(names)))
    return Draft(resource.type, shaped, depends_on, resource.deletion_policy, resource.replace_policy)


def _written(resource: Resource) -> dict[str, Any]:
    """The properties of a resource as the template has them, with its update policy."""
    if not resource.update_policy:
        return resource.properties
    return {**resource.properties, UPDATE_POLICY: resource.update_policy}


def _recorder(names: Collection[str], block: str) -> tuple[set[str], Lookup]:
    """A lookup that answers placeholders, and the set in which it notes what was asked."""
    used: set[str] = set()

    def lookup(logical_id: str, attribute: str | None) -> str:
        if logical_id not in names:  # its condition is false
            raise validation(
                f"Template format error: Unresolved resource dependencies [{logical_id}] "
                f"in the {block} block of the template"
            )
        used.add(logical_id)
        return placeholder(logical_id, attribute)

    return used, lookup


def _check_outputs(definition: Definition, place: Place, names: Collection[str]) -> None:
    outputs(definition, place, _recorder(names, "Outputs")[1])


def outputs(definition: Definition, place: Place, lookup: Lookup) -> dict[str, str]:
    """The values of the outputs whose conditions hold."""
    seen = scope(definition, place, lookup)
    found = {}
    for name, output in definition.template.outputs.items():
        if output.condition is not None and not seen.holds(output.condition):
            continue
        value = seen.evaluate(output.value)
        if not isinstance(value, str | int | float | bool):
            raise validation(f"Template format error: Output {name} is malformed. The Value field of every Outputs "
                             "member must evaluate to a String.")  # fmt: skip
        found[name] = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return found


def ordered(depends_on: Mapping[str, Collection[str]]) -> list[str]:
    """Names such that each comes after what it depends on; `ServiceError` ValidationError for a circle."""
    left = {name: set(items) & set(depends_on) for name, items in depends_on.items()}
    result: list[str] = []
    while left:
        free = [name for name, items in left.items() if not items]
        if not free:
            raise validation(f"Circular dependency between resources: [{', '.join(sorted(_circle(left)))}]")
        result += free
        for name in free:
            del left[name]
        for items in left.values():
            items.difference_update(free)
    return result


def _circle(left: Mapping[str, set[str]]) -> set[str]:
    """Of names that wait for one another, those that lie on circles or between them: nothing that merely waits."""
    core = {name: set(items) for name, items in left.items()}
    while True:
        needed = {item for items in core.values() for item in items}
        idle = [name for name in core if name not in needed]
        if not idle:
            return set(core)
        for name in idle:
            del core[name]


def changes(old: Mapping[str, Draft], new: Mapping[str, Draft], types: Types) -> list[Change]:
    """What has to be done to come from `old` to `new`. A change to a resource reaches what refers to it."""
    found: dict[str, Change] = {}
    for name, item in new.items():
        if name not in old:
            found[name] = Change("Add", name, item.type)
            continue
        change = _modification(name, old[name], item, types)
        replaced = {key for key, value in found.items() if value.replacement in ("True", "Conditional")}
        if change is None and any(_refers(item.properties, key) for key in replaced):
            change = Change("Modify", name, item.type, "Conditional")
        if change is not None:
            found[name] = change
    for name, item in old.items():
        if name not in new:
            found[name] = Change("Remove", name, item.type)
    return [found[name] for name in sorted(found)]


def _modification(name: str, old: Draft, new: Draft, types: Types) -> Change | None:
    if old.type != new.type:
        return Change("Modify", name, new.type, "True")
    differing = tuple(sorted(
        key for key in old.properties.keys() | new.properties.keys()
        if old.properties.get(key) != new.properties.get(key)
    ))  # fmt: skip
    policies = (old.deletion_policy, old.replace_policy) != (new.deletion_policy, new.replace_policy)
    if not differing and not policies:
        return None
    replacing = needs_replacement(types[new.type], differing)
    return Change("Modify", name, new.type, "True" if replacing else "False", differing)


def needs_replacement(kind: ResourceType, differing: Collection[str]) -> bool:
    return any(name in kind.replaced_by for name in differing)


def _refers(value: Any, logical_id: str) -> bool:
    """Whether a placeholder of `logical_id` is in `value`."""
    if isinstance(value, dict):
        return any(_refers(item, logical_id) for item in value.values())
    if isinstance(value, list):
        return any(_refers(item, logical_id) for item in value)
    marks = (placeholder(logical_id, None), placeholder(logical_id, "")[:-1])
    return is_unknown(value) and any(mark in value for mark in marks)


def resolve(
    definition: Definition, place: Place, types: Types, name: str, lookup: Callable[[str, str | None], Any]
) -> dict[str, Any]:
    """The final properties of a resource whose dependencies exist; `PropertyError`, `ServiceError`."""
    resource = definition.template.resources[name]
    properties = scope(definition, place, lookup).evaluate(_written(resource))
    shaped: dict[str, Any] = shape(properties, types[resource.type].schema)
    return shaped
