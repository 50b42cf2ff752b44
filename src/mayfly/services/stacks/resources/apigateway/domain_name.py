"""AWS::ApiGateway::DomainName and ::BasePathMapping: names of one's own for APIs, and what is below their paths.

Requests find them by their Host header; certificates are only recorded, since TLS is not spoken here.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE, scalars
from mayfly.services.stacks.resources.apigateway.tagging import tags_in
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import observed, tags_seen
from mayfly.services.stacks.resources.schema import STRING, STRINGS, TAGS, Ignored, Refused, fields

_NO_PATH = "(none)"
_ATTRIBUTES = {
    "DistributionDomainName": "distributionDomainName",
    "DistributionHostedZoneId": "distributionHostedZoneId",
    "DomainNameArn": "domainNameArn",
    "RegionalDomainName": "regionalDomainName",
    "RegionalHostedZoneId": "regionalHostedZoneId",
}
_WIRE = {
    "CertificateArn": "certificateArn",
    "RegionalCertificateArn": "regionalCertificateArn",
    "SecurityPolicy": "securityPolicy",
}


class DomainName:
    name = "AWS::ApiGateway::DomainName"
    schema = fields(
        "DomainName",
        CertificateArn=STRING,
        DomainName=STRING,
        EndpointAccessMode=Ignored("It is about TLS, which Mayfly's endpoint does not end.", STRING),
        EndpointConfiguration=fields("", IpAddressType=STRING, Types=STRINGS),
        MutualTlsAuthentication=Refused("TLS ends at a proxy in front of Mayfly, which is where clients are asked."),
        OwnershipVerificationCertificateArn=STRING,
        RegionalCertificateArn=STRING,
        RoutingMode=STRING,
        SecurityPolicy=STRING,
        Tags=TAGS,
    )
    replaced_by = frozenset({"DomainName"})
    attributes = frozenset(_ATTRIBUTES)

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties["DomainName"]).lower()

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return str(properties["DomainName"]).lower()

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._find(call, self.physical_id(target, properties)) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        said = {wire: properties[name] for name, wire in _WIRE.items() if name in properties}
        if "EndpointConfiguration" in properties:
            said["endpointConfiguration"] = {"types": properties["EndpointConfiguration"].get("Types", ["EDGE"])}
        found = await call.once(
            target,
            "apigateway",
            "CreateDomainName",
            domainName=properties["DomainName"],
            **said,
            **tags_in(properties),
        )
        given = {name: found[wire] for name, wire in _ATTRIBUTES.items() if wire in found}
        return Made(found["domainName"], given)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        patches = scalars(old, new, {name: f"/{wire}" for name, wire in _WIRE.items()}, dict.fromkeys(_WIRE, ""))
        before, after = (one.get("EndpointConfiguration", {}).get("Types", ["EDGE"]) for one in (old, new))
        if before != after:
            patches.append({"op": "replace", "path": f"/endpointConfiguration/types/{before[0]}", "value": after[0]})
        if patches:
            await call("apigateway", "UpdateDomainName", domainName=made.physical_id, patchOperations=patches)
        arn = f"arn:aws:apigateway:{target.region}::/domainnames/{made.physical_id}"
        tags_before, tags_after = tags_in(old).get("tags", {}), tags_in(new).get("tags", {})
        if gone := [key for key in tags_before if key not in tags_after]:
            await call("apigatewayv2", "UntagResource", ResourceArn=arn, TagKeys=gone)
        if tags_after and tags_after != tags_before:
            await call("apigatewayv2", "TagResource", ResourceArn=arn, Tags=tags_after)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "apigateway", "DeleteDomainName", domainName=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await self._find(call, made.physical_id)
        if found is None:
            return None
        truth: dict[str, Any] = {name: found.get(wire) or None for name, wire in _WIRE.items()}
        truth["EndpointConfiguration"] = {"Types": found["endpointConfiguration"]["types"]}
        unseen = ("DomainName", "EndpointAccessMode", "OwnershipVerificationCertificateArn", "RoutingMode")
        defaults = {"SecurityPolicy": "TLS_1_2", "EndpointConfiguration": {"Types": ["EDGE"]}}
        return observed(properties, truth, *unseen, defaults=defaults) | tags_seen(properties, found.get("tags", {}))

    async def _find(self, call: Caller, name: str) -> dict[str, Any] | None:
        return await call.unless(GONE, "apigateway", "GetDomainName", domainName=name)


class BasePathMapping(Unnamed):
    name = "AWS::ApiGateway::BasePathMapping"
    schema = fields("DomainName", BasePath=STRING, DomainName=STRING, Id=STRING, RestApiId=STRING, Stage=STRING)
    replaced_by = frozenset({"BasePath", "DomainName"})
    attributes: frozenset[str] = frozenset()

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return f"{properties['DomainName']}|{properties.get('BasePath', '')}"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await call.unless(GONE, "apigateway", "GetBasePathMapping", **_where(properties)) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await call.once(
            target,
            "apigateway",
            "CreateBasePathMapping",
            domainName=properties["DomainName"],
            basePath=properties.get("BasePath", ""),
            restApiId=properties.get("RestApiId", ""),
            stage=properties.get("Stage", ""),
        )
        return Made(self.physical_id(target, properties))

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        patches = scalars(old, new, {"RestApiId": "/restapiId", "Stage": "/stage"}, {"Stage": ""})
        if patches:
            await call("apigateway", "UpdateBasePathMapping", **_where(new), patchOperations=patches)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "apigateway", "DeleteBasePathMapping", **_where(properties))

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "apigateway", "GetBasePathMapping", **_where(properties))
        if found is None:
            return None
        truth = {"RestApiId": found["restApiId"], "Stage": found.get("stage") or None}
        return observed(properties, truth, "BasePath", "DomainName", "Id")


def _where(properties: Mapping[str, Any]) -> dict[str, str]:
    return {"domainName": properties["DomainName"], "basePath": properties.get("BasePath") or _NO_PATH}
