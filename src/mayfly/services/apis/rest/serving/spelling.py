"""Headers as events show them. Pure.

Names are case-insensitive, and the server keeps them in small letters; functions written for REST APIs look for the
spelling that clients use. The usual names get it back here.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

_USUAL = (
    "Accept Accept-Charset Accept-Encoding Accept-Language Accept-Ranges Access-Control-Request-Headers "
    "Access-Control-Request-Method Authorization Cache-Control Content-Disposition Content-Encoding Content-Language "
    "Content-Location Content-MD5 Content-Range Content-Type Cookie Date DNT ETag Expect Forwarded From Host "
    "If-Match If-Modified-Since If-None-Match If-Range If-Unmodified-Since Last-Modified Link Location Max-Forwards "
    "Origin Pragma Range Referer Server Upgrade-Insecure-Requests User-Agent Vary Via Warning WWW-Authenticate "
    "X-Amz-Content-Sha256 X-Amz-Date X-Amz-Security-Token X-Amzn-Trace-Id X-Forwarded-For X-Forwarded-Host "
    "X-Forwarded-Port X-Forwarded-Proto X-Requested-With"
)
_SPELLED: Final = MappingProxyType({name.lower(): name for name in _USUAL.split()})
# What is between the client and the platform alone.
HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def gathered(headers: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Headers of a request (names in small letters) by their spelling, values in order, without those hop by hop."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        if name not in HOP_BY_HOP:
            found.setdefault(_SPELLED.get(name, name), []).append(value)
    return found
