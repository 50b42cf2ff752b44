"""Mapping templates: what other packages see of the language.

    template = compile_template(text)                # TemplateSyntaxError; done when a template is put, and kept
    context = context_of({"stage": "prod", ...})     # for one request
    body = template.render(Scope(body, params, context, stage_variables))      # TemplateRunError: answer 500
    context["requestOverride"]["header"]             # what the template set, of headers to send

Synchronous and bounded: a run ends, one way or the other, within some tenths of a second.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mayfly.vtl.errors import TemplateLimitError
from mayfly.vtl.instruments import Input, Util
from mayfly.vtl.nodes import Macro, Node
from mayfly.vtl.parser import parse
from mayfly.vtl.run import LIMITS, Limits, Run
from mayfly.vtl.values import Section

LARGEST_TEMPLATE = 300 * 1024  # characters: API Gateway's quota
_UTIL = Util()


@dataclass(slots=True)
class Scope:
    """What one run knows. `params`: values by name below "path", "querystring" and "header"."""

    body: str
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    context: Section = field(default_factory=Section)  # as `context_of` makes it; templates change its overrides
    stage_variables: Mapping[str, str] = field(default_factory=dict)


class Template:
    """A template that was read."""

    __slots__ = ("_macros", "_nodes")

    def __init__(self, nodes: tuple[Node, ...], macros: Mapping[str, Macro]) -> None:
        self._nodes = nodes
        self._macros = macros

    def render(self, scope: Scope, limits: Limits = LIMITS, spent: Callable[[], float] = time.thread_time) -> str:
        """What the template writes; `TemplateRunError`. `spent`: seconds of processor time, by which it is bounded."""
        variables: dict[str, Any] = {
            "input": Input(scope.body, scope.params),
            "util": _UTIL,
            "context": scope.context,
            "stageVariables": dict(scope.stage_variables),
        }
        return Run(variables, self._macros, limits, spent).text(self._nodes)


def compile_template(text: str) -> Template:
    """Read a template; `TemplateSyntaxError` says what is wrong and where, `TemplateLimitError` that it is too long."""
    if len(text) > LARGEST_TEMPLATE:
        raise TemplateLimitError(f"a template may have up to {LARGEST_TEMPLATE} characters, this one has {len(text)}")
    return Template(*parse(text))


def context_of(values: Mapping[str, Any]) -> Section:
    """`$context` of one request, with the overrides that templates may fill. `values` nest as variables' names do."""
    context = _section(values)
    overrides = context.setdefault("requestOverride", Section())
    for place in ("header", "path", "querystring"):
        overrides.setdefault(place, Section())
    context.setdefault("responseOverride", Section()).setdefault("header", Section())
    return context


def _section(values: Mapping[str, Any]) -> Section:
    return Section({name: _section(value) if isinstance(value, Mapping) else value for name, value in values.items()})
