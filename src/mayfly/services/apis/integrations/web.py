"""HTTP and HTTP_PROXY: requests to the outside, through the one client that the platform has for that."""

from urllib.parse import quote

from mayfly.outgoing.api import OutgoingError, Request, StreamingSender
from mayfly.services.apis.integrations.api import Call, Fault, IntegrationError, Opened, Outcome, Pairs

MOST_BODY = 10 * 1024 * 1024
# Of the connection, not of the request; the client sets its own.
_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class Web:
    """`api.StreamingBackend` of HTTP and HTTP_PROXY. Redirects are answers."""

    def __init__(self, outgoing: StreamingSender) -> None:
        self._outgoing = outgoing

    async def send(self, call: Call) -> Outcome:
        """See `api.Backend`."""
        try:
            response = await self._outgoing.send(_request(call))
        except OutgoingError as error:
            raise IntegrationError(_kind(error), error.message) from error
        if not response.complete:
            raise IntegrationError("too-large", f"The endpoint answered with more than {MOST_BODY} bytes")
        return Outcome(response.status, _kept(response.headers), response.body)

    async def open(self, call: Call) -> Opened:
        """See `api.StreamingBackend`."""
        try:
            opened = await self._outgoing.open(_request(call))
        except OutgoingError as error:
            raise IntegrationError(_kind(error), error.message) from error
        return Opened(opened.status, opened.parts, opened.close, _kept(opened.headers))


def _request(call: Call) -> Request:
    return Request(
        call.method,
        with_query(call.uri, call.query),
        tuple((name, value) for name, value in call.headers if name.lower() not in _CONNECTION),
        call.body,
        call.timeout_s,
        MOST_BODY,
        call.identity,
    )


def _kept(headers: Pairs) -> Pairs:
    return tuple(pair for pair in headers if pair[0] not in _CONNECTION)


def with_query(uri: str, query: Pairs) -> str:
    """A URI with further parameters."""
    if not query:
        return uri
    added = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    bare, mark, fragment = uri.partition("#")
    return f"{bare}{'&' if '?' in bare else '?'}{added}{mark}{fragment}"


def _kind(error: OutgoingError) -> Fault:
    if error.kind == "timeout":
        return "timeout"
    return "configuration" if error.kind == "invalid" else "unreachable"
