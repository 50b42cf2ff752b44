"""Signed links to packages: what GetFunction answers as Code.Location, served below `/_mayfly/code/`.

A link carries its expiry and an HMAC over what it names. The key lives as long as the process; so do the links, or ten
minutes, whichever is shorter.
"""

import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import parse_qs, urlencode

from mayfly.clock import Clock
from mayfly.services.contract import HttpRequest, HttpResponse, StreamBody
from mayfly.store.api import BlobNotFoundError, Blobs

PREFIX = "/_mayfly/code/"
VALID_S = 600


class CodeLinks:
    """Makes links and answers them."""

    def __init__(self, blobs: Blobs, clock: Clock, key: bytes | None = None) -> None:
        self._blobs = blobs
        self._clock = clock
        self._key = key or secrets.token_bytes(32)

    def link(self, endpoint: str, digest: str, size: int) -> str:
        """A URL at `endpoint` from which the package can be fetched for ten minutes."""
        expires = int(self._clock.now()) + VALID_S
        query = urlencode({"Expires": expires, "Size": size, "Signature": self._sign(digest, expires, size)})
        return f"{endpoint}{PREFIX}{digest}?{query}"

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request below `PREFIX`."""
        if request.method not in ("GET", "HEAD"):
            return _text(405, "A package can only be fetched.", [("allow", "GET, HEAD")])
        digest = request.path.removeprefix(PREFIX)
        query = parse_qs(request.query)
        try:
            expires, size = int(query["Expires"][0]), int(query["Size"][0])
            given = query["Signature"][0]
        except (KeyError, ValueError):
            return _text(403, "This link is not complete.")
        if not hmac.compare_digest(given.encode(), self._sign(digest, expires, size).encode()):
            return _text(403, "This link was not made by this server since it started.")
        if self._clock.now() > expires:
            return _text(403, "This link has expired.")
        headers = [("content-type", "application/zip"), ("content-length", str(size))]
        if request.method == "HEAD":
            return HttpResponse(200, headers)
        try:
            return HttpResponse(200, headers, StreamBody(self._blobs.read(digest), size))
        except BlobNotFoundError:
            return _text(404, "This package is no longer kept.")

    def _sign(self, digest: str, expires: int, size: int) -> str:
        return hmac.new(self._key, f"{digest}\n{expires}\n{size}".encode(), sha256).hexdigest()


def _text(status: int, text: str, headers: Sequence[tuple[str, str]] = ()) -> HttpResponse:
    return HttpResponse(status, [("content-type", "text/plain; charset=utf-8"), *headers], f"{text}\n".encode())
