"""Reading templates: GetTemplate, GetTemplateSummary, ValidateTemplate."""

import json
from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.stacks import shapes
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.intake import Intake
from mayfly.services.stacks.model import ATTEMPTED, Definition, Stack
from mayfly.services.stacks.operations.change_sets import find_change_set
from mayfly.services.stacks.planner import Types, check
from mayfly.services.stacks.records import find_stack
from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.schema import Scalar
from mayfly.services.stacks.sealing import Reader, Store
from mayfly.services.stacks.template import capabilities, document, parameters
from mayfly.services.stacks.template.transforms import declared_names, without_macros, without_policies

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import (
        GetTemplateInputTypeDef,
        GetTemplateSummaryInputTypeDef,
        ValidateTemplateInputTypeDef,
    )


class TemplateOperations:
    def __init__(self, store: Store, intake: Intake, types: Types) -> None:
        self._store = store
        self._intake = intake
        self._types = types

    @operation("GetTemplate")
    async def get(self, context: RequestContext, params: "GetTemplateInputTypeDef") -> dict[str, Any]:
        if "ChangeSetName" not in params and "StackName" not in params:
            raise validation("StackName is required if ChangeSetName is not specified.")

        def read(reader: Reader) -> Definition:
            if "ChangeSetName" in params:
                name, stack = params["ChangeSetName"], params.get("StackName")
                if stack is None and not name.startswith("arn:"):
                    raise validation("StackName is a required parameter.")
                return find_change_set(reader, context, name, stack).definition
            return _shown(find_stack(reader, context, params.get("StackName", "")))

        definition = await self._store.read(read)
        made = bool(definition.template.resources)  # of a creation that failed, only the text is kept
        processed = made and params.get("TemplateStage", "Original") == "Processed"
        body = json.dumps(document.render(definition.template)) if processed else definition.body
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    @operation("GetTemplateSummary")
    async def summarize(self, context: RequestContext, params: "GetTemplateSummaryInputTypeDef") -> dict[str, Any]:
        if "StackName" in params:
            if "TemplateBody" in params or "TemplateURL" in params:
                raise validation("Only one of StackName, TemplateBody and TemplateURL can be specified.")
            name = params["StackName"]
            stack = await self._store.read(lambda reader: find_stack(reader, context, name))
            if stack.status == "REVIEW_IN_PROGRESS":
                raise validation("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
            raw = await self._intake.read(_shown(stack).body)
        else:
            raw = await self._intake.read(await self._intake.text(context, params))
        lenient = params.get("TemplateSummaryConfig", {}).get("TreatUnrecognizedResourceTypesAsWarnings", False)
        template = self._checked(raw, unknown=lenient or "StackName" in params)
        reply = self._common(template, declared_names(raw))
        for shown in reply["Parameters"]:
            declared = template.parameters[shown["ParameterKey"]]
            shown["ParameterType"] = declared["Type"]
            allowed = [parameters.text_of(value) for value in declared.get("AllowedValues", ())]
            shown["ParameterConstraints"] = {"AllowedValues": allowed} if allowed else {}
        reply["ResourceTypes"] = sorted({resource.type for resource in template.resources.values()})
        reply["ResourceIdentifierSummaries"] = self._identifiers(template)
        reply["Version"] = document.FORMAT_VERSION
        if template.metadata:
            reply["Metadata"] = json.dumps(template.metadata)
        unknown = [name for name in reply["ResourceTypes"] if name not in self._types]
        if lenient and unknown and not declared_names(raw):
            reply["Warnings"] = {"UnrecognizedResourceTypes": unknown}
        return reply

    def _identifiers(self, template: document.Template) -> list[dict[str, Any]]:
        """By type, its resources and the properties by which one that exists can be imported."""
        names: dict[str, list[str]] = {}
        for name, resource in template.resources.items():
            names.setdefault(resource.type, []).append(name)
        found = []
        for kind in sorted(names):
            by = named_by(self._types[kind]) if kind in self._types else []
            shape: dict[str, Any] = {"ResourceType": kind, "LogicalResourceIds": names[kind]}
            found.append(shape | ({"ResourceIdentifiers": by} if by else {}))
        return found

    @operation("ValidateTemplate")
    async def validate(self, context: RequestContext, params: "ValidateTemplateInputTypeDef") -> dict[str, Any]:
        raw = await self._intake.read(await self._intake.text(context, params))
        return self._common(self._checked(raw), declared_names(raw))

    def _checked(self, raw: dict[str, Any], *, unknown: bool = False) -> document.Template:
        """The sections of a template as it stands, its macros not carried out; with `unknown`, types may be so."""
        macros = declared_names(raw)
        template = document.parse(without_macros(raw) if macros else without_policies(raw))
        parameters.check_declarations(template.parameters)
        if not macros and not (unknown and any(item.type not in self._types for item in template.resources.values())):
            check(template, self._types, lenient=True)  # a tag can still accept some
        return template

    def _common(self, template: document.Template, transforms: list[str]) -> dict[str, Any]:
        needed, reason = capabilities.required(template)
        reply: dict[str, Any] = {
            "Parameters": [shapes.declaration(name, item) for name, item in template.parameters.items()]
        }
        if transforms:
            needed = [*needed, capabilities.AUTO_EXPAND]
            reason = reason or "The template uses macros, which may add resources that it does not show."
            reply["DeclaredTransforms"] = transforms
        if template.description:
            reply["Description"] = template.description
        return reply | ({"Capabilities": needed, "CapabilitiesReason": reason} if needed else {})


def _shown(stack: Stack) -> Definition:
    """The definition whose template a stack shows: that which it was to be made from, while there is no other."""
    running = stack.operation
    creating = running is not None and running.kind in ("create", "import")
    if running is not None and creating:
        return running.definition
    return stack.definition if stack.definition.body else Definition(body=stack.options.get(ATTEMPTED, ""))


def named_by(kind: ResourceType) -> list[str]:
    """The property of a type with which, alone, a template gives a resource its name; none where it takes several."""
    marks = {name: f"<{name}>" for name, schema in kind.schema.members.items() if isinstance(schema, Scalar)}
    called = kind.custom_name(marks)
    return [name for name, mark in marks.items() if mark == called]
