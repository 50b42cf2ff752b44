"""Events as CGI requests, and what CGI programs write as answers."""

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.sandbox.wasm import cgi
from mayfly.sandbox.wasm.faults import Fault


def event(**members: Any) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": "/a%20b",
        "rawQueryString": "x=1&y=%20",
        "headers": {"host": "example.org:8443", "x-forwarded-proto": "https", "accept-language": "de"},
        "requestContext": {
            "domainName": "example.org",
            "http": {"method": "GET", "sourceIp": "10.0.0.1", "protocol": "HTTP/1.1"},
        },
        **members,
    }


def request(**members: Any) -> cgi.Request:
    made = cgi.request_of(json.dumps(event(**members)).encode())
    assert made is not None
    return made


def test_the_variables_are_those_of_the_standard() -> None:
    assert request().variables == {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "HTTPS": "on",
        "HTTP_ACCEPT_LANGUAGE": "de",
        "HTTP_HOST": "example.org:8443",
        "HTTP_X_FORWARDED_PROTO": "https",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "x=1&y=%20",
        "REMOTE_ADDR": "10.0.0.1",
        "REMOTE_HOST": "10.0.0.1",
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/a%20b?x=1&y=%20",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "example.org",
        "SERVER_PORT": "8443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "Mayfly",
    }


def test_a_body_comes_with_its_length_and_type() -> None:
    made = request(body=base64.b64encode(b"\xff\0").decode(), isBase64Encoded=True, headers={"content-type": "a/b"})
    assert made.body == b"\xff\0"
    assert (made.variables["CONTENT_LENGTH"], made.variables["CONTENT_TYPE"]) == ("2", "a/b")
    assert "HTTP_CONTENT_TYPE" not in made.variables


def test_a_header_named_proxy_sets_no_proxy() -> None:
    assert "HTTP_PROXY" not in request(headers={"Proxy": "http://evil"}).variables


def test_cookies_are_one_header() -> None:
    assert request(cookies=["a=1", "b=2"]).variables["HTTP_COOKIE"] == "a=1; b=2"


@pytest.mark.parametrize(
    "other",
    [
        {},
        [],
        {"requestContext": {"http": {"method": "GET"}}},
        {"version": "1.0", "requestContext": {"http": {"method": "GET"}}},
        {"version": "2.0", "requestContext": {"http": {}}},
        {"version": "2.0", "requestContext": []},
        {"version": "2.0", "requestContext": {"stage": "$default"}},
    ],
)
def test_other_events_are_no_requests(other: Any) -> None:
    assert cgi.request_of(json.dumps(other).encode()) is None


def answer(output: bytes) -> Any:
    return json.loads(cgi.response_of(output))


def test_headers_and_body_are_divided_at_the_first_empty_line() -> None:
    assert answer(b"Content-Type: text/plain\nX-A: 1\nX-A: 2\n\nbody\n\nmore") == {
        "statusCode": 200,
        "headers": {"content-type": "text/plain", "x-a": "1, 2"},
        "body": "body\n\nmore",
        "isBase64Encoded": False,
    }


def test_a_body_that_is_no_text_is_sent_as_it_is() -> None:
    made = answer(b"Content-Type: image/png\r\n\r\n\x89PNG")
    assert (base64.b64decode(made["body"]), made["isBase64Encoded"]) == (b"\x89PNG", True)


def test_a_location_without_a_status_is_a_redirect() -> None:
    assert answer(b"Location: /elsewhere\n\n")["statusCode"] == 302
    assert answer(b"Status: 201 Created\nLocation: /elsewhere\n\n")["statusCode"] == 201


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (b"hello", "no headers"),
        (b"", "no headers"),
        (b"hello world\n\nbody", "'hello world' where CGI wants a header"),
        (b"Status: 99\n\n", "the status '99'"),
        (b"X: y\n\nbody", "without the header Content-Type"),
    ],
)
def test_what_is_no_answer_is_refused(output: bytes, message: str) -> None:
    with pytest.raises(Fault, match=message) as refused:
        cgi.response_of(output)
    assert refused.value.kind == "Runtime.InvalidOutput"


@given(body=st.binary(max_size=50), kind=st.from_regex(r"[a-z]+/[a-z]+", fullmatch=True))
def test_any_body_comes_through(body: bytes, kind: str) -> None:
    made = answer(b"content-type: " + kind.encode() + b"\n\n" + body)
    text = made["body"]
    assert (base64.b64decode(text) if made["isBase64Encoded"] else text.encode()) == body


@given(st.binary(max_size=80))
def test_whatever_a_program_writes_is_an_answer_or_its_fault(output: bytes) -> None:
    with contextlib.suppress(Fault):
        assert set(answer(output)) >= {"statusCode", "headers", "body"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    ["version", "requestContext", "http", "method", "headers", "body", "cookies", "rawPath"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_event_is_too_strange(value: Any) -> None:
    strange = {"version": "2.0", "requestContext": {"http": {"method": "GET"}}, "with": value}
    if isinstance(value, dict):
        strange |= value
    cgi.request_of(json.dumps(strange).encode())
