"""Answers that go to the client as they come: the transfer mode STREAM of proxy integrations.

What needs the whole of an answer (caches, content encoding, templates) does nothing to one of these. It may take up to
a quarter of an hour; its limits are that of the integration, and how long nothing may come.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from mayfly.errors import FunctionFailedError, MayflyError
from mayfly.services.apis.integrations.api import Opened
from mayfly.services.apis.rest.serving import proxy_replies
from mayfly.services.apis.rest.serving.arrival import Arrival
from mayfly.services.apis.rest.serving.refusals import RefusedError, internal
from mayfly.services.contract import HttpResponse, StreamBody

MOST_PRELUDE = 16 * 1024
IDLE_S, EDGE_IDLE_S = 300.0, 30.0
_END = b"\0" * 8
_BODILESS = (204, 304)


class CutOffError(FunctionFailedError):
    """The rest of an answer does not come: the client must not take what it got for the whole."""


async def of_function(arrival: Arrival, opened: Opened, until: float) -> HttpResponse:
    """The response to a call of a function: a JSON object (statusCode, headers, multiValueHeaders, cookies), eight NUL
    bytes, and the body. `RefusedError`; `until`: loop time."""
    parts = _paced(opened.parts, idle_s(arrival), until)
    begun = bytearray()
    try:
        async for part in parts:
            begun += part
            at = begun.find(_END, 0, MOST_PRELUDE)
            if at >= 0:
                status, headers = proxy_replies.prelude(bytes(begun[:at]))
                return _response(arrival, opened, status, headers, _after(bytes(begun[at + len(_END) :]), parts))
            if len(begun) > MOST_PRELUDE:
                break
    except CutOffError as error:
        raise RefusedError("INTEGRATION_TIMEOUT", "Endpoint request timed out", why=str(error)) from error
    except MayflyError as error:
        raise internal(f"Lambda execution failed: {error}", status=502) from error
    raise proxy_replies.malformed()


def of_endpoint(arrival: Arrival, opened: Opened, until: float) -> HttpResponse:
    """The response to a request that an endpoint answers."""
    parts = _paced(opened.parts, idle_s(arrival), until)
    return _response(arrival, opened, opened.status, proxy_replies.passed(opened.headers), parts)


def idle_s(arrival: Arrival) -> float:
    """How long nothing may come."""
    return EDGE_IDLE_S if arrival.view.api.head.endpoint_configuration.types == ["EDGE"] else IDLE_S


def _response(
    arrival: Arrival, opened: Opened, status: int, headers: list[tuple[str, str]], parts: AsyncGenerator[bytes, None]
) -> HttpResponse:
    if arrival.request.method == "HEAD" or status in _BODILESS:
        opened.close()  # what follows is not for anybody
        return HttpResponse(status, headers)
    return HttpResponse(status, headers, StreamBody(_closing(parts, opened.close)))


async def _closing(parts: AsyncGenerator[bytes, None], close: Callable[[], None]) -> AsyncIterator[bytes]:
    try:
        async for part in parts:
            yield part
    except FunctionFailedError:
        raise
    except MayflyError as error:
        raise CutOffError(f"The answer was cut off: {error}") from error
    finally:
        close()
        await parts.aclose()


async def _after(first: bytes, parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    if first:
        yield first
    async for part in parts:
        yield part


async def _paced(parts: AsyncIterator[bytes], idle: float, until: float) -> AsyncGenerator[bytes, None]:
    """The parts; `CutOffError` in place of one that does not come in time."""
    loop = asyncio.get_running_loop()
    while True:
        left = until - loop.time()
        try:
            async with asyncio.timeout(max(min(idle, left), 0.0)):
                part = await anext(parts)
        except StopAsyncIteration:
            return
        except TimeoutError:
            why = f"nothing came for {idle:g} s" if idle < left else "the integration took longer than it may"
            raise CutOffError(f"The answer was cut off: {why}") from None
        yield part


async def whole(response: HttpResponse, most: int) -> bytes:
    """The body of a response, as far as `most` bytes; `RefusedError` where it breaks off."""
    if isinstance(response.body, bytes):
        return response.body
    found = bytearray()
    try:
        async for part in response.body:
            found += part
            if len(found) >= most:
                break
    except MayflyError as error:
        raise internal(str(error)) from error
    return bytes(found[:most])
