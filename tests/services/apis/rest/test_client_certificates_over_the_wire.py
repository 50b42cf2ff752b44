"""Stages that show a certificate to the web behind them."""

import json
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.outgoing.test_client import certificate, pem_of, pem_of_key
from tests.services.apis.rest.conftest import Rest, send
from tests.services.apis.rest.web import Silent, reaching_out, serving


class Asking(Silent, BaseHTTPRequestHandler):
    """Says who asked."""

    def do_GET(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        shown: dict[str, Any] = self.connection.getpeercert() or {}
        self.answer(json.dumps(dict(pair for part in shown.get("subject", ()) for pair in part)).encode())


def asking(identity: Path, trusted: str) -> ssl.SSLContext:
    """TLS of a server that lets in nobody but who shows the certificate `trusted`."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(identity)
    tls.load_verify_locations(cadata=trusted)
    tls.verify_mode = ssl.CERT_REQUIRED
    return tls


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
    with reaching_out(tmp_path / "data") as running:
        yield Rest(running, {})


def test_a_stage_shows_its_certificate_to_the_web(rest: Rest, identity: Path) -> None:
    made = rest.gateway.generate_client_certificate(description="for the web")
    name = made["clientCertificateId"]
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "GET")
    with serving(Asking, asking(identity, made["pemEncodedCertificate"])) as port:
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
