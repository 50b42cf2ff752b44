"""By which programs in sandboxes believe that it is the platform that answers them over TLS: a certificate for the
loopback address, and what to trust it by.

Programs that answer CloudFormation speak TLS on port 443, whatever the URL that they are given says. The certificate is
made once for a data directory; the key that signed it is never written down, so nothing else can be signed with it.
What sandboxes are shown is that authority, and the machine's own ones where they are one file and would be hidden.
"""

import contextlib
import datetime
import importlib
import os
import re
import ssl
from pathlib import Path
from typing import Any

from mayfly.clock import utc

NAME = "certificates.pem"
SEEN_AT = f"/var/runtime/{NAME}"  # in sandboxes
_DAYS = 3650
_HASHED = re.compile(r"[0-9a-f]{8}\.\d")
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


class Certificates:
    """Files of the data directory."""

    def __init__(self, root: Path) -> None:
        self._own = root / "tls.pem"  # key and certificate of the platform
        self._authority = root / "authority.pem"
        self.shown = root / NAME

    def make(self, now: float) -> None:
        """Make what is missing, and what sandboxes are shown; some 50 ms the first time."""
        if not (self._own.exists() and self._authority.exists()):
            own, authority = _signed(now)
            _write(self._authority, authority, 0o644)
            _write(self._own, own, 0o600)
        _write(self.shown, self._authority.read_bytes() + _machines(), 0o644)

    def context(self) -> ssl.SSLContext:
        """What the platform answers with."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self._own)
        return made


def _write(path: Path, content: bytes, mode: int) -> None:
    fresh = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.chmod(fresh, mode)
    fresh.rename(path)


def _machines() -> bytes:
    """The machine's authorities, unless programs find them by a directory, which what we show does not hide."""
    place = Path(ssl.get_default_verify_paths().openssl_capath)
    with contextlib.suppress(OSError):
        if any(_HASHED.fullmatch(name) for name in os.listdir(place)):
            return b""
    for bundle in _BUNDLES:
        with contextlib.suppress(OSError):
            return Path(bundle).read_bytes()
    return b""


def _signed(now: float) -> tuple[bytes, bytes]:
    """Key and certificate of the platform, and the certificate of who signed it. The library is loaded for it."""
    x509 = importlib.import_module("cryptography.x509")
    hashes = importlib.import_module("cryptography.hazmat.primitives.hashes")
    serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
    ec = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ec")
    addresses = importlib.import_module("ipaddress")
    begins, ends = utc(now) - datetime.timedelta(days=1), utc(now) + datetime.timedelta(days=_DAYS)

    def named(text: str) -> Any:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    # Python 3.13 and others check strictly by RFC 5280: who signed says so, and each says whose key it has.
    def usage(**allowed: bool) -> Any:
        every: tuple[str, ...] = (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
        )
        every += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
        return x509.KeyUsage(**{**dict.fromkeys(every, False), **allowed})

    def begun(subject: str, public: Any) -> Any:
        return (
            x509.CertificateBuilder()
            .subject_name(named(subject))
            .issuer_name(named("Mayfly authority"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )

    authority = (
        begun("Mayfly authority", signer.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    hosts = [x509.IPAddress(addresses.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    own = (
        begun("127.0.0.1", key.public_key())
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(usage(digital_signature=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + own.public_bytes(pem), authority.public_bytes(pem)
