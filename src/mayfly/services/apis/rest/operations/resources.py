"""Resources: the tree of paths."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from mayfly.services.apis.rest import checks, faults, naming, paging, patching
from mayfly.services.apis.rest.editing import Editing, resource_of
from mayfly.services.apis.rest.model import Api, Parts, Resource, shown
from mayfly.services.apis.rest.patching import scalar
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx

RULES = (scalar("parentId"), scalar("pathPart"))


class ResourceOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("CreateResource")
    async def create(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        made_id = naming.made_id(context, 6, "resource")

        def body(api: Api, tx: Tx) -> Resource:
            if context.once is not None and (before := api.parts.resources.get(made_id)) is not None:
                return before
            parent = resource_of(api, params["parentId"])
            if len(api.parts.resources) >= checks.MOST_RESOURCES:
                raise faults.too_many(
                    f"Maximum number of resources for this API has been reached: {checks.MOST_RESOURCES}"
                )
            return add(api.parts, made_id, parent, params["pathPart"])

        made = await self._editing.change(params["restApiId"], body, faults.no_such_resource())
        return described(made, frozenset())

    @operation("GetResource")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._editing.read(
            params["restApiId"], lambda api: resource_of(api, params["resourceId"]), faults.no_such_resource()
        )
        return described(found, frozenset(params.get("embed") or ()))

    @operation("GetResources")
    async def list(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api) -> list[tuple[str, Resource]]:
            return sorted((place(one), one) for one in api.parts.resources.values())

        def place(one: Resource) -> str:
            return one.path

        found, more = paging.page(await self._editing.read(params["restApiId"], body), params)
        embed = frozenset(params.get("embed") or ())
        return {"items": [described(one, embed) for one in found], **more}

    @operation("UpdateResource")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)

        def body(api: Api, tx: Tx) -> Resource:
            resource = resource_of(api, params["resourceId"])
            members: dict[str, Any] = {"parentId": resource.parent_id, "pathPart": resource.path_part}
            patching.apply_chatty(members, RULES, asked)
            if resource.parent_id is None:
                for patch in asked:
                    raise faults.bad_request(f"Root resource cannot update its {patch.names[0]}.")
                return resource
            return move(api.parts, resource, members["parentId"], members["pathPart"])

        changed = await self._editing.change(params["restApiId"], body, faults.no_such_resource())
        return described(changed, frozenset())

    @operation("DeleteResource")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api, tx: Tx) -> None:
            resource = resource_of(api, params["resourceId"])
            if resource.parent_id is None:
                raise faults.bad_request("Root resource cannot be deleted")
            for one in below(api.parts, resource.id):
                del api.parts.resources[one]

        await self._editing.change(params["restApiId"], body, faults.no_such_resource())
        return {}


def add(parts: Parts, resource_id: str, parent: Resource, part: str) -> Resource:
    """A new one; `ServiceError`."""
    checks.path_part(parts, parent, part)
    made = Resource(id=resource_id, path=joined(parent.path, part), parent_id=parent.id, path_part=part)
    parts.resources[resource_id] = made
    return made


def move(parts: Parts, resource: Resource, parent_id: str | None, part: str) -> Resource:
    """Give a resource another parent or name, and those below it their paths; `ServiceError`."""
    parent = parts.resources.get(parent_id or "")
    if parent is None:
        raise faults.no_such_resource()
    if parent.id in below(parts, resource.id):
        raise faults.bad_request("Resources cannot be cyclical.")
    checks.path_part(parts, parent, part, resource.id)
    parts.resources[resource.id] = replace(resource, parent_id=parent.id, path_part=part)
    for one in below(parts, resource.id):
        moved = parts.resources[one]
        above = parts.resources[moved.parent_id or ""]
        parts.resources[one] = replace(moved, path=joined(above.path, moved.path_part or ""))
    return parts.resources[resource.id]


def below(parts: Parts, resource_id: str) -> list[str]:
    """The ids of a resource and of all below it, parents first."""
    found = [resource_id]
    for one in found:
        found += [other.id for other in parts.resources.values() if other.parent_id == one]
    return found


def joined(parent: str, part: str) -> str:
    return f"{parent.rstrip('/')}/{part}"


def described(resource: Resource, embed: frozenset[str]) -> dict[str, Any]:
    members = shown(resource, "methods")
    if resource.methods:
        full = "methods" in embed
        members["resourceMethods"] = {
            verb: shown(method) if full else {} for verb, method in sorted(resource.methods.items())
        }
    return members
