"""Domain names and API mappings as `apigatewayv2` has them."""

from collections.abc import Mapping as Map
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from mayfly import ids
from mayfly.services import page_tokens
from mayfly.services.apis.domains import book, faults, matching
from mayfly.services.apis.domains.book import Book
from mayfly.services.apis.domains.model import HOSTED_ZONE, Domain, Mapping
from mayfly.services.apis.domains.stages import Stages
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Reader, Tx

if TYPE_CHECKING:
    from types_boto3_apigatewayv2.type_defs import (
        CreateApiMappingRequestTypeDef,
        CreateDomainNameRequestTypeDef,
        DeleteApiMappingRequestTypeDef,
        DeleteDomainNameRequestTypeDef,
        GetApiMappingRequestTypeDef,
        GetApiMappingsRequestTypeDef,
        GetDomainNameRequestTypeDef,
        GetDomainNamesRequestTypeDef,
        UpdateApiMappingRequestTypeDef,
        UpdateDomainNameRequestTypeDef,
    )

PAGE = 100
MUTUAL_TLS = "Mutual TLS is not supported by Mayfly, which speaks plain HTTP: have a proxy check client certificates"


class DomainNameOperations:
    """Domain names."""

    def __init__(self, book: Book) -> None:
        self._book = book

    @operation("CreateDomainName")
    async def create(self, context: RequestContext, request: "CreateDomainNameRequestTypeDef") -> dict[str, Any]:
        made = Domain(
            matching.check_name(request["DomainName"]),
            regional_name(context.region),
            tags=dict(request.get("Tags", {})),
        )
        made = configured(made, request)

        again = context.once is not None
        added = await self._book.store.write(lambda tx: self._book.add(tx, made, again=again))
        return shown(added, context.region)

    @operation("GetDomainName")
    async def get(self, context: RequestContext, request: "GetDomainNameRequestTypeDef") -> dict[str, Any]:
        name = request["DomainName"].lower()
        return shown(await self._book.store.read(lambda reader: book.find(reader, name)), context.region)

    @operation("GetDomainNames")
    async def list(self, context: RequestContext, request: "GetDomainNamesRequestTypeDef") -> dict[str, Any]:
        limit, after = paging(request)
        found = await self._book.store.read(lambda reader: book.page(reader, after, limit + 1))
        reply: dict[str, Any] = {"Items": [shown(domain, context.region) for domain in found[:limit]]}
        if len(found) > limit:
            reply["NextToken"] = page_tokens.encode(found[limit - 1].name)
        return reply

    @operation("UpdateDomainName")
    async def update(self, context: RequestContext, request: "UpdateDomainNameRequestTypeDef") -> dict[str, Any]:
        def body(tx: Tx) -> Domain:
            after = configured(book.find(tx, request["DomainName"].lower()), request)
            book.put(tx, after)
            return after

        return shown(await self._book.store.write(body), context.region)

    @operation("DeleteDomainName")
    async def delete(self, context: RequestContext, request: "DeleteDomainNameRequestTypeDef") -> dict[str, Any]:
        await self._book.store.write(lambda tx: self._book.remove(tx, request["DomainName"].lower()))
        return {}


