"""Functions behind APIs: called with whatever the API made of its request, in its name or in a role's."""

import asyncio

from mayfly.errors import MayflyError
from mayfly.services.apis.integrations.api import Call, IntegrationError, Outcome
from mayfly.services.contract import ServiceError
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.ports import EventTargets, FunctionCalls
from mayfly.store.api import Store

SERVICE = "apigateway.amazonaws.com"
TENANT = "x-amz-tenant-id"  # the header of a call that says on whose behalf a function is called


class Functions:
    """`api.Backend` of functions, AWS and AWS_PROXY. `Call.uri` is the ARN of the function."""

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
        role = call.credentials if call.as_caller is None else None
        try:
            if role is not None:
                await self._roles.assume(role)
            if call.header("x-amz-invocation-type") == "Event":
                return await self._start(call)
            source = None if call.credentials is not None else call.source_arn
            running = asyncio.ensure_future(
                self._calls.invoke(
                    call.uri, call.body or b"{}", call.request_id, source, call.trace_id, call.header(TENANT)
                )
            )
            async with asyncio.timeout(call.timeout_s):
                reply = await asyncio.shield(running)
        except TimeoutError as error:
            raise IntegrationError("timeout", f"The function did not answer within {call.timeout_s:g} s") from error
        except ServiceError as error:
            raise _refused(error) from error
        except MayflyError as error:
            raise IntegrationError("unreachable", f"The function could not be called: {error}") from error
        kind = reply.content_type or "application/json"
        return Outcome(200, (("content-type", kind),), reply.payload, reply.failed, reply.trace_id)

    async def _start(self, call: Call) -> Outcome:
        """Let the function be called, and wait for nothing."""
        if call.credentials is None:
            await self._targets.check(call.uri, SERVICE, call.source_arn, self._account)
        body = call.body or b"{}"
        await self._store.write(lambda tx: self._targets.accept(tx, call.uri, body))
        return Outcome(202)


def _refused(error: ServiceError) -> IntegrationError:
    said = f"{error.code}: {error.message}"
    if error.status == 429 or error.code == "TooManyRequestsException":
        return IntegrationError("throttled", said)
    return IntegrationError("too-large" if error.code == "RequestTooLargeException" else "configuration", said)
