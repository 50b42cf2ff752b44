"""Issues the certificate of the platform for the loopback address, by an authority that signs nothing else.

Imported by `certificates` when there is none yet: the library takes 50 ms to load, and a start needs it once.
"""

import datetime
import ipaddress
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mayfly.clock import utc

_DAYS: Final = 3650
_AUTHORITY: Final = "Mayfly authority"
_PEM: Final = serialization.Encoding.PEM


def issued(now: float) -> tuple[bytes, bytes]:
    """Key and certificate of the platform, and the certificate of who signed it, whose key is nowhere."""
    signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + _own(key, signer, now).public_bytes(_PEM), _authority(signer, now).public_bytes(_PEM)


# Python 3.13 and others check strictly by RFC 5280: who signed says so, and each says whose key it has.


def _authority(signer: ec.EllipticCurvePrivateKey, now: float) -> x509.Certificate:
    public = signer.public_key()
    return (
        _begun(_AUTHORITY, public, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(signer, hashes.SHA256())
    )


def _own(key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, now: float) -> x509.Certificate:
    public = key.public_key()
    hosts = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    return (
        _begun("127.0.0.1", public, now)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )


def _begun(subject: str, public: ec.EllipticCurvePublicKey, now: float) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named(_AUTHORITY))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc(now) - datetime.timedelta(days=1))
        .not_valid_after(utc(now) + datetime.timedelta(days=_DAYS))
    )


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature="digital_signature" in allowed,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign="key_cert_sign" in allowed,
        crl_sign="crl_sign" in allowed,
        encipher_only=False,
        decipher_only=False,
    )
