"""Intrinsic functions, evaluated. Pure.

One evaluator serves two moments. Before anything exists, references to resources answer *placeholders*, texts that
begin and end with NUL: good for comparing two templates, finding dependencies and checking shapes. While the stack is
made they answer the real thing. NUL cannot occur in a template: neither JSON nor YAML parsers let it through unescaped
and `check_text` refuses the escaped form.
"""

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template.parameters import Value, text_of

NUL = "\0"
WRITTEN_LIMIT = 4 * 1024 * 1024
NO_VALUE = object()  # what AWS::NoValue evaluates to inside a container: the member is left out
CONDITION_FUNCTIONS = ("Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", "Condition")
_SUB = re.compile(r"\$\{(!?)([^{}]*)\}")
# (logical id, attribute; None for Ref) → value
Lookup = Callable[[str, str | None], Any]


def placeholder(logical_id: str, attribute: str | None) -> str:
    """What stands for a value that is not known yet."""
    return f"{NUL}{logical_id}{'' if attribute is None else '.' + attribute}{NUL}"


def is_unknown(value: Any) -> bool:
    """Whether `value` is, or contains, a placeholder."""
    return isinstance(value, str) and NUL in value


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


class Scope:
    """Everything that an expression can see."""

    def __init__(
        self,
        parameters: Mapping[str, Value],
        pseudo: Mapping[str, Any],
        mappings: Mapping[str, Mapping[str, Mapping[str, Any]]],
        conditions: Mapping[str, Any],
        lookup: Lookup = placeholder,
    ) -> None:
        self._parameters = parameters
        self._pseudo = pseudo
        self._mappings = mappings
        self._conditions = conditions
        self._lookup = lookup
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
            self._deciding.append(condition)
            self._decided[condition] = self._boolean(self._conditions[condition])
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
        function = _FUNCTIONS.get(name)
        if function is None:
            raise validation(f"Template error: Mayfly does not support the function {name}")
        return function(self, argument)

    def _ref(self, argument: Any) -> Any:
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
        logical_id, attribute = get_att_parts(argument)
        name = self._evaluate(attribute)
        if not isinstance(name, str):
            raise _shape("Fn::GetAtt", "two non-empty parameters, the resource name and the resource attribute")
        return self._lookup(logical_id, name)

    def _sub(self, argument: Any) -> Any:
        text, variables = (argument, {}) if isinstance(argument, str) else _pair("Fn::Sub", argument)
        if not isinstance(text, str) or not isinstance(variables, dict):
            raise _shape("Fn::Sub", "a String as a first element, and a map as a second element")

        def value(name: str) -> Any:
            if name in variables:
                return self._evaluate(variables[name])
            return self._get_att(name) if "." in name and name not in self._pseudo else self._ref(name)

        def replace(match: re.Match[str]) -> str:
            literal, name = match[1], match[2].strip()
            return f"${{{name}}}" if literal else self._counted(_text("Fn::Sub", value(name)))

        return _SUB.sub(replace, text)

    def _join(self, argument: Any) -> Any:
        delimiter, items = _pair("Fn::Join", argument)
        items = self._evaluate(items)
        if is_unknown(items):
            return _opaque("Fn::Join", [delimiter, items])
        if not isinstance(delimiter, str) or not isinstance(items, list):
            raise _shape("Fn::Join", "two parameters, (1) a string delimiter and (2) a list of strings to be joined")
        self._written += len(delimiter) * len(items)
        return delimiter.join(self._counted(_text("Fn::Join", item)) for item in items)

    def _counted(self, text: str) -> str:
        """`text`, which goes into a longer one: small templates must not write out into endless ones."""
        self._written += len(text)
        if self._written > WRITTEN_LIMIT:
            raise validation(f"Template error: the functions of one value write more than {WRITTEN_LIMIT} characters")
        return text

    def _select(self, argument: Any) -> Any:
        index, items = _pair("Fn::Select", argument)
        index, items = self._evaluate(index), self._evaluate(items)
        if is_unknown(items) or is_unknown(index):
            return _opaque("Fn::Select", [index, items])
        if not isinstance(items, list):
            raise _shape("Fn::Select", "two parameters, an index and a list")
        if not re.fullmatch(r"\d{1,9}", str(index)) or int(index) >= len(items):
            raise validation(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
        return items[int(index)]

    def _split(self, argument: Any) -> Any:
        delimiter, source = _pair("Fn::Split", argument)
        source = self._evaluate(source)
        if is_unknown(source):
            return _opaque("Fn::Split", [delimiter, source])
        if not isinstance(delimiter, str) or not delimiter or not isinstance(source, str):
            raise _shape("Fn::Split", "two parameters, (1) a string delimiter and (2) a string to be split")
        return source.split(delimiter)

    def _find_in_map(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) != 3:
            raise _shape("Fn::FindInMap", "three parameters, the map name, map key and the attribute for return value")
        name, key, attribute = (text_of(self._evaluate(item)) for item in argument)
        if name not in self._mappings:
            raise validation(
                f"Template error: Mapping named '{name}' is not present in the 'Mappings' section of template."
            )
        try:
            return self._mappings[name][key][attribute]
        except KeyError:
            raise validation(f"Template error: Unable to get mapping for {name}::{key}::{attribute}") from None

    def _if(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[0], str):
            raise validation("Template error: Fn::If requires a list argument with three elements")
        return self._evaluate(argument[1] if self.holds(argument[0]) else argument[2])

    def _boolean(self, value: Any) -> bool:
        call = function_of(value)
        if call is None or call[0] not in CONDITION_FUNCTIONS:
            raise validation(
                "Template error: every condition is one of Fn::And, Fn::Or, Fn::Not, Fn::Equals, Condition"
            )
        name, argument = call
        if name == "Condition":
            return self.holds(argument)
        if not isinstance(argument, list):
            raise _shape(name, "a list argument")
        if name == "Fn::Equals":
            if len(argument) != 2:
                raise _shape(name, "a list argument with two elements")
            left, right = (self._evaluate(item) for item in argument)
            return bool(_comparable(left) == _comparable(right))
        if name == "Fn::Not":
            if len(argument) != 1:
                raise _shape(name, "a list argument with one element")
            return not self._boolean(argument[0])
        if not 2 <= len(argument) <= 10:
            raise _shape(name, "a list argument with at least 2 and at most 10 elements")
        verdicts = [self._boolean(item) for item in argument]
        return all(verdicts) if name == "Fn::And" else any(verdicts)

    def _base64(self, argument: Any) -> Any:
        text = self._evaluate(argument)
        if is_unknown(text):
            return _opaque("Fn::Base64", text)
        return base64.b64encode(_text("Fn::Base64", text).encode()).decode()

    def _get_azs(self, argument: Any) -> Any:
        region = self._evaluate(argument) or self._pseudo["AWS::Region"]
        return [f"{region}a"]  # one machine, one zone

    def _cidr(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) not in (2, 3):
            raise _shape("Fn::Cidr", "an address block, a count and the number of subnet bits")
        block, count, bits = [*(self._evaluate(item) for item in argument), 8][:3]
        if any(is_unknown(item) for item in (block, count, bits)):
            return _opaque("Fn::Cidr", [block, count, bits])
        try:
            network = ipaddress.ip_network(str(block))
            prefix = network.max_prefixlen - int(bits)
            if not 1 <= int(count) <= 256 or int(count) > 2 ** (prefix - network.prefixlen):
                raise ValueError
            step = 2 ** int(bits)
            base = int(network.network_address)
            kind = type(network.network_address)
            return [f"{kind(base + number * step)}/{prefix}" for number in range(int(count))]
        except (ValueError, TypeError, OverflowError):
            raise validation(
                f"Template error: Fn::Cidr cannot cut {count} blocks of {bits} bits out of {block}"
            ) from None


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
}


