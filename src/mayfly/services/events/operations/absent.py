"""What belongs to AWS's infrastructure, or is not here yet: refused precisely."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.events import errors

if TYPE_CHECKING:
    from types_boto3_events import type_defs as events


def refuse_keys(request: Mapping[str, Any]) -> None:
    """ValidationException when a customer's key is to encrypt something."""
    if request.get("KmsKeyIdentifier"):
        raise errors.invalid(
            "Parameter KmsKeyIdentifier is not valid. Reason: Mayfly has no KMS; encrypt the disk under its data."
        )


def refuse_logging(request: Mapping[str, Any]) -> None:
    """ValidationException when a bus is to log what it does."""
    if request.get("LogConfig", {}).get("Level", "OFF") != "OFF":
        raise errors.invalid(
            "Parameter LogConfig is not valid. Reason: Mayfly does not write logs of event buses; Level must be OFF. "
            "A rule with a log group as its target keeps the events, a dead-letter queue those that failed."
        )


class AbsentOperations:
    """Partner event sources and global endpoints: there are none, and none can be made."""

    @operation("ListEventSources")
    async def list_event_sources(
        self, context: RequestContext, request: "events.ListEventSourcesRequestTypeDef"
    ) -> dict[str, Any]:
        return {"EventSources": []}

    @operation("DescribeEventSource")
    async def describe_event_source(
        self, context: RequestContext, request: "events.DescribeEventSourceRequestTypeDef"
    ) -> dict[str, Any]:
        raise errors.no_event_source(request["Name"])

    @operation("ActivateEventSource")
    async def activate(
        self, context: RequestContext, request: "events.ActivateEventSourceRequestTypeDef"
    ) -> dict[str, Any]:
        raise errors.no_event_source(request["Name"])

    @operation("DeactivateEventSource")
    async def deactivate(
        self, context: RequestContext, request: "events.DeactivateEventSourceRequestTypeDef"
    ) -> dict[str, Any]:
        raise errors.no_event_source(request["Name"])

    @operation("CreatePartnerEventSource")
    async def create_partner(
        self, context: RequestContext, request: "events.CreatePartnerEventSourceRequestTypeDef"
    ) -> dict[str, Any]:
        raise errors.no_partners()

    @operation("DeletePartnerEventSource")
    async def delete_partner(
        self, context: RequestContext, request: "events.DeletePartnerEventSourceRequestTypeDef"
    ) -> dict[str, Any]:
        raise errors.no_partners()

    @operation("DescribePartnerEventSource")
    async def describe_partner(
        self, context: RequestContext, request: "events.DescribePartnerEventSourceRequestTypeDef"
    ) -> dict[str, Any]:
        raise errors.no_event_source(request["Name"])

    @operation("ListPartnerEventSources")
    async def list_partner(
        self, context: RequestContext, request: "events.ListPartnerEventSourcesRequestTypeDef"
    ) -> dict[str, Any]:
        return {"PartnerEventSources": []}

    @operation("ListPartnerEventSourceAccounts")
    async def list_partner_accounts(
        self, context: RequestContext, request: "events.ListPartnerEventSourceAccountsRequestTypeDef"
    ) -> dict[str, Any]:
        raise errors.no_event_source(request["EventSourceName"])

    @operation("PutPartnerEvents")
    async def put_partner_events(
        self, context: RequestContext, request: "events.PutPartnerEventsRequestTypeDef"
    ) -> dict[str, Any]:
        raise errors.no_partners()

    @operation("ListEndpoints")
    async def list_endpoints(
        self, context: RequestContext, request: "events.ListEndpointsRequestTypeDef"
    ) -> dict[str, Any]:
        return {"Endpoints": []}

    @operation("DescribeEndpoint")
    async def describe_endpoint(
        self, context: RequestContext, request: "events.DescribeEndpointRequestTypeDef"
    ) -> dict[str, Any]:
        raise errors.not_found(f"Endpoint {request['Name']} does not exist.")

    @operation("UpdateEndpoint")
    async def update_endpoint(
        self, context: RequestContext, request: "events.UpdateEndpointRequestTypeDef"
    ) -> dict[str, Any]:
        raise errors.not_found(f"Endpoint {request['Name']} does not exist.")

    @operation("DeleteEndpoint")
    async def delete_endpoint(
        self, context: RequestContext, request: "events.DeleteEndpointRequestTypeDef"
    ) -> dict[str, Any]:
        raise errors.not_found(f"Endpoint {request['Name']} does not exist.")

    @operation("CreateEndpoint")
    async def create_endpoint(
        self, context: RequestContext, request: "events.CreateEndpointRequestTypeDef"
    ) -> dict[str, Any]:
        raise errors.invalid(
            "Global endpoints fail over between AWS regions by Route 53 health checks: Mayfly runs in one place."
        )
