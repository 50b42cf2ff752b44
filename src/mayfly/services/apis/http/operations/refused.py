"""Operations that only mean something inside AWS: refused, each with its reason."""

from typing import Any, Final, NoReturn

from mayfly.services.apis.http import faults
from mayfly.services.contract import RequestContext, operation

_LINKS: Final = "there are no VPCs here; integrations reach private addresses that the platform may send to"
_RULES: Final = "requests for domain names go by their paths; map paths to stages with CreateApiMapping"
_PORTALS: Final = "it has no portals for developers; ExportApi gives a document that any other portal shows"


class RefusedOperations:
    """What cannot be made here. What lists it is empty, and what names one finds none."""

    @operation("CreateVpcLink")
    async def create_link(self, context: RequestContext, request: Any) -> NoReturn:
        raise faults.refused("CreateVpcLink", _LINKS)

    @operation("GetVpcLinks")
    async def list_links(self, context: RequestContext, request: Any) -> dict[str, Any]:
        return {"Items": []}

    @operation("GetVpcLink")
    async def get_link(self, context: RequestContext, request: Any) -> NoReturn:
        raise faults.not_found(f"Invalid VpcLink identifier specified {request['VpcLinkId']}")

    @operation("UpdateVpcLink")
    async def update_link(self, context: RequestContext, request: Any) -> NoReturn:
        raise faults.not_found(f"Invalid VpcLink identifier specified {request['VpcLinkId']}")

    @operation("DeleteVpcLink")
    async def delete_link(self, context: RequestContext, request: Any) -> NoReturn:
        raise faults.not_found(f"Invalid VpcLink identifier specified {request['VpcLinkId']}")

    @operation("CreateRoutingRule")
    async def create_rule(self, context: RequestContext, request: Any) -> NoReturn:
        raise faults.refused("CreateRoutingRule", _RULES)

    @operation("PutRoutingRule")
    async def put_rule(self, context: RequestContext, request: Any) -> NoReturn:
        raise faults.refused("PutRoutingRule", _RULES)

    @operation("ListRoutingRules")
    async def list_rules(self, context: RequestContext, request: Any) -> dict[str, Any]:
        return {"RoutingRules": []}

    @operation("CreatePortal")
    async def create_portal(self, context: RequestContext, request: Any) -> NoReturn:
        raise faults.refused("CreatePortal", _PORTALS)

    @operation("CreatePortalProduct")
    async def create_product(self, context: RequestContext, request: Any) -> NoReturn:
        raise faults.refused("CreatePortalProduct", _PORTALS)

    @operation("ListPortals")
    async def list_portals(self, context: RequestContext, request: Any) -> dict[str, Any]:
        return {"Items": []}

    @operation("ListPortalProducts")
    async def list_products(self, context: RequestContext, request: Any) -> dict[str, Any]:
        return {"Items": []}
