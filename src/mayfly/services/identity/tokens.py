"""Temporary credentials as values: a session token carries its session and proves it, so nothing has to be stored.

A token is `MFY1` and base64 of a JSON body followed by an HMAC-SHA256 over it, under a key that only the server holds.
The secret access key that belongs to it, and those of users' access keys, are derived from the same key, so that they
are on no disk either. The server's key is kept in a private file, so credentials outlive a restart. Pure apart from
`load_server_key`.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from pathlib import Path

import msgspec

from mayfly.services.identity.root_key import ensure_private, read_private

FILE_NAME = "session-key"
_PREFIX = "MFY1"
_KEY_BYTES = 32
_MAC_BYTES = 32
_TOKEN_LIMIT = 4096  # characters; nothing longer was ever issued


class TokenError(ValueError):
    """Not a token of this server, or one that was altered."""


class Session(msgspec.Struct, frozen=True):
    """What a session token says."""

    access_key_id: str
    account: str
    role_id: str  # AROA…: a role of the same name made later is another one
    role_name: str
    name: str  # the session's
    expires_at: int  # Unix seconds
    chained: bool = False  # made with credentials that were temporary themselves


def load_server_key(data: Path) -> bytes:
    """The key in data directory `data`, made at the first start."""
    path = data / FILE_NAME
    try:
        key = read_private(path)
    except FileNotFoundError:
        key = ensure_private(path, secrets.token_bytes(_KEY_BYTES))
    if len(key) != _KEY_BYTES:
        raise TokenError(f"{path} should hold {_KEY_BYTES} bytes and holds {len(key)}; restore it from a backup")
    return key


def seal(key: bytes, session: Session) -> str:
    """The token of `session`."""
    body = msgspec.json.encode(session)
    return _PREFIX + base64.b64encode(body + _mac(key, b"token", body)).decode()


def unseal(key: bytes, token: str) -> Session:
    """The session of `token`; `TokenError`. Whether it has expired is for the caller to judge."""
    if len(token) > _TOKEN_LIMIT or not token.startswith(_PREFIX):
        raise TokenError("not a session token")
    try:
        sealed = base64.b64decode(token[len(_PREFIX) :].encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise TokenError("not a session token") from error
    body, mac = sealed[:-_MAC_BYTES], sealed[-_MAC_BYTES:]
    if not hmac.compare_digest(_mac(key, b"token", body), mac):
        raise TokenError("the session token was altered, or another server issued it")
    return msgspec.json.decode(body, type=Session)


def session_secret(key: bytes, token: str) -> str:
    """The secret access key that belongs to `token`: 40 characters."""
    return _secret(_mac(key, b"session-secret", token.encode()))


def user_secret(key: bytes, access_key_id: str) -> str:
    """The secret access key of a user's access key: 40 characters."""
    return _secret(_mac(key, b"user-secret", access_key_id.encode()))


def _secret(mac: bytes) -> str:
    return base64.b64encode(mac[:30]).decode()


def _mac(key: bytes, purpose: bytes, message: bytes) -> bytes:
    return hmac.new(key, purpose + b"\0" + message, hashlib.sha256).digest()
