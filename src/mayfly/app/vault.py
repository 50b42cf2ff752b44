"""What secrets are encrypted with at rest: AES-256-GCM under one key, a file of the data directory.

A copy of the database alone tells nobody a secret; a copy of the whole directory does, and a database without its key
has lost them. Every secret is sealed for one use (`about`), so that none can be put in another's place. Made by the
composition root; the library is loaded with the first secret.
"""

import importlib
import os
import secrets
from pathlib import Path
from typing import Protocol, cast

from mayfly.errors import PlatformError

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
        except (OSError, _invalid()) as error:
            raise SecretLostError(
                f"the secret of {about} cannot be read with {self._path}; if that was replaced, set the secret again"
            ) from error

    def _loaded(self, *, make: bool) -> _Cipher:
        if self._cipher is None:
            library = importlib.import_module("cryptography.hazmat.primitives.ciphers.aead")
            self._cipher = cast(_Cipher, library.AESGCM(self._key(make=make)))
        return self._cipher

    def _key(self, *, make: bool) -> bytes:
        try:
            key = self._path.read_bytes()
        except FileNotFoundError:
            if not make:
                raise
            return self._made()
        if len(key) != _KEY_BYTES:
            raise SecretLostError(f"{self._path} holds no key of {_KEY_BYTES} bytes")
        return key

    def _made(self) -> bytes:
        """A new key, durable before anything is sealed with it. Of two threads that make one, the first wins."""
        key = secrets.token_bytes(_KEY_BYTES)
        fresh = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, key)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(fresh, self._path)
        except FileExistsError:
            key = self._path.read_bytes()
        finally:
            os.unlink(fresh)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return key
