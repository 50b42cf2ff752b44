"""Reading templates: GetTemplate, GetTemplateSummary, ValidateTemplate."""

import json
from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.stacks import shapes
from mayfly.services.stacks.intake import Intake
from mayfly.services.stacks.model import Definition
from mayfly.services.stacks.operations.change_sets import find_change_set
from mayfly.services.stacks.planner import Types, check
from mayfly.services.stacks.records import find_stack
from mayfly.services.stacks.template import capabilities, document, parameters
from mayfly.store.api import Reader, Store

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
        def read(reader: Reader) -> Definition:
            if "ChangeSetName" in params:
                name, stack = params["ChangeSetName"], params.get("StackName")
                return find_change_set(reader, context, name, stack).definition
            stack_found = find_stack(reader, context, params.get("StackName", ""))
            running = stack_found.operation
            creating = running is not None and running.kind == "create"
            return running.definition if running is not None and creating else stack_found.definition

        definition = await self._store.read(read)
        processed = params.get("TemplateStage", "Original") == "Processed"
        body = json.dumps(document.render(definition.template)) if processed else definition.body
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    @operation("GetTemplateSummary")
    async def summarize(self, context: RequestContext, params: "GetTemplateSummaryInputTypeDef") -> dict[str, Any]:
        if "StackName" in params:
            name = params["StackName"]
            stack = await self._store.read(lambda reader: find_stack(reader, context, name))
            raw = await self._intake.read(stack.definition.body)
        else:
            raw = await self._intake.read(await self._intake.text(context, params))
        template = self._checked(raw)
        reply = self._common(template, document.transforms(raw))
        for shown in reply["Parameters"]:
            declared = template.parameters[shown["ParameterKey"]]
            shown["ParameterType"] = declared["Type"]
            allowed = [parameters.text_of(value) for value in declared.get("AllowedValues", ())]
            shown["ParameterConstraints"] = {"AllowedValues": allowed} if allowed else {}
        reply["ResourceTypes"] = sorted({resource.type for resource in template.resources.values()})
        reply["Version"] = document.FORMAT_VERSION
        if template.metadata:
            reply["Metadata"] = json.dumps(template.metadata)
        return reply

    @operation("ValidateTemplate")
    async def validate(self, context: RequestContext, params: "ValidateTemplateInputTypeDef") -> dict[str, Any]:
        raw = await self._intake.read(await self._intake.text(context, params))
        return self._common(self._checked(raw), document.transforms(raw))

    def _checked(self, raw: dict[str, Any]) -> document.Template:
        """The sections of a template as it stands, its macros not carried out."""
        template = document.parse(raw)
        parameters.check_declarations(template.parameters)
        if not document.transforms(raw):
            check(template, self._types)
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
