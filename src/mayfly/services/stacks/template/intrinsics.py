"""Intrinsic functions, evaluated. Pure.

One evaluator serves two moments. Before anything exists, references to resources answer placeholders (`marks`). While
the stack is made they answer the real thing. Conditions, and the functions of rules, are in `conditions`.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template import cidr, conditions, outside
from mayfly.services.stacks.template.marks import NUL, has_unknown, is_unknown, opaque, placeholder
from mayfly.services.stacks.template.parameters import Value, text_of

WRITTEN_LIMIT = 4 * 1024 * 1024
CHAIN_LIMIT = 50  # conditions, each of which asks for the next
NO_VALUE = object()  # what AWS::NoValue evaluates to inside a container: the member is left out
EXTENSIONS = "AWS::LanguageExtensions"  # the transform without which some functions are not there
_EXTENDED = ("Fn::Length", "Fn::ToJsonString")
_ZONES = ("a", "b", "c")
_SUB = re.compile(r"\$\{(!?)([^{}]*)\}")
# (logical id, attribute; None for Ref) → value
Lookup = Callable[[str, str | None], Any]
# what `template.outside` names → value; None for what is not there
Outside = Callable[[str], Any]


def function_of(value: Any) -> tuple[str, Any] | None:
    """The name and argument of an intrinsic function call; None for anything else."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, argument),) = value.items()
        if name in ("Ref", "Condition") or name.startswith("Fn::"):
            return name, argument
    return None


def sub_references(text: str) -> list[str]:
    """The names inside the `${…}` of a Fn::Sub, in order; `${!literal}` is none."""
    return [name.strip() for literal, name in _SUB.findall(text) if not literal]


def _nothing(_: str) -> None:
    """An `Outside` in which nothing is."""


