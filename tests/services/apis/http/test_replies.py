"""What a function's reply becomes."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mayfly.services.apis.http import replies
from mayfly.services.described_replies import BadReplyError

TEXT = ("content-type", "text/plain; charset=utf-8")
JSON = ("content-type", "application/json")


def packed(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("payload", [b'{"a":1}', b"[1,2]", b"7", b"null", b""])
def test_what_describes_no_response_is_the_body_of_one_in_format_2(payload: bytes) -> None:
    found = replies.format_2(payload)
    assert (found.status, found.headers, found.body) == (200, [JSON], payload)


def test_text_is_the_body_as_it_is() -> None:
    assert replies.format_2(b'"hi"').body == b"hi"


def test_a_description_in_format_2_has_cookies() -> None:
    said = {
        "statusCode": 201,
        "headers": {"X-A": 1, "Content-Type": "text/html"},
        "cookies": ["a=1", "b=2"],
        "body": "x",
    }
    found = replies.format_2(packed(said))
    assert found.status == 201
    assert list(found.headers) == [
        ("x-a", "1"),
        ("content-type", "text/html"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ]
    assert found.body == b"x"


def test_format_1_has_headers_with_several_values() -> None:
    said = {"statusCode": "200", "headers": {"a": "1", "b": "2"}, "multiValueHeaders": {"B": ["3", "4"]}}
    assert list(replies.format_1(packed(said)).headers) == [("a", "1"), ("b", "3"), ("b", "4"), TEXT]


@pytest.mark.parametrize("payload", [b"{}", b"null", b'"x"', b"", b'{"body":"x"}'])
def test_format_1_must_describe_a_response(payload: bytes) -> None:
    with pytest.raises(BadReplyError):
        replies.format_1(payload)


@pytest.mark.parametrize(
    "said",
    [
        {"statusCode": 99},
        {"statusCode": 600},
        {"statusCode": "x"},
        {"statusCode": None},
        {"statusCode": True},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"a b": "1"}},
        {"statusCode": 200, "headers": {"a": "1\r\nb: 2"}},
        {"statusCode": 200, "headers": {"a": {}}},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
    ],
)
def test_what_makes_no_response_is_refused(said: Any) -> None:
    with pytest.raises(BadReplyError):
        replies.format_2(packed(said))


def test_headers_that_are_the_servers_own_are_left_out() -> None:
    said = {"statusCode": 200, "headers": {"Content-Length": "3", "Connection": "close"}, "body": ""}
    assert replies.format_2(packed(said)).headers == [TEXT]


@given(st.binary())
def test_bytes_come_through_base64(body: bytes) -> None:
    said = {"statusCode": 200, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    assert replies.format_1(packed(said)).body == replies.format_2(packed(said)).body == body


@given(st.binary())
@example(b'"\x80"')
def test_any_payload_is_a_response_or_a_bad_reply(payload: bytes) -> None:
    for interpret in (replies.format_1, replies.format_2):
        with suppress(BadReplyError):
            assert 200 <= interpret(payload).status <= 599
