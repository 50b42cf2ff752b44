"""InvokeAsync: what there was for asynchronous invocation before `Invoke` had it, and is kept for old callers.

It has its own limit of a payload, knows no qualifiers but those of an ARN, and is no part of a trace.
"""

from collections.abc import AsyncIterable
from typing import TYPE_CHECKING

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import faults, invoker, tenancy
from mayfly.services.functions.calling import Entries, Intake
from mayfly.services.functions.delivery import AsyncEvent
from mayfly.services.functions.names import Home
from mayfly.services.functions.operations.invocations import check_invocable, check_not_denied

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import InvokeAsyncRequestTypeDef

MOST_BYTES = 256 * 1024


class InvokeAsyncOperations:
    """The handler; see the module."""

    def __init__(self, home: Home, catalog: Entries, intake: Intake) -> None:
        self._home = home
        self._catalog = catalog
        self._intake = intake

    @operation("InvokeAsync")
    async def invoke(self, context: RequestContext, params: "InvokeAsyncRequestTypeDef") -> dict[str, object]:
        reference = self._home.parse(params["FunctionName"])
        arn = self._home.arn(reference.name, reference.qualifier)
        payload = await _read(params["InvokeArgs"])
        entry = await self._catalog.get(reference.name, reference.qualifier)
        check_not_denied(entry, context.principal, arn)
        check_invocable(entry)
        tenancy.of_call(entry.function.configuration, None)
        if entry.function.configuration.durable is not None:
            raise faults.invalid_parameter("InvokeAsync cannot start durable executions; use Invoke with a qualifier.")
        event = AsyncEvent(
            context.request_id,
            reference.name,
            arn,
            invoker.check_json(payload),
            self._intake.now(),
            qualifier=reference.qualifier,
        )
        await self._intake.accept(event)
        return {"Status": 202}


async def _read(given: object) -> bytes:
    """The payload; `ServiceError` RequestTooLargeException."""
    read = bytearray()
    if isinstance(given, AsyncIterable):
        async for part in given:
            read += part
            if len(read) > MOST_BYTES:
                break
    else:
        assert isinstance(given, bytes)
        read += given
    if len(read) > MOST_BYTES:
        raise faults.request_too_large(MOST_BYTES, "InvokeAsync")
    return bytes(read)
