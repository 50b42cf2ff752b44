"""Whether a third party's request is what it signed: GitHub's, Stripe's, Slack's way, and a general one. Pure.

All are HMAC-SHA256 of the body under a secret that both sides know; Stripe's and Slack's include the time, so that a
request cannot be used again later. Comparisons take the same time whatever differs.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import msgspec

Scheme = Literal["github", "stripe", "slack", "hmac"]
SCHEMES: tuple[Scheme, ...] = ("github", "stripe", "slack", "hmac")
TOLERANCE_S = 300.0
_MOST_SIGNATURES = 8  # in one header of Stripe's, while a secret is being replaced


class Form(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the general way writes it: in which header, after which prefix; with the time in a header of its own if it is
    signed, in front of the body and a full stop."""

    header: str = "x-signature-256"
    prefix: str = "sha256="
    timestamp_header: str | None = None
    tolerance_s: float = TOLERANCE_S


class Verdict(NamedTuple):
    """`reason` is empty if the request is genuine; then `used` names its signature if it must not be used again, and
    `until` says for how long (Unix seconds)."""

    reason: str = ""
    used: str = ""
    until: float = 0.0


def verify(scheme: Scheme, form: Form, secret: bytes, headers: Mapping[str, str], body: bytes, now: float) -> Verdict:
    """Whether a request, whose headers have lower-case names, was signed with the secret, and lately."""
    if scheme == "github":
        return _compared(headers.get("x-hub-signature-256", ""), "sha256=", secret, body)
    if scheme == "slack":
        return _timed(
            headers.get("x-slack-request-timestamp", ""),
            [headers.get("x-slack-signature", "")],
            "v0=",
            lambda at: b"v0:" + at.encode() + b":" + body,
            secret,
            now,
            form.tolerance_s,
        )
    if scheme == "stripe":
        at, signatures = _stripe(headers.get("stripe-signature", ""))
        return _timed(at, signatures, "", lambda at: at.encode() + b"." + body, secret, now, form.tolerance_s)
    signature = headers.get(form.header.lower(), "")
    if form.timestamp_header is None:
        return _compared(signature, form.prefix, secret, body)
    at = headers.get(form.timestamp_header.lower(), "")
    return _timed(at, [signature], form.prefix, lambda at: at.encode() + b"." + body, secret, now, form.tolerance_s)


def _stripe(header: str) -> tuple[str, list[str]]:
    """The time and the signatures of the scheme v1; others are older and not to be trusted."""
    at = ""
    signatures: list[str] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            at = value
        elif name == "v1" and len(signatures) < _MOST_SIGNATURES:
            signatures.append(value)
    return at, signatures


def _compared(signature: str, prefix: str, secret: bytes, signed: bytes) -> Verdict:
    if not signature:
        return Verdict("there is no signature")
    if not signature.startswith(prefix):
        return Verdict(f"the signature does not begin with {prefix}")
    expected = hmac.new(secret, signed, hashlib.sha256).hexdigest()
    given = signature[len(prefix) :].strip().lower()
    same = given.isascii() and hmac.compare_digest(given, expected)
    return Verdict() if same else Verdict("the signature is not that of this body under the webhook's secret")


def _timed(
    at: str,
    signatures: list[str],
    prefix: str,
    signed: Callable[[str], bytes],
    secret: bytes,
    now: float,
    tolerance_s: float,
) -> Verdict:
    if not (at.isascii() and at.isdecimal() and len(at) <= 12):
        return Verdict("there is no time in the signature")
    # The signature first: a stranger does not learn what the clock here says.
    verdicts = [_compared(signature, prefix, secret, signed(at)) for signature in signatures or [""]]
    if all(verdict.reason for verdict in verdicts):
        return verdicts[0]
    if abs(now - int(at)) > tolerance_s:
        return Verdict(f"the request was signed more than {tolerance_s:g} s ago, or ahead of time")
    used = hashlib.sha256(secret + signed(at)).hexdigest()
    return Verdict("", used, int(at) + tolerance_s)
