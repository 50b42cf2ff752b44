"""The certificate that messages are signed with, and signatures.

It is made once for a data directory, by whoever is asked first, and kept in the database, its key sealed; and anew
when that cannot be read any more. Subscribers fetch the certificate that a message names from the platform and check
the message with it, as they do with AWS's.
"""

import base64
import logging
from datetime import timedelta
from hashlib import sha256
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from mayfly.clock import utc
from mayfly.errors import PlatformError
from mayfly.services.topics import statements as sql
from mayfly.store.api import Reader, Store, Tx, Vault

KEY_BITS = 2048
VALID_DAYS = 3650
_USE = "key of the signer of topics"
_HASHES = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 (SHA-1 is what SignatureVersion 1 says)

_log = logging.getLogger(__name__)


class Signer:
    """Signs with one key. Called from several threads."""

    def __init__(self, private_key: bytes, certificate: bytes) -> None:
        key = serialization.load_pem_private_key(private_key, None)
        assert isinstance(key, rsa.RSAPrivateKey), "made below"
        self._key = key
        self.certificate = certificate  # PEM
        self.name = f"SimpleNotificationService-{sha256(certificate).hexdigest()[:32]}.pem"

    def sign(self, version: str, text: str) -> str:
        """The signature of a canonical text, in base64."""
        return base64.b64encode(self._key.sign(text.encode(), padding.PKCS1v15(), _HASHES[version])).decode()


class KeyPair(NamedTuple):
    """A key and its certificate, as PEM."""

    private_key: bytes
    certificate: bytes


def make_pair(now: float) -> KeyPair:
    """A fresh key with a certificate of its own. Takes tenths of a second."""
    key = rsa.generate_private_key(65537, KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com, as spoken by Mayfly")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc(now) - timedelta(days=1))
        .not_valid_after(utc(now) + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(private, certificate.public_bytes(serialization.Encoding.PEM))


async def stored_signer(store: Store, vault: Vault) -> Signer | None:
    """The platform's signer, if one was made whose key can be read."""
    pair = await store.read(lambda reader: _stored(reader, vault))
    return None if pair is None else Signer(*pair)


async def store_signer(store: Store, vault: Vault, made: KeyPair) -> Signer:
    """The platform's signer: what was made, unless somebody else was first."""

    def body(tx: Tx) -> KeyPair:
        known = _stored(tx, vault)
        if known is None:
            sealed = vault.seal(made.private_key, _USE)
            tx.run(sql.PUT_SIGNER, {"sealed_key": sealed, "certificate": made.certificate.decode()})
        return known or made

    return Signer(*await store.write(body))


def _stored(reader: Reader, vault: Vault) -> KeyPair | None:
    row = reader.one(sql.FIND_SIGNER)
    if row is None:
        return None
    try:
        return KeyPair(vault.open(row[0], _USE), row[1].encode())
    except PlatformError as error:
        _log.warning("messages get another signature from now on: %s", error)
        return None
