"""Operations on APIs as OpenAPI documents: import, import into what there is, export."""

import json
from typing import TYPE_CHECKING, Any

import yaml
from msgspec.structs import replace

from mayfly import ids
from mayfly.services.apis.directory import new_id
from mayfly.services.apis.document_variables import resolved
from mayfly.services.apis.http import catalog, deploying, faults
from mayfly.services.apis.http.editing import Editing, named
from mayfly.services.apis.http.model import MAX_OF, Api, Content, Members, Part
from mayfly.services.apis.http.openapi import exporting, importing, reading
from mayfly.services.apis.http.openapi.importing import Definition
from mayfly.services.apis.http.operations import apis, authorizers, integrations, routes
from mayfly.services.apis.http.operations.apis import ApiOperations
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Reader, Tx

if TYPE_CHECKING:
    from types_boto3_apigatewayv2.type_defs import (
        ExportApiRequestTypeDef,
        ImportApiRequestTypeDef,
        ReimportApiRequestTypeDef,
    )

_REPLACED = ("route", "integration", "authorizer", "model")


class DocumentOperations:
    """OpenAPI documents."""

    def __init__(self, editing: Editing, own: ApiOperations) -> None:
        self._editing = editing
        self._apis = own

    @operation("ImportApi")
    async def import_(self, context: RequestContext, request: "ImportApiRequestTypeDef") -> dict[str, Any]:
        found = _definition(context, request)
        given = named(context, 10)
        members = apis.complete("HTTP", {**found.members, "Tags": found.tags}, self._editing.now())
        api = Api(given or new_id(), "HTTP", members)

        def body(tx: Tx) -> Api:
            before = catalog.find_api(tx, api.id) if given is not None else None
            if before is not None:
                return before
            self._apis.add(tx, api)
            _write(tx, api, found)
            return api

        return _described(await self._editing.store.write(body), context, found)

    @operation("ReimportApi")
    async def reimport(self, context: RequestContext, request: "ReimportApiRequestTypeDef") -> dict[str, Any]:
        found = _definition(context, request)
        api_id = request["ApiId"]

        def body(tx: Tx) -> Api:
            before = catalog.api(tx, api_id)
            if before.protocol != "HTTP":
                raise faults.bad("Only HTTP APIs can be imported")
            members = {name: value for name, value in before.members.items() if name != "CorsConfiguration"}
            after = replace(before, members={**members, **found.members})
            apis.check("HTTP", after.members)
            catalog.put_api(tx, after)
            _write(tx, after, found)
            self._editing.changed(tx, api_id)
            return after

        return _described(await self._editing.store.write(body), context, found)

    @operation("ExportApi")
    async def export(self, context: RequestContext, request: "ExportApiRequestTypeDef") -> dict[str, Any]:
        if request["Specification"] != "OAS30":
            raise faults.bad("Invalid specification type specified. It must be OAS30")
        if request["OutputType"] not in ("JSON", "YAML"):
            raise faults.bad("Invalid output type specified. It must be JSON or YAML")
        name = request.get("StageName")
        content = await self._editing.store.read(lambda reader: _exported(reader, request["ApiId"], name))
        url = apis.described(content.api, context)["ApiEndpoint"]
        variables = {} if name is None else {"basePath": {"default": "" if name.startswith("$") else name}}
        made = exporting.document(
            content,
            url if name is None else f"{url}/{{basePath}}",
            variables,
            extensions=request.get("IncludeExtensions", True),
        )
        if request["OutputType"] == "JSON":
            return {"body": json.dumps(made, indent=2).encode()}
        return {"body": yaml.safe_dump(made, sort_keys=False).encode()}


def _definition(context: RequestContext, request: Any) -> Definition:
    document = resolved(reading.document(request["Body"]), context.account, context.region)
    found = importing.definition(document, request.get("Basepath", "ignore"))
    if found.warnings and request.get("FailOnWarnings"):
        raise faults.bad("Warnings found during import:" + "".join(f"\n\t{warning}" for warning in found.warnings))
    return found


def _exported(reader: Reader, api_id: str, stage_name: str | None) -> Content:
    content = catalog.content(reader, api_id)
    if content is None:
        raise faults.no_api(api_id)
    if content.api.protocol != "HTTP":
        raise faults.bad("Only HTTP APIs can be exported")
    if stage_name is None:
        return content
    stage = catalog.part(reader, api_id, "stage", stage_name)
    served = deploying.served(reader, content, stage)
    if served is None:
        raise faults.bad(f"Nothing is deployed to the stage {stage_name}")
    return served


def _write(tx: Tx, api: Api, found: Definition) -> None:
    """Put what a document defines in place of what the API consisted of. Routes keep their ids."""
    before = {part.members["RouteKey"]: part.id for part in catalog.every(tx, api.id, "route")}
    for kind in _REPLACED:
        catalog.remove_children(tx, api.id, kind, "")  # type: ignore[arg-type]
    for kind, count in (
        ("route", len(found.routes)),
        ("integration", len(found.integrations)),
        ("authorizer", len(found.authorizers)),
    ):
        if count > MAX_OF[kind]:
            raise faults.too_many(kind, MAX_OF[kind])
    authorizer_ids = {name: _add(tx, api, "authorizer", members) for name, members in found.authorizers.items()}
    integration_ids = {name: _add(tx, api, "integration", members) for name, members in found.integrations.items()}
    seen: set[str] = set()
    for members, integration, authorizer in found.routes:
        key = members["RouteKey"]
        whole: Members = {"ApiKeyRequired": False, "AuthorizationType": "NONE", **members}
        if integration is not None:
            whole["Target"] = f"integrations/{integration_ids[integration]}"
        if authorizer is not None:
            whole["AuthorizerId"] = authorizer_ids[authorizer]
        routes.check_alone(tx, api, whole)
        if key in seen:
            raise faults.conflict(f"Route with key {key} already exists for this API")
        seen.add(key)
        catalog.put(tx, api.id, Part("route", before.get(key) or ids.token(7), whole))


def _add(tx: Tx, api: Api, kind: Any, members: Members) -> str:
    part = Part(kind, ids.token(7), dict(members))
    if kind == "authorizer":
        authorizers.check(tx, api, part)
    else:
        integrations.complete(api, part.members)
        integrations.check(api, part.members)
    catalog.put(tx, api.id, part)
    return part.id


def _described(api: Api, context: RequestContext, found: Definition) -> dict[str, Any]:
    shown = apis.described(api, context)
    shown.setdefault("CorsConfiguration", {})
    return {**shown, "Warnings": found.warnings} if found.warnings else shown
