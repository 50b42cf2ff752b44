"""The certificate that messages are signed with, and signatures.

It is made once for a data directory, by whoever is asked first, and kept in the database. Subscribers fetch the
certificate from the platform and check messages with it, as they do with AWS's.
"""

import base64
from datetime import timedelta
from hashlib import sha256
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from mayfly.clock import utc
from mayfly.services.topics import statements as sql
from mayfly.store.api import Store, Tx

KEY_BITS = 2048
VALID_DAYS = 3650
_HASHES = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 (SHA-1 is what SignatureVersion 1 says)


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


async def stored_signer(store: Store) -> Signer | None:
    """The platform's signer, if one was made."""
    row = await store.read(lambda reader: reader.one(sql.FIND_SIGNER))
    return None if row is None else Signer(row[0].encode(), row[1].encode())


async def store_signer(store: Store, made: KeyPair) -> Signer:
    """The platform's signer: what was made, unless somebody else was first."""

    def body(tx: Tx) -> tuple[str, str]:
        tx.run(sql.INSERT_SIGNER, {"private_key": made.private_key.decode(), "certificate": made.certificate.decode()})
        row = tx.one(sql.FIND_SIGNER)
        assert row is not None, "inserted above"
        return row[0], row[1]

    private_key, certificate = await store.write(body)
    return Signer(private_key.encode(), certificate.encode())
