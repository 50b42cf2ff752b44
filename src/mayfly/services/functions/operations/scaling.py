"""Scaling of functions that run on a capacity provider, which no function does here.

AWS has these operations for its managed instances only, where a version is not started a call at a time; all other
functions are refused. What they are for elsewhere, provisioned concurrency does.
"""

from typing import TYPE_CHECKING

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import faults
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.names import Home, Reference

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        GetFunctionScalingConfigRequestTypeDef,
        PutFunctionScalingConfigRequestTypeDef,
    )


class ScalingOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, editor: Editor) -> None:
        self._home = home
        self._editor = editor

    @operation("PutFunctionScalingConfig")
    async def put(self, context: RequestContext, params: "PutFunctionScalingConfigRequestTypeDef") -> dict[str, object]:
        return await self._refuse(params["FunctionName"], params["Qualifier"])

    @operation("GetFunctionScalingConfig")
    async def get(self, context: RequestContext, params: "GetFunctionScalingConfigRequestTypeDef") -> dict[str, object]:
        return await self._refuse(params["FunctionName"], params["Qualifier"])

    async def _refuse(self, function: str, qualifier: str) -> dict[str, object]:
        name = self._home.unqualified(function)
        await self._editor.resolve(Reference(name, qualifier if qualifier.isdecimal() else None))
        raise faults.invalid_parameter(
            f"A scaling configuration needs a function with a capacity provider, which {name} does not have. Use "
            "PutProvisionedConcurrencyConfig to keep instances ready, or PutFunctionConcurrency to limit them."
        )
