"""Parameters: declarations checked, values bound and constrained, but for patterns (`patterns`). Pure.

A bound value is text, or a list of texts for the list types. Types of the form AWS::SSM::Parameter::Value<…> are bound
to the name that the caller gives; what is stored under it is found by `stacks.lookups` and stands for it then.
Types that name resources of EC2 and Route 53 are text: there is nothing here to compare them with.
"""

import re
from collections.abc import Mapping
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.faults import validation

Value = str | list[str]
MASK = "****"  # shown instead of a NoEcho parameter's value
SSM_NAME = "AWS::SSM::Parameter::Name"
_LISTS = ("List<Number>", "CommaDelimitedList", "List<String>")
_NAMING = frozenset({
    "AWS::EC2::AvailabilityZone::Name", "AWS::EC2::Image::Id", "AWS::EC2::Instance::Id", "AWS::EC2::KeyPair::KeyName",
    "AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::SecurityGroup::Id", "AWS::EC2::Subnet::Id",
    "AWS::EC2::Volume::Id", "AWS::EC2::VPC::Id", "AWS::Route53::HostedZone::Id",
})  # fmt: skip
_TYPES = frozenset({"String", "Number", SSM_NAME, *_LISTS, *_NAMING, *(f"List<{name}>" for name in _NAMING)})
_STORED = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
_STORABLE = _TYPES - {"Number", "List<Number>", SSM_NAME}
_ATTRIBUTES = {
    "Type", "Default", "NoEcho", "AllowedValues", "AllowedPattern", "MinLength", "MaxLength", "MinValue", "MaxValue",
    "Description", "ConstraintDescription",
}  # fmt: skip
_VALUE_LIMIT = 4096  # bytes


def check_declarations(declared: Mapping[str, Mapping[str, Any]]) -> None:
    """`ServiceError` ValidationError for a declaration that makes no sense."""
    for name, declaration in declared.items():
        if unknown := sorted(set(declaration) - _ATTRIBUTES):
            raise validation(f"Invalid template parameter property '{unknown[0]}'")
        kind = declaration.get("Type")
        if kind is None:
            raise validation("Template format error: Every Parameters object must contain a Type member.")
        if not isinstance(kind, str) or (kind not in _TYPES and stored_type(declaration) not in _STORABLE):
            raise validation(f"Template format error: Unrecognized parameter type: {kind}")
        if not isinstance(declaration.get("AllowedValues", []), list):
            raise validation(f"Template format error: AllowedValues of parameter {name} must be a list")
        if isinstance(declaration.get("Default"), dict | list):
            raise validation("Template format error: Every Default member must be a string.")
        _check_bounds(name, declaration)


def _check_bounds(name: str, declaration: Mapping[str, Any]) -> None:
    for attribute in ("MinLength", "MaxLength", "MinValue", "MaxValue"):
        bound = text_of(declaration.get(attribute, 0))
        try:
            float(bound) if attribute.endswith("Value") else int(bound)
        except ValueError:
            raise validation(f"Template format error: {attribute} of parameter {name} must be a number.") from None
    for attribute in ("Description", "ConstraintDescription", "AllowedPattern"):
        if not isinstance(declaration.get(attribute, ""), str | int | float | bool):
            raise validation(f"Template format error: Every {attribute} member must be a string.")


def stored_type(declaration: Mapping[str, Any]) -> str | None:
    """The type of what a parameter finds in the parameter store; None for one that looks nothing up."""
    match = _STORED.fullmatch(str(declaration.get("Type")))
    return match[1] if match else None


def is_list(kind: str) -> bool:
    """Whether values of a type are lists."""
    return kind in _LISTS or kind.startswith("List<")


def stored_value(name: str, declaration: Mapping[str, Any], text: str) -> Value:
    """What was found in the parameter store, as the parameter's type has it; `ServiceError` ValidationError."""
    if "\0" in text:
        raise validation(f"Parameter '{name}' must not contain the character NUL")
    kind = stored_type(declaration)
    return [item.strip() for item in text.split(",")] if kind is not None and is_list(kind) else text


def bind(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, str]) -> dict[str, Value]:
    """The value of every declared parameter; `ServiceError` ValidationError.

    `given` holds texts; a value that is absent comes from the default.
    """
    check_declarations(declared)
    if unknown := sorted(set(given) - set(declared)):
        raise validation(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = [name for name, item in declared.items() if name not in given and item.get("Default") is None]
    if missing:
        for name in missing:
            if stored_type(declared[name]) is not None:
                raise validation(f"Parameter {name} should either have input value or default value")
        raise validation(f"Parameters: [{', '.join(missing)}] must have values")
    return {
        name: _bound(name, item, given[name] if name in given else text_of(item["Default"]))
        for name, item in declared.items()
    }


def hidden(declaration: Mapping[str, Any]) -> bool:
    """Whether a parameter's value is not to be shown."""
    return text_of(declaration.get("NoEcho", False)).lower() == "true"


def text_of(value: Any) -> str:
    """A scalar of a template as the text that CloudFormation makes of it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _bound(name: str, declaration: Mapping[str, Any], text: str) -> Value:
    if len(text.encode()) > _VALUE_LIMIT:
        raise validation(f"Parameter '{name}' must be {_VALUE_LIMIT} bytes at most")
    if "\0" in text:  # marks what is not known yet, see `intrinsics`
        raise validation(f"Parameter '{name}' must not contain the character NUL")
    kind = declaration["Type"]
    if not is_list(kind):
        _check(name, declaration, text, number=kind == "Number")
        return text
    values = [item.strip() for item in text.split(",")] if text else []
    for value in values:
        _check(name, declaration, value, number=kind == "List<Number>")
    return values


def unmet(name: str, declaration: Mapping[str, Any], reason: str) -> ServiceError:
    """What is said of a value outside its constraints: the template's own description of them, if it has one."""
    if because := declaration.get("ConstraintDescription"):
        return validation(f"Parameter {name} failed to satisfy constraint: {because}")
    return validation(f"Parameter '{name}' {reason}")


def _check(name: str, declaration: Mapping[str, Any], value: str, *, number: bool) -> None:
    def refuse(reason: str) -> Exception:
        return unmet(name, declaration, reason)

    allowed = [text_of(item) for item in declaration.get("AllowedValues", [])]
    if allowed and value not in allowed:
        raise refuse("must be one of AllowedValues")
    if number:
        try:
            amount = float(value)
        except ValueError:
            raise validation(f"Parameter '{name}' must be a number.") from None
        if "MinValue" in declaration and amount < float(declaration["MinValue"]):
            raise refuse(f"must be a number not less than {declaration['MinValue']}")
        if "MaxValue" in declaration and amount > float(declaration["MaxValue"]):
            raise refuse(f"must be a number not greater than {declaration['MaxValue']}")
        return
    if "MinLength" in declaration and len(value) < int(declaration["MinLength"]):
        raise refuse(f"must contain at least {declaration['MinLength']} characters")
    if "MaxLength" in declaration and len(value) > int(declaration["MaxLength"]):
        raise refuse(f"must contain at most {declaration['MaxLength']} characters")
