"""Answers that go through as they come: of functions and of the web."""

import contextlib
import http.client
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess, start_platform
from tests.services.apis.rest.conftest import Rest, send
from tests.services.functions.test_elasticity_over_the_wire import until
from tests.services.functions.test_web_over_the_wire import SERVER, START, package

PLAIN = """
def handler(event, context):
    return {"statusCode": 200, "body": "whole"}
"""


class Gated(BaseHTTPRequestHandler):
    """Sends the rest of an answer when the gate is open."""

    protocol_version = "HTTP/1.1"
    gate = Event()

    def do_GET(self) -> None:
        self.send_response(201)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Own", "yes")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._chunk(b"first")
        if self.path.startswith("/never"):
            return
        self.gate.wait(60)
        for _ in range(12 if self.path.startswith("/large") else 1):
            self._chunk(b"s" * 1024 * 1024)
        self._chunk(b"")

    def _chunk(self, content: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
            self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def gated() -> Iterator[str]:
    Gated.gate = Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gated)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Gated.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def reaching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    """A platform that may call this machine."""
    server, running = start_platform(tmp_path_factory.mktemp("streams") / "data", "--outgoing-allow", "127.0.0.0/8")
    yield running
    server.terminate()
    assert server.wait(60) == 0, "the server did not end cleanly"


