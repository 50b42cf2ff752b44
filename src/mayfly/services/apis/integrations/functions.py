"""Functions behind APIs: called with whatever the API made of its request, in its name or in a role's."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from mayfly.errors import MayflyError
from mayfly.services.apis.integrations.api import Call, IntegrationError, Opened, Outcome
from mayfly.services.contract import ServiceError
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.ports import EventTargets, FunctionCall, FunctionCalls, FunctionStream
from mayfly.store.api import Store

SERVICE = "apigateway.amazonaws.com"
TENANT = "x-amz-tenant-id"  # the header of a call that says on whose behalf a function is called


class Functions:
    """`api.StreamingBackend` of functions, AWS and AWS_PROXY. `Call.uri` is the ARN of the function."""

    def __init__(
        self, calls: FunctionCalls, targets: EventTargets, roles: ExecutionRoles, store: Store, account: str
    ) -> None:
        self._calls = calls
        self._targets = targets
        self._roles = roles
        self._store = store
        self._account = account

    async def send(self, call: Call) -> Outcome:
        """See `api.Backend`. A function that runs too long goes on when nobody waits for it any more, as on AWS."""
        with _refusals(call):
            source = await self._source(call)
            if call.header("x-amz-invocation-type") == "Event":
                return await self._start(call)
            running = asyncio.ensure_future(self._calls.invoke(_of_function(call, source)))
            async with asyncio.timeout(call.timeout_s):
                reply = await asyncio.shield(running)
        kind = reply.content_type or "application/json"
        return Outcome(200, (("content-type", kind),), reply.payload, reply.failed, reply.trace_id)

    async def open(self, call: Call) -> Opened:
        """See `api.StreamingBackend`. A function that answers too late goes on, too."""
        with _refusals(call):
            source = await self._source(call)
            running = asyncio.ensure_future(self._calls.stream(_of_function(call, source)))
            try:
                async with asyncio.timeout(call.timeout_s):
                    stream = await asyncio.shield(running)
            except BaseException:
                running.add_done_callback(_abandoned)
                raise
        kind = (("content-type", stream.content_type),) if stream.content_type else ()
        return Opened(200, stream.parts, stream.abandon, kind, stream.trace_id)

    async def _source(self, call: Call) -> str | None:
        """On whose behalf; None: on that of a role, which may be taken, or of the caller. `IntegrationError`."""
        if call.credentials is None:
            return call.source_arn
        if call.as_caller is None:
            await self._roles.assume(call.credentials)
        return None

    async def _start(self, call: Call) -> Outcome:
        """Let the function be called, and wait for nothing."""
        if call.credentials is None:
            await self._targets.check(call.uri, SERVICE, call.source_arn, self._account)
        body = call.body or b"{}"
        await self._store.write(lambda tx: self._targets.accept(tx, call.uri, body))
        return Outcome(202)


def _of_function(call: Call, source: str | None) -> FunctionCall:
    return FunctionCall(call.uri, call.body or b"{}", call.request_id, source, call.trace_id, call.header(TENANT))


def _abandoned(running: "asyncio.Future[FunctionStream]") -> None:
    if not running.cancelled() and running.exception() is None:
        running.result().abandon()


@contextmanager
def _refusals(call: Call) -> Iterator[None]:
    """What stands in the way of an answer, as `IntegrationError`."""
    try:
        yield
    except IntegrationError:
        raise
    except TimeoutError as error:
        raise IntegrationError("timeout", f"The function did not answer within {call.timeout_s:g} s") from error
    except ServiceError as error:
        raise _refused(error) from error
    except MayflyError as error:
        raise IntegrationError("unreachable", f"The function could not be called: {error}") from error


def _refused(error: ServiceError) -> IntegrationError:
    said = f"{error.code}: {error.message}"
    if error.status == 429 or error.code == "TooManyRequestsException":
        return IntegrationError("throttled", said)
    return IntegrationError("too-large" if error.code == "RequestTooLargeException" else "configuration", said)
