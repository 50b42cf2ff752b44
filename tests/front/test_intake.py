"""Which requests a front takes: those whose end is plain from their head, and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.front.intake import NOT_MINE, length_if_mine

SIGNED = "Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, S=1"


def invoke(*lines: str, body: bytes = b"{}", path: str = "/2015-03-31/functions/f/invocations") -> bytes:
    head = "\r\n".join((f"POST {path} HTTP/1.1", "Host: localhost", *lines))
    return head.encode() + b"\r\n\r\n" + body


def test_a_signed_invoke_is_a_fronts_and_ends_where_its_length_says() -> None:
    request = invoke(SIGNED, "Content-Length: 2")

    assert length_if_mine(request) == len(request)
    assert length_if_mine(request[:-1]) == len(request)
    assert length_if_mine(request + b"POST") == len(request)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /_mayfly/url/abc/ HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: abc123.lambda-url.us-east-1.localhost\r\n\r\n",
        invoke(SIGNED, "X-Amz-Invocation-Type: RequestResponse", "Content-Length: 2"),
        invoke(SIGNED, "Content-Length: 0", body=b"", path="/2015-03-31/functions/f/invocations?Qualifier=1"),
    ],
)
def test_function_urls_and_synchronous_invokes_are_a_fronts(request_: bytes) -> None:
    assert length_if_mine(request_) == len(request_)


@pytest.mark.parametrize(
    "request_",
    [
        invoke("Content-Length: 2"),  # not signed: the refusal is the core's
        invoke(SIGNED.replace("/lambda/", "/s3/"), "Content-Length: 2"),  # a bucket of that name
        invoke(SIGNED, "Content-Length: 2", "X-Amz-Invocation-Type: Event"),
        invoke(SIGNED, "Content-Length: 2", "X-Amz-Invocation-Type: DryRun"),
        invoke(SIGNED, "Content-Length: 2", "Expect: 100-continue"),
        invoke(SIGNED, "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"),
        invoke(SIGNED, "Content-Length: 2", "Transfer-Encoding: chunked"),
        invoke(SIGNED, "Content-Length: 2", "Content-Length: 2"),
        invoke(SIGNED, "Content-Length: 2", "Content-Length : 3"),
        invoke(SIGNED, "Content-Length: +2"),
        invoke(SIGNED, "Content-Length: 2,2"),
        invoke(SIGNED, "Content-Length: 2", "Upgrade: websocket"),
        invoke(SIGNED, "Content-Length: 2", "X: y\r\n folded"),
        invoke(SIGNED, "Content-Length: 2").replace(b"HTTP/1.1", b"HTTP/1.0"),
        invoke(SIGNED, "Content-Length: 2\nTransfer-Encoding: chunked"),
        invoke(SIGNED, "Content-Length: 2", path="/2015-03-31/functions/f/invocations/../x"),
        invoke(SIGNED, "Content-Length: 2", path="/2015-03-31/functions/f/configuration"),
        b"PUT /bucket/key HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}",
        b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nhost: localhost\r\n",  # the head is not complete
        b"",
    ],
)
def test_everything_else_is_the_cores(request_: bytes) -> None:
    assert length_if_mine(request_) == NOT_MINE


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(data: bytes) -> None:
    assert length_if_mine(data) == NOT_MINE or length_if_mine(data) > 0
