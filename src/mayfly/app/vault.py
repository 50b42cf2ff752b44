"""What secrets are encrypted with at rest: AES-256-GCM under one key, a file of the data directory.

A copy of the database alone tells nobody a secret; a copy of the whole directory does, and a database without its key
has lost them. Every secret is sealed for one use (`about`), so that none can be put in another's place. Where one is
looked for by its value, its fingerprint is stored: HMAC-SHA256 under a key that is derived for that. Made by the
composition root; the library is loaded with the first secret.
"""

import contextlib
import hashlib
import hmac
import importlib
import secrets
from pathlib import Path
from typing import Protocol, cast

from mayfly.errors import PlatformError
from mayfly.services.identity.root_key import ensure_private, read_private

_VERSION = b"\x01"
_KEY_BYTES, _NONCE_BYTES = 32, 12


class _Cipher(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...


class SecretLostError(PlatformError):
    """What is stored does not fit the key of the data directory."""


def _invalid() -> type[Exception]:
    """What the library raises when a secret does not fit."""
    found: type[Exception] = importlib.import_module("cryptography.exceptions").InvalidTag
    return found


class FileVault:
    """`ports.Vault` with its key in a file. Used by any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cipher: _Cipher | None = None
        self._marking: bytes | None = None  # the key of fingerprints

    def check(self) -> None:
        """`PlatformError` if there is a key that others may read, or that is not whole."""
        with contextlib.suppress(FileNotFoundError):
            self._key(make=False)

    def seal(self, plain: bytes, about: str) -> bytes:
        """See `ports.Vault`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._loaded(make=True).encrypt(nonce, plain, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """See `ports.Vault`."""
        if sealed[:1] != _VERSION:
            raise SecretLostError(f"the secret of {about} was stored by a newer version of Mayfly")
        nonce, data = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._loaded(make=False).decrypt(nonce, data, about.encode())
        except (OSError, ValueError, _invalid()) as error:
            raise SecretLostError(
                f"the secret of {about} cannot be read with {self._path}; if that was replaced, set the secret again"
            ) from error

    def fingerprint(self, plain: bytes, about: str) -> bytes:
        """See `ports.Vault`."""
        if self._marking is None:
            self._marking = hmac.digest(self._key(make=True), b"fingerprints", hashlib.sha256)
        use = about.encode()
        return hmac.digest(self._marking, len(use).to_bytes(4) + use + plain, hashlib.sha256)

    def _loaded(self, *, make: bool) -> _Cipher:
        if self._cipher is None:
            library = importlib.import_module("cryptography.hazmat.primitives.ciphers.aead")
            self._cipher = cast(_Cipher, library.AESGCM(self._key(make=make)))
        return self._cipher

    def _key(self, *, make: bool) -> bytes:
        """The key, made if there is none and it may be; of two threads that make one, the first wins."""
        try:
            key = read_private(self._path)
        except FileNotFoundError:
            if not make:
                raise
            key = ensure_private(self._path, secrets.token_bytes(_KEY_BYTES))
        if len(key) != _KEY_BYTES:
            raise SecretLostError(f"{self._path} holds no key of {_KEY_BYTES} bytes; restore it from a backup")
        return key
