"""What a request says of its signature: in the Authorization header, or in the query of a presigned URL.

Read before anything else is done with a request; `sigv4` checks whether it is true. Also here, because it needs no key:
whether the claim's time is near enough, and whether S3's rule holds that every header of AWS's own must be signed.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from msgspec import Struct

from mayfly.errors import CallerError

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_EXPIRES_S = 7 * 24 * 3600

_OF_THE_SIGNATURE = frozenset(
    f"x-amz-{name}"
    for name in (
        "algorithm",
        "content-sha256",
        "credential",
        "date",
        "expires",
        "security-token",
        "signature",
        "signedheaders",
    )
)
_TIME = "%Y%m%dT%H%M%SZ"
_REGION = re.compile(r"[a-z0-9-]{1,32}")


class AuthError(CallerError):
    """A request cannot be authenticated. `kind` says why; `denials` has the words of each protocol for it."""

    def __init__(self, kind: str, message: str = "", **details: str) -> None:
        super().__init__(message or kind)
        self.kind = kind
        self.message = message
        self.details: Mapping[str, str] = details


class Claim(Struct, frozen=True):
    """What a request says of its signature."""

    access_key_id: str
    date: str  # YYYYMMDD, from the credential scope
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    session_token: str | None
    timestamp: str  # as it goes into the string to sign
    time: float  # the same in Unix seconds
    expires_s: int | None = None  # of a presigned URL; None for a signature in the header
    version: int = 4  # of the signature; 2 for some presigned URLs of S3, whose `expires_s` counts from the epoch

    @property
    def presigned(self) -> bool:
        return self.expires_s is not None

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def claim_of(headers: Mapping[str, str], query: Sequence[tuple[str, str]]) -> Claim | None:
    """The claim of a request; None when it is anonymous; `AuthError` when it is malformed or of another scheme."""
    authorization = headers.get("authorization")
    presigned = next((value for key, value in query if key == "X-Amz-Algorithm"), None)
    if authorization is not None:
        if presigned is not None:
            raise AuthError("two-mechanisms", "Only one auth mechanism allowed")
        return _header_claim(authorization, headers)
    if presigned is not None:
        return _query_claim(presigned, dict(reversed(query)), headers)
    if any(key == "Signature" for key, _ in query) and any(key == "AWSAccessKeyId" for key, _ in query):
        return _version_2_claim(dict(reversed(query)))
    return None


def _version_2_claim(query: Mapping[str, str]) -> Claim:
    """Of a presigned URL of S3; see `sigv2`."""
    expires = query.get("Expires", "")
    if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
        raise AuthError("url-invalid", "Invalid date (should be seconds since epoch): " + expires[:32])
    return Claim(
        access_key_id=query["AWSAccessKeyId"],
        date="",
        region="aws-global",
        service="s3",
        signed_headers=(),
        signature=query["Signature"],
        session_token=query.get("x-amz-security-token"),
        timestamp=expires,
        time=0.0,
        expires_s=int(expires),
        version=2,
    )


def _header_claim(authorization: str, headers: Mapping[str, str]) -> Claim:
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme != ALGORITHM:
        raise _unsupported(scheme)
    parts: dict[str, str] = {}
    for part in rest.split(","):
        key, _, value = part.strip().partition("=")
        parts[key] = value
    missing = [key for key in ("Credential", "SignedHeaders", "Signature") if not parts.get(key)]
    if missing:
        words = " ".join(f"Authorization header requires '{key}' parameter." for key in missing)
        raise AuthError("incomplete", f"{words} Authorization={authorization}")
    timestamp, time = _header_time(headers)
    return _claim(
        parts["Credential"],
        parts["SignedHeaders"],
        parts["Signature"],
        headers.get("x-amz-security-token"),
        timestamp,
        time,
        None,
    )


def _query_claim(algorithm: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Claim:
    if algorithm != ALGORITHM:
        raise _unsupported(algorithm)
    names = ("X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date", "X-Amz-Expires")
    if any(not query.get(name) for name in names):
        raise AuthError(
            "query-parameters",
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        )
    expires = query["X-Amz-Expires"]
    if not expires.isascii() or not expires.removeprefix("-").isdigit() or len(expires) > 12:
        raise AuthError("query-parameters", "X-Amz-Expires should be a number")
    if int(expires) < 0:
        raise AuthError("query-parameters", "X-Amz-Expires must be non-negative")
    if int(expires) > MAX_EXPIRES_S:
        raise AuthError(
            "query-parameters", "X-Amz-Expires must be less than a week (in seconds); that is, 604800 seconds"
        )
    time = parse_time(query["X-Amz-Date"])
    if time is None:
        raise AuthError("query-parameters", "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    token = query.get("X-Amz-Security-Token") or headers.get("x-amz-security-token")
    return _claim(
        query["X-Amz-Credential"],
        query["X-Amz-SignedHeaders"],
        query["X-Amz-Signature"],
        token,
        query["X-Amz-Date"],
        time,
        int(expires),
    )


def _unsupported(scheme: str) -> AuthError:
    if scheme.startswith("AWS4-ECDSA-P256-SHA256"):
        return AuthError("unsupported", "AWS Signature Version 4A")
    if scheme == "AWS":
        return AuthError("unsupported", "AWS Signature Version 2")
    return AuthError("unsupported", scheme[:64])


def _claim(
    credential: str,
    signed_headers: str,
    signature: str,
    token: str | None,
    timestamp: str,
    time: float,
    expires_s: int | None,
) -> Claim:
    parts = credential.rsplit("/", 4)  # an access key id may hold slashes
    if len(parts) != 5 or parts[4] != "aws4_request" or not all(parts):
        raise AuthError(
            "credential",
            f"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential}'",
        )
    if parts[1] != timestamp[:8]:
        raise AuthError(
            "credential-date",
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{parts[1]}' != '{timestamp[:8]}', from '{timestamp}'.",
        )
    if not _REGION.fullmatch(parts[2]) or not parts[1].isdigit():
        raise AuthError("credential", f"the region '{parts[2]}' is wrong")
    names = tuple(name for name in signed_headers.lower().split(";") if name)
    if "host" not in names:
        raise AuthError("incomplete", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    return Claim(parts[0], parts[1], parts[2], parts[3], names, signature, token, timestamp, time, expires_s)


def _header_time(headers: Mapping[str, str]) -> tuple[str, float]:
    text = headers.get("x-amz-date") or headers.get("date")
    if not text:
        raise AuthError(
            "incomplete",
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        )
    time = parse_time(text)
    if time is not None:
        return text, time
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        raise AuthError("incomplete", f"Date must be in ISO-8601 'basic format'. Got '{text[:64]}'.") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime(_TIME), moment.timestamp()


def parse_time(text: str) -> float | None:
    """Unix seconds of a time in ISO 8601's basic form, 20260131T120000Z; None when it is not one."""
    if len(text) != 16 or text[8] != "T" or text[15] != "Z":
        return None
    try:
        return datetime(
            int(text[0:4]), int(text[4:6]), int(text[6:8]), int(text[9:11]), int(text[11:13]), int(text[13:15]),
            tzinfo=UTC,
        ).timestamp()  # fmt: skip
    except ValueError:
        return None


