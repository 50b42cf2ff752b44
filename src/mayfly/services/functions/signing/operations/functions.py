"""Which code signing configuration a function has: put, get, delete."""

from typing import TYPE_CHECKING

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import faults, repository
from mayfly.services.functions.model import Function
from mayfly.services.functions.names import Home
from mayfly.services.functions.signing import names
from mayfly.services.functions.signing import repository as signing
from mayfly.services.functions.signing.checking import SigningCheck, refuse_for_image
from mayfly.services.functions.signing.model import SigningConfig
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        DeleteFunctionCodeSigningConfigRequestTypeDef,
        GetFunctionCodeSigningConfigRequestTypeDef,
        PutFunctionCodeSigningConfigRequestTypeDef,
    )


class FunctionSigningOperations:
    """Handlers; see the module. What a function runs already is not looked at: the next deployment is."""

    def __init__(self, home: Home, store: Store, check: SigningCheck) -> None:
        self._home = home
        self._store = store
        self._check = check

    @operation("PutFunctionCodeSigningConfig")
    async def put(
        self, context: RequestContext, params: "PutFunctionCodeSigningConfigRequestTypeDef"
    ) -> dict[str, object]:
        arn, name = params["CodeSigningConfigArn"], self._home.unqualified(params["FunctionName"])

        def body(tx: Tx) -> None:
            config = self._check.named(tx, arn)
            if self._function(tx, name).configuration.package == "Image":
                raise refuse_for_image()
            signing.bind(tx, name, config)

        await self._store.write(body)
        return {"CodeSigningConfigArn": arn, "FunctionName": name}

    @operation("GetFunctionCodeSigningConfig")
    async def get(
        self, context: RequestContext, params: "GetFunctionCodeSigningConfigRequestTypeDef"
    ) -> dict[str, object]:
        """Nothing, where there is none: not even the name, as AWS has it."""
        name = self._home.unqualified(params["FunctionName"])

        def body(reader: Reader) -> SigningConfig | None:
            self._function(reader, name)
            return signing.of_function(reader, name)

        config = await self._store.read(body)
        return (
            {} if config is None else {"CodeSigningConfigArn": names.arn(self._home, config.id), "FunctionName": name}
        )

    @operation("DeleteFunctionCodeSigningConfig")
    async def delete(
        self, context: RequestContext, params: "DeleteFunctionCodeSigningConfigRequestTypeDef"
    ) -> dict[str, object]:
        name = self._home.unqualified(params["FunctionName"])

        def body(tx: Tx) -> None:
            self._function(tx, name)
            signing.unbind(tx, name)

        await self._store.write(body)
        return {}

    def _function(self, reader: Reader, name: str) -> Function:
        function = repository.find(reader, name)
        if function is None:
            raise faults.function_not_found(self._home.arn(name))
        return function
