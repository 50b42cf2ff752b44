"""Which names a template's expressions use, and whether they mean anything. Pure.

The check is static: it looks at both branches of every Fn::If. Which references *count* for the order of work is
decided by evaluation (`planner`).
"""

from collections.abc import Collection, Container, Iterator, Mapping
from typing import Any

from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template.document import Template
from mayfly.services.stacks.template.intrinsics import function_of, get_att_parts, sub_references
from mayfly.services.stacks.template.marks import NUL

PSEUDO_PARAMETERS = {
    "AWS::AccountId", "AWS::NotificationARNs", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackId",
    "AWS::StackName", "AWS::URLSuffix",
}  # fmt: skip


def check_references(template: Template, attributes: Mapping[str, Container[str]]) -> None:
    """`ServiceError` ValidationError for a name that is not there.

    `attributes` has the names that Fn::GetAtt knows, by logical id of a resource.
    """
    for block, values in _blocks(template):
        unresolved: set[str] = set()
        for name, attribute in references_in(values):
            known = name in template.resources or name in template.parameters or name in PSEUDO_PARAMETERS
            if not known or (attribute is not None and name not in template.resources):
                unresolved.add(name)
            elif attribute is not None and attribute not in attributes[name]:
                raise validation(
                    f"Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
                )
        if unresolved:
            raise validation(
                f"Template format error: Unresolved resource dependencies [{', '.join(sorted(unresolved))}] "
                f"in the {block} block of the template"
            )
    _check_conditions(template)
    _check_rules(template)
    _check_text(template)


def _check_condition_references(template: Template) -> None:
    names = {name for name, _ in references_in(list(template.conditions.values()))}
    if wrong := sorted(names - set(template.parameters) - PSEUDO_PARAMETERS):
        raise validation(
            f"Template format error: Unresolved dependencies [{', '.join(wrong)}]. "
            "Cannot reference resources in the Conditions block of the template"
        )


def _check_rules(template: Template) -> None:
    names = {name for name, _ in references_in(list(template.rules.values()))}
    if wrong := sorted(names - set(template.parameters) - PSEUDO_PARAMETERS):
        raise validation(
            f"Template format error: Unresolved dependencies [{', '.join(wrong)}]. "
            "Cannot reference resources in the Rules block of the template"
        )


def _blocks(template: Template) -> Iterator[tuple[str, list[Any]]]:
    resources = template.resources.values()
    yield (
        "Resources",
        [
            *(resource.properties for resource in resources),
            *(resource.update_policy for resource in resources),
            *(resource.creation_policy for resource in resources),
            *({"Ref": name} for resource in resources for name in resource.depends_on),
        ],
    )
    yield "Outputs", [[output.value, output.export] for output in template.outputs.values()]


def references_in(value: Any) -> Iterator[tuple[str, str | None]]:
    """Names and attributes that `value` refers to; an attribute that is an expression counts as a plain reference."""
    call = function_of(value)
    if call is not None:
        name, argument = call
        if name == "Ref" and isinstance(argument, str):
            yield argument, None
            return
        if name == "Fn::GetAtt":
            logical_id, attribute = get_att_parts(argument)
            yield logical_id, attribute if isinstance(attribute, str) else None
            yield from references_in(attribute)
            return
        if name == "Fn::Sub":
            yield from _sub(argument)
            return
    if isinstance(value, dict):
        for item in value.values():
            yield from references_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from references_in(item)


def _sub(argument: Any) -> Iterator[tuple[str, str | None]]:
    text, variables = (argument, {}) if not isinstance(argument, list) else [*argument, "", {}][:2]
    own = variables if isinstance(variables, dict) else {}
    for name in sub_references(text if isinstance(text, str) else ""):
        if name in own:
            continue
        logical_id, dot, attribute = name.partition(".")
        yield (logical_id, attribute) if dot else (name, None)
    yield from references_in(own)


def _check_conditions(template: Template) -> None:
    _check_condition_references(template)
    used = [resource.condition for resource in template.resources.values() if resource.condition]
    used += [output.condition for output in template.outputs.values() if output.condition]
    used += _if_conditions(template_values(template))
    if unknown := sorted(set(used) - set(template.conditions)):
        raise validation(f"Template format error: Unresolved condition dependencies [{', '.join(unknown)}]")


def _if_conditions(value: Any) -> Iterator[str]:
    call = function_of(value)
    if call is not None and call[0] == "Fn::If" and isinstance(call[1], list) and call[1]:
        yield str(call[1][0])
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _if_conditions(child)


def _check_text(template: Template) -> None:
    """No text may contain NUL: it marks what is not known yet."""
    stack: list[Any] = [template_values(template)]
    while stack:
        item = stack.pop()
        if isinstance(item, str) and NUL in item:
            raise validation("Template format error: the character NUL is not allowed in a template")
        if isinstance(item, dict):
            stack += [*item, *item.values()]
        elif isinstance(item, list | tuple):
            stack += item


def template_values(template: Template) -> list[Any]:
    """Every raw value of a template."""
    return [
        [resource.properties for resource in template.resources.values()],
        [[output.value, output.export] for output in template.outputs.values()],
        template.mappings,
        template.conditions,
        template.parameters,
        template.rules,
    ]


def uses(value: Any, names: Collection[str]) -> bool:
    """Whether a function of one of `names` is anywhere in `value`."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            if not item.keys().isdisjoint(names):
                return True
            left += item.values()
        elif isinstance(item, list):
            left += item
    return False
