"""Domain names and base path mappings as `apigateway` (version 1) has them."""

from collections.abc import Mapping as Map
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from msgspec.structs import replace

from mayfly import ids
from mayfly.services.apis.domains import book, faults, matching
from mayfly.services.apis.domains.book import Book
from mayfly.services.apis.domains.model import HOSTED_ZONE, Domain, Mapping
from mayfly.services.apis.domains.operations.domain_names import MUTUAL_TLS, regional_name
from mayfly.services.apis.domains.stages import Stages
from mayfly.services.apis.rest import paging
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Reader, Tx

if TYPE_CHECKING:
    from types_boto3_apigateway.type_defs import (
        CreateBasePathMappingRequestTypeDef,
        CreateDomainNameRequestTypeDef,
        DeleteBasePathMappingRequestTypeDef,
        DeleteDomainNameRequestTypeDef,
        GetBasePathMappingRequestTypeDef,
        GetBasePathMappingsRequestTypeDef,
        GetDomainNameRequestTypeDef,
        GetDomainNamesRequestTypeDef,
        UpdateBasePathMappingRequestTypeDef,
        UpdateDomainNameRequestTypeDef,
    )

NONE = "(none)"  # how an empty base path is written
_EVERY = 1000


class FormerDomainNameOperations:
    """Domain names."""

    def __init__(self, book: Book) -> None:
        self._book = book

    @operation("CreateDomainName")
    async def create(self, context: RequestContext, request: "CreateDomainNameRequestTypeDef") -> dict[str, Any]:
        if request.get("mutualTlsAuthentication"):
            raise faults.bad(MUTUAL_TLS)
        types = list(request["endpointConfiguration"].get("types", ())) if "endpointConfiguration" in request else []
        types = types or ["EDGE"]
        if types not in (["EDGE"], ["REGIONAL"]):
            raise faults.bad("Mayfly has no private networks: the endpoint type of a domain name is EDGE or REGIONAL")
        edge = types == ["EDGE"]
        made = Domain(
            matching.check_name(request["domainName"]),
            regional_name(context.region),
            types[0],
            request.get("certificateArn") if edge else request.get("regionalCertificateArn"),
            request.get("certificateName") if edge else request.get("regionalCertificateName"),
            request.get("securityPolicy", "TLS_1_2"),
            tags=dict(request.get("tags", {})),
        )

        again = context.once is not None
        added = await self._book.store.write(lambda tx: self._book.add(tx, made, again=again))
        return shown(added, context.region)

    @operation("GetDomainName")
    async def get(self, context: RequestContext, request: "GetDomainNameRequestTypeDef") -> dict[str, Any]:
        name = request["domainName"].lower()
        return shown(await self._book.store.read(lambda reader: book.find(reader, name)), context.region)

    @operation("GetDomainNames")
    async def list(self, context: RequestContext, request: "GetDomainNamesRequestTypeDef") -> dict[str, Any]:
        found = await self._book.store.read(lambda reader: book.page(reader, "", _EVERY))
        items, more = paging.page([(domain.name, domain) for domain in found], request)
        return {"items": [shown(domain, context.region) for domain in items], **more}

    @operation("UpdateDomainName")
    async def update(self, context: RequestContext, request: "UpdateDomainNameRequestTypeDef") -> dict[str, Any]:
        def body(tx: Tx) -> Domain:
            after = book.find(tx, request["domainName"].lower())
            for patch in request.get("patchOperations", ()):
                after = _patched(after, patch)
            book.put(tx, after)
            return after

        return shown(await self._book.store.write(body), context.region)

    @operation("DeleteDomainName")
    async def delete(self, context: RequestContext, request: "DeleteDomainNameRequestTypeDef") -> dict[str, Any]:
        await self._book.store.write(lambda tx: self._book.remove(tx, request["domainName"].lower()))
        return {}


