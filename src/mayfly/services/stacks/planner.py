"""What a definition comes to: which resources, in which order, and what differs from another definition. Pure.

Resources appear here as *drafts*: properties evaluated as far as they can be before anything exists, with placeholders
for what other resources will answer. Two drafts are equal if the resource would be the same.
"""

import re
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from mayfly.ids import PARTITION
from mayfly.services.stacks import inert
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.model import Definition
from mayfly.services.stacks.resources.base import CREATION_POLICY, UPDATE_POLICY, ResourceType
from mayfly.services.stacks.resources.schema import Partly, PropertyError, Scalar, refused, shape
from mayfly.services.stacks.resources.stack_tags import with_stack_tags
from mayfly.services.stacks.template.conditions import check_rules
from mayfly.services.stacks.template.document import Resource, Template
from mayfly.services.stacks.template.dynamic import references
from mayfly.services.stacks.template.intrinsics import EXTENSIONS, Lookup, Outside, Scope
from mayfly.services.stacks.template.marks import is_unknown, opaque, placeholder
from mayfly.services.stacks.template.outside import IMPORT, STACK_OUTPUT
from mayfly.services.stacks.template.references import check_references, template_values, uses

_EXPORT_NAME = re.compile(r"[A-Za-z0-9:-]{1,255}")
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
    prediction: Mapping[str, Any] = MappingProxyType({})  # what a change set says about it, see `predictions`


def pseudo(place: Place, notifications: Sequence[str] = ()) -> dict[str, Any]:
    """The values of the pseudo parameters."""
    return {
        "AWS::AccountId": place.account,
        "AWS::NotificationARNs": list(notifications),
        "AWS::Partition": PARTITION,
        "AWS::Region": place.region,
        "AWS::StackId": place.stack_id,
        "AWS::StackName": place.stack_name,
        "AWS::URLSuffix": "amazonaws.com",
    }


def scope(definition: Definition, place: Place, lookup: Lookup = placeholder, beyond: Outside | None = None) -> Scope:
    """What the expressions of `definition` see."""
    template = definition.template
    return Scope(
        definition.values(),
        pseudo(place, definition.notifications),
        template.mappings,
        template.conditions,
        lookup,
        beyond=beyond or definition.outside.get,
        extended=EXTENSIONS in definition.transforms,
    )


def check(template: Template, types: Types, accepted: Collection[str] = (), *, lenient: bool = False) -> None:
    """Refuse what is wrong whatever the parameters are: types, then references. `ServiceError` ValidationError.

    `accepted` and `lenient`: which types may be inert (`inert`). Types of AWS's that stand under a condition are looked
    at once that is decided (`check_made`).
    """
    unknown = {
        resource.type
        for resource in template.resources.values()
        if resource.type not in types and (resource.condition is None or inert.reason(resource.type) is None)
    }
    inert.refuse(unknown, accepted, lenient=lenient)
    for name, resource in template.resources.items():
        schema = types[resource.type].schema
        if resource.update_policy and UPDATE_POLICY not in schema.members and not schema.open:
            raise validation(
                f"Template format error: Mayfly does not support an UpdatePolicy of {resource.type} (resource {name})"
            )
        if resource.creation_policy and CREATION_POLICY not in schema.members and not schema.open:
            raise validation(f"CreationPolicy is not supported for resource type {resource.type} (resource {name})")
        for policy in (UPDATE_POLICY, CREATION_POLICY):
            if policy in resource.properties:
                raise validation(f"Template format error: {policy} is no property (resource {name})")
    check_references(template, {name: _Gettable(types[item.type]) for name, item in template.resources.items()})


class _Gettable(Container[str]):
    """What Fn::GetAtt knows of a type: its attributes, and like AWS, properties that are plain values."""

    def __init__(self, kind: ResourceType) -> None:
        self._kind = kind

    def __contains__(self, name: object) -> bool:
        if name in self._kind.attributes:
            return True
        return isinstance(name, str) and isinstance(self._kind.schema.members.get(name), Scalar | Partly)


def check_made(definition: Definition, place: Place, types: Types, accepted: Collection[str]) -> None:
    """Refuse types that Mayfly has not where their conditions hold; `ServiceError` ValidationError."""
    seen = scope(definition, place)
    unknown = {
        resource.type
        for resource in definition.template.resources.values()
        if resource.type not in types and resource.condition is not None and seen.holds(resource.condition)
    }
    inert.refuse(unknown, accepted)


