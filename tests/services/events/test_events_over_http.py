"""CloudEvents, webhooks and API destinations on a real server, with real clients at the other end."""

import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest
from cloudevents.core.bindings import http as binding
from cloudevents.core.v1.event import CloudEvent
from typer.testing import CliRunner

from mayfly.cli.events import events as events_command
from mayfly.cli.webhook import webhook as webhook_command
from tests.conftest import PlatformProcess, start_platform

COMMANDS = {"events": events_command, "webhook": webhook_command}
Received = tuple[str, dict[str, str], bytes]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    """A server that may send requests to this machine."""
    data = tmp_path_factory.mktemp("events") / "data"
    server, running = start_platform(data, "--outgoing-allow", "127.0.0.0/8")
    yield running
    server.terminate()
    assert server.wait(60) == 0


@pytest.fixture
def endpoint() -> Iterator[tuple[str, "Queue[Received]"]]:
    """An HTTP server of a third party, and what it got."""
    got: Queue[Received] = Queue()
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.put((self.path, dict(self.headers), body))
            again = sum(path == self.path for path in paths)
            paths.append(self.path)
            refused = {"/400": 400, "/503-once": 204 if again else 503}
            self.send_response(refused.get(self.path, 204))
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


def ask(
    url: str, body: bytes = b"", headers: dict[str, str] | None = None, method: str = "POST"
) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, body or None, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


