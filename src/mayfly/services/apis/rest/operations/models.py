"""Models: JSON schemas of bodies."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.services.apis.rest import checks, faults, naming, paging, patching
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.model import Api, Model, Parts, shown
from mayfly.services.apis.rest.patching import scalar
from mayfly.services.apis.rest.schemas import flattened
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.store.api import Tx

RULES = (scalar("description"), scalar("schema"))


class ModelOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("CreateModel")
    async def create(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        made = Model(
            id=naming.made_id(context, 6, "model"),
            name=params["name"],
            content_type=params["contentType"],
            description=params.get("description"),
            schema=params.get("schema"),
        )

        def body(api: Api, tx: Tx) -> Model:
            if not made.name:
                raise faults.bad_request("Model name must be non-empty")
            if not made.name.isalnum():
                raise faults.bad_request("Model name must be alphanumeric: " + made.name)
            checks.schema(made.schema)
            before = api.parts.models.get(made.name)
            if before is not None:
                if context.once is not None and before.id == made.id:
                    return before
                raise faults.conflict("Model name already exists for this REST API")
            api.parts.models[made.name] = made
            return made

        return shown(await self._editing.change(params["restApiId"], body))

    @operation("GetModel")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api) -> dict[str, Any]:
            model = find(api.parts, params["modelName"])
            members = shown(model)
            if params.get("flatten") and model.schema is not None:
                members["schema"] = json.dumps(flattened(model.schema, api.parts.models))
            return members

        return await self._editing.read(params["restApiId"], body, _unknown(params["modelName"]))

    @operation("GetModels")
    async def list(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._editing.read(params["restApiId"], lambda api: sorted(api.parts.models.items()))
        models, more = paging.page(found, params)
        return {"items": [shown(one) for one in models], **more}

    @operation("GetModelTemplate")
    async def template(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api) -> str:
            model = find(api.parts, params["modelName"])
            return sample(flattened(model.schema or "{}", api.parts.models))

        return {"value": await self._editing.read(params["restApiId"], body, _unknown(params["modelName"]))}

    @operation("UpdateModel")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)

        def body(api: Api, tx: Tx) -> Model:
            members = msgspec.to_builtins(find(api.parts, params["modelName"]))
            patching.apply_chatty(members, RULES, asked)
            changed = msgspec.convert(members, Model)
            checks.schema(changed.schema)
            api.parts.models[changed.name] = changed
            return changed

        return shown(await self._editing.change(params["restApiId"], body, _unknown(params["modelName"])))

    @operation("DeleteModel")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        name = params["modelName"]

        def body(api: Api, tx: Tx) -> None:
            find(api.parts, name)
            _check_unused(api.parts, name)
            del api.parts.models[name]

        await self._editing.change(params["restApiId"], body, _unknown(name))
        return {}


def find(parts: Parts, name: str) -> Model:
    found = parts.models.get(name)
    if found is None:
        raise _unknown(name)
    return found


def _unknown(name: str) -> ServiceError:
    return faults.not_found(f"Invalid model name specified: {name}")


def _check_unused(parts: Parts, name: str) -> None:
    for resource in parts.resources.values():
        for verb, method in resource.methods.items():
            if name in (method.request_models or {}).values():
                place = f"{resource.path}/{verb}"
                raise faults.conflict(f"Cannot delete model '{name}', is referenced in method request: {place}")
            for code, response in (method.method_responses or {}).items():
                if name in (response.response_models or {}).values():
                    place = f"{resource.path}/{verb}/{code}"
                    raise faults.conflict(f"Cannot delete model '{name}', is referenced in method response: {place}")
    for other in parts.models.values():
        if other.name != name and f'/models/{name}"' in (other.schema or ""):
            raise faults.conflict(f"Cannot delete model '{name}', is referenced in model: {other.name}")


def sample(schema: Any, path: str = "$inputRoot") -> str:
    """A mapping template that gives what a schema describes."""
    lines = [f"#set($inputRoot = $input.path('$'))\n{_sample(schema, path, 0)}"]
    return "\n".join(lines)


def _sample(schema: Any, path: str, depth: int) -> str:
    kind = schema.get("type") if isinstance(schema, dict) else None
    pad = "  " * (depth + 1)
    if kind == "object" and schema.get("properties"):
        inside = [
            f'{pad}"{name}" : {_sample(one, f"{path}.{name}", depth + 1)}' for name, one in schema["properties"].items()
        ]
        return "{\n" + ",\n".join(inside) + "\n" + "  " * depth + "}"
    if kind == "array":
        item = _sample(schema.get("items", {}), "$elem", depth + 1)
        return f"[\n#foreach($elem in {path})\n{pad}{item}#if($foreach.hasNext),#end\n#end\n{'  ' * depth}]"
    return f'"{path}"' if kind == "string" else path