class ApiMappingOperations:
    """API mappings."""

    def __init__(self, book: Book, stages: Stages) -> None:
        self._book = book
        self._stages = stages

    @operation("CreateApiMapping")
    async def create(self, context: RequestContext, request: "CreateApiMappingRequestTypeDef") -> dict[str, Any]:
        name = request["DomainName"].lower()
        path = matching.check_path(request.get("ApiMappingKey", ""), levels=True)
        await self._book.store.read(lambda reader: book.find(reader, name))
        await self._stages.check(context, request["ApiId"], request["Stage"])
        made = Mapping(ids.token(6), path, request["ApiId"], request["Stage"])

        again = context.once is not None
        return shown_mapping(
            await self._book.store.write(lambda tx: self._book.add_mapping(tx, name, made, again=again))
        )

    @operation("GetApiMapping")
    async def get(self, context: RequestContext, request: "GetApiMappingRequestTypeDef") -> dict[str, Any]:
        name, mapping_id = request["DomainName"].lower(), request["ApiMappingId"]
        return shown_mapping(await self._book.store.read(lambda reader: one(reader, name, mapping_id)))

    @operation("GetApiMappings")
    async def list(self, context: RequestContext, request: "GetApiMappingsRequestTypeDef") -> dict[str, Any]:
        name = request["DomainName"].lower()
        limit, after = paging(request)

        def body(reader: Reader) -> "list[Mapping]":
            book.find(reader, name)
            return [mapping for mapping in book.mappings(reader, name) if not after or f"/{mapping.path}" > after]

        found = await self._book.store.read(body)
        reply: dict[str, Any] = {"Items": [shown_mapping(mapping) for mapping in found[:limit]]}
        if len(found) > limit:
            reply["NextToken"] = page_tokens.encode(f"/{found[limit - 1].path}")
        return reply

    @operation("UpdateApiMapping")
    async def update(self, context: RequestContext, request: "UpdateApiMappingRequestTypeDef") -> dict[str, Any]:
        name, mapping_id = request["DomainName"].lower(), request["ApiMappingId"]
        before = await self._book.store.read(lambda reader: one(reader, name, mapping_id))
        path = matching.check_path(request.get("ApiMappingKey", before.path), levels=True)
        after = Mapping(mapping_id, path, request["ApiId"], request.get("Stage", before.stage))
        await self._stages.check(context, after.api_id, after.stage)
        await self._book.store.write(lambda tx: self._book.map(tx, name, after))
        return shown_mapping(after)

    @operation("DeleteApiMapping")
    async def delete(self, context: RequestContext, request: "DeleteApiMappingRequestTypeDef") -> dict[str, Any]:
        name, mapping_id = request["DomainName"].lower(), request["ApiMappingId"]
        await self._book.store.write(lambda tx: self._book.unmap(tx, name, mapping_id))
        return {}


def one(reader: Reader, name: str, mapping_id: str) -> Mapping:
    """A mapping; NotFoundException."""
    book.find(reader, name)
    for mapping in book.mappings(reader, name):
        if mapping.id == mapping_id:
            return mapping
    raise faults.no_mapping()


def regional_name(region: str) -> str:
    """What a DNS record of a new domain name would point to."""
    return f"d-{ids.token(10)}.execute-api.{region}.amazonaws.com"


def configured(domain: Domain, request: Map[str, Any]) -> Domain:
    """A domain name as a request configures it; BadRequestException."""
    if request.get("MutualTlsAuthentication"):
        raise faults.bad(MUTUAL_TLS)
    if request.get("RoutingMode", "API_MAPPING_ONLY") != "API_MAPPING_ONLY":
        raise faults.bad("Routing rules are not supported by Mayfly: map paths to stages instead")
    if "DomainNameConfigurations" not in request:
        return domain
    if len(request["DomainNameConfigurations"]) != 1:
        raise faults.bad("A domain name has exactly one configuration")
    said = request["DomainNameConfigurations"][0]
    return replace(
        domain,
        endpoint_type=said.get("EndpointType", domain.endpoint_type),
        certificate_arn=said.get("CertificateArn", domain.certificate_arn),
        certificate_name=said.get("CertificateName", domain.certificate_name),
        security_policy=said.get("SecurityPolicy", domain.security_policy),
        ip_address_type=said.get("IpAddressType", domain.ip_address_type),
    )


def shown(domain: Domain, region: str) -> dict[str, Any]:
    """A domain name as the operations show it."""
    configuration = {
        "ApiGatewayDomainName": domain.regional_name,
        "CertificateArn": domain.certificate_arn,
        "CertificateName": domain.certificate_name,
        "DomainNameStatus": "AVAILABLE",
        "EndpointType": domain.endpoint_type,
        "HostedZoneId": HOSTED_ZONE,
        "IpAddressType": domain.ip_address_type,
        "SecurityPolicy": domain.security_policy,
    }
    return {
        "ApiMappingSelectionExpression": "$request.basepath",
        "DomainName": domain.name,
        "DomainNameArn": f"arn:aws:apigateway:{region}::/domainnames/{domain.name}",
        "DomainNameConfigurations": [{key: value for key, value in configuration.items() if value is not None}],
        "RoutingMode": "API_MAPPING_ONLY",
        "Tags": domain.tags,
    }


def shown_mapping(mapping: Mapping) -> dict[str, Any]:
    """A mapping as the operations show it."""
    return {
        "ApiId": mapping.api_id,
        "ApiMappingId": mapping.id,
        "ApiMappingKey": mapping.path,
        "Stage": mapping.stage,
    }


def paging(request: Map[str, Any]) -> tuple[int, str]:
    """How many a page may hold, and behind what it begins; BadRequestException."""
    text = request.get("MaxResults", str(PAGE))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise faults.bad("Invalid maxResults specified: it must be a positive number")
    return min(int(text), PAGE), page_tokens.after(request.get("NextToken"), faults.bad_token)
