"""Reserved concurrency, and the account's limits."""

from typing import TYPE_CHECKING

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import faults, repository, version_repository
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import LATEST, Function
from mayfly.services.functions.names import Home
from mayfly.settings import FunctionLimits
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        DeleteFunctionConcurrencyRequestTypeDef,
        GetFunctionConcurrencyRequestTypeDef,
        PutFunctionConcurrencyRequestTypeDef,
    )


class ConcurrencyOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, editor: Editor, store: Store, limits: FunctionLimits) -> None:
        self._home = home
        self._editor = editor
        self._store = store
        self._limits = limits

    @operation("PutFunctionConcurrency")
    async def put(self, context: RequestContext, params: "PutFunctionConcurrencyRequestTypeDef") -> dict[str, object]:
        name = self._home.unqualified(params["FunctionName"])
        wanted = params["ReservedConcurrentExecutions"]

        def change(function: Function, tx: Tx) -> Function:
            provisioned = version_repository.kept(tx, name)
            if wanted < provisioned:
                raise faults.invalid_parameter(
                    f" ReservedConcurrentExecutions  {wanted} should not be lower than function's total provisioned "
                    f"concurrency [{provisioned}]."
                )
            unreserved = self._limits.account_concurrency - _taken(tx, name) - wanted
            if wanted and unreserved < self._limits.unreserved_minimum:
                raise faults.invalid_parameter(
                    "Specified ReservedConcurrentExecutions for function decreases account's "
                    f"UnreservedConcurrentExecution below its minimum value of [{self._limits.unreserved_minimum}]."
                )
            return msgspec.structs.replace(function, reserved_concurrency=wanted)

        missing = faults.function_not_found(self._home.arn(name, LATEST))
        await self._editor.change(name, change, missing=missing)
        return {"ReservedConcurrentExecutions": wanted}

    @operation("GetFunctionConcurrency")
    async def get(self, context: RequestContext, params: "GetFunctionConcurrencyRequestTypeDef") -> dict[str, object]:
        function = await self._editor.find(self._home.unqualified(params["FunctionName"]))
        if function.reserved_concurrency is None:
            return {}
        return {"ReservedConcurrentExecutions": function.reserved_concurrency}

    @operation("DeleteFunctionConcurrency")
    async def delete(
        self, context: RequestContext, params: "DeleteFunctionConcurrencyRequestTypeDef"
    ) -> dict[str, object]:
        def change(function: Function, tx: Tx) -> Function:
            return msgspec.structs.replace(function, reserved_concurrency=None)

        await self._editor.change(self._home.unqualified(params["FunctionName"]), change)
        return {}

    @operation("GetAccountSettings")
    async def account(self, context: RequestContext, params: dict[str, object]) -> dict[str, object]:
        def body(reader: Reader) -> tuple[int, int, int]:
            return *repository.usage(reader), _taken(reader, "")

        count, code_bytes, taken = await self._store.read(body)
        return {
            "AccountLimit": {
                "TotalCodeSize": self._limits.code_storage_bytes,
                "CodeSizeUnzipped": self._limits.unzipped_bytes,
                "CodeSizeZipped": self._limits.zip_inline_bytes,
                "ConcurrentExecutions": self._limits.account_concurrency,
                "UnreservedConcurrentExecutions": self._limits.account_concurrency - taken,
            },
            "AccountUsage": {"TotalCodeSize": code_bytes, "FunctionCount": count},
        }


def _taken(reader: Reader, name: str) -> int:
    """What functions other than `name` take out of the account: reserved, or kept ready without a reservation."""
    return repository.reserved_by_others(reader, name) + version_repository.kept_by_others(reader, name)
