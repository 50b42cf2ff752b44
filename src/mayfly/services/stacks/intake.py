"""From a request to a definition: everything that can be refused is refused here, before anything is made."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from mayfly.services.contract import RequestContext
from mayfly.services.ports import CodeSource
from mayfly.services.stacks.faults import unsupported, validation
from mayfly.services.stacks.fetch import body_of
from mayfly.services.stacks.model import Definition
from mayfly.services.stacks.planner import Draft, Place, Types, check, draft
from mayfly.services.stacks.template import capabilities, document, parameters, source
from mayfly.services.stacks.template.patterns import check_patterns
from mayfly.services.stacks.template.sam import SamTransform

_REASONS = {
    "NotificationARNs": "stacks do not publish to topics",
    "ResourceTypes": "the types that a template may use cannot be narrowed",
    "ResourcesToImport": "resources cannot be imported",
    "RoleARN": "stacks act in the name of who asks for them",
    "RollbackConfiguration": "there are no rollback triggers",
    "RetainExceptOnCreate": "write DeletionPolicy: RetainExceptOnCreate in the template",
    "StackPolicyBody": "stack policies are not held",
    "StackPolicyURL": "stack policies are not held",
    "StackPolicyDuringUpdateBody": "stack policies are not held",
    "StackPolicyDuringUpdateURL": "stack policies are not held",
}


class Prepared(NamedTuple):
    definition: Definition
    drafts: dict[str, Draft]


class Intake:
    """Reads templates; needs a thread for SAM, so it is closed once."""

    def __init__(self, code_source: CodeSource, types: Types) -> None:
        self._code_source = code_source
        self._types = types
        self._sam = SamTransform()

    def close(self) -> None:
        self._sam.close()

    async def prepare(
        self,
        context: RequestContext,
        params: Mapping[str, Any],
        place: Place,
        previous: Definition | None,
        *,
        reviewed: bool = False,
    ) -> Prepared:
        """The definition that a request asks for. `ServiceError`.

        `previous`: what the stack has now, for `UsePrevious…`. `reviewed`: it will be looked at in a change set first.
        """
        refuse_unsupported(params)
        body = await self._body(context, params, previous)
        raw = await self.read(body)
        declared = document.parse({"Resources": {"X": {"Type": "X"}}, "Parameters": raw.get("Parameters")}).parameters
        bound = parameters.bind(declared, _given(params.get("Parameters", ()), previous))
        await check_patterns(declared, bound)
        names = document.transforms(raw)
        given = tuple(params.get("Capabilities", ()))
        capabilities.check(document.EMPTY, given, expands=bool(names) and not reviewed)
        if names:
            raw = await self._sam.apply(raw, bound, place.region)
        template = document.parse(raw)
        check(template, self._types)
        # The macro may add parameters of its own, all with defaults.
        bound = parameters.bind(template.parameters, {name: joined(value) for name, value in bound.items()})
        capabilities.check(template, given, expands=False)
        tags = previous.tags if previous is not None and "Tags" not in params else _tags(params.get("Tags", ()))
        definition = Definition(template, bound, tags, given, body, tuple(names))
        return Prepared(definition, draft(definition, place, self._types))

    async def read(self, body: str) -> dict[str, Any]:
        """The raw template in `body`, its macros known; `ServiceError` ValidationError."""
        raw = await asyncio.to_thread(source.load, body)
        for name in document.transforms(raw):
            if name != document.SAM_TRANSFORM:
                raise validation(f"Transform {name} is not supported; Mayfly carries out {document.SAM_TRANSFORM}.")
        return raw

    async def text(self, context: RequestContext, params: Mapping[str, Any]) -> str:
        """The text that a request brings along; `ServiceError` ValidationError if it brings none."""
        body = await body_of(self._code_source, context, params)
        if body is None:
            raise validation("Either Template URL or Template Body must be specified.")
        return body

    async def _body(self, context: RequestContext, params: Mapping[str, Any], previous: Definition | None) -> str:
        if not params.get("UsePreviousTemplate"):
            return await self.text(context, params)
        if previous is None:
            raise validation("There is no previous template to use.")
        if "TemplateBody" in params or "TemplateURL" in params:
            raise validation("UsePreviousTemplate cannot be combined with TemplateBody or TemplateURL.")
        return previous.body


def refuse_unsupported(params: Mapping[str, Any]) -> None:
    """`ServiceError` for what would not be honoured; empty values ask for nothing."""
    for name, reason in _REASONS.items():
        if params.get(name):
            raise unsupported(name, reason)


def joined(value: str | list[str]) -> str:
    """A parameter's value as the text that it was given as."""
    return value if isinstance(value, str) else ",".join(value)


def _given(items: Any, previous: Definition | None) -> dict[str, str]:
    given: dict[str, str] = {}
    for item in items:
        name = item.get("ParameterKey", "")
        if name in given:
            raise validation(f"Parameters: [{name}] are specified more than once")
        if item.get("UsePreviousValue"):
            if "ParameterValue" in item:
                raise validation(f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and "
                                 "non empty value for a parameter")  # fmt: skip
            if previous is None or name not in previous.parameters:
                raise validation(f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for "
                                 "a parameter key not in the previous template")  # fmt: skip
            given[name] = joined(previous.parameters[name])
        elif "ParameterValue" in item:
            given[name] = item["ParameterValue"]
        else:
            raise validation(f"Parameter {name} must have a value or UsePreviousValue")
    return given


def _tags(items: Any) -> dict[str, str]:
    tags: dict[str, str] = {}
    for item in items:
        if item["Key"] in tags:
            raise validation(f"Duplicate tag key: {item['Key']}")
        if item["Key"].lower().startswith("aws:"):
            raise validation("Tag keys starting with aws: are reserved for system use")
        tags[item["Key"]] = item["Value"]
    return tags
