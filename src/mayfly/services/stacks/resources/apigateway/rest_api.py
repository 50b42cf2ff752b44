"""AWS::ApiGateway::RestApi: an API, empty or of an OpenAPI document."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.bodies import document_of, title_of
from mayfly.services.stacks.resources.apigateway.patches import GONE, Patch, members, scalars
from mayfly.services.stacks.resources.apigateway.tagging import retag, tags_in
from mayfly.services.stacks.resources.apigateway.templates import DOCUMENT
from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, made_as, picked
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import document_seen, observed, tags_seen
from mayfly.services.stacks.resources.schema import (
    BOOLEAN,
    INTEGER,
    JSON,
    STRING,
    STRINGS,
    TAGS,
    Entries,
    Ignored,
    PropertyError,
    fields,
)

_BODY = ("Body", "BodyS3Location", "Mode", "FailOnWarnings", "Parameters")
_PATHS = {
    "Name": "/name",
    "Description": "/description",
    "ApiKeySourceType": "/apiKeySource",
    "DisableExecuteApiEndpoint": "/disableExecuteApiEndpoint",
    "MinimumCompressionSize": "/minimumCompressionSize",
}
_DEFAULTS = {"ApiKeySourceType": "HEADER", "DisableExecuteApiEndpoint": "false", "MinimumCompressionSize": ""}


class RestApi(Unnamed):
    name = "AWS::ApiGateway::RestApi"
    schema = fields(
        ApiKeySourceType=STRING,
        BinaryMediaTypes=STRINGS,
        Body=DOCUMENT,
        BodyS3Location=fields(Bucket=STRING, ETag=STRING, Key=STRING, Version=STRING),
        CloneFrom=STRING,
        Description=STRING,
        DisableExecuteApiEndpoint=BOOLEAN,
        EndpointConfiguration=fields(Types=STRINGS, VpcEndpointIds=STRINGS, IpAddressType=STRING),
        FailOnWarnings=BOOLEAN,
        MinimumCompressionSize=INTEGER,
        Mode=STRING,
        Name=STRING,
        Parameters=Entries(STRING),
        Policy=JSON,
        EndpointAccessMode=Ignored("It is about TLS, which Mayfly's endpoint does not end.", STRING),
        SecurityPolicy=Ignored("It is about TLS, which Mayfly's endpoint does not end.", STRING),
        Tags=TAGS,
    )
    replaced_by = frozenset({"CloneFrom"})
    attributes = frozenset({"RestApiId", "RootResourceId"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        document = await document_of(call, properties)
        name = properties.get("Name") or (title_of(document) if document is not None else None)
        if name is None and document is None:
            raise PropertyError("#: required key [Name] not found")
        made = await call.once(
            target,
            "apigateway",
            "CreateRestApi",
            name=name or target.logical_id,
            **tags_in(properties),
            **({"cloneFrom": properties["CloneFrom"]} if "CloneFrom" in properties else {}),
            **({"endpointConfiguration": _endpoint(properties)} if "EndpointConfiguration" in properties else {}),
        )
        api_id = made["id"]
        with made_as(api_id):
            await self._import(call, api_id, properties, document, "overwrite")
            await self._patch(call, api_id, _settings({}, properties))
            found = await call("apigateway", "GetRestApi", restApiId=api_id)
        return Made(api_id, {"RestApiId": api_id, "RootResourceId": found["rootResourceId"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        api_id = made.physical_id
        if changed(old, new, *_BODY):
            document = await document_of(call, new)
            await self._import(call, api_id, new, document, new.get("Mode", "overwrite"))
            await self._patch(call, api_id, _settings({}, new))
        await self._patch(call, api_id, _settings(old, new))
        await retag(call, target, f"/restapis/{api_id}", old, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "apigateway", "DeleteRestApi", restApiId=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "apigateway", "GetRestApi", restApiId=made.physical_id)
        if found is None:
            return None
        endpoint = found["endpointConfiguration"]
        shown = {"Types": endpoint["types"], "IpAddressType": endpoint.get("ipAddressType")}
        if endpoint.get("vpcEndpointIds"):
            shown["VpcEndpointIds"] = endpoint["vpcEndpointIds"]
        given = properties.get("EndpointConfiguration", {})
        truth = {
            "Name": found["name"],
            "Description": found.get("description"),
            "ApiKeySourceType": found["apiKeySource"],
            "DisableExecuteApiEndpoint": found["disableExecuteApiEndpoint"],
            "MinimumCompressionSize": found.get("minimumCompressionSize"),
            "BinaryMediaTypes": found.get("binaryMediaTypes"),
            "Policy": document_seen(properties.get("Policy"), found.get("policy")),
            "EndpointConfiguration": {name: value for name, value in shown.items() if name in given} or None,
        }
        if any(name in properties for name in ("Body", "BodyS3Location")):
            truth = picked(truth, *[name for name in truth if name in properties])
        unseen = (*_BODY, "CloneFrom", "EndpointAccessMode", "SecurityPolicy")
        defaults = {"ApiKeySourceType": "HEADER", "DisableExecuteApiEndpoint": False, "Name": found["name"]}
        return observed(properties, truth, *unseen, defaults=defaults) | tags_seen(properties, found.get("tags", {}))

    async def _import(
        self, call: Caller, api_id: str, properties: Mapping[str, Any], document: bytes | None, mode: str
    ) -> None:
        if document is None:
            return
        await call(
            "apigateway",
            "PutRestApi",
            restApiId=api_id,
            mode=mode,
            failOnWarnings=properties.get("FailOnWarnings", False),
            parameters=properties.get("Parameters", {}),
            body=document,
        )

    async def _patch(self, call: Caller, api_id: str, patches: list[Patch]) -> None:
        if patches:
            await call("apigateway", "UpdateRestApi", restApiId=api_id, patchOperations=patches)


def _endpoint(properties: Mapping[str, Any]) -> dict[str, Any]:
    given = properties["EndpointConfiguration"]
    names = {"Types": "types", "VpcEndpointIds": "vpcEndpointIds", "IpAddressType": "ipAddressType"}
    return {names[name]: value for name, value in given.items()}


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Patch]:
    """All but the document and the tags."""
    found = scalars(old, new, _PATHS, _DEFAULTS)
    found = [patch for patch in found if patch["path"] != "/name" or patch.get("value")]
    found += members(old.get("BinaryMediaTypes"), new.get("BinaryMediaTypes"), "/binaryMediaTypes")
    before, after = _policy(old), _policy(new)
    if after != before:
        found.append(
            {"op": "replace", "path": "/policy", "value": after} if after else {"op": "remove", "path": "/policy"}
        )
    types = new.get("EndpointConfiguration", {}).get("Types")
    if types and types != old.get("EndpointConfiguration", {}).get("Types"):
        found.append({"op": "replace", "path": "/endpointConfiguration/types/0", "value": types[0]})
    address = new.get("EndpointConfiguration", {}).get("IpAddressType")
    if address and address != old.get("EndpointConfiguration", {}).get("IpAddressType"):
        found.append({"op": "replace", "path": "/endpointConfiguration/ipAddressType", "value": address})
    return found


def _policy(properties: Mapping[str, Any]) -> str:
    policy = properties.get("Policy")
    if policy is None:
        return ""
    return policy if isinstance(policy, str) else json.dumps(policy)
