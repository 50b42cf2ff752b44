"""A template's sections, checked for shape before anything is evaluated. Pure.

What comes out is what the rest relies on: names are well-formed, sections are mappings, every resource has a known
attribute set. Property values are still raw: intrinsic functions are in them.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.services.stacks.faults import validation

FORMAT_VERSION = "2010-09-09"
SAM_TRANSFORM = "AWS::Serverless-2016-10-31"
RESOURCES_LIMIT, PARAMETERS_LIMIT, OUTPUTS_LIMIT, MAPPINGS_LIMIT, RULES_LIMIT = 500, 200, 200, 200, 200
_SECTIONS = {
    "AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions",
    "Transform", "Globals", "Resources", "Outputs", "Hooks",
}  # fmt: skip
_RESOURCE_ATTRIBUTES = {
    "Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Metadata",
    "CreationPolicy", "UpdatePolicy", "Connectors", "Description", "IgnoreGlobals",
}  # fmt: skip
_CUSTOM_RESOURCE = "AWS::CloudFormation::CustomResource"
_CUSTOM_ATTRIBUTES = {"Version"}  # of which nothing follows
_OUTPUT_ATTRIBUTES = {"Value", "Description", "Export", "Condition"}
_LOGICAL_ID = re.compile(r"[A-Za-z0-9]{1,255}")
_POLICIES = ("Delete", "Retain", "RetainExceptOnCreate")


class Resource(msgspec.Struct, frozen=True):
    """One resource as the template has it."""

    type: str
    properties: dict[str, Any]
    depends_on: tuple[str, ...] = ()
    condition: str | None = None
    deletion_policy: str = "Delete"  # "Delete" | "Retain" | "RetainExceptOnCreate"
    replace_policy: str = "Delete"  # what becomes of the old one when it is replaced
    metadata: dict[str, Any] = {}
    update_policy: dict[str, Any] = {}
    creation_policy: dict[str, Any] = {}


class Output(msgspec.Struct, frozen=True):
    value: Any
    description: str = ""
    export: Any = None  # the value of Export.Name
    condition: str | None = None


class Template(msgspec.Struct, frozen=True):
    """A template without macros."""

    resources: dict[str, Resource]
    parameters: dict[str, dict[str, Any]] = {}
    mappings: dict[str, dict[str, dict[str, Any]]] = {}
    conditions: dict[str, Any] = {}
    outputs: dict[str, Output] = {}
    description: str = ""
    metadata: dict[str, Any] = {}
    rules: dict[str, dict[str, Any]] = {}


EMPTY = Template({})


def parse(raw: Mapping[str, Any]) -> Template:
    """The sections of a raw template whose macros have been carried out; `ServiceError` ValidationError."""
    if unknown := sorted(set(raw) - _SECTIONS):
        raise _format(f"Invalid template property or properties [{', '.join(unknown)}]")
    if str(raw.get("AWSTemplateFormatVersion", FORMAT_VERSION)) != FORMAT_VERSION:
        raise _format("Template version not supported")
    if "Hooks" in raw:
        raise _format("Mayfly does not support the section Hooks")
    description = raw.get("Description", "")
    if not isinstance(description, str) or len(description.encode()) > 1024:
        raise _format("Template description must be a string of 1024 bytes at most.")
    return Template(
        resources=_resources(raw),
        parameters=_section(raw, "Parameters", PARAMETERS_LIMIT),
        mappings=_mappings(raw),
        conditions=_mapping(raw, "Conditions"),
        outputs=_outputs(raw),
        description=description,
        metadata=_mapping(raw, "Metadata"),
        rules=_rules(raw),
    )


def _format(message: str) -> Exception:
    return validation(f"Template format error: {message}")


def _mapping(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = raw.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _format(f"{name} must be an object")
    return value


def _section(raw: Mapping[str, Any], name: str, limit: int) -> dict[str, dict[str, Any]]:
    """A section of objects under alphanumeric names."""
    section = _mapping(raw, name)
    if len(section) > limit:
        raise _format(f"Number of {name.lower()}, {len(section)}, is greater than maximum allowed, {limit}")
    for key, value in section.items():
        if key.startswith("Fn::ForEach::"):
            raise _format(f"{key} requires the transform AWS::LanguageExtensions")
        if not _LOGICAL_ID.fullmatch(key):
            raise _format(f"{name.removesuffix('s')} name {key} is non alphanumeric.")
        if value is None:
            raise validation(f"[/{name}/{key}] 'null' values are not allowed in templates")
        if not isinstance(value, dict):
            raise _format(f"Any {name} member must be an object." if name == "Resources" else
                          f"Every {name} member {key} must be a map" if name == "Mappings" else
                          f"Every {name} member must be an object: {key}")  # fmt: skip
    return section


def _rules(raw: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    section = _section(raw, "Rules", RULES_LIMIT)
    for name, rule in section.items():
        assertions = rule.get("Assertions")
        if not set(rule) <= {"RuleCondition", "Assertions"} or not isinstance(assertions, list) or not assertions:
            raise _format(f"Rule {name} takes a list of Assertions and a RuleCondition")
        for item in assertions:
            if not isinstance(item, dict) or not {"Assert"} <= set(item) <= {"Assert", "AssertDescription"}:
                raise _format(f"Every assertion of rule {name} takes Assert and AssertDescription")
            if not isinstance(item.get("AssertDescription", ""), str):
                raise _format(f"Every AssertDescription of rule {name} must be a string")
    return section


def _resources(raw: Mapping[str, Any]) -> dict[str, Resource]:
    section = _section(raw, "Resources", RESOURCES_LIMIT)
    if not section:
        raise _format("At least one Resources member must be defined.")
    return {name: _resource(name, value) for name, value in section.items()}


def _resource(name: str, raw: dict[str, Any]) -> Resource:
    kind = raw.get("Type")
    if not isinstance(kind, str) or not kind:
        raise _format(f"[/Resources/{name}] Every Resources object must contain a Type member.")
    custom = kind == _CUSTOM_RESOURCE or kind.startswith("Custom::")
    allowed = _RESOURCE_ATTRIBUTES | (_CUSTOM_ATTRIBUTES if custom else set())
    if unknown := sorted(set(raw) - allowed):
        raise validation(f"Invalid template resource property '{unknown[0]}'")
    depends = raw.get("DependsOn", [])
    depends = [depends] if isinstance(depends, str) else depends
    if not isinstance(depends, list) or not all(isinstance(item, str) for item in depends):
        raise _format("DependsOn must be a string or list of strings.")
    condition = raw.get("Condition")
    if condition is not None and not isinstance(condition, str):
        raise _format(f"[/Resources/{name}/Condition] Every Condition member must be a string.")
    return Resource(
        kind,
        _mapping(raw, "Properties"),
        tuple(depends),
        condition,
        _policy(name, raw, "DeletionPolicy"),
        _policy(name, raw, "UpdateReplacePolicy"),
        _mapping(raw, "Metadata"),
        _mapping(raw, "UpdatePolicy"),
        _mapping(raw, "CreationPolicy"),
    )


def _policy(name: str, raw: dict[str, Any], attribute: str) -> str:
    policy = raw.get(attribute, "Delete")
    if policy == "Snapshot":
        raise validation(f"Template error: resource type {raw['Type']} does not support deletion policy Snapshot")
    if policy not in _POLICIES:
        raise validation(f"Template error: unrecognized {attribute} {policy} for template resource {name}")
    return str(policy)


def _mappings(raw: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    section = _section(raw, "Mappings", MAPPINGS_LIMIT)
    for mapping in section.values():
        for key, attributes in mapping.items():
            if not isinstance(attributes, dict):
                raise _format(f"Every Mappings member {key} must be a map")
            if any(not isinstance(value, str | int | float | bool | list) for value in attributes.values()):
                raise _format("Every Mappings attribute must be a String or a List.")
    return section


def _outputs(raw: Mapping[str, Any]) -> dict[str, Output]:
    found = {}
    for name, value in _section(raw, "Outputs", OUTPUTS_LIMIT).items():
        if unknown := sorted(set(value) - _OUTPUT_ATTRIBUTES):
            raise validation(f"Invalid template output property '{unknown[0]}'")
        if "Value" not in value:
            raise _format("Every Outputs member must contain a Value object")
        if value["Value"] is None:
            raise validation(f"[/Outputs/{name}/Value] 'null' values are not allowed in templates")
        export = value.get("Export")
        if export is not None and (not isinstance(export, dict) or set(export) != {"Name"}):
            raise _format(f"Output {name}: Export must have the one member Name")
        description, condition = value.get("Description", ""), value.get("Condition")
        if not isinstance(description, str) or not isinstance(condition, str | None):
            raise _format(f"Output {name}: Description and Condition must be strings")
        found[name] = Output(value["Value"], description, export["Name"] if export else None, condition)
    return found


def render(template: Template) -> dict[str, Any]:
    """The template as a raw one again: what GetTemplate shows as processed."""
    raw: dict[str, Any] = {"AWSTemplateFormatVersion": FORMAT_VERSION}
    if template.description:
        raw["Description"] = template.description
    sections = {
        "Metadata": template.metadata,
        "Parameters": template.parameters,
        "Rules": template.rules,
        "Mappings": template.mappings,
        "Conditions": template.conditions,
    }
    raw |= {name: value for name, value in sections.items() if value}
    raw["Resources"] = {name: _raw_resource(resource) for name, resource in template.resources.items()}
    if template.outputs:
        raw["Outputs"] = {name: _raw_output(output) for name, output in template.outputs.items()}
    return raw


def _raw_resource(resource: Resource) -> dict[str, Any]:
    raw = {
        "Type": resource.type,
        "Properties": resource.properties,
        "DependsOn": list(resource.depends_on),
        "Condition": resource.condition,
        "DeletionPolicy": "" if resource.deletion_policy == "Delete" else resource.deletion_policy,
        "UpdateReplacePolicy": "" if resource.replace_policy == "Delete" else resource.replace_policy,
        "Metadata": resource.metadata,
        "UpdatePolicy": resource.update_policy,
        "CreationPolicy": resource.creation_policy,
    }
    return {name: value for name, value in raw.items() if value}


def _raw_output(output: Output) -> dict[str, Any]:
    raw = {
        "Value": output.value,
        "Description": output.description,
        "Condition": output.condition,
        "Export": {"Name": output.export} if output.export is not None else None,
    }
    return {name: value for name, value in raw.items() if value}
