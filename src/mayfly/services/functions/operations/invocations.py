"""Invoke: synchronous, asynchronous, dry run."""

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mayfly.engine.api import ThrottledError
from mayfly.errors import PlatformError
from mayfly.services.contract import Principal, Reply, RequestContext, ServiceError, operation
from mayfly.services.functions import faults, invoker, resource_policy, tenancy, tracing
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.calling import Calls, Entries, Intake
from mayfly.services.functions.catalog import Entry
from mayfly.services.functions.delivery import AsyncEvent
from mayfly.services.functions.durable.config import UNQUALIFIED
from mayfly.services.functions.invoker import Invocation
from mayfly.services.functions.names import Home, Reference
from mayfly.services.functions.resource_policy import INVOKE, Attempt
from mayfly.services.functions.roles import CANNOT_ASSUME, RoleUnusableError
from mayfly.services.functions.tasks import options
from mayfly.settings import FunctionLimits

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import InvocationRequestTypeDef

MAX_CLIENT_CONTEXT = 3583  # bytes of base64
TRACE_HEADER = "x-amzn-trace-id"


class InvocationOperations:
    """Handlers; see the module."""

    def __init__(
        self,
        home: Home,
        catalog: Entries,
        calls: Calls,
        intake: Intake,
        limits: FunctionLimits,
    ) -> None:
        self._home = home
        self._catalog = catalog
        self._calls = calls
        self._intake = intake
        self._limits = limits

    @operation("Invoke")
    async def invoke(self, context: RequestContext, params: "InvocationRequestTypeDef") -> dict[str, object]:
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        name, qualifier = reference.name, reference.qualifier
        kind = params.get("InvocationType", "RequestResponse")
        payload = params.get("Payload", b"")
        assert isinstance(payload, bytes), "the wire gives blobs as bytes"
        limit = self._limits.async_payload_bytes if kind == "Event" else self._limits.payload_bytes
        if len(payload) > limit:
            raise faults.event_too_large(len(payload), limit) if kind == "Event" else faults.request_too_large(limit)
        client_context = read_client_context(params.get("ClientContext"))
        entry = self._catalog.peek(name, qualifier) or await self._catalog.get(name, qualifier)
        arn = self._home.arn(name, qualifier)
        check_not_denied(entry, context.principal, arn)
        tenant = tenancy.of_call(entry.function.configuration, params.get("TenantId"))
        durable = entry.function.configuration.durable is not None
        if durable and qualifier is None:
            raise faults.invalid_parameter(UNQUALIFIED)
        if kind == "DryRun":
            return {"StatusCode": 204}
        durable_name = params.get("DurableExecutionName")
        trace_id = context.headers.get(tracing.HEADER)
        payload = invoker.check_json(payload)
        if kind == "Event":
            asked = Asked(
                payload,
                context.request_id,
                arn,
                "event",
                client_context=client_context,
                trace_id=trace_id,
                durable_name=durable_name,
                waits=False,
                tenant=tenant,
            )
            if durable or durable_name is not None:
                return await self._begin(entry, asked)
            return await self._accept(entry, asked, reference, context.headers)
        tail = params.get("LogType") == "Tail"
        asked = Asked(
            payload, context.request_id, arn, "request", tail, client_context, trace_id, durable_name, tenant=tenant
        )
        with refusals():
            invocation = await self._calls.invoke(entry, asked)
        return _reply(invocation, tail=tail)

    async def _begin(self, entry: Entry, asked: Asked) -> dict[str, object]:
        """Begin a durable execution, which nobody waits for."""
        with refusals():
            started = await self._calls.invoke(entry, asked)
        return {"StatusCode": 202, "DurableExecutionArn": started.durable_arn}

    async def _accept(
        self, entry: Entry, asked: Asked, named: Reference, headers: Mapping[str, str]
    ) -> dict[str, object]:
        """Keep an event, which is durable when the answer is sent."""
        check_invocable(entry)
        trace_id, now = self._calls.trace_of(entry, asked.trace_id), self._intake.now()
        said = options.of_invoke(headers, asked.client_context, now)
        event = AsyncEvent(
            asked.request_id,
            named.name,
            asked.arn,
            asked.payload,
            now,
            trace_id=trace_id,
            qualifier=named.qualifier,
            tenant=asked.tenant,
            on_behalf_of=said.tenant,
            priority=said.priority,
            deadline=said.deadline,
        )
        await self._intake.accept(event)
        return Reply({"StatusCode": 202}, ((tracing.HEADER, trace_id),))


def check_not_denied(entry: Entry, caller: Principal, arn: str) -> None:
    """`ServiceError` AccessDeniedException when the policy of what was named keeps this caller out."""
    if entry.subject.policy and resource_policy.denies(entry.subject.policy, Attempt(INVOKE, caller.arn)):
        raise faults.denied_by_policy(caller.arn, INVOKE, arn)


def check_invocable(entry: Entry) -> None:
    """`ServiceError` ResourceConflictException for what cannot be called now, and so takes no events either."""
    if entry.target.state != "Active":
        raise invoker.not_invocable_fault(invoker.NotInvocableError(entry.target))


class _Refusals:
    """See `refusals`. A class, since every call enters one, and a generator costs a microsecond."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        if isinstance(error, PlatformError | ThrottledError):
            raise _refusal(error) from error


_REFUSALS = _Refusals()


def refusals() -> _Refusals:
    """The wire form of what `Calls` raises."""
    return _REFUSALS


def _refusal(error: PlatformError | ThrottledError) -> ServiceError:
    if isinstance(error, ThrottledError):
        return invoker.throttle_fault(error)
    if isinstance(error, invoker.NotInvocableError):
        return invoker.not_invocable_fault(error)
    if isinstance(error, RoleUnusableError):
        return faults.access_denied(CANNOT_ASSUME)
    return faults.service_failure(f"The function could not be started: {error}")


def _reply(invocation: Invocation, *, tail: bool) -> dict[str, object]:
    """The reply to a call that ran; `ServiceError` when it could not."""
    if fault := invoker.restore_fault(invocation.failure):
        raise fault
    reply: dict[str, object] = {
        "StatusCode": 200,
        "ExecutedVersion": invocation.version,
        "Payload": invocation.result.payload,
    }
    if invocation.result.failed:
        reply["FunctionError"] = "Unhandled"
    if invocation.durable_arn is not None:
        reply["DurableExecutionArn"] = invocation.durable_arn
    if tail:
        reply["LogResult"] = base64.b64encode(invocation.tail).decode()
    return Reply(reply, ((tracing.HEADER, invocation.trace_id),)) if invocation.trace_id else reply


def read_client_context(encoded: str | None) -> str | None:
    """The JSON text in the client context header; `ServiceError` when it is none."""
    if not encoded:
        return None
    if len(encoded) > MAX_CLIENT_CONTEXT:
        raise faults.invalid_parameter(f"The client context must be smaller than {MAX_CLIENT_CONTEXT} bytes.")
    try:
        text = base64.b64decode(encoded, validate=True).decode()
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise faults.invalid_content("Client context must be a valid Base64-encoded JSON object.") from error
    return text
