"""Domain names of one's own for APIs, and which API is below which of their paths."""

from collections.abc import Iterator, Mapping
from typing import Any

from mayfly.cli.exports.rest import stage_of
from mayfly.cli.exports.things import Given, Name, Reading, Thing, said, tags_of

_FORMER, _NEWER = "AWS::ApiGateway::DomainName", "AWS::ApiGatewayV2::DomainName"
_BASE_PATH, _MAPPING = "AWS::ApiGateway::BasePathMapping", "AWS::ApiGatewayV2::ApiMapping"
_NO_STAGE = ""  # of a mapping that has the stage as the first part of the path


def domains(reading: Reading) -> Iterator[Thing]:
    """An edge domain as the REST API has them, any other as the HTTP API has. Certificates are parameters, since each
    place has its own; Mayfly, where TLS is a proxy's, takes the same one again."""
    for found in reading.pages("apigatewayv2", "get_domain_names", "Items"):
        name = found["DomainName"]
        configuration = found["DomainNameConfigurations"][0]
        edge = configuration.get("EndpointType") == "EDGE"
        kind = _FORMER if edge else _NEWER
        if not reading.is_held(_FORMER, name) and not reading.is_held(_NEWER, name):
            shown = _former(found, configuration) if edge else _newer(found, configuration)
            yield Thing(kind, f"{name} domain", name, {"DomainName": name, **shown})
        yield from _mappings(reading, Name(kind, name), edge=edge)


def _former(found: Mapping[str, Any], configuration: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"EndpointConfiguration": {"Types": ["EDGE"]}}
    if configuration.get("CertificateArn"):
        kept["CertificateArn"] = _certificate(found, configuration)
    return kept | said(configuration, "SecurityPolicy", {"SecurityPolicy": "TLS_1_2"}) | tags_of(found.get("Tags"))


def _newer(found: Mapping[str, Any], configuration: Mapping[str, Any]) -> dict[str, Any]:
    shown = said(configuration, "EndpointType SecurityPolicy CertificateName IpAddressType", {"IpAddressType": "ipv4"})
    if configuration.get("CertificateArn"):
        shown["CertificateArn"] = _certificate(found, configuration)
    tags = {key: value for key, value in found.get("Tags", {}).items() if not key.startswith("aws:")}
    return {"DomainNameConfigurations": [shown], **({"Tags": tags} if tags else {})}


def _certificate(found: Mapping[str, Any], configuration: Mapping[str, Any]) -> Given:
    what = f"The certificate of {found['DomainName']}, in the account that this is deployed to"
    return Given(what, secret=False, default=configuration["CertificateArn"])


def _mappings(reading: Reading, domain: Name, *, edge: bool) -> Iterator[Thing]:
    held = reading.is_held(_FORMER, domain.name) or reading.is_held(_NEWER, domain.name)
    for found in reading.pages("apigatewayv2", "get_api_mappings", "Items", DomainName=domain.name):
        path, api, stage = found.get("ApiMappingKey", ""), found["ApiId"], found["Stage"]
        if reading.is_held(_MAPPING, found["ApiMappingId"]):
            continue
        if held and any(kind == _BASE_PATH for kind, _ in reading.held):
            reading.notes.append(
                f"domain {domain.name} belongs to a stack, and perhaps not what is below /{path}: left out, since "
                "nothing tells"
            )
            continue
        label = f"{domain.name} {path} mapping"
        after = (stage_of(api, stage),)
        if edge or stage == _NO_STAGE:
            properties = {"DomainName": domain, "RestApiId": api, **({"BasePath": path} if path else {})}
            properties |= {"Stage": stage} if stage else {}
            yield Thing(_BASE_PATH, label, "", properties, after=after)
        else:
            properties = {"DomainName": domain, "ApiId": api, "Stage": stage}
            properties |= {"ApiMappingKey": path} if path else {}
            yield Thing(_MAPPING, label, "", properties, after=after)
