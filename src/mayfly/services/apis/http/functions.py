"""Integrations with functions: the event in, the response out."""

import asyncio
from collections.abc import Awaitable, Callable

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.services.apis.http import events, refusals, replies
from mayfly.services.apis.http.exchange import Exchange
from mayfly.services.contract import HttpResponse, ServiceError
from mayfly.services.described_replies import BadReplyError
from mayfly.services.ports import FunctionCall, FunctionCalls, FunctionReply

Assume = Callable[[str], Awaitable[None]]  # whether a role may be assumed; `ServiceError`
_FAILED = 200  # a function that raised was called all the same


class FunctionIntegration:
    """`Respond` by calling a function."""

    def __init__(
        self,
        calls: FunctionCalls,
        clock: Clock,
        arn: str,
        version: str,
        timeout_s: float,
        source: str,
        role: str | None,
        assume: Assume,
    ) -> None:
        """`version` of the payload format; `source`: the ARN of the stage; `role`: in whose name the function is called
        instead of in that of the API."""
        self._calls = calls
        self._clock = clock
        self._arn = arn
        self._encode, self._interpret = (
            (events.format_2, replies.format_2) if version == "2.0" else (events.format_1, replies.format_1)
        )
        self._timeout_s = timeout_s
        self._source = source
        self._role = role
        self._assume = assume

    async def respond(self, exchange: Exchange) -> HttpResponse:
        """See `compiled.Respond`."""
        began = self._clock.monotonic()
        try:
            reply = await self._call(exchange)
        finally:
            exchange.integration_latency_ms = round((self._clock.monotonic() - began) * 1000)
        exchange.function_status = _FAILED
        exchange.integration_request_id = exchange.request.request_id
        if reply.failed:
            raise refusals.internal(reply.payload.decode("utf-8", "replace"))
        try:
            response = self._interpret(reply.payload)
        except BadReplyError as error:
            raise refusals.internal(
                f"The response from the Lambda function doesn't match the expected format: {error}"
            ) from error
        exchange.integration_status = response.status
        return response

    async def _call(self, exchange: Exchange) -> FunctionReply:
        source: str | None = f"{self._source}/{where(exchange)}"
        try:
            if self._role is not None:
                await self._assume(self._role)
                source = None
            request_id = exchange.request.request_id
            call = FunctionCall(self._arn, self._encode(exchange), request_id, source, exchange.trace_id)
            return await _within(asyncio.create_task(self._calls.invoke(call)), self._timeout_s)
        except TimeoutError as error:
            raise refusals.unavailable(
                f"the integration did not answer within {self._timeout_s:g} s", "INTEGRATION_TIMEOUT"
            ) from error
        except ServiceError as error:
            exchange.function_status = error.status or 500
            raise _refusal(error) from error
        except MayflyError as error:
            exchange.function_status = 500
            raise refusals.internal(str(error)) from error


async def _within(running: "asyncio.Task[FunctionReply]", timeout_s: float) -> FunctionReply:
    """What the call gives; `TimeoutError`. It goes on when nobody waits for it any more, as on AWS.

    Half of what `asyncio.timeout` around `asyncio.shield` costs, on the way of every request.
    """
    loop = running.get_loop()
    waiter = loop.create_future()

    def wake(_: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    timer = loop.call_later(timeout_s, wake)
    running.add_done_callback(wake)
    try:
        await waiter
    finally:
        timer.cancel()
        running.remove_done_callback(wake)
    if not running.done():
        running.add_done_callback(_unheard)
        raise TimeoutError
    return running.result()


def _unheard(running: "asyncio.Task[FunctionReply]") -> None:
    """Nobody waits for what comes of the call: its log says it."""
    if not running.cancelled():
        running.exception()


def where(exchange: Exchange) -> str:
    """What follows the stage in the ARN of a request: `GET/pets/{id}`, or `$default`."""
    route = exchange.route
    if route is None or not route.method:
        return exchange.route_key
    return f"{exchange.request.method}{route.path}"


def _refusal(error: ServiceError) -> refusals.GatewayError:
    if error.code == "RequestTooLargeException":
        return refusals.too_large()
    if error.status in (429, 503):
        return refusals.unavailable(f"{error.code}: {error.message}")
    return refusals.internal(f"{error.code}: {error.message}")
