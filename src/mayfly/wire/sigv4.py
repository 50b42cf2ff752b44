"""AWS Signature Version 4: whether the claim of a request holds. Pure; the key comes from the caller.

The order matters: the claim is read first (`claims`), the key is found, the time is checked, and only then is the body
read, whose hash is part of what was signed. `Verifier.check` compares in constant time.

Sources: "AWS Signature Version 4 for API requests" (IAM User Guide), "Authenticating Requests" (Amazon S3 API
Reference).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from msgspec import Struct

from mayfly.wire.claims import ALGORITHM, AuthError, Claim

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMING = frozenset({STREAMING_SIGNED, STREAMING_SIGNED_TRAILER, STREAMING_UNSIGNED_TRAILER})
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
MAX_KEYS = 1024

_HEX_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_.~/-]*")
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9_.~=&%-]*")
_SPACES = re.compile(r" {2,}")


class SignedRequest(Struct, frozen=True):
    """The parts of a request that a signature covers, as they arrived."""

    method: str
    path: str  # raw
    query: str  # raw
    headers: Mapping[str, str]  # lower-case names; repeated headers joined by commas


class ChunkSigner(Struct, frozen=True):
    """What the signatures of an `aws-chunked` body are chained to."""

    key: bytes
    timestamp: str
    scope: str
    seed: str

    def chunk(self, previous: str, digest: str) -> str:
        """The signature of a chunk whose data have the SHA-256 `digest`."""
        return self._sign("AWS4-HMAC-SHA256-PAYLOAD", previous, f"{EMPTY_SHA256}\n{digest}")

    def trailer(self, previous: str, digest: str) -> str:
        """The signature of the trailers, whose canonical text has the SHA-256 `digest`."""
        return self._sign("AWS4-HMAC-SHA256-TRAILER", previous, digest)

    def _sign(self, algorithm: str, previous: str, rest: str) -> str:
        text = f"{algorithm}\n{self.timestamp}\n{self.scope}\n{previous}\n{rest}"
        return hmac.digest(self.key, text.encode(), "sha256").hex()


class _Key(Struct, frozen=True):
    """A signing key, and the beginning of every signature by it: to copy that takes half as long as to begin anew."""

    key: bytes
    begun: hmac.HMAC


class Verifier:
    """Checks signatures; keeps the signing keys that it derived, `MAX_KEYS` at most."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str, str, str], _Key] = {}

    def check(self, claim: Claim, secret: str, request: SignedRequest, payload_hash: str) -> ChunkSigner:
        """`AuthError` unless the signature holds. What it returns signs the chunks of a streaming body."""
        canonical = canonical_request(claim, request, payload_hash)
        digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
        to_sign = f"{ALGORITHM}\n{claim.timestamp}\n{claim.scope}\n{digest}"
        key = self._key(secret, claim)
        signing = key.begun.copy()
        signing.update(to_sign.encode())
        expected = signing.hexdigest()
        if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
            raise AuthError(
                "mismatch",
                access_key_id=claim.access_key_id,
                string_to_sign=to_sign,
                canonical_request=canonical.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
                signature=claim.signature,
            )
        return ChunkSigner(key.key, claim.timestamp, claim.scope, expected)

    def _key(self, secret: str, claim: Claim) -> _Key:
        place = (secret, claim.date, claim.region, claim.service)
        found = self._keys.get(place)
        if found is None:
            key = f"AWS4{secret}".encode()
            for part in (claim.date, claim.region, claim.service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            while len(self._keys) >= MAX_KEYS:
                del self._keys[next(iter(self._keys))]
            found = self._keys[place] = _Key(key, hmac.new(key, digestmod="sha256"))
        return found


def canonical_request(claim: Claim, request: SignedRequest, payload_hash: str) -> str:
    """The canonical request that `claim` must have signed."""
    path = _s3_path(request.path) if claim.service == "s3" else _path(request.path)
    lines = []
    for name in claim.signed_headers:
        value = request.headers.get(name)
        if value is None:
            raise AuthError("incomplete", f"'{name}' is named in SignedHeaders but is not in the request.")
        value = value.strip()
        if not value.isascii():
            value = value.encode("latin-1", "replace").decode("utf-8", "surrogateescape")  # the bytes that were signed
        lines.append(f"{name}:{_SPACES.sub(' ', value) if '  ' in value else value}\n")
    query = _query(request.query, claim.presigned)
    return f"{request.method}\n{path}\n{query}\n{''.join(lines)}\n{';'.join(claim.signed_headers)}\n{payload_hash}"


def _plain(path: str) -> bool:
    """Whether neither encoding nor normalising changes `path`."""
    return (
        _PLAIN_PATH.fullmatch(path) is not None
        and "//" not in path
        and "/." not in path
        and (not path or path[0] == "/")
    )


def _s3_path(path: str) -> str:
    """S3 signs the path encoded once and never normalised."""
    if _plain(path):
        return path or "/"
    return quote(unquote(path, errors="surrogateescape"), safe="/~", errors="surrogateescape")


def _path(path: str) -> str:
    """All others sign the path normalised (RFC 3986, section 5.2.4) and encoded once more than it was sent."""
    if _plain(path):
        return path or "/"
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment and segment != ".":
            kept.append(segment)
    normal = "/" + "/".join(kept)
    if path.endswith("/") and kept:
        normal += "/"
    return quote(normal, safe="/~")


def _query(query: str, presigned: bool) -> str:
    if not query:
        return ""
    pairs = []
    plain = _PLAIN_QUERY.fullmatch(query) is not None and "%" not in query
    for pair in query.split("&"):
        if not pair:
            continue
        key, _, value = pair.partition("=")
        if presigned and key == "X-Amz-Signature":
            continue
        pairs.append((key, value) if plain else (_recode(key), _recode(value)))
    pairs.sort()
    return "&".join([f"{key}={value}" for key, value in pairs])


def _recode(text: str) -> str:
    return quote(unquote(text.replace("+", "%20"), errors="surrogateescape"), safe="~", errors="surrogateescape")


def is_hash(text: str) -> bool:
    """Whether `text` is a SHA-256 in hexadecimal."""
    return _HEX_SHA256.fullmatch(text) is not None
