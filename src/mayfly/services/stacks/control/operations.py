"""The Cloud Control API as far as deploying tools ask: `sam list endpoints` wants to know where functions answer.

Resources are made by stacks and by each service's own operations, so no request here changes anything.
"""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.contract import Handler, RequestContext, ServiceError, operation, operations_of
from mayfly.services.ports import Operations

_URL = "AWS::Lambda::Url"
_SHOWN = ("AuthType", "Cors", "FunctionArn", "FunctionUrl", "InvokeMode")


class ControlService:
    """A `Service`, without state; `operations` are those of the other services."""

    name = "cloudcontrol"

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self.operations: Mapping[str, Handler] = operations_of(self)

    @operation("GetResource")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """The URL of a function, by its name or ARN; `ServiceError` ResourceNotFoundException where it has none, and
        UnsupportedActionException for any other type."""
        kind, identifier = params["TypeName"], params["Identifier"]
        if kind != _URL:
            raise ServiceError(
                "UnsupportedActionException",
                f"Mayfly's Cloud Control API shows {_URL} alone, not {kind}: ask the service that the resource is of, "
                "or describe its stack",
            )
        try:
            found = await self._operations.call(context, "lambda", "GetFunctionUrlConfig", {"FunctionName": identifier})
        except ServiceError as error:
            if error.code != "ResourceNotFoundException":
                raise
            raise ServiceError(
                "ResourceNotFoundException",
                f"Resource of type '{_URL}' with identifier '{identifier}' was not found.",
            ) from error
        shown = {name: found[name] for name in _SHOWN if name in found}
        described = {"Identifier": found["FunctionArn"], "Properties": json.dumps(shown)}
        return {"TypeName": kind, "ResourceDescription": described}
