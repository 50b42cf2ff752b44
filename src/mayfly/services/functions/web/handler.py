"""Answers function URLs: who may call, CORS, invocation, and the response.

As AWS does for URLs made since October 2025, a URL needs both lambda:InvokeFunctionUrl and lambda:InvokeFunction in the
function's resource policy. With AuthType AWS_IAM a request also has to be signed; the account's root and its roles need
no permission in the policy.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from msgspec import structs

from mayfly.clock import Clock
from mayfly.engine.api import ThrottledError
from mayfly.errors import CallerError, PlatformError
from mayfly.services.contract import HttpRequest, HttpResponse, Principal, ServiceError
from mayfly.services.described_replies import BadReplyError
from mayfly.services.functions import invoker, resource_policy, tracing
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.calling import Calls, Entries, Streams
from mayfly.services.functions.catalog import Entry
from mayfly.services.functions.invoker import Flow, Invocation
from mayfly.services.functions.model import AuthType, FunctionUrl
from mayfly.services.functions.names import Home
from mayfly.services.functions.resource_policy import INVOKE, INVOKE_URL, Attempt
from mayfly.services.functions.web import cors, events, replies, streaming
from mayfly.services.ports import Signatures
from mayfly.settings import FunctionLimits

FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)


def _attempts(auth_type: AuthType, caller: str) -> tuple[Attempt, Attempt]:
    """What a call of a URL needs permission for."""
    use = Attempt(INVOKE_URL, caller, url_auth_type=auth_type, via_url=True)
    return use, replace(use, action=INVOKE)


_BY_ANYONE = _attempts("NONE", "*")
_NONE: Mapping[str, object] = {}


class UrlHandler:
    """The web handler of all function URLs. Without `signatures`, AuthType AWS_IAM lets nobody in."""

    def __init__(
        self,
        home: Home,
        catalog: Entries,
        calls: Calls,
        limits: FunctionLimits,
        clock: Clock,
        signatures: Signatures | None,
        streams: Streams | None = None,
    ) -> None:
        """Without `streams`, answers are whole, whatever the mode of a URL."""
        self._home = home
        self._catalog = catalog
        self._calls = calls
        self._limits = limits
        self._clock = clock
        self._signatures = signatures
        self._streams = streams

    async def handle(self, url_id: str, request: HttpRequest) -> HttpResponse:
        """The response to `request`, whose path starts below the URL."""
        entry = await self._catalog.by_url(url_id)
        if entry is None or entry.url is None:
            return _failure(403, "AccessDeniedException", None)  # as AWS does, which tells nobody what there is
        url = entry.url
        if url.cors and cors.is_preflight(request):
            return cors.preflight(url.cors, request)
        response = await self._answer(entry, url, request)
        return cors.decorated(url.cors, request, response) if url.cors else response

    async def _answer(self, entry: Entry, url: FunctionUrl, request: HttpRequest) -> HttpResponse:
        if url.auth_type == "NONE" and not self._allowed(entry, url, None):
            return _failure(403, "AccessDeniedException", FORBIDDEN)
        body = request.content
        if body is None:
            body = await self._read(request)
        if body is None or len(body) > self._limits.payload_bytes:
            return _too_large()
        principal = None
        if url.auth_type == "AWS_IAM":
            principal = await self._signer(request, body)
            if principal is None or not self._allowed(entry, url, principal):
                return _failure(403, "AccessDeniedException", FORBIDDEN)
        trace_id = self._calls.trace_of(entry, request.header(tracing.HEADER))
        arrival = events.Arrival(url.url_id, self._clock.now(), trace_id, principal)
        event = events.event(request, body, arrival)
        if len(event) > self._limits.payload_bytes:
            return _too_large()
        arn = self._home.arn(entry.function.name, entry.qualifier)
        asked = Asked(event, request.request_id, arn, "url", trace_id=trace_id)
        try:
            tunnel = asks_for_websocket(request)
            if (url.streams or tunnel) and self._streams is not None:
                flow = await self._streams.stream(entry, asked, tunnel=tunnel)
                if flow.whole is None:
                    return await _streamed(flow, request, trace_id)
                invocation = flow.whole
            else:
                invocation = await self._calls.invoke(entry, asked)
        except ThrottledError as error:
            return _refused(invoker.throttle_fault(error))
        except invoker.NotInvocableError as error:
            return _refused(invoker.not_invocable_fault(error))
        except ServiceError as error:
            return _refused(error)
        except PlatformError:
            return _failure(500, "ServiceException", "The function could not be started.")
        return _reply(invocation, request.request_id, trace_id)

    async def _signer(self, request: HttpRequest, body: bytes) -> Principal | None:
        """Who signed the request; None when nobody did, or the signature does not hold."""
        if self._signatures is None:
            return None
        try:
            return await self._signatures.principal(request, body, "lambda")
        except CallerError:
            return None

    def _allowed(self, entry: Entry, url: FunctionUrl, principal: Principal | None) -> bool:
        """Whether the URL may be called by `principal`; None: by anyone, as its type says."""
        # A user's own policies are not evaluated yet, so they allow nothing.
        use, invoke = _attempts(url.auth_type, principal.arn) if principal is not None else _BY_ANYONE
        policy = entry.subject.policy
        if principal is not None and principal.account == self._home.account and principal.kind != "user":
            return not (resource_policy.denies(policy, use) or resource_policy.denies(policy, invoke))
        return resource_policy.allows(policy, use) and resource_policy.allows(policy, invoke)

    async def _read(self, request: HttpRequest) -> bytes | None:
        """The body; None when it is larger than an event may be."""
        body = bytearray()
        async for chunk in request.body:
            body += chunk
            if len(body) > self._limits.payload_bytes:
                return None
        return bytes(body)


def _reply(invocation: Invocation, request_id: str, trace_id: str) -> HttpResponse:
    """The response that came of a call."""
    own = (("x-amzn-requestid", request_id), ("x-amzn-trace-id", trace_id))
    if invocation.result.failed:
        return _bad_gateway(own)
    try:
        if invocation.content_type:
            response = streaming.put_together(invocation.result.payload, invocation.content_type)
        else:
            response = replies.interpret(invocation.result.payload)
    except BadReplyError:
        return _bad_gateway(own)
    return HttpResponse(response.status, [*response.headers, *own], response.body)


async def _streamed(flow: Flow, request: HttpRequest, trace_id: str) -> HttpResponse:
    """The response to a call that answers in parts."""
    own = (("x-amzn-requestid", request.request_id), ("x-amzn-trace-id", trace_id))
    try:
        response = await streaming.respond(flow)
    except BaseException as error:
        flow.abandon()
        if isinstance(error, (BadReplyError, streaming.AnswerCutOffError)):
            return _bad_gateway(own)
        raise
    if request.method == "HEAD" or response.status in (204, 304):
        flow.abandon()  # what follows is not for anybody
    return structs.replace(response, headers=[*response.headers, *own])


def asks_for_websocket(request: HttpRequest) -> bool:
    """Whether a request is the beginning of a WebSocket."""
    if request.method != "GET" or request.header("sec-websocket-key") is None:
        return False
    wanted = {word.strip().lower() for word in (request.header("connection") or "").split(",")}
    return "upgrade" in wanted and (request.header("upgrade") or "").lower() == "websocket"


def _bad_gateway(headers: Sequence[tuple[str, str]]) -> HttpResponse:
    """The function failed, or what it answered makes no response: what exactly is for its log."""
    kind = ("x-amzn-errortype", "InternalServerErrorException")
    return HttpResponse(502, [("content-type", "application/json"), kind, *headers], b"Internal Server Error")


def _too_large() -> HttpResponse:
    return _failure(413, "RequestEntityTooLargeException", "Request Entity Too Large")


def _refused(fault: ServiceError) -> HttpResponse:
    """What `Invoke` would answer, with its time to wait as the header that it is there, too."""
    members = dict(fault.members)
    after = members.pop("retryAfterSeconds", None)
    headers = [("retry-after", str(after))] if after is not None else []
    return _failure(fault.status or 500, fault.code, fault.message, members, headers)


def _failure(
    status: int,
    kind: str,
    message: str | None,
    members: Mapping[str, object] = _NONE,
    headers: Sequence[tuple[str, str]] = (),
) -> HttpResponse:
    body = json.dumps({"Message": message, **members}).encode()
    return HttpResponse(status, [("content-type", "application/json"), ("x-amzn-errortype", kind), *headers], body)
