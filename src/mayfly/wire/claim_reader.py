"""Claims of requests whose like was read before: the parts that repeat are remembered.

A client signs request after request with the same credential and the same names of headers, many within a second. What
is remembered is how text was read, never whether a signature held, so there is nothing to forget when a key ends.
"""

import re
from collections.abc import Mapping, Sequence

from mayfly.wire import claims
from mayfly.wire.claims import Claim

MOST_KNOWN = 1024
LONGEST_KNOWN = 512  # characters

_SIGNATURE = "Signature="
_HEX = re.compile(r"[0-9a-f]{64}")


class ClaimReader:
    """`claims.claim_of`, with a memory."""

    def __init__(self) -> None:
        self._known: dict[str, Claim] = {}  # by the Authorization header up to the signature
        self._timestamp = ""
        self._time = 0.0

    def claim_of(self, headers: Mapping[str, str], query: Sequence[tuple[str, str]]) -> Claim | None:
        """See `claims.claim_of`."""
        authorization = headers.get("authorization")
        if authorization is None or query:
            return claims.claim_of(headers, query)
        start, _, signature = authorization.rpartition(_SIGNATURE)
        known = self._known.get(start)
        timestamp = headers.get("x-amz-date")
        if known is None or timestamp is None or known.date != timestamp[:8] or _HEX.fullmatch(signature) is None:
            return self._read(headers, start, signature)
        if timestamp != self._timestamp:
            time = claims.parse_time(timestamp)
            if time is None:
                return claims.claim_of(headers, query)
            self._timestamp, self._time = timestamp, time
        return Claim(
            known.access_key_id,
            known.date,
            known.region,
            known.service,
            known.signed_headers,
            signature,
            headers.get("x-amz-security-token"),
            timestamp,
            self._time,
        )

    def _read(self, headers: Mapping[str, str], start: str, signature: str) -> Claim | None:
        """Read for the first time; what begins the header is kept where the signature is all that follows."""
        claim = claims.claim_of(headers, ())
        if claim is not None and claim.signature == signature and len(start) <= LONGEST_KNOWN:
            while len(self._known) >= MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[start] = claim
        return claim