def command(platform: PlatformProcess, name: str, *arguments: str) -> Any:
    result = CliRunner().invoke(COMMANDS[name], [*arguments, "--data", str(platform.data), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def queue_on(platform: PlatformProcess, bus: str, source: str) -> Any:
    """A queue that gets every event of a source on a bus; a function that waits for the next one."""
    sqs, events = platform.client("sqs"), platform.client("events")
    url = sqs.create_queue(QueueName=f"q-{bus}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name=bus)
    events.put_rule(Name="r", EventBusName=bus, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule="r", EventBusName=bus, Targets=[{"Id": "q", "Arn": arn}])

    def next_event() -> Any:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", [])
            if found:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
                return json.loads(found[0]["Body"])
        raise AssertionError("nothing came")

    return next_event


def test_cloudevents_come_in_with_a_token_in_every_mode(platform: PlatformProcess) -> None:
    next_event = queue_on(platform, "clouds", "/shop")
    made = command(platform, "events", "token", "create", "clouds", "--description", "a broker")
    url, token = made["url"], made["token"]
    named = {"id": "1", "source": "/shop", "type": "sold", "specversion": "1.0", "datacontenttype": "application/json"}
    event = CloudEvent(named, {"n": 1})
    by_header = {"Authorization": f"Bearer {token}"}
    for send in (binding.to_binary_event, binding.to_structured_event):
        message = send(event)
        assert ask(url, bytes(message.body), {**message.headers, **by_header})[0] == 202
        assert next_event()["detail"] == {"n": 1}
    batch = json.dumps([{"id": "2", "source": "/shop", "type": "sold", "specversion": "1.0", "data": {"n": 2}}])
    kind = {"content-type": "application/cloudevents-batch+json"}
    assert ask(f"{url}?access_token={token}", batch.encode(), kind)[0] == 202
    assert next_event()["cloudevent"]["id"] == "2"

    status, _, body = ask(url, b"{}", {**by_header, "content-type": "application/cloudevents+json"})
    assert (status, json.loads(body)["message"]) == (400, "the attribute specversion is missing")
    assert ask(url, b"{}", {**by_header, "content-type": "application/json"})[0] == 415
    assert ask(url, b"{}", kind)[0] == 401
    assert ask(url, b"{}", {**kind, "Authorization": f"Bearer {token}x"})[0] == 401
    assert ask(f"{platform.url}/_mayfly/events/default", b"[]", {**kind, **by_header})[0] == 401
    assert ask(url, b"x" * (1024 * 1024 + 1), {**kind, **by_header})[0] == 413

    asked = {**by_header, "WebHook-Request-Origin": "broker.example", "WebHook-Request-Rate": "120"}
    status, headers, _ = ask(url, headers=asked, method="OPTIONS")
    assert (status, headers["webhook-allowed-origin"], headers["webhook-allowed-rate"]) == (
        200,
        "broker.example",
        "120",
    )

    assert [one["description"] for one in command(platform, "events", "token", "ls", "clouds")] == ["a broker"]
    CliRunner().invoke(events_command, ["token", "rm", token[:12], "clouds", "--data", str(platform.data)])
    assert ask(url, batch.encode(), {**kind, **by_header})[0] == 401


@pytest.mark.parametrize("mode", [{"Content-Type": "application/cloudevents+json"}, {"ce-specversion": "1.0"}])
def test_events_of_a_bus_go_out_as_cloudevents_that_the_published_package_reads(
    platform: PlatformProcess, endpoint: tuple[str, "Queue[Received]"], mode: dict[str, str]
) -> None:
    url, got = endpoint
    events = platform.client("events")
    name = f"out-{len(next(iter(mode)))}"
    connection = events.create_connection(
        Name=name,
        AuthorizationType="API_KEY",
        AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "k"}},
    )
    destination = events.create_api_destination(
        Name=name, ConnectionArn=connection["ConnectionArn"], InvocationEndpoint=f"{url}/*", HttpMethod="POST"
    )
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    target = {
        "Id": "d",
        "Arn": destination["ApiDestinationArn"],
        "RoleArn": "arn:aws:iam::000000000000:role/any",
        "HttpParameters": {"PathParameterValues": ["$.detail.at"], "HeaderParameters": mode},
    }
    assert events.put_targets(Rule=name, Targets=[target])["FailedEntryCount"] == 0
    detail = json.dumps({"at": "eu", "n": "é"})
    events.put_events(Entries=[{"Source": name, "DetailType": "It Happened", "Detail": detail}])
    path, headers, body = got.get(timeout=30)
    assert path == "/eu"
    assert headers["X-Key"] == "k"
    found = binding.from_http_event(binding.HTTPMessage(headers, body))
    assert found.get_type() == "It Happened"
    assert found.get_source() == name
    assert found.get_data() == {"at": "eu", "n": "é"}


def test_what_an_endpoint_refuses_is_a_dead_letter_and_what_it_puts_off_comes_again(
    platform: PlatformProcess, endpoint: tuple[str, "Queue[Received]"]
) -> None:
    url, got = endpoint
    events, sqs = platform.client("events"), platform.client("sqs")
    queue = sqs.create_queue(QueueName="letters")["QueueUrl"]
    letters = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    connection = events.create_connection(
        Name="letters",
        AuthorizationType="BASIC",
        AuthParameters={"BasicAuthParameters": {"Username": "u", "Password": "p"}},
    )
    destination = events.create_api_destination(
        Name="letters", ConnectionArn=connection["ConnectionArn"], InvocationEndpoint=f"{url}/*", HttpMethod="POST"
    )
    events.put_rule(Name="letters", EventPattern=json.dumps({"source": ["letters"]}))
    target = {
        "Id": "d",
        "Arn": destination["ApiDestinationArn"],
        "RoleArn": "arn:aws:iam::000000000000:role/any",
        "HttpParameters": {"PathParameterValues": ["$.detail.status"]},
        "DeadLetterConfig": {"Arn": letters},
    }
    events.put_targets(Rule="letters", Targets=[target])
    for status in ("400", "503-once"):
        entry = {"Source": "letters", "DetailType": "t", "Detail": json.dumps({"status": status})}
        events.put_events(Entries=[entry])
    paths = [got.get(timeout=30)[0] for _ in range(3)]
    assert sorted(paths) == ["/400", "/503-once", "/503-once"]
    (letter,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20, MessageAttributeNames=["All"])["Messages"]
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "SDK_CLIENT_ERROR"
    assert attributes["TARGET_ARN"] == destination["ApiDestinationArn"]
    assert json.loads(letter["Body"])["detail"] == {"status": "400"}


def test_webhooks_put_what_third_parties_sign_on_a_bus_once(platform: PlatformProcess) -> None:
    next_event = queue_on(platform, "hooks", "webhook.pay")
    made = command(
        platform, "webhook", "create", "pay", "--scheme", "stripe", "--bus", "hooks", "--secret", "whsec_1234"
    )
    body = json.dumps({"id": "evt_1", "type": "invoice.paid", "data": {"object": {"n": 1}}}).encode()
    at = str(int(time.time()))
    signature = hmac.new(b"whsec_1234", at.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={at},v1={signature}", "content-type": "application/json"}
    assert ask(made["url"], body, headers)[0] == 202
    event = next_event()
    assert event["detail-type"] == "invoice.paid"
    assert event["detail"]["data"] == {"object": {"n": 1}}
    assert event["webhook"] == {"name": "pay", "scheme": "stripe", "delivery": "evt_1"}
    assert ask(made["url"], body, headers)[0] == 409
    assert ask(made["url"], body + b" ", headers)[0] == 401
    assert ask(f"{platform.url}/_mayfly/webhooks/none", body, headers)[0] == 404
    assert ask(f"{platform.url}/_mayfly/webhooks", b"{}")[0] == 403
    (listed,) = command(platform, "webhook", "ls")
    assert "secret" not in listed
    assert CliRunner().invoke(webhook_command, ["rm", "pay", "--data", str(platform.data)]).exit_code == 0
    assert ask(made["url"], body, headers)[0] == 404


def test_slack_hears_its_challenge_and_github_says_what_happened(platform: PlatformProcess) -> None:
    next_event = queue_on(platform, "hub", "webhook.hub")
    made = command(platform, "webhook", "create", "hub", "--bus", "hub")
    body = b'{"ref": "refs/heads/main"}'
    headers = {
        "X-Hub-Signature-256": "sha256=" + hmac.new(made["secret"].encode(), body, hashlib.sha256).hexdigest(),
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "d-1",
        "content-type": "application/json",
    }
    assert ask(made["url"], body, headers)[0] == 202
    event = next_event()
    assert (event["detail-type"], event["webhook"]["delivery"]) == ("push", "d-1")
    made = command(platform, "webhook", "create", "chat", "--scheme", "slack")
    body, at = b'{"type": "url_verification", "challenge": "c-42"}', str(int(time.time()))
    signed = hmac.new(made["secret"].encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    status, _, answer = ask(
        made["url"],
        body,
        {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={signed}", "content-type": "application/json"},
    )
    assert (status, answer) == (200, b"c-42")


def test_schemas_of_a_bus_are_shown_when_discovery_is_on(platform: PlatformProcess) -> None:
    assert command(platform, "events", "schemas", "default", "--on")["discovering"]
    platform.client("events").put_events(Entries=[{"Source": "seen", "DetailType": "t", "Detail": '{"a": 1}'}])
    found = command(platform, "events", "schemas", "default", "--off")
    (schema,) = [one for one in found["schemas"] if one["source"] == "seen"]
    assert schema["detail"]["properties"] == {"a": {"type": "integer"}}
    assert not found["discovering"]
