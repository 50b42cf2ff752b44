"""Documentation of APIs: parts, and versions, which are copies of them."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.clock import utc
from mayfly.services.apis.rest import faults, naming, paging, patching
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.model import Api, DocumentationPart, DocumentationVersion, shown
from mayfly.services.apis.rest.openapi import documents
from mayfly.services.apis.rest.openapi.documentation import location, parts_of
from mayfly.services.apis.rest.openapi.extensions import PREFIX
from mayfly.services.apis.rest.operations.imports import content
from mayfly.services.apis.rest.patching import scalar
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx

_UNKNOWN_PART = "Invalid Documentation part identifier specified"
_UNKNOWN_VERSION = "Invalid Documentation version identifier specified"
PART_RULES = (scalar("properties"),)
VERSION_RULES = (scalar("description"),)
_NO_IMPORTER = "Unable to build importer with provided input."


class DocumentationOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("CreateDocumentationPart")
    async def create_part(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        made = DocumentationPart(
            id=naming.made_id(context, 6, "part"),
            location=location(params["location"]),
            properties=params["properties"],
        )
        _check_properties(made.properties)

        def body(api: Api, tx: Tx) -> None:
            for other in api.parts.documentation_parts.values():
                if other.location == made.location and other.id != made.id:
                    raise faults.conflict("Documentation part already exists for the specified location")
            api.parts.documentation_parts[made.id] = made

        await self._editing.change(params["restApiId"], body)
        return shown(made)

    @operation("GetDocumentationPart")
    async def get_part(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        missing = faults.not_found(_UNKNOWN_PART)
        return shown(await self._editing.read(params["restApiId"], lambda api: _part(api, params), missing))

    @operation("GetDocumentationParts")
    async def parts(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        kind, path, name = params.get("type"), params.get("path"), params.get("nameQuery")

        def wanted(part: DocumentationPart) -> bool:
            place = part.location
            return (
                kind in (None, place.type)
                and path in (None, place.path)
                and (name is None or (place.name or "").startswith(name))
            )

        if params.get("locationStatus") == "UNDOCUMENTED":
            raise faults.refused("Mayfly lists the parts of the documentation that are there, not those that lack.")
        found = await self._editing.read(
            params["restApiId"], lambda api: [one for one in api.parts.documentation_parts.values() if wanted(one)]
        )
        parts, more = paging.page([(f"{at:06d}", one) for at, one in enumerate(found)], params)
        return {"items": [shown(one) for one in parts], **more}

    @operation("UpdateDocumentationPart")
    async def update_part(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)

        def body(api: Api, tx: Tx) -> DocumentationPart:
            members = msgspec.to_builtins(_part(api, params))
            patching.apply_chatty(members, PART_RULES, asked)
            _check_properties(members.get("properties"))
            changed = msgspec.convert(members, DocumentationPart)
            api.parts.documentation_parts[changed.id] = changed
            return changed

        return shown(await self._editing.change(params["restApiId"], body, faults.not_found(_UNKNOWN_PART)))

    @operation("DeleteDocumentationPart")
    async def delete_part(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api, tx: Tx) -> None:
            del api.parts.documentation_parts[_part(api, params).id]

        await self._editing.change(params["restApiId"], body)
        return {}

    @operation("ImportDocumentationParts")
    async def import_parts(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        document = documents.parse(await content(params["body"]), _NO_IMPORTER)
        found = parts_of(document.get(f"{PREFIX}documentation") or {})

        def body(api: Api, tx: Tx) -> list[str]:
            held = api.parts.documentation_parts
            if params.get("mode") == "overwrite":
                held.clear()
            ids = []
            for one in found.values():
                same = next((other for other in held.values() if other.location == one.location), None)
                kept = msgspec.structs.replace(one, id=same.id) if same is not None else one
                held[kept.id] = kept
                ids.append(kept.id)
            return ids

        return {"ids": await self._editing.change(params["restApiId"], body), "warnings": []}

    @operation("CreateDocumentationVersion")
    async def create_version(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        now, name = self._editing.clock.now(), params["documentationVersion"]

        def body(api: Api, tx: Tx) -> DocumentationVersion:
            before = api.parts.documentation_versions.get(name)
            if before is not None:
                if context.once is not None:
                    return before
                raise faults.conflict(f"Documentation version already exists: {name}")
            parts = list(api.parts.documentation_parts.values())
            made = DocumentationVersion(
                version=name, created_at=now, parts=parts, description=params.get("description")
            )
            api.parts.documentation_versions[name] = made
            return made

        return _version_shown(await self._editing.change(params["restApiId"], body))

    @operation("GetDocumentationVersion")
    async def get_version(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        missing = faults.not_found(_UNKNOWN_VERSION)
        return _version_shown(await self._editing.read(params["restApiId"], lambda api: _version(api, params), missing))

    @operation("GetDocumentationVersions")
    async def versions(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._editing.read(
            params["restApiId"], lambda api: sorted(api.parts.documentation_versions.items())
        )
        versions, more = paging.page(found, params)
        return {"items": [_version_shown(one) for one in versions], **more}

    @operation("UpdateDocumentationVersion")
    async def update_version(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)

        def body(api: Api, tx: Tx) -> DocumentationVersion:
            members = msgspec.to_builtins(_version(api, params))
            patching.apply_chatty(members, VERSION_RULES, asked)
            changed = msgspec.convert(members, DocumentationVersion)
            api.parts.documentation_versions[changed.version] = changed
            return changed

        missing = faults.not_found(_UNKNOWN_VERSION)
        return _version_shown(await self._editing.change(params["restApiId"], body, missing))

    @operation("DeleteDocumentationVersion")
    async def delete_version(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api, tx: Tx) -> None:
            del api.parts.documentation_versions[_version(api, params).version]

        await self._editing.change(params["restApiId"], body, faults.not_found(_UNKNOWN_VERSION))
        return {}


def _part(api: Api, params: Mapping[str, Any]) -> DocumentationPart:
    found = api.parts.documentation_parts.get(params["documentationPartId"])
    if found is None:
        raise faults.not_found(_UNKNOWN_PART)
    return found


def _version(api: Api, params: Mapping[str, Any]) -> DocumentationVersion:
    found = api.parts.documentation_versions.get(params["documentationVersion"])
    if found is None:
        raise faults.not_found(_UNKNOWN_VERSION)
    return found


def _version_shown(version: DocumentationVersion) -> dict[str, Any]:
    return {**shown(version, "createdAt", "parts"), "createdDate": utc(version.created_at)}


def _check_properties(text: str | None) -> None:
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found:
        raise faults.bad_request("Documentation part properties must be non-empty, and a JSON object")