def hoisted(query: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The headers that a presigned URL carries in its query, where most SDKs put them: `x-amz-acl`, `x-amz-meta-…`."""
    keys = {key for key, _ in query}
    version_2 = {"AWSAccessKeyId", "Signature"} <= keys
    if "X-Amz-Signature" not in keys and not version_2:
        return {}
    found = {}
    for key, value in query:
        name = key.lower()
        if (name.startswith("x-amz-") and name not in _OF_THE_SIGNATURE) or (
            version_2 and name in {"content-type", "content-md5"}
        ):
            found[name] = value
    return found


def check_time(claim: Claim, now: float, max_skew_s: float) -> None:
    """`AuthError` when the claim's time is too far from `now`, or its URL has expired."""
    if claim.expires_s is not None:
        if now > claim.time + claim.expires_s:
            raise AuthError(
                "url-expired",
                "Request has expired",
                expires_s=str(claim.expires_s),
                expires=iso(claim.time + claim.expires_s),
                now=iso(now),
            )
        if claim.time > now + max_skew_s:
            raise AuthError("url-early", "Request is not valid yet", timestamp=claim.timestamp, now=iso(now))
        return
    if abs(now - claim.time) > max_skew_s:
        minutes = f"{max_skew_s / 60:g} min."
        at = datetime.fromtimestamp(now, UTC).strftime(_TIME)
        if claim.time < now:
            limit = datetime.fromtimestamp(now - max_skew_s, UTC).strftime(_TIME)
            words = f"Signature expired: {claim.timestamp} is now earlier than {limit} ({at} - {minutes})"
        else:
            limit = datetime.fromtimestamp(now + max_skew_s, UTC).strftime(_TIME)
            words = f"Signature not yet current: {claim.timestamp} is still later than {limit} ({at} + {minutes})"
        raise AuthError(
            "skewed",
            words,
            request_time=claim.timestamp,
            server_time=iso(now),
            max_ms=str(int(max_skew_s * 1000)),
        )


def check_all_signed(claim: Claim, headers: Mapping[str, str]) -> None:
    """S3's rule that every `x-amz-*` header must be signed; `AuthError` otherwise."""
    if claim.version == 2:
        return  # every such header is part of what was signed
    loose = [name for name in headers if name.startswith("x-amz-") and name not in claim.signed_headers]
    if claim.presigned and "x-amz-content-sha256" in loose:
        loose.remove("x-amz-content-sha256")  # its value is in the canonical request by itself
    if loose:
        raise AuthError("unsigned-headers", names=", ".join(sorted(loose)))


def iso(seconds: float) -> str:
    """A Unix time as `2026-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
