"""InvokeWithResponseStream: the parts of a result as events, as they come."""

import base64
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from mayfly.errors import PlatformError
from mayfly.services.contract import Reply, RequestContext, operation
from mayfly.services.functions import faults, invoker, tenancy, tracing
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.calling import Entries, Streams
from mayfly.services.functions.invoker import Flow
from mayfly.services.functions.names import Home
from mayfly.services.functions.operations.invocations import check_not_denied, read_client_context, refusals
from mayfly.settings import FunctionLimits

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import InvokeWithResponseStreamRequestTypeDef

EVENT_BYTES = 1024 * 1024  # of a result in one event

Event = dict[str, dict[str, object]]


class StreamingOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, catalog: Entries, calls: Streams, limits: FunctionLimits) -> None:
        self._home = home
        self._catalog = catalog
        self._calls = calls
        self._limits = limits

    @operation("InvokeWithResponseStream")
    async def stream(
        self, context: RequestContext, params: "InvokeWithResponseStreamRequestTypeDef"
    ) -> dict[str, object]:
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        payload = params.get("Payload", b"")
        assert isinstance(payload, bytes), "the wire gives blobs as bytes"
        if len(payload) > self._limits.payload_bytes:
            raise faults.request_too_large(self._limits.payload_bytes)
        client_context = read_client_context(params.get("ClientContext"))
        entry = await self._catalog.get(reference.name, reference.qualifier)
        check_not_denied(entry, context.principal, self._home.arn(reference.name, reference.qualifier))
        tenant = tenancy.of_call(entry.function.configuration, params.get("TenantId"))
        if params.get("InvocationType") == "DryRun":
            return {"StatusCode": 204, "EventStream": _nothing()}
        payload = invoker.check_json(payload)
        tail = params.get("LogType") == "Tail"
        asked = Asked(
            payload,
            context.request_id,
            self._home.arn(reference.name, reference.qualifier),
            "request",
            tail,
            client_context,
            context.headers.get(tracing.HEADER),
            tenant=tenant,
        )
        with refusals():
            flow = await self._calls.stream(entry, asked)
        if flow.whole is not None and (fault := invoker.restore_fault(flow.whole.failure)):
            raise fault
        reply = {"StatusCode": 200, "ExecutedVersion": flow.version, "EventStream": _events(flow, tail=tail)}
        return Reply(reply, ((tracing.HEADER, flow.trace_id),))


async def _nothing() -> AsyncIterator[Event]:
    return
    yield {}


async def _events(flow: Flow, *, tail: bool) -> AsyncIterator[Event]:
    """What an answer is on the wire: its parts, and in the end what came of the call."""
    async for part in flow.parts():
        for at in range(0, len(part), EVENT_BYTES):
            yield {"PayloadChunk": {"Payload": part[at : at + EVENT_BYTES]}}
    complete: dict[str, object] = {}
    try:
        invocation = await flow.end()
    except PlatformError as error:
        complete = {"ErrorCode": "ServiceException", "ErrorDetails": f"The function's answer was cut off: {error}"}
    else:
        if invocation.result.failed:
            complete = {
                "ErrorCode": "Unhandled",
                "ErrorDetails": invocation.result.payload.decode("utf-8", "replace"),
            }
        if tail:
            complete["LogResult"] = base64.b64encode(invocation.tail).decode()
    yield {"InvokeComplete": complete}
