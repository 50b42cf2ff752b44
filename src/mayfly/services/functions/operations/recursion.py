"""Whether a function may call itself by way of others as often as it likes."""

from typing import TYPE_CHECKING

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import Function
from mayfly.services.functions.names import Home
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        GetFunctionRecursionConfigRequestTypeDef,
        PutFunctionRecursionConfigRequestTypeDef,
    )


class RecursionOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, editor: Editor) -> None:
        self._home = home
        self._editor = editor

    @operation("PutFunctionRecursionConfig")
    async def put(
        self, context: RequestContext, params: "PutFunctionRecursionConfigRequestTypeDef"
    ) -> dict[str, object]:
        wanted = params["RecursiveLoop"]

        def change(function: Function, tx: Tx) -> Function:
            return msgspec.structs.replace(function, allows_loops=wanted == "Allow")

        await self._editor.change(self._home.unqualified(params["FunctionName"]), change)
        return {"RecursiveLoop": wanted}

    @operation("GetFunctionRecursionConfig")
    async def get(
        self, context: RequestContext, params: "GetFunctionRecursionConfigRequestTypeDef"
    ) -> dict[str, object]:
        function = await self._editor.find(self._home.unqualified(params["FunctionName"]))
        return {"RecursiveLoop": "Allow" if function.allows_loops else "Terminate"}
