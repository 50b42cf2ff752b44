"""`ports.FunctionCalls`: how APIs call functions and wait for what they answer."""

from mayfly.services.functions import faults, invoker, resource_policy, tenancy
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.calling import Calls, Streams
from mayfly.services.functions.catalog import Catalog, Entry
from mayfly.services.functions.durable.config import UNQUALIFIED
from mayfly.services.functions.names import Home, Reference
from mayfly.services.functions.operations.invocations import refusals
from mayfly.services.functions.resource_policy import INVOKE, Attempt
from mayfly.services.functions.web import streaming
from mayfly.services.ports import FunctionCall, FunctionReply, FunctionStream
from mayfly.settings import FunctionLimits

GATEWAY = "apigateway.amazonaws.com"


class FunctionCalls:
    """Calls of functions by their ARNs."""

    def __init__(self, home: Home, catalog: Catalog, calls: Calls, streams: Streams, limits: FunctionLimits) -> None:
        self._home = home
        self._catalog = catalog
        self._calls = calls
        self._streams = streams
        self._limits = limits

    async def invoke(self, call: FunctionCall) -> FunctionReply:
        """See `ports.FunctionCalls`."""
        entry, asked = await self._checked(call)
        with refusals():
            invocation = await self._calls.invoke(entry, asked)
        if fault := invoker.restore_fault(invocation.failure):
            raise fault
        result = invocation.result
        return FunctionReply(result.payload, result.failed, invocation.trace_id, invocation.content_type)

    async def stream(self, call: FunctionCall) -> FunctionStream:
        """See `ports.FunctionCalls`."""
        entry, asked = await self._checked(call)
        with refusals():
            flow = await self._streams.stream(entry, asked)
        if flow.whole is not None and (fault := invoker.restore_fault(flow.whole.failure)):
            raise fault
        return FunctionStream(streaming.checked(flow), flow.abandon, flow.content_type, flow.trace_id)

    async def _checked(self, call: FunctionCall) -> tuple[Entry, Asked]:
        """The function and what it is asked, the right to ask it checked; `ServiceError`."""
        if len(call.payload) > self._limits.payload_bytes:
            raise faults.request_too_large(self._limits.payload_bytes)
        named = self._home.parse(call.arn)
        entry = self._catalog.peek(named.name, named.qualifier) or await self._catalog.get(named.name, named.qualifier)
        own_arn = self._home.arn(named.name, named.qualifier)
        if call.source_arn is not None:
            self._check_allowed(entry, own_arn, call.source_arn)
        # An API says it of every function behind it.
        tenant = call.tenant if entry.function.configuration.per_tenant else None
        _check_callable(entry, named, tenant)
        return entry, Asked(call.payload, call.request_id, own_arn, "request", trace_id=call.trace_id, tenant=tenant)

    def _check_allowed(self, entry: Entry, arn: str, source_arn: str) -> None:
        attempt = Attempt(INVOKE, GATEWAY, source_arn, self._home.account)
        if not resource_policy.allows(entry.subject.policy, attempt):
            raise faults.access_denied(
                f"The resource policy of {arn} does not let {GATEWAY} invoke it on behalf of {source_arn}. "
                "Allow it with AddPermission."
            )


def _check_callable(entry: Entry, named: Reference, tenant: str | None) -> None:
    """`ServiceError` InvalidParameterValueException for functions whose calls have to say more than an API can."""
    configuration = entry.function.configuration
    tenancy.check_name(tenancy.of_call(configuration, tenant))
    if configuration.durable is not None and named.qualifier is None:
        raise faults.invalid_parameter(UNQUALIFIED)
