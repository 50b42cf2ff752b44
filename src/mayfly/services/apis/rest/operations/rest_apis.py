"""REST APIs themselves: made, shown, changed, deleted."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.clock import utc
from mayfly.services.apis.rest import catalog, checks, faults, naming, paging, patching
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.model import Api, Endpoint, Head, Model, Parts, Resource, shown
from mayfly.services.apis.rest.patching import Patch, entry, member, scalar
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx

_EMPTY = (
    '{\n  "$schema": "http://json-schema.org/draft-04/schema#",\n  "title" : "Empty Schema",\n  "type" : "object"\n}'
)
_ERROR = (
    '{\n  "$schema" : "http://json-schema.org/draft-04/schema#",\n  "title" : "Error Schema",\n  "type" : "object",\n'
    '  "properties" : {\n    "message" : { "type" : "string" }\n  }\n}'
)
_ROOM = 600  # APIs in an account and region


class RestApiOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("CreateRestApi")
    async def create(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        checks.description(params)
        head = new_head(naming.made_id(context, 10, "api"), params, self._editing.clock.now(), context)
        checks.head(head)
        clone = params.get("cloneFrom")

        def body(tx: Tx) -> Head:
            if (before := catalog.head(tx, head.id)) is not None and context.once is not None:
                return before
            parts = fresh_parts(head.root_resource_id)
            if clone is not None:
                origin = catalog.api(tx, clone)
                if origin is None:
                    raise self._editing.no_such_api(clone)
                parts = origin.parts
                made = msgspec.structs.replace(head, root_resource_id=origin.head.root_resource_id)
            else:
                made = head
            insert(tx, self._editing, Api(head=made, parts=parts))
            return made

        return described(await self._editing.store.write(body), with_tags=False)

    @operation("GetRestApi")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        head = await self._editing.store.read(lambda reader: catalog.head(reader, params["restApiId"]))
        if head is None:
            raise self._editing.no_such_api(params["restApiId"])
        return described(head)

    @operation("GetRestApis")
    async def list(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        begin, most = paging.after(params), paging.size(params)
        heads = await self._editing.store.read(lambda reader: catalog.heads(reader, begin, most + 1))
        found, more = paging.page([(head.id, head) for head in heads], params)
        return {"items": [described(head, with_tags=False) for head in found], **more}

    @operation("DeleteRestApi")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        api_id = params["restApiId"]

        def body(tx: Tx) -> None:
            if catalog.head(tx, api_id) is None:
                raise self._editing.no_such_api(api_id)
            catalog.delete_api(tx, api_id)
            self._editing.directory.remove(tx, api_id)
            self._editing.tell(tx, api_id)

        await self._editing.store.write(body)
        return {}

    @operation("UpdateRestApi")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)

        def body(tx: Tx) -> Head:
            before = catalog.head(tx, params["restApiId"])
            if before is None:
                raise self._editing.no_such_api(params["restApiId"])
            members = msgspec.to_builtins(before)
            patching.apply_curt(members, RULES, asked)
            head = msgspec.convert(members, Head)
            checks.head(head)
            catalog.put_head(tx, head)
            self._editing.tell(tx, head.id)
            return head

        return described(await self._editing.store.write(body))


def new_head(api_id: str, params: Mapping[str, Any], now: float, context: RequestContext) -> Head:
    given = params.get("endpointConfiguration") or {}
    types = given.get("types", ["EDGE"])
    if not types and "types" in given:
        raise faults.bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
    usual = "dualstack" if types == ["PRIVATE"] else "ipv4"
    endpoint = Endpoint(
        types=list(types),
        ip_address_type=given.get("ipAddressType") or usual,
        vpc_endpoint_ids=given.get("vpcEndpointIds"),
    )
    return Head(
        id=api_id,
        name=params["name"],
        root_resource_id=naming.made_id(context, 10, "root"),
        created_at=now,
        endpoint_configuration=endpoint,
        api_key_source=params.get("apiKeySource", "HEADER"),
        disable_execute_api_endpoint=params.get("disableExecuteApiEndpoint", False),
        description=params.get("description"),
        version=params.get("version"),
        binary_media_types=params.get("binaryMediaTypes") or None,
        minimum_compression_size=params.get("minimumCompressionSize"),
        policy=params.get("policy") or None,
        tags=params.get("tags"),
        security_policy=params.get("securityPolicy"),
        endpoint_access_mode=params.get("endpointAccessMode"),
    )


def fresh_parts(root_id: str, *, models: bool = True) -> Parts:
    """A root and, unless it comes from a document, the models that every new API has."""
    found = {}
    if models:
        for name, schema, words in (
            ("Empty", _EMPTY, "This is a default empty schema model"),
            ("Error", _ERROR, "This is a default error schema model"),
        ):
            id_ = f"{root_id[:5]}{'e' if name == 'Empty' else 'r'}"
            found[name] = Model(id=id_, name=name, content_type="application/json", description=words, schema=schema)
    return Parts(resources={root_id: Resource(id=root_id, path="/")}, models=found)


def insert(tx: Tx, editing: Editing, api: Api) -> None:
    """A new API, in the directory as well; `ServiceError`."""
    if len(catalog.heads(tx, "", _ROOM)) >= _ROOM:
        raise faults.too_many("Maximum number of REST APIs for this account has been reached.")
    if not editing.directory.add(tx, api.head.id, "rest"):
        raise faults.conflict("Unable to complete operation due to concurrent modification. Please try again later.")
    catalog.put_api(tx, api)


def described(head: Head, *, with_tags: bool = True) -> dict[str, Any]:
    """As the wire shows it; in what shows one of them, tags stand even where there are none."""
    members = shown(head, "createdAt")
    members["createdDate"] = utc(head.created_at)
    if with_tags:
        members.setdefault("tags", {})
    return members


def _compression(members: dict[str, Any], patch: Patch) -> None:
    if patch.value is None or patch.value == "":
        members.pop("minimumCompressionSize", None)
        return
    try:
        members["minimumCompressionSize"] = int(patch.value)
    except ValueError:
        raise checks.bad_compression() from None


def _endpoint_type(members: dict[str, Any], patch: Patch) -> None:
    if patch.value not in checks.ENDPOINT_TYPES:
        raise faults.bad_request("Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
    endpoint = dict(members["endpointConfiguration"])
    endpoint["types"] = [patch.value]
    endpoint["ipAddressType"] = "dualstack" if patch.value == "PRIVATE" else endpoint["ipAddressType"]
    members["endpointConfiguration"] = endpoint


def _address_type(members: dict[str, Any], patch: Patch) -> None:
    if patch.value not in ("ipv4", "dualstack"):
        raise faults.bad_request("ipAddressType must be either ipv4 or dualstack.")
    members["endpointConfiguration"] = {**members["endpointConfiguration"], "ipAddressType": patch.value}


def _vpc_endpoints(members: dict[str, Any], patch: Patch) -> None:
    endpoint = dict(members["endpointConfiguration"])
    held = [one for one in endpoint.get("vpcEndpointIds") or [] if one != patch.value]
    endpoint["vpcEndpointIds"] = ([*held, patch.value] if patch.op != "remove" else held) or None
    members["endpointConfiguration"] = endpoint


def _key_source(value: str | None) -> str:
    if value not in ("HEADER", "AUTHORIZER"):
        raise faults.bad_request("Invalid ApiKeySourceType specified. Valid options are HEADER,AUTHORIZER")
    return value


_MANY = frozenset({"add", "remove", "replace"})
RULES = (
    scalar("name"),
    scalar("description", ops="add remove replace"),
    scalar("version", ops="add remove replace"),
    scalar("policy", ops="add remove replace"),
    scalar("apiKeySource", _key_source),
    scalar("disableExecuteApiEndpoint", patching.boolean),
    scalar("securityPolicy"),
    scalar("endpointAccessMode"),
    member("binaryMediaTypes"),
    entry("tags"),
    patching.Rule("/minimumCompressionSize", frozenset({"replace"}), _compression),
    patching.Rule("/endpointConfiguration/types/*", _MANY, _endpoint_type),
    patching.Rule("/endpointConfiguration/types", _MANY, _endpoint_type),
    patching.Rule("/endpointConfiguration/ipAddressType", frozenset({"replace"}), _address_type),
    patching.Rule("/endpointConfiguration/vpcEndpointIds", _MANY, _vpc_endpoints),
)
