"""By which programs in sandboxes believe that it is the platform that answers them over TLS: a certificate for the
loopback address, and what to trust it by.

Programs that answer CloudFormation speak TLS on port 443, whatever the URL that they are given says. The certificate is
made once for a data directory (`issuing`); the key that signed it is never written down, so nothing else can be signed
with it. What sandboxes are shown is that authority, and the machine's own ones where they are one file and would be
hidden.
"""

import contextlib
import importlib
import os
import re
import ssl
from pathlib import Path

NAME = "certificates.pem"
SEEN_AT = f"/var/runtime/{NAME}"  # in sandboxes
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
            own, authority = importlib.import_module("mayfly.app.issuing").issued(now)
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
