"""Requests of events: every shape, and nothing that a request may not hold."""

import json
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.web_adapter.client import encode
from mayfly.web_adapter.events import BadEventError, WebRequest, request_of
from mayfly.web_adapter.settings import WebSettings

CONTEXT = {"request_id": "r"}


def made(event: Any, settings: WebSettings | None = None) -> WebRequest:
    return request_of(json.dumps(event).encode(), settings or WebSettings(), CONTEXT)


def format_2(path: str = "/p", **more: Any) -> dict[str, Any]:
    return {"requestContext": {"http": {"method": "GET"}}, "rawPath": path, **more}


def test_a_rest_apis_event_is_a_request() -> None:
    request = made(
        {
            "requestContext": {"stage": "s"},
            "httpMethod": "post",
            "path": "/a b/ü",
            "multiValueQueryStringParameters": {"x": ["1 2", "&"], "y": [""]},
            "multiValueHeaders": {"Accept": ["a", "b"], "Host": ["h"]},
            "body": "text",
        }
    )
    assert (request.shape, request.method, request.body) == ("1.0", "POST", b"text")
    assert request.target == "/a%20b/%C3%BC?x=1+2&x=%26&y="
    assert [pair for pair in request.headers if not pair[0].startswith("x-amzn")] == [
        ("Accept", "a"),
        ("Accept", "b"),
        ("Host", "h"),
    ]


def test_a_load_balancers_event_is_a_request_whose_query_is_encoded_already() -> None:
    event = {
        "requestContext": {"elb": {}},
        "httpMethod": "GET",
        "path": "/",
        "queryStringParameters": {"q": "a%20b"},
        "headers": {},
    }
    assert (made(event).shape, made(event).target) == ("balancer", "/?q=a%20b")


def test_what_concerns_one_connection_only_is_not_passed_on() -> None:
    headers = {"Connection": "x", "Transfer-Encoding": "chunked", "Content-Length": "5", "TE": "t", "kept": "1"}
    names = {name.lower() for name, _ in made(format_2(headers=headers)).headers}
    assert names == {"kept", "host", "x-amzn-lambda-context", "x-amzn-request-context"}


@pytest.mark.parametrize(("path", "rest"), [("/v1/x", "/x"), ("/v1", "/"), ("/v10/x", "/v10/x")])
def test_a_base_path_is_taken_off(path: str, rest: str) -> None:
    assert made(format_2(path), WebSettings(base_path="/v1")).target == rest


def test_another_header_may_be_the_authorization() -> None:
    settings = WebSettings(authorization="x-token")
    headers = {"X-Token": "t", "Authorization": "a"}
    kept = [pair for pair in made(format_2(headers=headers), settings).headers if pair[0].lower() == "authorization"]
    assert kept == [("authorization", "t")]
    unchanged = made(format_2(headers={"Authorization": "a"}), settings).headers
    assert ("Authorization", "a") in unchanged


def test_whatever_else_is_posted_as_it_is() -> None:
    for payload in (b"[1]", b'{"requestContext":1}', b"no json", b"null"):
        request = request_of(payload, WebSettings(events_path="/in"), CONTEXT)
        assert (request.method, request.target, request.body) == ("POST", "/in", payload)


@pytest.mark.parametrize(
    ("path", "sent"),
    [("/a b?c#d", "/a%20b%3Fc%23d"), ("/a%20b", "/a%20b"), ("/\r\nx: y", "/%0D%0Ax:%20y"), ("/ä", "/%C3%A4")],
)
def test_a_path_that_was_decoded_on_its_way_is_encoded_again(path: str, sent: str) -> None:
    assert made(format_2(path)).target == sent


@pytest.mark.parametrize(
    "event",
    [
        format_2(rawQueryString="a\nb"),
        {"requestContext": {"http": {"method": "GET / HTTP/1.1\r\n"}}},
        {"requestContext": {"http": {"method": 5}}},
        format_2(body="%", isBase64Encoded=True),
    ],
)
def test_an_event_that_no_request_can_be_made_of_is_refused(event: Any) -> None:
    with pytest.raises(BadEventError):
        made(event)


class Seen:
    """What a parser finds."""

    def __init__(self) -> None:
        self.messages = 0
        self.names: set[str] = set()
        self.body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self.names.add(name.decode("latin-1").lower())

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.messages += 1


_texts = st.text(max_size=30)


@given(st.dictionaries(_texts, _texts, max_size=4), st.lists(_texts, max_size=2), _texts)
def test_no_event_makes_more_than_one_request(headers: dict[str, str], cookies: list[str], body: str) -> None:
    request = made(format_2(headers=headers, cookies=cookies, body=body))
    seen = Seen()
    parser = httptools.HttpRequestParser(seen)
    parser.feed_data(encode(request))
    assert seen.messages == 1
    assert seen.body == request.body
    own = {"host", "cookie", "content-length", "x-amzn-lambda-context", "x-amzn-request-context"}
    assert seen.names - own <= {name.lower() for name in headers}
