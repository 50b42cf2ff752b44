"""HTTP APIs in front of addresses of the web and of services, against the real server."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess, start_platform
from tests.services.apis.http.wire import ask, role


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    """A server that may send requests to this machine."""
    server, running = start_platform(tmp_path_factory.mktemp("web") / "data", "--outgoing-allow", "127.0.0.0/8")
    yield running
    server.terminate()
    assert server.wait(60) == 0


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    """A server that answers what it was asked."""

    class Echo(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = [[name.lower(), value] for name, value in self.headers.items()]
            said = json.dumps(
                {"method": self.command, "path": self.path, "headers": headers, "body": body.decode()}
            ).encode()
            self.send_response(404 if self.path.endswith("/missing") else 200)
            for name, value in (("content-length", str(len(said))), ("x-up", "1"), ("set-cookie", "a=1")):
                self.send_header(name, value)
            self.send_header("set-cookie", "b=2")
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def apis(near: PlatformProcess) -> Any:
    return near.client("apigatewayv2")


def fronting(apis: Any, uri: str, key: str, method: str = "ANY", **more: Any) -> str:
    """The address of an API with one route to an address."""
    api = apis.create_api(Name="web", ProtocolType="HTTP")
    named = {"ApiId": api["ApiId"]}
    integration = apis.create_integration(
        **named,
        IntegrationType="HTTP_PROXY",
        IntegrationUri=uri,
        IntegrationMethod=method,
        PayloadFormatVersion="1.0",
        **more,
    )
    apis.create_route(**named, RouteKey=key, Target=f"integrations/{integration['IntegrationId']}")
    apis.create_stage(**named, StageName="$default", AutoDeploy=True, StageVariables={"where": "base"})
    return str(api["ApiEndpoint"])


def test_a_request_goes_on_as_it_came(apis: Any, upstream: str) -> None:
    url = fronting(apis, f"{upstream}/${{stageVariables.where}}/{{proxy}}?k=v", "ANY /in/{proxy+}")
    answer = ask(url, "/in/a/b%20c?x=1&x=2", "POST", b"hi", {"X-A": "1", "Content-Type": "text/plain"})
    said = answer.json
    assert (answer.status, answer.header("x-up")) == (200, "1")
    assert [value for name, value in answer.headers if name == "set-cookie"] == ["a=1", "b=2"]
    assert (said["method"], said["path"], said["body"]) == ("POST", "/base/a/b%20c?k=v&x=1&x=2", "hi")
    headers = dict(said["headers"])
    assert headers["x-a"] == "1"
    assert headers["via"] == "HTTP/1.1 AmazonAPIGateway"
    assert headers["forwarded"].startswith("for=127.0.0.1;host=")
    assert headers["host"] == upstream.removeprefix("http://")


def test_mappings_change_requests_and_responses(apis: Any, upstream: str) -> None:
    url = fronting(
        apis,
        f"{upstream}/x",
        "POST /pets/{id}",
        RequestParameters={
            "append:header.x-id": "$request.path.id",
            "overwrite:header.x-b": "b-${request.body.a.b[1]}-${context.stage}",
            "remove:header.x-secret": "''",
            "overwrite:querystring.q": "$request.header.x-q",
            "remove:querystring.gone": "''",
            "overwrite:path": "/new/${request.path.id}",
        },
        ResponseParameters={
            "200": {
                "overwrite:statuscode": "202",
                "append:header.x-path": "$response.body.path",
                "remove:header.x-up": "''",
            },
        },
    )
    body = json.dumps({"a": {"b": [0, 7]}}).encode()
    answer = ask(url, "/pets/5?q=1&gone=1&kept=1", "POST", body, {"X-Q": "z &", "X-Secret": "s", "X-B": "old"})
    assert answer.status == 202
    assert answer.header("x-up") is None
    assert answer.header("x-path") == answer.json["path"] == "/new/5?kept=1&q=z%20%26"
    headers = dict(answer.json["headers"])
    assert (headers["x-id"], headers["x-b"]) == ("5", "b-7-$default")
    assert "x-secret" not in headers


def test_the_status_of_the_address_is_that_of_the_api(apis: Any, upstream: str) -> None:
    assert ask(fronting(apis, f"{upstream}/missing", "GET /a"), "/a").status == 404


def test_an_address_that_does_not_answer_is_unavailable(apis: Any) -> None:
    answer = ask(fronting(apis, "http://127.0.0.1:9/", "GET /a"), "/a")
    assert (answer.status, answer.json) == (503, {"message": "Service Unavailable"})


def test_a_message_is_sent_to_a_queue_in_a_roles_name(near: PlatformProcess, apis: Any) -> None:
    queues = near.client("sqs")
    queue = queues.create_queue(QueueName="api-orders")["QueueUrl"]
    api = apis.create_api(Name="orders", ProtocolType="HTTP")
    named = {"ApiId": api["ApiId"]}
    integration = apis.create_integration(
        **named,
        IntegrationType="AWS_PROXY",
        IntegrationSubtype="SQS-SendMessage",
        PayloadFormatVersion="1.0",
        CredentialsArn=role(near, "orders"),
        RequestParameters={
            "QueueUrl": queue,
            "MessageBody": "$request.body.order",
            "MessageGroupId": "$request.header.no",
        },
    )
    apis.create_route(**named, RouteKey="POST /orders", Target=f"integrations/{integration['IntegrationId']}")
    apis.create_stage(**named, StageName="$default", AutoDeploy=True)
    answer = ask(api["ApiEndpoint"], "/orders", "POST", b'{"order":{"n":1}}')
    assert answer.status == 200
    assert answer.json["MessageId"]
    received = queues.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert [message["Body"] for message in received] == ['{"n":1}']


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"IntegrationSubtype": "Kinesis-PutRecord", "CredentialsArn": "arn:aws:iam::000000000000:role/r"}, "Kinesis"),
        ({"IntegrationSubtype": "SQS-SendMessage"}, "Role must be specified"),
        (
            {"IntegrationSubtype": "SQS-SendMessage", "CredentialsArn": "arn:aws:iam::000000000000:role/r"},
            "QueueUrl, MessageBody",
        ),
    ],
)
def test_an_integration_with_a_service_that_cannot_work_is_refused(
    apis: Any, given: dict[str, Any], message: str
) -> None:
    api = apis.create_api(Name="refused", ProtocolType="HTTP")
    with pytest.raises(ClientError) as refused:
        apis.create_integration(ApiId=api["ApiId"], IntegrationType="AWS_PROXY", PayloadFormatVersion="1.0", **given)
    assert message in refused.value.response["Error"]["Message"]
