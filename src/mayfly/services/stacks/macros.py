"""Macros carried out: what a template names under Transform and in Fn::Transform.

Those of a snippet come first, from the innermost outwards, then those of the whole template in their order. A macro
is AWS's (`AWS::Include`, `AWS::LanguageExtensions`, `AWS::Serverless-2016-10-31`) or a function that a stack of the
account made one, by a resource of type AWS::CloudFormation::Macro; it is called in the name of the caller.

Request and reply of such a function are those of the CloudFormation user guide, "Template macros".
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from mayfly.ids import request_id
from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.ports import CodeSource, Operations
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.fetch import text_at
from mayfly.services.stacks.records import made_of_type
from mayfly.services.stacks.sealing import Store
from mayfly.services.stacks.template import source
from mayfly.services.stacks.template.document import SAM_TRANSFORM
from mayfly.services.stacks.template.extensions import extend
from mayfly.services.stacks.template.intrinsics import EXTENSIONS, Scope
from mayfly.services.stacks.template.marks import has_unknown
from mayfly.services.stacks.template.parameters import Value
from mayfly.services.stacks.template.sam import SamTransform
from mayfly.services.stacks.template.transforms import INCLUDE, SNIPPET, Call, calls_of, snippet_calls

TYPE: Final = "AWS::CloudFormation::Macro"
_REFUSED = {
    "AWS::CodeDeployBlueGreen": "there are no ECS services to deploy to",
    "AWS::CodeStar": "there are no CodeStar projects",
    "AWS::SecretsManager-2020-07-23": "write the function that rotates a secret as a resource",
    "AWS::SecretsManager-2024-09-16": "write the function that rotates a secret as a resource",
    "AWS::ServiceCatalog": "there are no provisioned products",
}


class Template(NamedTuple):
    """What macros see beside the template."""

    values: Mapping[str, Value]  # of parameters
    pseudo: Mapping[str, Any]


class Macros:
    def __init__(self, store: Store, operations: Operations, code_source: CodeSource, sam: SamTransform) -> None:
        self._store = store
        self._operations = operations
        self._code_source = code_source
        self._sam = sam

    async def carried_out(self, context: RequestContext, raw: dict[str, Any], seen: Template) -> dict[str, Any]:
        """The template without macros; `ServiceError` ValidationError."""
        run = _Run(self, context, seen)
        calls = calls_of(raw.get("Transform"))
        body = await run.snippets({key: item for key, item in raw.items() if key != "Transform"})
        for call in calls:
            body = await run.whole(body, call)
        whole: dict[str, Any] = body
        return whole

    async def include(self, context: RequestContext, location: Any) -> Any:
        if not isinstance(location, str):
            raise validation("Transform AWS::Include failed with: The location parameter is not a valid S3 uri.")
        try:
            text = await text_at(self._code_source, location, context.endpoint)
            return source.load_value(text)
        except ServiceError as error:
            raise validation(f"Transform AWS::Include failed with: {error.message}") from error

    async def serverless(self, body: dict[str, Any], seen: Template) -> dict[str, Any]:
        return await self._sam.apply(body, seen.values, seen.pseudo["AWS::Region"])

    async def call(self, context: RequestContext, call: Call, fragment: Any, seen: Template) -> Any:
        """What the function behind a macro makes of `fragment`."""
        transform = f"{context.account}::{call.name}"
        request = request_id()
        event = {
            "accountId": context.account,
            "fragment": fragment,
            "transformId": transform,
            "requestId": request,
            "region": context.region,
            "params": call.parameters,
            "templateParameterValues": dict(seen.values),
        }
        function = await self._function(context, call.name)
        try:
            reply = await self._operations.call(
                context, "lambda", "Invoke", {"FunctionName": function, "Payload": json.dumps(event).encode()}
            )
        except ServiceError as error:
            raise validation(f"Transform {transform} failed with: {error.message}") from error
        return _fragment(transform, request, None if "FunctionError" in reply else await _content(reply["Payload"]))

    async def _function(self, context: RequestContext, name: str) -> str:
        for row in await self._store.read(lambda reader: made_of_type(reader, context, TYPE)):
            if row.properties.get("Name") == name:
                return str(row.properties.get("FunctionName"))
        raise validation(f"No transform named {name} found.")


class _Run:
    """The macros of one template."""

    def __init__(self, macros: Macros, context: RequestContext, seen: Template) -> None:
        self._macros = macros
        self._context = context
        self._seen = seen

    async def snippets(self, value: Any) -> Any:
        """`value` with every Fn::Transform in it carried out, the innermost first."""
        if isinstance(value, list):
            return [await self.snippets(item) for item in value]
        if not isinstance(value, dict):
            return value
        inner = {key: await self.snippets(item) for key, item in value.items() if key != SNIPPET}
        if SNIPPET not in value:
            return inner
        found: Any = inner
        for call in snippet_calls(value[SNIPPET]):
            found = await self._snippet(found, self._evaluated(call))
        source.check_depth(found)
        return found

    async def _snippet(self, beside: Any, call: Call) -> Any:
        if call.name != INCLUDE:
            _check_known(call.name, snippet=True)
            return await self._macros.call(self._context, call, beside, self._seen)
        content = await self._macros.include(self._context, call.parameters.get("Location"))
        if isinstance(beside, dict) and isinstance(content, dict):
            return {**beside, **content}
        if beside:
            raise validation("Transform AWS::Include failed with: the snippet must be an object, as what it joins is.")
        return content

    async def whole(self, body: dict[str, Any], call: Call) -> dict[str, Any]:
        """The template after one of its macros."""
        call = self._evaluated(call)
        if call.name == SAM_TRANSFORM:
            return await self._macros.serverless(body, self._seen)
        if call.name == EXTENSIONS:
            return extend(body, self._seen.values, self._seen.pseudo)
        if call.name == INCLUDE:
            result = await self._snippet(body, call)
        else:
            _check_known(call.name, snippet=False)
            result = await self._macros.call(self._context, call, body, self._seen)
        if not isinstance(result, dict):
            raise validation("Template format error: unsupported structure.")
        source.check_depth(result)
        return {key: item for key, item in result.items() if key != "Transform"}

    def _evaluated(self, call: Call) -> Call:
        """The call with the functions in its parameters carried out: they know the template's parameters."""
        parameters = Scope(self._seen.values, self._seen.pseudo, {}, {}).evaluate(call.parameters)
        if has_unknown(parameters):
            raise validation(f"Transform {call.name} failed with: its parameters must not depend on any resources")
        return call._replace(parameters=parameters)


def _check_known(name: str, *, snippet: bool) -> None:
    if name in _REFUSED:
        raise validation(f"Transform {name} is not supported: {_REFUSED[name]}.")
    if name in (SAM_TRANSFORM, EXTENSIONS) and snippet:
        raise validation(f"Transform {name} is for whole templates: name it in the section Transform.")
    if name.startswith("AWS::"):
        raise validation(f"No transform named {name} found.")


async def _content(payload: Any) -> Any:
    """The JSON of a reply; None if it is none."""
    content = payload if isinstance(payload, bytes) else b"".join([chunk async for chunk in payload])
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _fragment(transform: str, request: str, reply: Any) -> Any:
    if not isinstance(reply, dict) or reply.get("requestId") != request or "status" not in reply:
        raise validation(f"Received malformed response from transform {transform}")
    if reply["status"] != "success":
        said = reply.get("errorMessage")
        reason = f"failed with: {said}" if said else "failed without an error message."
        raise validation(f"Transform {transform} {reason}")
    if "fragment" not in reply:
        raise validation(f"Received malformed response from transform {transform}")
    return reply["fragment"]