class Scope:
    """Everything that an expression can see."""

    def __init__(
        self,
        parameters: Mapping[str, Value],
        pseudo: Mapping[str, Any],
        mappings: Mapping[str, Mapping[str, Mapping[str, Any]]],
        named: Mapping[str, Any],
        lookup: Lookup = placeholder,
        *,
        beyond: Outside = _nothing,
        extended: bool = False,
    ) -> None:
        """`named`: the conditions. `beyond`: what there is outside. `extended`: with the language extensions."""
        self._parameters = parameters
        self._pseudo = pseudo
        self._mappings = mappings
        self._conditions = named
        self._lookup = lookup
        self._beyond = beyond
        self._extended = extended
        self._written = 0  # characters that functions have put together
        self._decided: dict[str, bool] = {}
        self._deciding: list[str] = []

    def evaluate(self, value: Any) -> Any:
        """`value` with its functions carried out; members that are AWS::NoValue are gone. `ServiceError`."""
        result = self._evaluate(value)
        return None if result is NO_VALUE else result

    def holds(self, condition: str) -> bool:
        """Whether the named condition is true."""
        if condition not in self._decided:
            if condition not in self._conditions:
                raise validation(f"Template format error: Unresolved condition dependency {condition}")
            if condition in self._deciding:
                raise validation(f"Circular dependencies for conditions: [{', '.join(self._deciding)}]")
            if len(self._deciding) == CHAIN_LIMIT:
                raise validation(f"Template format error: more than {CHAIN_LIMIT} conditions depend on one another.")
            self._deciding.append(condition)
            self._decided[condition] = conditions.decide(self._conditions[condition], self._evaluate, self.holds)
            self._deciding.pop()
        return self._decided[condition]

    def _evaluate(self, value: Any) -> Any:
        call = function_of(value)
        if call is not None:
            name, argument = call
            if name == "Condition" and not (isinstance(argument, str) and argument in self._conditions):
                return {name: self._evaluate(argument)}  # a property that happens to be called so (IAM policies)
            return self._call(name, argument)
        if isinstance(value, dict):
            pairs = ((key, self._evaluate(item)) for key, item in value.items())
            return {key: item for key, item in pairs if item is not NO_VALUE}
        if isinstance(value, list):
            return [item for item in map(self._evaluate, value) if item is not NO_VALUE]
        return value

    def _call(self, name: str, argument: Any) -> Any:
        if name in conditions.FUNCTIONS:
            return conditions.decide({name: argument}, self._evaluate, self.holds)
        function = _FUNCTIONS.get(name)
        if function is None:
            supported = ", ".join([*_FUNCTIONS, *conditions.FUNCTIONS])
            raise validation(
                f"Template error: Encountered unsupported function: {name} Supported functions are: [{supported}]"
            )
        if name in _EXTENDED and not self._extended:
            raise validation(f"Template error: {name} requires the transform {EXTENSIONS}")
        return function(self, argument)

    def _ref(self, argument: Any) -> Any:
        if self._extended and not isinstance(argument, str):
            argument = self._evaluate(argument)
        if not isinstance(argument, str):
            raise validation("Template error: every Ref object must have a single String value.")
        if argument == "AWS::NoValue":
            return NO_VALUE
        if argument in self._parameters:
            return self._parameters[argument]
        if argument in self._pseudo:
            return self._pseudo[argument]
        return self._lookup(argument, None)

    def _get_att(self, argument: Any) -> Any:
        if self._extended and isinstance(argument, list) and len(argument) == 2:
            argument = [self._evaluate(argument[0]), argument[1]]
        logical_id, attribute = get_att_parts(argument)
        name = self._evaluate(attribute)
        if not isinstance(name, str):
            raise _get_att_shape()
        return self._lookup(logical_id, name)

    def _sub(self, argument: Any) -> Any:
        text, variables = (argument, {}) if isinstance(argument, str) else _list("Fn::Sub", argument, 2)
        if not isinstance(text, str) or not isinstance(variables, dict):
            raise _shape("Fn::Sub")

        def value(name: str) -> Any:
            if name in variables:
                return self._evaluate(variables[name])
            return self._get_att(name) if "." in name and name not in self._pseudo else self._ref(name)

        def replace(match: re.Match[str]) -> str:
            literal, name = match[1], match[2].strip()
            return f"${{{name}}}" if literal else self._counted(_text("Fn::Sub", value(name)))

        return _SUB.sub(replace, text)

    def _join(self, argument: Any) -> Any:
        delimiter, items = _list("Fn::Join", argument, 2)
        items = self._evaluate(items)
        if is_unknown(items):
            return opaque("Fn::Join", [delimiter, items])
        if not isinstance(delimiter, str) or not isinstance(items, list):
            raise _shape("Fn::Join")
        self._written += len(delimiter) * len(items)
        return delimiter.join(self._counted(_text("Fn::Join", item)) for item in items)

    def _counted(self, text: str) -> str:
        """`text`, which goes into a longer one: small templates must not write out into endless ones."""
        self._written += len(text)
        if self._written > WRITTEN_LIMIT:
            raise validation(f"Template error: the functions of one value write more than {WRITTEN_LIMIT} characters")
        return text

    def _select(self, argument: Any) -> Any:
        index, items = _list("Fn::Select", argument, 2)
        index, items = self._evaluate(index), self._evaluate(items)
        if is_unknown(items) or is_unknown(index):
            return opaque("Fn::Select", [index, items])
        if not isinstance(items, list) or isinstance(index, bool) or not re.fullmatch(r"-?\d{1,9}", str(index)):
            raise _shape("Fn::Select")
        if not 0 <= int(index) < len(items):
            raise validation(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
        return items[int(index)]

    def _split(self, argument: Any) -> Any:
        delimiter, source = _list("Fn::Split", argument, 2)
        delimiter, source = self._evaluate(delimiter), self._evaluate(source)
        if is_unknown(source) or is_unknown(delimiter):
            return opaque("Fn::Split", [delimiter, source])
        if not isinstance(delimiter, str) or not delimiter or not isinstance(source, str):
            raise _shape("Fn::Split")
        return source.split(delimiter)

    def _find_in_map(self, argument: Any) -> Any:
        default: list[Any] = []
        if self._extended and isinstance(argument, list) and len(argument) == 4:
            *argument, last = argument
            if not isinstance(last, dict) or set(last) != {"DefaultValue"}:
                raise _shape("Fn::FindInMap")
            default = [last["DefaultValue"]]
        parts = [self._evaluate(item) for item in _list("Fn::FindInMap", argument, 3)]
        if has_unknown(parts):
            raise validation("Template error: Fn::FindInMap must not depend on any resources")
        if not all(isinstance(item, str | int | float | bool) for item in parts):
            raise _shape("Fn::FindInMap")
        name, key, attribute = map(text_of, parts)
        found = self._mappings.get(name, {}).get(key, {})
        if attribute in found:
            return self._evaluate(found[attribute])
        if default:
            return self._evaluate(default[0])
        if name not in self._mappings:
            raise validation(
                f"Template error: Mapping named '{name}' is not present in the 'Mappings' section of template."
            )
        raise validation(f"Template error: Unable to get mapping for {name}::{key}::{attribute}")

    def _if(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[0], str):
            raise _shape("Fn::If")
        if argument[0] not in self._conditions:
            raise validation(f"Template error: unresolved condition dependency {argument[0]} in Fn::If")
        return self._evaluate(argument[1] if self.holds(argument[0]) else argument[2])

    def _base64(self, argument: Any) -> Any:
        text = self._evaluate(argument)
        if is_unknown(text):
            return opaque("Fn::Base64", text)
        return base64.b64encode(self._counted(_text("Fn::Base64", text)).encode()).decode()

    def _get_azs(self, argument: Any) -> Any:
        region = self._evaluate(argument) or self._pseudo["AWS::Region"]
        if not isinstance(region, str):
            raise _shape("Fn::GetAZs")
        # The zones are names without meaning here; as many as templates that pick some of them expect at least.
        return [f"{region}{zone}" for zone in _ZONES] if region == self._pseudo["AWS::Region"] else []

    def _cidr(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) not in (2, 3):
            raise _shape("Fn::Cidr")
        block, count, bits = [*(self._evaluate(item) for item in argument), 8][:3]
        if any(is_unknown(item) for item in (block, count, bits)):
            return opaque("Fn::Cidr", [block, count, bits])
        return cidr.blocks(block, count, bits)

    def _import_value(self, argument: Any) -> Any:
        return self._outside(outside.import_key(outside.name_of_import(self._evaluate(argument))))

    def _stack_output(self, argument: Any) -> Any:
        return self._outside(outside.key_of_output(self._evaluate(argument), self._pseudo["AWS::Region"]))

    def _outside(self, key: str) -> Any:
        value = self._beyond(key)
        if value is None:
            raise outside.missing(key)
        return value

    def _length(self, argument: Any) -> Any:
        items = self._evaluate(argument)
        if is_unknown(items):
            return opaque("Fn::Length", items)
        if not isinstance(items, list):
            raise _shape("Fn::Length")
        return len(items)

    def _to_json_string(self, argument: Any) -> Any:
        value = self._evaluate(argument)
        if not isinstance(value, dict | list):
            raise _shape("Fn::ToJsonString")
        # A placeholder would be escaped: it has to stay recognizable.
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("\\u0000", NUL)
        return self._counted(text)


_FUNCTIONS: Mapping[str, Callable[[Scope, Any], Any]] = {
    "Ref": Scope._ref,  # noqa: SLF001  # the table is part of the class, kept outside for its length
    "Fn::GetAtt": Scope._get_att,  # noqa: SLF001
    "Fn::Sub": Scope._sub,  # noqa: SLF001
    "Fn::Join": Scope._join,  # noqa: SLF001
    "Fn::Select": Scope._select,  # noqa: SLF001
    "Fn::Split": Scope._split,  # noqa: SLF001
    "Fn::FindInMap": Scope._find_in_map,  # noqa: SLF001
    "Fn::If": Scope._if,  # noqa: SLF001
    "Fn::Base64": Scope._base64,  # noqa: SLF001
    "Fn::GetAZs": Scope._get_azs,  # noqa: SLF001
    "Fn::Cidr": Scope._cidr,  # noqa: SLF001
    outside.IMPORT: Scope._import_value,  # noqa: SLF001
    outside.STACK_OUTPUT: Scope._stack_output,  # noqa: SLF001
    "Fn::Length": Scope._length,  # noqa: SLF001
    "Fn::ToJsonString": Scope._to_json_string,  # noqa: SLF001
}
# What an argument that has the wrong form is answered with.
_REQUIRES: Mapping[str, str] = {
    "Fn::Sub": "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first "
    "argument, and an optional second argument to specify a mapping of values to replace in the string",
    "Fn::Join": "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to "
    "be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.",
    "Fn::Select": "Fn::Select requires a list argument with two elements: an integer index and a list",
    "Fn::Split": "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split "
    "or a function that returns a string to be split.",
    "Fn::FindInMap": "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute "
    "for return value",
    "Fn::If": "Fn::If requires a list argument with three elements, the first of which is the name of a condition",
    "Fn::Base64": "every Fn::Base64 object must have a String-typed value.",
    "Fn::GetAZs": "every Fn::GetAZs object must have a String-typed value.",
    "Fn::Cidr": "every Fn::Cidr object requires an address block, a count and, at most, a number of subnet bits",
    "Fn::Length": "every Fn::Length object requires a list, or a function that returns one",
    "Fn::ToJsonString": "every Fn::ToJsonString object requires an object or a list",
}


def get_att_parts(argument: Any) -> tuple[str, Any]:
    """Logical id and attribute of a Fn::GetAtt in either form; the attribute may be an expression."""
    if isinstance(argument, str) and "." in argument:
        logical_id, _, attribute = argument.partition(".")
        if logical_id and attribute:
            return logical_id, attribute
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[0], str) and all(argument):
        return argument[0], argument[1]
    raise _get_att_shape()


def _get_att_shape() -> Exception:
    return validation(
        "Template error: every Fn::GetAtt object requires two non-empty parameters, "
        "the resource name and the resource attribute"
    )


def _list(name: str, argument: Any, length: int) -> list[Any]:
    if not isinstance(argument, list) or len(argument) != length:
        raise _shape(name)
    return argument


def _shape(name: str) -> Exception:
    return validation(f"Template error: {_REQUIRES[name]}")


def _text(name: str, value: Any) -> str:
    if isinstance(value, str | int | float | bool):
        return text_of(value)
    if name == "Fn::Base64":
        raise _shape(name)
    raise validation(f"Template error: {name} can only put together strings, numbers and booleans")
