"""What clients ask of a proxy."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.egress.proxying import Asked, BadRequestError, answer, asked


def test_a_tunnel_is_to_a_host_and_port() -> None:
    assert asked(b"CONNECT db.example.com:5432 HTTP/1.1\r\nHost: x\r\n\r\n") == Asked("db.example.com", 5432, b"", True)
    assert asked(b"CONNECT [2001:db8::1]:443 HTTP/1.0\r\n\r\n") == Asked("2001:db8::1", 443, b"", True)


def test_a_request_goes_to_the_host_of_its_url_whatever_its_fields_say() -> None:
    head = b"POST http://a.com/x?y HTTP/1.1\r\nHost: b.com\r\nContent-Length: 3\r\nTE: x\r\nKeep-Alive: 1\r\n\r\n"
    passed = asked(head)
    assert (passed.host, passed.port, passed.tunnel) == ("a.com", 80, False)
    assert passed.head == (b"POST /x?y HTTP/1.1\r\nHost: a.com:80\r\nContent-Length: 3\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    "head",
    [
        b"CONNECT db HTTP/1.1\r\n\r\n",
        b"CONNECT db:0 HTTP/1.1\r\n\r\n",
        b"CONNECT db:99999 HTTP/1.1\r\n\r\n",
        b"CONNECT ::1:80 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.com\r\n\r\n",
        b"GET https://a.com/ HTTP/1.1\r\n\r\n",
        b"GET ftp://a.com/ HTTP/1.1\r\n\r\n",
        b"GET http://u:p@a.com/ HTTP/1.1\r\n\r\n",
        b"GET http://a.com@127.0.0.1/ HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET http://a.com/ HTTP/1.1\r\nA b: c\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_what_is_no_request_of_a_proxy_is_refused(head: bytes) -> None:
    with pytest.raises(BadRequestError):
        asked(head)


@given(st.binary(max_size=200), st.sampled_from([b"CONNECT ", b"GET http://", b""]))
def test_whatever_comes_is_read_or_refused(data: bytes, before: bytes) -> None:
    with contextlib.suppress(BadRequestError):
        found = asked(before + data + b"\r\n\r\n")
        assert found.host
        assert 1 <= found.port <= 65535
        assert found.head.count(b"\r\n\r\n") == int(not found.tunnel)


def test_a_refusal_says_why() -> None:
    assert answer(403, "no").startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert answer(403, "no").endswith(b"Content-Length: 3\r\nConnection: close\r\n\r\nno\n")
