"""Stages that show a certificate to the web behind them."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import start_platform
from tests.outgoing.test_client import certificate, pem_of, pem_of_key
from tests.services.apis.rest.conftest import Rest, send


class Asking(BaseHTTPRequestHandler):
    """Says who asked."""

    def do_GET(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        shown = self.connection.getpeercert() or {}
        content = json.dumps(dict(pair for part in shown.get("subject", ()) for pair in part)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def asking(identity: Path, trusted: str) -> Iterator[int]:
    """A server that lets in nobody but who shows the certificate `trusted`."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(identity)
    tls.load_verify_locations(cadata=trusted)
    tls.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("127.0.0.1", 0), Asking)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """Of the server, in a file."""
    made, key = certificate("localhost")
    (tmp_path / "server.pem").write_bytes(pem_of(made) + pem_of_key(key))
    return tmp_path / "server.pem"


@pytest.fixture
def rest(tmp_path: Path, identity: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rest]:
    """A platform that trusts the server, and may call it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(identity))
    server, running = start_platform(
        tmp_path / "data", "--outgoing-allow", "127.0.0.0/8", "--outgoing-allow", "::1/128"
    )
    monkeypatch.delenv("SSL_CERT_FILE")
    yield Rest(running, {})
    server.terminate()
    assert server.wait(60) == 0, "the server did not end cleanly"


def test_a_stage_shows_its_certificate_to_the_web(rest: Rest, identity: Path) -> None:
    made = rest.gateway.generate_client_certificate(description="for the web")
    name = made["clientCertificateId"]
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "GET")
    with asking(identity, made["pemEncodedCertificate"]) as port:
        uri = f"https://localhost:{port}/"
        rest.integrate(api, root, "GET", type="HTTP_PROXY", integrationHttpMethod="GET", uri=uri)
        rest.deploy(api)
        assert send("GET", rest.url(api, "/")).status >= 500
        update(rest, api, name)
        answer = send("GET", rest.url(api, "/"))
        assert (answer.status, answer.json) == (200, {"commonName": f"Mayfly API Gateway {name}"})
        tried = rest.gateway.test_invoke_method(
            restApiId=api, resourceId=root, httpMethod="GET", clientCertificateId=name
        )
        assert tried["status"] == 200
        with pytest.raises(rest.gateway.exceptions.BadRequestException, match=f"stage dev of the API {api}"):
            rest.gateway.delete_client_certificate(clientCertificateId=name)
        update(rest, api, "")
        assert send("GET", rest.url(api, "/")).status >= 500
    rest.gateway.delete_client_certificate(clientCertificateId=name)
    with pytest.raises(rest.gateway.exceptions.NotFoundException, match="Invalid Client Certificate identifier"):
        update(rest, api, name)


def update(rest: Rest, api: str, certificate_id: str) -> None:
    patch = {"op": "replace", "path": "/clientCertificateId", "value": certificate_id}
    rest.gateway.update_stage(restApiId=api, stageName="dev", patchOperations=[patch])
