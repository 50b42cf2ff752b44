"""Signatures of requests that no AWS model describes: function URLs and Mayfly's own pages.

The gateway has its own, streaming way; here the body is in memory. Given by `app` to whoever answers such requests.
"""

import hashlib
import re
from collections.abc import Mapping

from mayfly.clock import Clock
from mayfly.errors import CallerError
from mayfly.services.contract import HttpRequest, Principal, ServiceError
from mayfly.services.ports import KeySource
from mayfly.wire import claims, sigv4
from mayfly.wire.exchange import parse_query


class NotSignedError(CallerError):
    """The request has no signature, or one that does not hold; the message says why."""


class SignedRequests:
    """Checks Signature Version 4, in headers or in the query."""

    def __init__(self, keys: KeySource, clock: Clock, max_skew_s: float) -> None:
        self._keys = keys
        self._clock = clock
        self._max_skew_s = max_skew_s
        self._verifier = sigv4.Verifier()

    async def principal(self, request: HttpRequest, body: bytes | None, service: str) -> Principal:
        """Who signed `request` for `service`; `NotSignedError`.

        `body` None: the signature is over the hash that the header `x-amz-content-sha256` names, and the caller
        compares it with that of the body when it has read it.
        """
        headers = request.joined()
        try:
            claim = claims.claim_of(headers, parse_query(request.query))
            if claim is None:
                raise NotSignedError("the request is not signed")
            if claim.service != service:
                raise NotSignedError(f"the request is signed for {claim.service!r}, not for {service!r}")
            claims.check_time(claim, self._clock.now(), self._max_skew_s)
            key = await self._keys.find(claim.access_key_id, claim.session_token)
            signed = sigv4.SignedRequest(request.method, request.mount + request.path, request.query, headers)
            digest = _declared(headers) if body is None else hashlib.sha256(body).hexdigest()
            self._verifier.check(claim, key.secret_access_key, signed, digest)
        except (claims.AuthError, ServiceError, ValueError) as error:
            raise NotSignedError(f"the signature does not hold: {error}") from error
        return key.principal


def _declared(headers: Mapping[str, str]) -> str:
    digest = headers.get("x-amz-content-sha256", "")
    if re.fullmatch(r"[0-9a-f]{64}", digest) is None:
        raise NotSignedError("the header x-amz-content-sha256 does not say what the body's SHA-256 is")
    return digest
