"""JSON Web Tokens: whether one holds, for whom, and what it claims (RFC 7515, 7517, 7518, 7519). Pure.

A token holds if a key of its issuer's has signed it, by an algorithm that is that key's; if it is of this issuer, for
one of these audiences, and valid now. `alg: none` and secrets shared with the issuer are no signatures here: only
algorithms with a public key are known.
"""

import base64
import binascii
import importlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from mayfly.errors import CallerError

MOST_CHARACTERS: Final = 16 * 1024
LEEWAY_S: Final = 60.0  # by which the clock of an issuer may be ahead of ours
ALGORITHMS: Final = frozenset({f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in ("256", "384", "512")})
_SIGNATURES: Final = "mayfly.services.apis.authorizers.token_signatures"
Claims = dict[str, Any]


class TokenError(CallerError):
    """A token does not hold; the message says why, in words that may be told to whoever sent it."""


class Token(NamedTuple):
    """A token in its parts, nothing of which is to be believed before its signature was checked."""

    algorithm: str
    key_id: str
    claims: Claims
    signed: bytes
    signature: bytes


def parse(text: str) -> Token:
    """The parts of a token; `TokenError` when it is none, or signed by nothing that is known here."""
    if len(text) > MOST_CHARACTERS:
        raise TokenError("the token is too long")
    parts = text.split(".")
    if len(parts) != 3:
        raise TokenError("the token is malformed")
    header, claims = _object(parts[0]), _object(parts[1])
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise TokenError(f"signing method {algorithm} is invalid")
    if not isinstance(key_id, str) or not key_id:
        raise TokenError("the token names no key")
    if "crit" in header:
        raise TokenError("the token has critical extensions")
    return Token(algorithm, key_id, claims, f"{parts[0]}.{parts[1]}".encode(), decoded(parts[2]))


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(decoded(part))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise TokenError("the token is malformed")
    return value


def decoded(part: str) -> bytes:
    """What base64 without padding, as URLs take it, stands for; `TokenError`."""
    try:
        return base64.b64decode(part.encode() + b"=" * (-len(part) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError("the token is malformed") from None


def check_signature(token: Token, key: Mapping[str, Any]) -> None:
    """`TokenError` unless the holder of `key`, a JSON Web Key, has signed the token. The library of cryptography is
    imported with the first token: it is large, and most servers never see one."""
    signatures: Any = importlib.import_module(_SIGNATURES)
    signatures.check(token, key)


def check_claims(claims: Claims, issuer: str, audiences: Sequence[str], now: float) -> None:
    """`TokenError` unless the claims are of `issuer`, for one of `audiences`, and valid at `now` (Unix seconds)."""
    if claims.get("iss") != issuer:
        raise TokenError("the token does not have a valid issuer")
    named = claims.get("aud")
    if named is None:  # access tokens of Amazon Cognito say for which client they are instead
        named = claims.get("client_id")
    found = named if isinstance(named, list) else [named]
    if not any(audience in audiences for audience in found if isinstance(audience, str)):
        raise TokenError("the token does not have a valid audience")
    if _time(claims, "exp", required=True) <= now:
        raise TokenError("the token has expired")
    if _time(claims, "nbf") > now + LEEWAY_S:
        raise TokenError("the token is not valid yet")
    if _time(claims, "iat") > now + LEEWAY_S:
        raise TokenError("the token was issued in the future")


def _time(claims: Claims, name: str, *, required: bool = False) -> float:
    value = claims.get(name)
    if value is None and not required:
        return float("-inf")
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
        raise TokenError(f"the token has no valid claim {name}")
    try:
        return float(value)
    except OverflowError:
        raise TokenError(f"the token has no valid claim {name}") from None


def scopes(claims: Claims) -> list[str]:
    """What a token may be used for."""
    for name in ("scope", "scp"):
        value = claims.get(name)
        if isinstance(value, str):
            return value.split()
        if isinstance(value, list):
            return [scope for scope in value if isinstance(scope, str)]
    return []


def shown(claims: Claims) -> dict[str, str]:
    """Claims as events have them: all of them text, lists in brackets and apart by blanks."""
    return {name: _text(value) for name, value in claims.items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return ""
    if isinstance(value, list):
        return f"[{' '.join(_text(item) for item in value)}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value) if isinstance(value, dict) else str(value)
