"""AWS::ApiGatewayV2::DomainName and ::ApiMapping: names of one's own for APIs. Requests find them by their Host header;
certificates are only recorded, since TLS is not spoken here."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigatewayv2.part import GONE, WIRE, Part, change_tags
from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.schema import STRING, Entries, Items, fields


class DomainName(Part):
    name = "AWS::ApiGatewayV2::DomainName"
    noun = "DomainName"
    parents = ()
    schema = fields(
        "DomainName",
        DomainName=STRING,
        DomainNameConfigurations=Items(
            fields(
                CertificateArn=STRING,
                CertificateName=STRING,
                EndpointType=STRING,
                IpAddressType=STRING,
                OwnershipVerificationCertificateArn=STRING,
                SecurityPolicy=STRING,
            )
        ),
        MutualTlsAuthentication=fields(TruststoreUri=STRING, TruststoreVersion=STRING),
        RoutingMode=STRING,
        Tags=Entries(STRING),
    )
    replaced_by = frozenset({"DomainName"})
    attributes = frozenset({"DomainNameArn", "RegionalDomainName", "RegionalHostedZoneId"})
    defaults = {"RoutingMode": "API_MAPPING_ONLY", "Tags": {}}  # noqa: RUF012

    @property
    def id_name(self) -> str:
        return "DomainName"

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties["DomainName"]).lower()

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return str(properties["DomainName"]).lower()

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(GONE, WIRE, "GetDomainName", DomainName=name) is not None

    def made(self, reply: Mapping[str, Any]) -> Made:
        configuration = reply["DomainNameConfigurations"][0]
        return Made(
            reply["DomainName"],
            {
                "DomainNameArn": reply["DomainNameArn"],
                "RegionalDomainName": configuration["ApiGatewayDomainName"],
                "RegionalHostedZoneId": configuration["HostedZoneId"],
            },
        )

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        if changed(old, new, "DomainNameConfigurations", "MutualTlsAuthentication", "RoutingMode"):
            said = picked(new, "DomainNameConfigurations", "MutualTlsAuthentication", "RoutingMode")
            await call(WIRE, "UpdateDomainName", DomainName=made.physical_id, **said)
        await change_tags(call, made.attributes["DomainNameArn"], old, new)
        return made

    def truth(self, found: dict[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
        configurations = {"DomainNameConfigurations"} - set(properties)
        return {name: value for name, value in found.items() if name not in configurations}


class ApiMapping(Part):
    name = "AWS::ApiGatewayV2::ApiMapping"
    noun = "ApiMapping"
    parents = ("DomainName",)
    schema = fields("ApiId DomainName Stage", ApiId=STRING, ApiMappingKey=STRING, DomainName=STRING, Stage=STRING)
    replaced_by = frozenset({"DomainName"})
    attributes = frozenset({"ApiMappingId"})
    defaults = {"ApiMappingKey": ""}  # noqa: RUF012
