"""Web servers as functions on a running platform: through their URLs, through boto3, whole and in parts."""

import base64
import contextlib
import http.client
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.conftest import PlatformProcess

from .web.test_urls import OPEN

SERVER = (Path(__file__).parents[2] / "engine" / "code" / "web_server.py").read_text()
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
START = "#!/bin/sh\nexec python3 app.py\n"

Serve = Callable[..., tuple[str, str]]


def package(files: dict[str, str]) -> bytes:
    """A zip whose files may be executed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.external_attr = 0o100755 << 16
            archive.writestr(info, text)
    return buffer.getvalue()


@pytest.fixture
def functions(client: Callable[..., Any]) -> Any:
    return client("lambda", read_timeout=60)


@pytest.fixture
def serve(functions: Any, platform: PlatformProcess) -> Iterator[Serve]:
    """`serve(InvokeMode=…, variables={…})`: name and URL of a function that runs the web server; deleted afterwards."""
    role = platform.client("iam").create_role(
        RoleName=f"web-{uuid4().hex[:8]}", AssumeRolePolicyDocument=json.dumps(TRUST)
    )["Role"]["Arn"]
    names = []

    def create(mode: str = "BUFFERED", variables: dict[str, str] | None = None, **params: Any) -> tuple[str, str]:
        name = f"f-{uuid4().hex[:12]}"
        usual = {
            "FunctionName": name,
            "Runtime": "python3.11",
            "Handler": "run.sh",
            "Role": role,
            "Code": {"ZipFile": package({"app.py": SERVER, "run.sh": START})},
            "Timeout": 20,
            "Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap", **(variables or {})}},
        }
        functions.create_function(**{**usual, **params})
        names.append(name)
        functions.get_waiter("function_active_v2").wait(FunctionName=name)
        for permission in OPEN:
            functions.add_permission(FunctionName=name, **permission)
        made = functions.create_function_url_config(FunctionName=name, AuthType="NONE", InvokeMode=mode)
        return name, made["FunctionUrl"]

    yield create
    for name in names:
        functions.delete_function(FunctionName=name)


def ask(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    parts = urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
        connection.request(method, parts.path + path, body, headers)
        with connection.getresponse() as reply:
            return reply, reply.read()


@pytest.mark.parametrize("mode", ["BUFFERED", "RESPONSE_STREAM"])
def test_a_url_leads_to_the_server(serve: Serve, mode: str) -> None:
    _, url = serve(mode)
    reply, content = ask(url, "POST", "echo/a?b=c", b'{"x":1}', cookie="k=v")
    seen = json.loads(content)
    assert (seen["method"], seen["path"], bytes.fromhex(seen["body"])) == ("POST", "/echo/a?b=c", b'{"x":1}')
    assert seen["headers"]["cookie"] == "k=v"
    assert reply.headers.get_all("set-cookie") == ["one=1", "two=2"]
    reply, content = ask(url, "GET", "binary")
    assert (reply.headers["content-type"], content) == ("image/png", bytes(range(256)) * 2000)
    reply, content = ask(url, "HEAD", "text")
    assert (reply.status, content) == (200, b"")
    assert ask(url, "GET", "status/404")[0].status == 404
    assert ask(url, "GET", "garbage")[0].status == 502
    assert ask(url, "GET", "echo/")[0].status == 200


def test_parts_arrive_before_the_answer_is_complete(serve: Serve) -> None:
    _, url = serve("RESPONSE_STREAM", {"AWS_LWA_INVOKE_MODE": "response_stream"})
    parts = urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
        connection.request("GET", parts.path + "stream")
        with connection.getresponse() as reply:
            assert reply.read1(5) == b"first"
            assert reply.headers["transfer-encoding"] == "chunked"
            assert reply.read() == b"second" * 100_000


def test_an_answer_that_breaks_off_does_not_look_whole(serve: Serve) -> None:
    _, url = serve("RESPONSE_STREAM")
    with pytest.raises(http.client.IncompleteRead):
        ask(url, "GET", "broken")


def test_an_event_is_posted_and_its_answer_is_the_result(serve: Serve, functions: Any) -> None:
    name, _ = serve()
    reply = functions.invoke(FunctionName=name, Payload=b'{"Records":[1]}', LogType="Tail")
    seen = json.loads(reply["Payload"].read())
    assert (seen["path"], bytes.fromhex(seen["body"])) == ("/events", b'{"Records":[1]}')
    assert "REPORT RequestId" in base64.b64decode(reply["LogResult"]).decode()


def test_a_stream_of_events_has_prelude_parts_and_an_end(serve: Serve, functions: Any) -> None:
    name, _ = serve()
    event = {"requestContext": {"http": {"method": "GET"}}, "rawPath": "/stream"}
    reply = functions.invoke_with_response_stream(FunctionName=name, Payload=json.dumps(event).encode())
    events = list(reply["EventStream"])
    body = b"".join(event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event)
    prelude, _, rest = body.partition(bytes(8))
    assert json.loads(prelude)["statusCode"] == 200
    assert rest == b"first" + b"second" * 100_000
    assert "ErrorCode" not in events[-1]["InvokeComplete"]


def test_a_bootstrap_that_listens_is_found_to_be_a_web_server(serve: Serve) -> None:
    boot = {"bootstrap": "#!/bin/sh\nexec /usr/bin/env python3 app.py\n", "app.py": SERVER}
    _, url = serve(Runtime="provided.al2023", Code={"ZipFile": package(boot)}, Environment={"Variables": {}})
    assert ask(url, "GET", "text")[1] == b"text" * 1000


def test_a_start_that_does_not_listen_fails_as_a_runtime_does(serve: Serve, functions: Any) -> None:
    name, _ = serve(Code={"ZipFile": package({"run.sh": "#!/bin/sh\necho no server; exit 7\n"})})
    reply = functions.invoke(FunctionName=name)
    assert json.loads(reply["Payload"].read())["errorType"] == "Runtime.ExitError"
