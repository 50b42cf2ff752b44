"""From a request to a definition: everything that can be refused is refused here, before anything is made."""

import asyncio
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import msgspec

from mayfly.services.contract import RequestContext
from mayfly.services.ports import CodeSource, Operations
from mayfly.services.stacks import exports, inert
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.fetch import body_of
from mayfly.services.stacks.lookups import Lookups
from mayfly.services.stacks.macros import Macros
from mayfly.services.stacks.macros import Template as Seen
from mayfly.services.stacks.model import Definition
from mayfly.services.stacks.planner import Draft, Place, Types, check, check_made, draft, judge, outside_keys, pseudo
from mayfly.services.stacks.sealing import Reader, Store
from mayfly.services.stacks.template import capabilities, document, parameters, source
from mayfly.services.stacks.template.extensions import with_policies
from mayfly.services.stacks.template.patterns import check_patterns
from mayfly.services.stacks.template.sam import SamTransform
from mayfly.services.stacks.template.transforms import declared_names


class Prepared(NamedTuple):
    definition: Definition
    drafts: dict[str, Draft]


class Intake:
    """Reads templates; needs a thread for SAM, so it is closed once."""

    def __init__(
        self,
        store: Store,
        operations: Operations,
        code_source: CodeSource,
        types: Types,
        accepted: frozenset[str] = frozenset(),
    ) -> None:
        """`accepted`: what any stack may have inert."""
        self._store = store
        self._code_source = code_source
        self._accepted = accepted
        self._types = types
        self._sam = SamTransform()
        self._macros = Macros(store, operations, code_source, self._sam)
        self._lookups = Lookups(operations)

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
        body = await self._body(context, params, previous)
        raw = await self.read(body)
        declared = document.parse({"Resources": {"X": {"Type": "X"}}, "Parameters": raw.get("Parameters")}).parameters
        bound = parameters.bind(declared, _given(params.get("Parameters", ()), previous))
        await check_patterns(declared, bound)
        names = declared_names(raw)
        given = tuple(params.get("Capabilities", ()))
        capabilities.check(document.EMPTY, given, expands=bool(names) and not reviewed)
        stored = await self._lookups.stored(context, declared, bound)
        seen = Seen({**bound, **stored}, pseudo(place))
        if names:
            raw = await self._macros.carried_out(context, raw, seen)
        template = document.parse(with_policies(raw, seen.values, seen.pseudo))
        tags = previous.tags if previous is not None and "Tags" not in params else _tags(params.get("Tags", ()))
        own = inert.words(tags.get(inert.TAG, ""))
        inert.check_words(own, {item.type for item in template.resources.values()}, self._types.keys())
        accepted = self._accepted | own
        check(template, self._types, accepted)
        _check_allowed(template, params.get("ResourceTypes"))
        # Macros may add parameters of their own, all with defaults.
        bound = parameters.bind(template.parameters, {name: joined(value) for name, value in bound.items()})
        if template.parameters != declared:
            stored = await self._lookups.stored(context, template.parameters, bound)
        capabilities.check(template, given, expands=False)
        heard = previous.notifications if previous is not None else ()
        heard = tuple(params.get("NotificationARNs", heard))
        definition = Definition(template, bound, tags, given, body, tuple(names), stored, notifications=heard)
        judge(definition, place)
        check_made(definition, place, self._types, accepted)
        definition = await self._with_outside(context, definition, place)
        return Prepared(definition, draft(definition, place, self._types))

    async def _with_outside(self, context: RequestContext, definition: Definition, place: Place) -> Definition:
        """The definition with what other stacks give it; `ServiceError` ValidationError if they do not."""
        keys = outside_keys(definition, place)

        def read(reader: Reader) -> dict[str, Any]:
            exports.check(reader, place, definition)
            return exports.given(reader, context, place, keys)

        if not keys and not any(output.export is not None for output in definition.template.outputs.values()):
            return definition
        return msgspec.structs.replace(definition, outside=await self._store.read(read))

    async def read(self, body: str) -> dict[str, Any]:
        """The raw template in `body`; `ServiceError` ValidationError."""
        return await asyncio.to_thread(self._load, body)

    def _load(self, body: str) -> dict[str, Any]:
        """In a thread, where the first template has the types imported, too."""
        len(self._types)
        return source.load(body)

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


def _check_allowed(template: document.Template, allowed: Sequence[str] | None) -> None:
    """Refuse types that the caller narrowed the template to do without."""
    if allowed is None:
        return
    used = sorted({resource.type for resource in template.resources.values()})
    if wrong := [kind for kind in used if not any(fnmatchcase(kind, pattern) for pattern in allowed)]:
        raise validation(f"Template contains resource types that ResourceTypes does not list: [{', '.join(wrong)}]")


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
