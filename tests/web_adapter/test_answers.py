"""Results of what a web server answered."""

import base64
import json
from typing import Any

import pytest

from mayfly.web_adapter.answers import AnswerHead, compressible, head_of, prelude, result_of

TEXT = [("content-type", "text/plain; charset=utf-8")]


def result(shape: Any, headers: list[tuple[str, str]], body: bytes, status: int = 200) -> Any:
    return json.loads(result_of(shape, AnswerHead(status, headers), body))


def test_what_is_between_two_connections_is_not_passed_on() -> None:
    head = head_of(200, [("Content-Length", "3"), ("Transfer-Encoding", "chunked"), ("X-A", "b")])
    assert head.headers == [("x-a", "b")]


def test_format_2_joins_headers_and_lists_cookies() -> None:
    headers = [*TEXT, ("vary", "a"), ("vary", "b"), ("set-cookie", "c=1"), ("set-cookie", "d=2")]
    assert result("2.0", headers, "é".encode(), 201) == {
        "statusCode": 201,
        "headers": {"content-type": "text/plain; charset=utf-8", "vary": "a,b"},
        "cookies": ["c=1", "d=2"],
        "body": "é",
        "isBase64Encoded": False,
    }


def test_format_1_has_every_value() -> None:
    found = result("1.0", [("vary", "a"), ("vary", "b")], b"")
    assert (found["headers"], found["multiValueHeaders"]) == ({"vary": "b"}, {"vary": ["a", "b"]})


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([("content-type", "image/png")], b"text"),
        ([*TEXT, ("content-encoding", "gzip")], b"text"),
        (TEXT, b"\xff"),
        ([], b"?"),
    ],
)
def test_what_is_no_text_is_base64(headers: list[tuple[str, str]], body: bytes) -> None:
    found = result("2.0", headers, body)
    assert (found["isBase64Encoded"], base64.b64decode(found["body"])) == (True, body)


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json", "image/svg+xml", "text/html"])
def test_text_stays_text(kind: str) -> None:
    assert result("2.0", [("content-type", kind)], b"{}")["body"] == "{}"


def test_the_answer_to_another_event_is_the_result_itself() -> None:
    assert result("other", [], b'{"a":1}') == {"a": 1}
    assert result("other", [], b"plain") == "plain"
    assert result("other", [], b"") == ""


def test_a_prelude_is_an_object_and_eight_zeros() -> None:
    text = prelude(AnswerHead(404, [("x", "y")]))
    assert json.loads(text.removesuffix(bytes(8))) == {"statusCode": 404, "headers": {"x": "y"}}


def test_only_text_that_is_not_packed_is_worth_packing() -> None:
    assert compressible(AnswerHead(200, TEXT))
    assert not compressible(AnswerHead(200, [*TEXT, ("content-encoding", "br")]))
    assert not compressible(AnswerHead(200, [("content-type", "video/mp4")]))