class BasePathOperations:
    """Base path mappings."""

    def __init__(self, book: Book, stages: Stages) -> None:
        self._book = book
        self._stages = stages

    @operation("CreateBasePathMapping")
    async def create(self, context: RequestContext, request: "CreateBasePathMappingRequestTypeDef") -> dict[str, Any]:
        name = request["domainName"].lower()
        path = matching.check_path(request.get("basePath", ""), levels=False)
        await self._book.store.read(lambda reader: book.find(reader, name))
        await self._stages.check(context, request["restApiId"], request.get("stage", ""))
        made = Mapping(ids.token(6), path, request["restApiId"], request.get("stage", ""))

        again = context.once is not None
        return shown_mapping(
            await self._book.store.write(lambda tx: self._book.add_mapping(tx, name, made, again=again))
        )

    @operation("GetBasePathMapping")
    async def get(self, context: RequestContext, request: "GetBasePathMappingRequestTypeDef") -> dict[str, Any]:
        name, path = request["domainName"].lower(), request["basePath"]
        return shown_mapping(await self._book.store.read(lambda reader: by_path(reader, name, path)))

    @operation("GetBasePathMappings")
    async def list(self, context: RequestContext, request: "GetBasePathMappingsRequestTypeDef") -> dict[str, Any]:
        name = request["domainName"].lower()

        def body(reader: Reader) -> "list[Mapping]":
            book.find(reader, name)
            return book.mappings(reader, name)

        found = await self._book.store.read(body)
        items, more = paging.page([(f"/{mapping.path}", mapping) for mapping in found], request)
        return {"items": [shown_mapping(mapping) for mapping in items], **more}

    @operation("UpdateBasePathMapping")
    async def update(self, context: RequestContext, request: "UpdateBasePathMappingRequestTypeDef") -> dict[str, Any]:
        name = request["domainName"].lower()
        after = await self._book.store.read(lambda reader: by_path(reader, name, request["basePath"]))
        for patch in request.get("patchOperations", ()):
            value = patch.get("value", "")
            if patch.get("op") != "replace" or patch.get("path") not in ("/basePath", "/restapiId", "/stage"):
                raise faults.bad(f"Invalid patch path {patch.get('path')}")
            if patch["path"] == "/basePath":
                after = replace(after, path=matching.check_path(value, levels=False))
            elif patch["path"] == "/restapiId":
                after = replace(after, api_id=value)
            else:
                after = replace(after, stage=value)
        await self._stages.check(context, after.api_id, after.stage)
        await self._book.store.write(lambda tx: self._book.map(tx, name, after))
        return shown_mapping(after)

    @operation("DeleteBasePathMapping")
    async def delete(self, context: RequestContext, request: "DeleteBasePathMappingRequestTypeDef") -> dict[str, Any]:
        name, path = request["domainName"].lower(), request["basePath"]

        def body(tx: Tx) -> None:
            self._book.unmap(tx, name, by_path(tx, name, path).id)

        await self._book.store.write(body)
        return {}


def by_path(reader: Reader, name: str, path: str) -> Mapping:
    """The mapping of a path, as requests write it; NotFoundException."""
    book.find(reader, name)
    wanted = unquote(path)
    for mapping in book.mappings(reader, name):
        if mapping.path == ("" if wanted == NONE else wanted):
            return mapping
    raise faults.no_mapping()


def _patched(domain: Domain, patch: Map[str, Any]) -> Domain:
    path, value = patch.get("path", ""), patch.get("value", "")
    if patch.get("op") == "replace" and path in ("/certificateArn", "/regionalCertificateArn"):
        return replace(domain, certificate_arn=value)
    if patch.get("op") == "replace" and path in ("/certificateName", "/regionalCertificateName"):
        return replace(domain, certificate_name=value)
    if patch.get("op") == "replace" and path == "/securityPolicy":
        return replace(domain, security_policy=value)
    if path.startswith("/endpointConfiguration/types") and value in ("EDGE", "REGIONAL"):
        return replace(domain, endpoint_type=value)
    raise faults.bad(f"Invalid patch path {path}")


def shown(domain: Domain, region: str) -> dict[str, Any]:
    """A domain name as the operations show it."""
    common = {
        "domainName": domain.name,
        "domainNameArn": f"arn:aws:apigateway:{region}::/domainnames/{domain.name}",
        "domainNameStatus": "AVAILABLE",
        "endpointConfiguration": {"types": [domain.endpoint_type], "ipAddressType": domain.ip_address_type},
        "securityPolicy": domain.security_policy,
        "tags": domain.tags,
    }
    if domain.endpoint_type == "EDGE":
        place = {
            "certificateArn": domain.certificate_arn,
            "certificateName": domain.certificate_name,
            "distributionDomainName": f"{domain.regional_name.partition('.')[0]}.cloudfront.net",
            "distributionHostedZoneId": "Z2FDTNDATAQYW2",
        }
    else:
        place = {
            "regionalCertificateArn": domain.certificate_arn,
            "regionalCertificateName": domain.certificate_name,
            "regionalDomainName": domain.regional_name,
            "regionalHostedZoneId": HOSTED_ZONE,
        }
    return {**common, **{key: value for key, value in place.items() if value is not None}}


def shown_mapping(mapping: Mapping) -> dict[str, Any]:
    """A mapping as the operations show it."""
    reply = {"basePath": mapping.path or NONE, "restApiId": mapping.api_id}
    return {**reply, "stage": mapping.stage} if mapping.stage else reply
