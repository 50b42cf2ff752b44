"""Lets a function reach APIs of the platform by the names that AWS gives them, through the platform's endpoint.

Functions behind WebSocket APIs answer their clients at `https://{domainName}/{stage}/@connections/…`, with the domain
name that events have: `{api}.execute-api.{region}.amazonaws.com`, or a custom one. No sandbox has names, TLS of the
platform's or a way there; it has the endpoint, `AWS_ENDPOINT_URL`. So what botocore is about to send to such a host, or
to `@connections` of any, goes to the endpoint, signed for the host that it names, which is how the platform knows the
API. Used by `preload`, and by `bootstrap` for functions that bring a botocore of their own.
"""

import os
import re
from typing import Any

_API = re.compile(r"https?://([a-z0-9]{1,64}\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?)(?::443)?(?=[/?]|$)")

# The operations of @connections, whatever name their API has.
_MANAGED = re.compile(r"https?://([^/?#:@]+)(?=(?::443)?/(?:[^?#]*/)?(?:@|%40)connections/)")


def reach(httpsession: Any) -> None:
    """Have what `botocore.httpsession` sends to APIs go to the platform. Idempotent; nothing happens without one."""
    session: Any = getattr(httpsession, "URLLib3Session", None)
    original = getattr(session, "send", None)
    if original is None or getattr(original, "reaches_apis", False):
        return

    def send(self: Any, request: Any) -> Any:
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        match = _API.match(request.url) or _MANAGED.match(request.url)
        if endpoint and match and not request.url.startswith(endpoint):
            request.url = endpoint.rstrip("/") + request.url[match.end(1) :].removeprefix(":443")
            request.headers["Host"] = match[1]
        return original(self, request)

    send.reaches_apis = True  # type: ignore[attr-defined]
    session.send = send