def judge(definition: Definition, place: Place) -> None:
    """Refuse conditions that cannot be decided and parameters that break a rule; `ServiceError` ValidationError."""
    template, values = definition.template, definition.values()
    seen = scope(definition, place)
    for condition in template.conditions:  # also those that nothing asks for
        seen.holds(condition)
    if template.rules:
        types = {name: (str(item.get("Type")), values[name]) for name, item in template.parameters.items()}
        check_rules(template.rules, seen.evaluate, seen.holds, types)


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
    check_backed(definition, place, types, names)
    for name in template.resources:
        if name in names:
            drafts[name] = _draft(definition, place, types, name, names)
    _check_outputs(definition, place, names)
    return {name: drafts[name] for name in ordered({name: item.depends_on for name, item in drafts.items()})}


def check_backed(definition: Definition, place: Place, types: Types, names: Collection[str]) -> None:
    """Refuse the properties of the resources `names` that Mayfly cannot honour, all of them in one
    `ServiceError` ValidationError."""
    seen = scope(definition, place, _recorder(names, "Resources")[1])
    told = []
    for name, resource in definition.template.resources.items():
        if name in names and (found := refused(seen.evaluate(_written(resource)), types[resource.type].schema)):
            told.append(f"Properties validation failed for resource {name} with message: {' '.join(found)}")
    if told:
        raise validation(" ".join(told))


def _draft(definition: Definition, place: Place, types: Types, name: str, names: Collection[str]) -> Draft:
    resource = definition.template.resources[name]
    used, lookup = _recorder(names, "Resources")
    properties = scope(definition, place, lookup).evaluate(_written(resource))
    try:
        shaped = shape(properties, types[resource.type].schema)
    except PropertyError as error:
        raise validation(f"Properties validation failed for resource {name} with message: {error}") from error
    shaped = with_stack_tags(shaped, types[resource.type], definition.tags)
    references(shaped)  # those that make no sense
    depends_on = frozenset(used | (set(resource.depends_on) & set(names)))
    return Draft(resource.type, shaped, depends_on, resource.deletion_policy, resource.replace_policy)


def _written(resource: Resource) -> dict[str, Any]:
    """The properties of a resource as the template has them, with its policies."""
    policies = {UPDATE_POLICY: resource.update_policy, CREATION_POLICY: resource.creation_policy}
    return {**resource.properties, **{name: policy for name, policy in policies.items() if policy}}


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


def told(definition: Definition, place: Place) -> tuple[Any, ...]:
    """What a stack tells of itself beside its resources, as far as it is known before anything is made: two definitions
    that differ in nothing else differ in this."""
    template = definition.template
    shown = {name: (output.description, output.condition) for name, output in template.outputs.items()}
    values = outputs(definition, place, placeholder)
    return values, exports(definition, place), shown, definition.tags, definition.notifications


def exports(definition: Definition, place: Place) -> dict[str, str]:
    """The names under which outputs are exported, by the keys of the outputs; `ServiceError` ValidationError."""
    exporting = {name: item for name, item in definition.template.outputs.items() if item.export is not None}
    if not exporting:
        return {}
    seen = scope(definition, place)
    found: dict[str, str] = {}
    for key, output in exporting.items():
        if output.condition is not None and not seen.holds(output.condition):
            continue
        name = seen.evaluate(output.export)
        if not isinstance(name, str) or not _EXPORT_NAME.fullmatch(name):
            raise validation("Template format error: The Name field of every Export member must be specified and "
                             "consist only of alphanumeric characters, colons, or hyphens.")  # fmt: skip
        if name in found.values():
            raise validation(f"Template format error: Duplicate Export name {name}: outputs have names of their own.")
        found[key] = name
    return found


def outside_keys(definition: Definition, place: Place) -> set[str]:
    """What a definition takes from outside of its stack (`template.outside`); `ServiceError` ValidationError."""
    template = definition.template
    found: set[str] = set()
    if not uses(template_values(template), (IMPORT, STACK_OUTPUT)):
        return found

    def noted(key: str) -> str:
        found.add(key)
        return opaque("outside", key)

    deciding = scope(definition, place, beyond=noted)
    values = [(resource.condition, _written(resource)) for resource in template.resources.values()]
    values += [(output.condition, output.value) for output in template.outputs.values()]
    for condition, value in values:
        if condition is None or deciding.holds(condition):
            scope(definition, place, beyond=noted).evaluate(value)
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
    kind = types[resource.type]
    return with_stack_tags(shape(properties, kind.schema), kind, definition.tags)
