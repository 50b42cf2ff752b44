"""The platform's certificate: made once, believed by who trusts what sandboxes are shown, and by nobody else."""

import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from mayfly.app.certificates import Certificates

NOW = time.time()


def shake_hands(certificates: Certificates, trusted: ssl.SSLContext, name: str) -> None:
    """A TLS handshake over a pair of sockets."""
    ours, theirs = socket.socketpair()

    def answer() -> None:
        try:
            with certificates.context().wrap_socket(ours, server_side=True) as wrapped:
                wrapped.recv(1)
        except ssl.SSLError:
            ours.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with trusted.wrap_socket(theirs, server_hostname=name) as wrapped:
            wrapped.send(b"x")
    finally:
        theirs.close()
        thread.join()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_programs_that_trust_what_they_are_shown_believe_the_platform(tmp_path: Path, name: str) -> None:
    certificates = Certificates(tmp_path)
    certificates.make(NOW)
    trusted = ssl.create_default_context(cafile=certificates.shown)
    trusted.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python has it from 3.13 on
    shake_hands(certificates, trusted, name)


def test_it_is_nobody_else(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    certificates.make(NOW)
    trusted = ssl.create_default_context(cafile=certificates.shown)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(certificates, trusted, "example.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(certificates, ssl.create_default_context(), "127.0.0.1")


def test_it_stays_the_same_over_starts_and_is_the_owners_alone(tmp_path: Path) -> None:
    Certificates(tmp_path).make(NOW)
    before = (tmp_path / "tls.pem").read_bytes()
    Certificates(tmp_path).make(NOW + 1)
    assert (tmp_path / "tls.pem").read_bytes() == before
    assert (tmp_path / "tls.pem").stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in (tmp_path / "certificates.pem").read_bytes()