@pytest.fixture(scope="module")
def functions(reaching: PlatformProcess) -> dict[str, str]:
    """The ARNs of a web server, which answers in parts, and of a function that does not."""
    lambda_: Any = reaching.client("lambda", read_timeout=60)
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    role = reaching.client("iam").create_role(RoleName="streams", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    wrapper = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap", "AWS_LWA_INVOKE_MODE": "response_stream"}}
    made = {}
    for name, files, handler, variables in (
        ("server", {"app.py": SERVER, "run.sh": START}, "run.sh", wrapper),
        ("plain", {"app.py": PLAIN}, "app.handler", {"Variables": {}}),
    ):
        made[name] = lambda_.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler=handler,
            Role=role["Arn"],
            Code={"ZipFile": package(files)},
            Timeout=60,
            Environment=variables,
        )["FunctionArn"]
        lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
        allowed = {"Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
        lambda_.add_permission(FunctionName=name, StatementId="api", **allowed)
    return made


@pytest.fixture
def rest(reaching: PlatformProcess, functions: dict[str, str]) -> Rest:
    return Rest(reaching, functions)


def streaming_uri(rest: Rest, name: str) -> str:
    region, arn = rest.platform.region, rest.functions[name]
    return f"arn:aws:apigateway:{region}:lambda:path/2021-11-15/functions/{arn}/response-streaming-invocations"


def deployed(rest: Rest, **integration: Any) -> str:
    """An API whose every path is an integration that streams, with an access log; its id."""
    api = rest.create()
    item = rest.resource(api, "{proxy+}")
    rest.method(api, item, "ANY", requestParameters={"method.request.path.proxy": True})
    rest.integrate(api, item, "ANY", **{"responseTransferMode": "STREAM", **integration})
    rest.deploy(api)
    return api


def web(rest: Rest, base: str, **more: Any) -> str:
    mapped = {"integration.request.path.proxy": "method.request.path.proxy"}
    usual = {"type": "HTTP_PROXY", "integrationHttpMethod": "ANY", "uri": f"{base}/{{proxy}}"}
    return deployed(rest, **usual, requestParameters=mapped, **more)


def function(rest: Rest, name: str, **more: Any) -> str:
    return deployed(rest, type="AWS_PROXY", uri=streaming_uri(rest, name), **more)


@contextlib.contextmanager
def asked(rest: Rest, api: str, path: str, verb: str = "GET") -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(rest.url(api, path))
    with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
        connection.request(verb, parts.path)
        with connection.getresponse() as reply:
            yield reply


def test_the_first_part_of_a_function_arrives_before_its_answer_is_complete(rest: Rest) -> None:
    api = function(rest, "server")
    with asked(rest, api, "/stream") as reply:
        assert reply.status == 200
        assert reply.headers["transfer-encoding"] == "chunked"
        assert reply.headers["x-amzn-requestid"]
        assert reply.read1(5) == b"first"
        assert reply.read() == b"second" * 100_000
    with asked(rest, api, "/binary") as reply:  # without binary media types
        assert (reply.headers["content-type"], reply.read()) == ("image/png", bytes(range(256)) * 2000)
    with asked(rest, api, "/echo/a") as reply:
        assert reply.headers.get_all("set-cookie") == ["one=1", "two=2"]
    with asked(rest, api, "/text", "HEAD") as reply:
        assert (reply.status, reply.read()) == (200, b"")


def test_an_answer_that_breaks_off_does_not_look_whole(rest: Rest) -> None:
    with asked(rest, function(rest, "server"), "/broken") as reply, pytest.raises(http.client.IncompleteRead):
        reply.read()


def test_a_function_that_answers_whole_has_no_prelude_and_is_refused(rest: Rest) -> None:
    answer = send("GET", rest.url(function(rest, "plain"), "/x"))
    assert (answer.status, answer.json) == (502, {"message": "Internal server error"})


def test_the_web_is_passed_through_beyond_ten_megabytes_and_noted_at_the_end(rest: Rest, gated: str) -> None:
    api = web(rest, gated)
    logs = rest.platform.client("logs")
    group = f"streams-{uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:{rest.platform.region}:{rest.platform.account}:log-group:{group}"
    line = (
        "$context.status $context.responseLength $context.integration.responseTransferMode $context.integration.status"
    )
    patches = [
        {"op": "replace", "path": "/accessLogSettings/destinationArn", "value": arn},
        {"op": "replace", "path": "/accessLogSettings/format", "value": line},
    ]
    rest.gateway.update_stage(restApiId=api, stageName="dev", patchOperations=patches)
    with asked(rest, api, "/large") as reply:
        assert (reply.status, reply.headers["content-type"]) == (201, "text/event-stream")
        assert reply.headers["x-own"] == "yes"
        assert reply.read1(5) == b"first"
        assert logs.filter_log_events(logGroupName=group)["events"] == []
        Gated.gate.set()
        assert len(reply.read()) == 12 * 1024 * 1024
    until(lambda: logs.filter_log_events(logGroupName=group)["events"])
    (event,) = logs.filter_log_events(logGroupName=group)["events"]
    assert event["message"] == f"201 {12 * 1024 * 1024 + 5} STREAMED 201"


def test_an_endpoint_that_stops_in_the_middle_is_cut_off_after_the_time_of_the_integration(
    rest: Rest, gated: str
) -> None:
    api = web(rest, gated, timeoutInMillis=1500)
    with asked(rest, api, "/x") as reply:
        assert reply.read1(5) == b"first"
        with pytest.raises(http.client.IncompleteRead):
            reply.read()


def test_trying_a_method_waits_for_all_of_it(rest: Rest, gated: str) -> None:
    Gated.gate.set()
    api = web(rest, gated)
    (item,) = [one["id"] for one in rest.gateway.get_resources(restApiId=api)["items"] if one["path"] == "/{proxy+}"]
    tried = rest.gateway.test_invoke_method(restApiId=api, resourceId=item, httpMethod="ANY", pathWithQueryString="/x")
    assert (tried["status"], len(tried["body"])) == (201, 1024 * 1024 + 5)


def test_only_proxies_stream_and_for_a_quarter_of_an_hour_at_most(rest: Rest) -> None:
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "GET")
    with pytest.raises(ClientError, match="only supported for HTTP_PROXY and AWS_PROXY"):
        rest.integrate(api, root, "GET", type="MOCK", responseTransferMode="STREAM")
    uri = streaming_uri(rest, "server")
    with pytest.raises(ClientError, match="between 50 ms and 900000 ms"):
        rest.integrate(
            api, root, "GET", type="AWS_PROXY", uri=uri, responseTransferMode="STREAM", timeoutInMillis=900_001
        )
    rest.integrate(api, root, "GET", type="AWS_PROXY", uri=uri, responseTransferMode="STREAM", timeoutInMillis=900_000)
    rest.deploy(api)
    exported = rest.gateway.get_export(
        restApiId=api, stageName="dev", exportType="oas30", parameters={"extensions": "integrations"}
    )
    document = json.loads(exported["body"].read())
    found = document["paths"]["/"]["get"]["x-amazon-apigateway-integration"]
    assert (found["responseTransferMode"], found["timeoutInMillis"]) == ("STREAM", 900_000)
