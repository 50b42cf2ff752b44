"""What the command line says where the server is of another version, or is no Mayfly at all."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mayfly import __version__
from mayfly.app.directory import DataDirectory
from mayfly.cli.connection import Answer, Connection, OlderServerError, RefusedError
from tests.conftest import start_platform

from .test_commands import mayfly

KEY = "AKIAIOSFODNN7EXAMPLE"


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """The URL of a server that says the same to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("command", [("starts", "hello"), ("function", "hello"), ("usage",), ("level",)])
def test_what_an_older_server_does_not_say_is_told_in_a_line(command: tuple[str, ...], tmp_path: Path) -> None:
    with answering(200, b"{}") as url:
        done = mayfly(
            *command, data=tmp_path / "none", AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=KEY
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "`mayfly down`" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_no_server_of_mayfly_is_told_in_a_line(tmp_path: Path) -> None:
    with answering(200, b"<html>It works!</html>") as url:
        done = mayfly(
            "usage", data=tmp_path / "none", AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=KEY
        )
    assert done.returncode == 1
    assert "answers something else than a Mayfly server" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_both_versions_are_named() -> None:
    with pytest.raises(OlderServerError, match=f"is of version 0.0.1 .*'fresh'.*version {__version__}"):
        Answer({}, "0.0.1")["fresh"]


@pytest.mark.parametrize(("version", "hinted"), [("0.0.1", True), (__version__, False)])
def test_a_page_that_another_version_may_lack_is_told(version: str, hinted: bool) -> None:
    with answering(404, json.dumps({"message": "nothing is there"}).encode()) as url:
        connection = Connection(url, "us-east-1", "000000000000", KEY, KEY, version=version)
        with pytest.raises(RefusedError, match="nothing is there") as refused:
            connection.get("/_mayfly/fresh")
    assert ("0.0.1" in str(refused.value)) is hinted


def test_a_server_that_was_stopped_is_gone(start: Callable[[], tuple[Any, Path]]) -> None:
    server, data = start()
    assert mayfly("down", data=data).returncode == 0
    assert server.poll() is not None
    assert DataDirectory(data).running() is None


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], tuple[Any, Path]]]:
    servers: list[Any] = []

    def begin() -> tuple[Any, Path]:
        server, platform = start_platform(tmp_path / "data")
        servers.append(server)
        return server, platform.data

    yield begin
    for server in servers:
        if server.poll() is None:
            server.kill()
            server.wait()
