"""Parameters: declarations checked, values bound and constrained, but for patterns (`patterns`). Pure.

A bound value is text, or a list of texts for the list types. Types that name AWS resources or SSM parameters are not
looked up anywhere yet and are refused.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.faults import validation

Value = str | list[str]
MASK = "****"  # shown instead of a NoEcho parameter's value
_LISTS = ("List<Number>", "CommaDelimitedList", "List<String>")
_TYPES = ("String", "Number", *_LISTS)
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
        if kind not in _TYPES:
            if kind is None:
                raise validation("Template format error: Every Parameters object must contain a Type member.")
            raise validation(f"Template format error: Unrecognized parameter type: {kind}")
        if not isinstance(declaration.get("AllowedValues", []), list):
            raise validation(f"Template format error: AllowedValues of parameter {name} must be a list")
        if isinstance(declaration.get("Default"), dict | list):
            raise validation("Template format error: Every Default member must be a string.")


def bind(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, str]) -> dict[str, Value]:
    """The value of every declared parameter; `ServiceError` ValidationError.

    `given` holds texts; a value that is absent comes from the default.
    """
    check_declarations(declared)
    if unknown := sorted(set(given) - set(declared)):
        raise validation(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = [name for name, item in declared.items() if name not in given and item.get("Default") is None]
    if missing:
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
    values = (
        [item.strip() for item in text.split(",")] if kind in _LISTS and text else ([] if kind in _LISTS else [text])
    )
    for value in values:
        _check(name, declaration, value, number="Number" in kind)
    return values if kind in _LISTS else text


def _check(name: str, declaration: Mapping[str, Any], value: str, *, number: bool) -> None:
    because = declaration.get("ConstraintDescription")

    def refuse(reason: str) -> Exception:
        return validation(f"Parameter '{name}' {because or reason}")

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
