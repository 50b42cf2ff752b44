"""The transform AWS::LanguageExtensions: loops, and functions whose value can be known before anything is made. Pure.

What depends on resources, or on a parameter whose value is not to be shown, is left as it is; the evaluator carries it
out later (`intrinsics`, with the extensions).
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template.intrinsics import Scope, function_of
from mayfly.services.stacks.template.loops import Loops, failed
from mayfly.services.stacks.template.marks import has_unknown, opaque
from mayfly.services.stacks.template.parameters import Value, hidden

_LOOPING = ("Conditions", "Resources", "Outputs")
_POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")
_REFERRING = ("Ref", "Fn::GetAtt")


def extend(raw: Mapping[str, Any], values: Mapping[str, Value], pseudo: Mapping[str, Any]) -> dict[str, Any]:
    """The template without what only the transform understands, as far as it can be known; `ServiceError`."""
    declared = _section(raw, "Parameters")
    shown = {name: _shown(declared.get(name), name, value) for name, value in values.items()}
    mappings = _section(raw, "Mappings")
    outer = Scope(shown, pseudo, mappings, {}, extended=True)
    loops = Loops(outer.evaluate, declared)
    written = {name: loops.unrolled(item) if name in _LOOPING else item for name, item in raw.items()}
    scope = Scope(shown, pseudo, mappings, _section(written, "Conditions"), extended=True)
    known = _Known(scope)
    for name in _LOOPING:
        if isinstance(written.get(name), dict):
            written[name] = known.simplified(written[name])
    return written


def with_policies(raw: Mapping[str, Any], values: Mapping[str, Value], pseudo: Mapping[str, Any]) -> dict[str, Any]:
    """The template with DeletionPolicy and UpdateReplacePolicy as texts where they are functions; `ServiceError`.

    AWS asks for no transform for these.
    """
    resources = _section(raw, "Resources")
    computed = {name: item for name, item in resources.items() if _computes(item)}
    if not computed:
        return dict(raw)
    declared = _section(raw, "Parameters")
    shown = {name: _shown(declared.get(name), name, value) for name, value in values.items()}
    conditions = _section(raw, "Conditions")
    scope = Scope(shown, pseudo, _section(raw, "Mappings"), conditions, extended=True)
    settled = {
        name: {key: _policy(key, scope.evaluate(value)) if key in _POLICIES else value for key, value in item.items()}
        for name, item in computed.items()
    }
    return {**raw, "Resources": {**resources, **settled}}


def _computes(resource: Any) -> bool:
    return isinstance(resource, dict) and any(isinstance(resource.get(policy), dict) for policy in _POLICIES)


def _section(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = raw.get(name)
    return section if isinstance(section, dict) else {}


def _shown(declaration: Any, name: str, value: Value) -> Value:
    """A parameter's value as the written template may show it."""
    return opaque("Ref", name) if isinstance(declaration, dict) and hidden(declaration) else value


def _policy(name: str, value: Any) -> str:
    if not isinstance(value, str) or has_unknown(value):
        raise validation(f"Template error: {name} must be a text that can be known before anything is made")
    return value


class _Known:
    """Puts values where functions of the extensions are."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def simplified(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.simplified(item) for item in value]
        if not isinstance(value, dict):
            return value
        inner = {key: self.simplified(item) for key, item in value.items()}
        call = function_of(inner)
        if call is None:
            return inner
        name, argument = call
        defaulted = name == "Fn::FindInMap" and isinstance(argument, list) and len(argument) == 4
        if defaulted or name in ("Fn::Length", "Fn::ToJsonString"):
            return self._value(inner)
        if name in _REFERRING:
            return {name: self._named(argument)}
        return inner

    def _value(self, call: dict[str, Any]) -> Any:
        try:
            value = self._scope.evaluate(call)
        except ServiceError as error:
            raise failed(error.message.removeprefix("Template error: ")) from error
        return call if has_unknown(value) else value

    def _named(self, argument: Any) -> Any:
        """The argument of a reference with the name of what it refers to as a text."""
        name = argument[0] if isinstance(argument, list) and argument else argument
        if not isinstance(name, dict):
            return argument
        found = self._scope.evaluate(name)
        if not isinstance(found, str) or has_unknown(found):
            raise failed("the name that Ref and Fn::GetAtt refer to must be known before anything is made")
        return [found, *argument[1:]] if isinstance(argument, list) else found
