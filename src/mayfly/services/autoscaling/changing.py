"""The capacity of a resource as it is and as it is to be: provisioned concurrency, by Lambda's own operations."""

import json
from typing import Any

from mayfly import ids
from mayfly.services.autoscaling.model import Target
from mayfly.services.autoscaling.names import Home
from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.ports import SdkOperations

_PRINCIPAL = "application-autoscaling.amazonaws.com"


class Changing:
    """Calls them."""

    def __init__(self, operations: SdkOperations, home: Home, endpoint: str) -> None:
        self._operations = operations
        self._home = home
        self._endpoint = endpoint

    async def exists(self, target: Target) -> bool:
        try:
            await self._call("GetFunctionConfiguration", target)
        except ServiceError as error:
            if error.code == "ResourceNotFoundException":
                return False
            raise
        return True

    async def capacity(self, target: Target) -> int:
        """How much is asked for now; `ServiceError` when the function, or what is scaled of it, is gone."""
        try:
            found = await self._call("GetProvisionedConcurrencyConfig", target)
        except ServiceError as error:
            if error.code == "ProvisionedConcurrencyConfigNotFoundException":
                return 0
            raise
        return int(found["RequestedProvisionedConcurrentExecutions"])

    async def change(self, target: Target, capacity: int) -> None:
        """`ServiceError` when there cannot be so much."""
        if capacity:
            await self._call("PutProvisionedConcurrencyConfig", target, {"ProvisionedConcurrentExecutions": capacity})
        else:
            await self._call("DeleteProvisionedConcurrencyConfig", target)

    async def breaches(self, policy_arn: str) -> list[float]:
        """By how much the metrics of alarms that have this policy as an action are beyond their thresholds, of those
        that are in the state ALARM."""
        found = await self._operations.call_json(
            self._context(), "cloudwatch", "DescribeAlarms", {"ActionPrefix": policy_arn, "StateValue": "ALARM"}
        )
        return [breach for alarm in found.get("MetricAlarms", ()) if (breach := breach_of(alarm)) is not None]

    async def _call(self, operation: str, target: Target, more: dict[str, Any] | None = None) -> dict[str, Any]:
        named = {"FunctionName": target.function, "Qualifier": target.qualifier, **(more or {})}
        return await self._operations.call_json(self._context(), "lambda", operation, named)

    def _context(self) -> RequestContext:
        home = self._home
        return RequestContext(
            request_id=ids.request_id(),
            account=home.account,
            region=home.region,
            principal=Principal("service", home.account, _PRINCIPAL, _PRINCIPAL),
            endpoint=self._endpoint,
            user_agent=_PRINCIPAL,
        )


def breach_of(alarm: dict[str, Any]) -> float | None:
    """The metric of an alarm less its threshold, as it was when the alarm last looked; None where it does not say."""
    try:
        data = json.loads(alarm.get("StateReasonData", ""))
        points = [point for point in data["recentDatapoints"] if point is not None]
        return float(points[-1]) - float(data["threshold"])
    except (ValueError, KeyError, IndexError, TypeError):
        return None