def get_att_parts(argument: Any) -> tuple[str, Any]:
    """Logical id and attribute of a Fn::GetAtt in either form; the attribute may be an expression."""
    if isinstance(argument, str) and "." in argument:
        logical_id, _, attribute = argument.partition(".")
        return logical_id, attribute
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[0], str) and argument[1]:
        return argument[0], argument[1]
    raise _shape("Fn::GetAtt", "two non-empty parameters, the resource name and the resource attribute")


def _pair(name: str, argument: Any) -> tuple[Any, Any]:
    if not isinstance(argument, list) or len(argument) != 2:
        raise _shape(name, "two parameters")
    return argument[0], argument[1]


def _shape(name: str, requires: str) -> Exception:
    return validation(f"Template error: every {name} object requires {requires}.")


def _text(name: str, value: Any) -> str:
    if isinstance(value, str | int | float | bool):
        return text_of(value)
    raise validation(f"Template error: {name} can only put together strings, numbers and booleans")


def _opaque(name: str, argument: Any) -> str:
    """A placeholder for a function of something unknown: equal for equal expressions."""
    return f"{NUL}{name} {json.dumps(argument, sort_keys=True).replace(NUL, '')}{NUL}"


def _comparable(value: Any) -> Any:
    return text_of(value) if isinstance(value, str | int | float | bool) else value
