"""Functions that reach out, on a running platform."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from mayfly.cli.connection import connect
from tests.conftest import PlatformProcess, start_platform
from tests.services.functions.stage import zipped

from .test_functions_over_the_wire import TRUST

pytestmark = pytest.mark.root

CODE = """
import os, urllib.request, boto3
def get(url):
    try:
        with urllib.request.urlopen(url, timeout=20) as reply:
            return reply.read().decode()
    except OSError as error:
        return getattr(error, 'code', None) or type(error).__name__
FIRST = get(os.environ['URL'])
def handler(event, context):
    if event.get('identity'):
        return boto3.client('sts').get_caller_identity()['Arn']
    return [FIRST, *(get(url) for url in event['urls'])]
"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/elsewhere" else 200)
        if self.path == "/elsewhere":
            self.send_header("Location", "http://169.254.169.254/latest/meta-data")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: Any) -> None:
        """Not in the output of tests."""


@pytest.fixture
def port() -> Iterator[int]:
    """Of a web server on this machine, which lies outside every sandbox."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_function_reaches_what_its_tag_says_from_its_init_on_and_nothing_else(
    platform: PlatformProcess, port: int
) -> None:
    reach_out(platform, port)


def test_so_it_is_where_fronts_run_calls(tmp_path: Path, port: int) -> None:
    server, running = start_platform(tmp_path / "data", "--workers", "1")
    try:
        reach_out(running, port)
    finally:
        server.terminate()
        assert server.wait(60) == 0


def reach_out(platform: PlatformProcess, port: int) -> None:
    client, name = platform.client("lambda"), f"egress-{uuid4().hex[:8]}"
    role = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    arn = client.create_function(
        FunctionName=name,
        Role=role,
        Runtime=f"python3.{sys.version_info[1]}",
        Handler="app.handler",
        Timeout=30,
        Code={"ZipFile": zipped({"app.py": CODE})},
        Environment={"Variables": {"URL": f"http://127.0.0.1:{port}/"}},
        Tags={"mayfly:egress": f"127.0.0.1:{port}"},
    )["FunctionArn"]

    def call(**event: Any) -> Any:
        return json.loads(client.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read())

    metadata, platforms = "http://169.254.169.254/latest/meta-data", platform.url.replace("127.0.0.1", "127.0.0.2")
    urls = [metadata, platforms, f"http://127.0.0.1:{port}/elsewhere", "http://example.com/"]
    assert call(urls=urls) == ["hello", 403, 403, 403, 403]
    assert name in call(identity=True), "the platform is reached as ever, without the proxy"

    view = connect(platform.data).get(f"/_mayfly/functions/{name}")["egress"]
    assert view["allowed"] == f"127.0.0.1:{port}"
    assert view["connections"] >= 2
    refused = {one["destination"]: one["count"] for one in view["refused_destinations"]}
    assert refused["169.254.169.254:80"] == 2
    shown = subprocess.run(
        [sys.executable, "-m", "mayfly", "function", name, "--data", str(platform.data)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"127.0.0.1:{port}" in shown
    assert "refused: 169.254.169.254:80 (2)" in " ".join(shown.split())

    client.untag_resource(Resource=arn, TagKeys=["mayfly:egress"])
    assert call(urls=[metadata]) == ["URLError", "URLError"]
    client.delete_function(FunctionName=name)
