"""AWS::ApiGatewayV2::Api: an HTTP or WebSocket API, by its properties or by an OpenAPI document."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigatewayv2.part import GONE, WIRE, Part, change_tags
from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, made_as, picked
from mayfly.services.stacks.resources.reading import like, observed
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, JSON, STRING, STRINGS, Entries, fields

CORS = fields(
    AllowCredentials=BOOLEAN,
    AllowHeaders=STRINGS,
    AllowMethods=STRINGS,
    AllowOrigins=STRINGS,
    ExposeHeaders=STRINGS,
    MaxAge=INTEGER,
)
_DOCUMENT = ("BasePath", "Body", "BodyS3Location", "FailOnWarnings")
_SETTINGS = (
    "ApiKeySelectionExpression",
    "CorsConfiguration",
    "Description",
    "DisableExecuteApiEndpoint",
    "DisableSchemaValidation",
    "IpAddressType",
    "Name",
    "RouteSelectionExpression",
    "Version",
)
_QUICK = ("CredentialsArn", "RouteKey", "Target")


class Api(Part):
    name = "AWS::ApiGatewayV2::Api"
    noun = "Api"
    parents = ()
    schema = fields(
        ApiKeySelectionExpression=STRING,
        BasePath=STRING,
        Body=JSON,
        BodyS3Location=fields("Bucket Key", Bucket=STRING, Etag=STRING, Key=STRING, Version=STRING),
        CorsConfiguration=CORS,
        CredentialsArn=STRING,
        Description=STRING,
        DisableExecuteApiEndpoint=BOOLEAN,
        DisableSchemaValidation=BOOLEAN,
        FailOnWarnings=BOOLEAN,
        IpAddressType=STRING,
        Name=STRING,
        ProtocolType=STRING,
        RouteKey=STRING,
        RouteSelectionExpression=STRING,
        Tags=Entries(STRING),
        Target=STRING,
        Version=STRING,
    )
    replaced_by = frozenset({"ProtocolType"})
    attributes = frozenset({"ApiEndpoint", "ApiId"})
    defaults = {  # noqa: RUF012 - the Protocol's members are instances'
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "DisableExecuteApiEndpoint": False,
        "IpAddressType": "ipv4",
        "ProtocolType": "HTTP",
        "RouteSelectionExpression": "$request.method $request.path",
        "Tags": {},
    }

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        if not _documented(properties):
            said = picked(properties, *_SETTINGS, *_QUICK, "ProtocolType", "Tags")
            return self.made(await call.once(target, WIRE, "CreateApi", **said))
        made = self.made(await call.once(target, WIRE, "ImportApi", **await _document(call, properties)))
        with made_as(made.physical_id):
            await self._set(call, target, made, {}, properties)
        return made

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        if _documented(new) and changed(old, new, *_DOCUMENT):
            await call(WIRE, "ReimportApi", ApiId=made.physical_id, **await _document(call, new))
        await self._set(call, target, made, old, new)
        return made

    async def _set(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> None:
        """Set what properties say, on top of a document."""
        cleared = {name: self.cleared(name) for name in _SETTINGS if name in old and name not in new and name != "Name"}
        said = cleared | picked(new, *_SETTINGS)
        if not _documented(new) and changed(old, new, *_QUICK):
            said |= picked(new, *_QUICK)
        if said:
            await call(WIRE, "UpdateApi", ApiId=made.physical_id, **said)
        await change_tags(call, arn(target, made.physical_id), old, new)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, WIRE, "GetApi", ApiId=made.physical_id)
        if found is None:
            return None
        names: tuple[str, ...] = (*_SETTINGS, "ProtocolType", "Tags")
        if _documented(properties):  # what the document says is not told apart from what was said behind its back
            names = tuple(name for name in names if name in properties)
        truth = {name: like(properties.get(name), found[name]) for name in names if name in found}
        return observed(properties, truth, *_DOCUMENT, *_QUICK, defaults=self.defaults)


def arn(target: Target, api_id: str) -> str:
    """Of an API."""
    return f"arn:aws:apigateway:{target.region}::/apis/{api_id}"


def _documented(properties: Mapping[str, Any]) -> bool:
    return "Body" in properties or "BodyS3Location" in properties


async def _document(call: Caller, properties: Mapping[str, Any]) -> dict[str, Any]:
    """What ImportApi is told."""
    said: dict[str, Any] = {}
    if "FailOnWarnings" in properties:
        said["FailOnWarnings"] = properties["FailOnWarnings"]
    if "BasePath" in properties:
        said["Basepath"] = properties["BasePath"]
    if "Body" in properties:
        body = properties["Body"]
        return {**said, "Body": body if isinstance(body, str) else json.dumps(body)}
    place = properties["BodyS3Location"]
    version = {"VersionId": place["Version"]} if "Version" in place else {}
    found = (await call("s3", "GetObject", Bucket=place["Bucket"], Key=place["Key"], **version))["Body"]
    content = found if isinstance(found, bytes) else b"".join([chunk async for chunk in found])
    return {**said, "Body": content.decode()}
