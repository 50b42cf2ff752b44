"""From a result that comes in parts to an HTTP response that is sent as it comes.

A function that wants more than a body begins with a prelude: its content type is `INTEGRATION`, and before the body
come a JSON object (statusCode, headers, cookies) and eight NUL bytes.
"""

from collections.abc import AsyncIterator

from msgspec.structs import replace

from mayfly.errors import FunctionFailedError, PlatformError
from mayfly.services.contract import HttpResponse, StreamBody
from mayfly.services.described_replies import BadReplyError
from mayfly.services.functions.invoker import Flow
from mayfly.services.functions.web import replies

INTEGRATION = "application/vnd.awslambda.http-integration-response"
MOST_PRELUDE = 64 * 1024
_END = b"\0" * 8


class AnswerCutOffError(FunctionFailedError):
    """The function failed in the middle of its answer: the client must not take what it got for the whole."""


async def respond(flow: Flow) -> HttpResponse:
    """The response to a call that answers in parts; `BadReplyError` when its prelude makes no sense."""
    parts = checked(flow)
    if flow.content_type != INTEGRATION:
        return HttpResponse(200, [("content-type", flow.content_type or replies.BYTES)], StreamBody(parts))
    begun = bytearray()
    async for part in parts:
        begun += part
        at = begun.find(_END)
        if at >= 0:
            response = replies.prelude(bytes(begun[:at]), flow.upstream)
            return replace(response, body=StreamBody(_from(bytes(begun[at + 8 :]), parts)))
        if len(begun) > MOST_PRELUDE:
            break
    raise BadReplyError("the prelude of the answer has no end")


def put_together(payload: bytes, content_type: str) -> HttpResponse:
    """The response of an answer that came in parts and is whole; `BadReplyError`."""
    if content_type != INTEGRATION:
        return HttpResponse(200, [("content-type", content_type)], payload)
    head, end, body = payload.partition(_END)
    if not end:
        raise BadReplyError("the prelude of the answer has no end")
    response = replies.prelude(head)
    return HttpResponse(response.status, response.headers, body)


async def _from(first: bytes, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for part in parts:
        yield part


async def checked(flow: Flow) -> AsyncIterator[bytes]:
    """The parts; `AnswerCutOffError` instead of their end when the call failed."""
    async for part in flow.parts():
        yield part
    try:
        invocation = await flow.end()
    except PlatformError as error:
        raise AnswerCutOffError(str(error)) from error
    if invocation.result.failed:
        raise AnswerCutOffError(invocation.result.payload.decode("utf-8", "replace"))
