"""Operations on subscription filters: events of a group, handed on to a function, a queue, a topic or a bus."""

from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock
from mayfly.ids import Arn
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.ports import EventTargets
from mayfly.services.telemetry import faults
from mayfly.services.telemetry.book import Book
from mayfly.services.telemetry.filters import Filter, Subscription
from mayfly.services.telemetry.operations.filtering import checked_pattern, delete_filter, page_of, put_filter
from mayfly.services.telemetry.operations.naming import existing_group, group_arn
from mayfly.services.telemetry.reactions import PRINCIPAL
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        DeleteSubscriptionFilterRequestTypeDef,
        DescribeSubscriptionFiltersRequestTypeDef,
        PutSubscriptionFilterRequestTypeDef,
    )

_UNSERVED = ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFields")
_OWN_GROUP = "/aws/lambda/"
_RESERVED = "The log group provided is reserved for the function logs of the destination function."


class SubscriptionFilterOperations:
    """`targets` are what a filter may name."""

    def __init__(self, store: Store, book: Book, clock: Clock, targets: EventTargets) -> None:
        self._store = store
        self._book = book
        self._clock = clock
        self._targets = targets

    @operation("PutSubscriptionFilter")
    async def put(self, context: RequestContext, request: "PutSubscriptionFilterRequestTypeDef") -> dict[str, Any]:
        checked_pattern(request["filterPattern"])
        for member in _UNSERVED:
            if request.get(member):
                raise faults.invalid(f"Mayfly does not implement {member} of subscription filters")
        group, destination = request["logGroupName"], request["destinationArn"]
        await self._book.settle()
        await self._store.read(lambda reader: existing_group(reader, group))
        await self._check(context, group, destination, request.get("roleArn"))
        said = Subscription(destination, request.get("distribution", "ByLogStream"), request.get("roleArn"))
        name, now = request["filterName"], int(self._clock.now() * 1000)

        def body(tx: Tx) -> None:
            put_filter(tx, self._book, "subscription", group, name, request["filterPattern"], said, now)

        await self._store.write(body)
        return {}

    @operation("DescribeSubscriptionFilters")
    async def describe(
        self, context: RequestContext, request: "DescribeSubscriptionFiltersRequestTypeDef"
    ) -> dict[str, Any]:
        return await page_of(self._store, "subscription", request, "subscriptionFilters", _shape)

    @operation("DeleteSubscriptionFilter")
    async def delete(
        self, context: RequestContext, request: "DeleteSubscriptionFilterRequestTypeDef"
    ) -> dict[str, Any]:
        name = request["filterName"]
        await self._store.write(lambda tx: delete_filter(tx, self._book, "subscription", request["logGroupName"], name))
        return {}

    async def _check(self, context: RequestContext, group: str, destination: str, role: str | None) -> None:
        """InvalidParameterException unless the group may send to the destination."""
        try:
            arn = Arn.parse(destination)
        except ValueError as error:
            raise faults.invalid(f"Invalid destination ARN: {destination}") from error
        function = arn.service == "lambda"
        if function and role is not None:
            raise faults.invalid("destinationArn for vendor lambda cannot be used with roleArn")
        if function and group == _OWN_GROUP + arn.resource.split(":")[1]:
            raise faults.invalid(
                "The log group provided is reserved for the function logs of the destination function."
            )
        refusal = await self._refusal(context, group, destination, PRINCIPAL)
        if refusal is not None and function:  # permissions may name the service as it is called in a region
            refusal = await self._refusal(context, group, destination, f"logs.{context.region}.amazonaws.com")
        if refusal is not None and function:
            raise faults.invalid(
                "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute "
                "your function."
            ) from refusal
        if refusal is not None:
            raise faults.invalid(f"Could not deliver to the destination: {refusal.message}") from refusal

    async def _refusal(
        self, context: RequestContext, group: str, destination: str, principal: str
    ) -> ServiceError | None:
        """Why the group may not send to the destination in the name of `principal`."""
        try:
            await self._targets.check(destination, principal, f"{group_arn(context, group)}:*", context.account)
        except ServiceError as error:
            return error
        return None


def _shape(found: Filter) -> dict[str, Any]:
    said = found.subscription
    assert said is not None
    shape = {
        "filterName": found.name,
        "logGroupName": found.group,
        "filterPattern": found.text,
        "destinationArn": said.destination,
        "distribution": said.distribution,
        "applyOnTransformedLogs": False,
        "creationTime": found.created_ms,
    }
    return shape | ({"roleArn": said.role} if said.role is not None else {})
