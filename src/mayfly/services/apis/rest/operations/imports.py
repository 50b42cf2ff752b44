"""APIs from OpenAPI documents: made, overwritten, merged."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from mayfly.services.apis.document_variables import resolved
from mayfly.services.apis.rest import catalog, checks, faults, naming
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.model import Api, Endpoint, Head, Method, Parts, Resource
from mayfly.services.apis.rest.openapi import documents
from mayfly.services.apis.rest.openapi.reading import Read, read
from mayfly.services.apis.rest.operations.resources import add
from mayfly.services.apis.rest.operations.rest_apis import described, insert, new_head
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx


class ImportOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("ImportRestApi")
    async def create(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        editing, asked = self._editing, params.get("parameters") or {}
        document = await self._document(params["body"])
        api_id, root_id = naming.made_id(context, 10, "api"), naming.made_id(context, 10, "root")
        found = await asyncio.to_thread(read, document, api_id, root_id, asked)
        _check(found, params)
        if not found.settings["name"]:
            raise faults.bad_request("Invalid OpenAPI input: the title of the API is missing.")
        head = new_head(api_id, found.settings, editing.clock.now(), context)
        checks.head(head)
        head = replace(head, root_resource_id=root_id, warnings=found.warnings or None)

        def body(tx: Tx) -> Head:
            if context.once is not None and (before := catalog.head(tx, api_id)) is not None:
                return before
            insert(tx, editing, Api(head=head, parts=found.parts))
            return head

        return described(await editing.store.write(body), with_tags=False)

    @operation("PutRestApi")
    async def put(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        api_id, asked = params["restApiId"], params.get("parameters") or {}
        overwrite = params.get("mode") == "overwrite"
        document = await self._document(params["body"])
        before = await self._editing.store.read(lambda reader: catalog.head(reader, api_id))
        if before is None:
            raise self._editing.no_such_api(api_id)
        found = await asyncio.to_thread(read, document, api_id, before.root_resource_id, asked)
        _check(found, params)

        def body(tx: Tx) -> Head:
            api = catalog.api(tx, api_id)
            if api is None:
                raise self._editing.no_such_api(api_id)
            head = changed_head(api.head, found, overwrite=overwrite)
            checks.head(head)
            parts = found.parts if overwrite else merged(api.parts, found.parts)
            if overwrite:
                parts.documentation_versions.update(api.parts.documentation_versions)
            catalog.put_api(tx, Api(head=head, parts=parts))
            self._editing.tell(tx, api_id)
            return head

        return described(await self._editing.store.write(body))

    async def _document(self, body: Any) -> dict[str, Any]:
        parsed = await asyncio.to_thread(documents.parse, await content(body))
        return await asyncio.to_thread(resolved, parsed, self._editing.account, self._editing.region)


async def content(body: Any) -> bytes:
    """The bytes of a blob, which may come as a stream."""
    if isinstance(body, bytes):
        return body
    found = bytearray()
    async for chunk in body:
        found += chunk
        if len(found) > documents.MOST_BYTES:
            raise faults.bad_request(f"The document is larger than {documents.MOST_BYTES} bytes.")
    return bytes(found)


def _check(found: Read, params: Mapping[str, Any]) -> None:
    if params.get("failOnWarnings") and found.warnings:
        said = "\n\t".join(found.warnings)
        raise faults.bad_request(f"Warnings found during import:\n\t{said}")


def changed_head(head: Head, found: Read, *, overwrite: bool) -> Head:
    """What a document says of the API itself. Merging leaves its name, and what the document does not say."""
    said = dict(found.settings)
    if not said["name"] or not overwrite:
        del said["name"]
    endpoint = said.pop("endpointConfiguration", None)
    members: dict[str, Any] = msgspec.to_builtins(head)
    if overwrite:
        for name in ("description", "version", "binaryMediaTypes", "minimumCompressionSize"):
            members.pop(name, None)
    members.update(said)
    members.pop("warnings", None)
    if found.warnings:
        members["warnings"] = found.warnings
    changed = msgspec.convert(members, Head)
    if endpoint is not None:
        before = changed.endpoint_configuration
        types = endpoint.get("types", before.types)
        usual = "dualstack" if types == ["PRIVATE"] else before.ip_address_type
        made = Endpoint(
            types=types, ip_address_type=usual, vpc_endpoint_ids=endpoint.get("vpcEndpointIds", before.vpc_endpoint_ids)
        )
        changed = replace(changed, endpoint_configuration=made)
    return changed


def merged(before: Parts, found: Parts) -> Parts:
    """What was there, with what a document has in its place. Ids of what has a name stay as they were."""
    names = {one.name: one.id for one in before.authorizers.values()}
    authorizers = {one.id: names.get(one.name, one.id) for one in found.authorizers.values()}
    names = {one.name: one.id for one in before.validators.values()}
    validators = {one.id: names.get(one.name, one.id) for one in found.validators.values()}
    for one in found.authorizers.values():
        before.authorizers[authorizers[one.id]] = replace(one, id=authorizers[one.id])
    for other in found.validators.values():
        before.validators[validators[other.id]] = replace(other, id=validators[other.id])
    before.models.update(found.models)
    before.gateway_responses.update(found.gateway_responses)
    known = {(one.location, one.properties) for one in before.documentation_parts.values()}
    for part in found.documentation_parts.values():
        if (part.location, part.properties) not in known:
            before.documentation_parts[part.id] = part
    for resource in sorted(found.resources.values(), key=lambda one: one.path.count("/") if one.path != "/" else 0):
        _merge_resource(before, found, resource, authorizers, validators)
    return before


def _merge_resource(
    before: Parts, found: Parts, resource: Resource, authorizers: Mapping[str, str], validators: Mapping[str, str]
) -> None:
    here = next((one for one in before.resources.values() if one.path == resource.path), None)
    if here is None:
        above = found.resources[resource.parent_id or ""].path
        parent = next(one for one in before.resources.values() if one.path == above)
        here = add(before, resource.id, parent, resource.path_part or "")

    def own(method: Method) -> Method:
        integration = method.method_integration
        if integration is not None and integration.cache_namespace == resource.id:
            integration = replace(integration, cache_namespace=here.id)
        return replace(
            method,
            method_integration=integration,
            authorizer_id=authorizers.get(method.authorizer_id or "", method.authorizer_id),
            request_validator_id=validators.get(method.request_validator_id or "", method.request_validator_id),
        )

    methods = {**here.methods, **{verb: own(method) for verb, method in resource.methods.items()}}
    before.resources[here.id] = replace(here, methods=dict(sorted(methods.items())))
