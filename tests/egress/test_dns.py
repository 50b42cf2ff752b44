"""Questions and answers of DNS."""

import contextlib
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.egress import dns

AT = IPv4Address("127.64.0.1")
NAME = "db.example.com"


def message(name: str = NAME, kind: int = 1, flags: int = 0x0100, questions: int = 1, of: int = 1) -> bytes:
    labels = b"".join(len(label).to_bytes() + label.encode() for label in name.split("."))
    numbers = b"".join(n.to_bytes(2) for n in (0x1234, flags, questions, 0, 0, 0))
    return numbers + labels + b"\0" + kind.to_bytes(2) + of.to_bytes(2)


def test_a_question_for_an_address_is_answered_with_it() -> None:
    asked = dns.query(message("DB.Example.com"))
    assert (asked.name, asked.asks_address, asked.error) == (NAME, True, dns.NO_ERROR)
    answer = dns.reply(asked, dns.NO_ERROR, AT)
    assert answer[:12].hex() == "123485800001000100000000"
    assert answer[12:30] == b"\x02DB\x07Example\x03com\0\0\1", "as it was asked"
    assert answer[-16:].hex() == "c00c000100010000003c00047f400001"


def test_other_records_of_a_name_are_none() -> None:
    asked = dns.query(message(kind=28))
    assert not asked.asks_address
    assert dns.reply(asked, dns.NO_ERROR, AT)[:12].hex() == "123485800001000000000000"


def test_a_name_that_is_not_there_is_said_so() -> None:
    assert dns.reply(dns.query(message()), dns.NO_SUCH_NAME)[:4].hex() == "12348583"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (message(questions=0), dns.FORMAT_ERROR),
        (message(questions=2), dns.FORMAT_ERROR),
        (message()[:-1], dns.FORMAT_ERROR),
        (message("a" * 64), dns.FORMAT_ERROR),
        (message(".".join(["a" * 60] * 6)), dns.FORMAT_ERROR),
        (message() + bytes(600), dns.FORMAT_ERROR),
        (message()[:12] + b"\xc0\x0c\0\1\0\1", dns.FORMAT_ERROR),
        (message()[:12] + b"\3a.b\0\0\1\0\1", dns.FORMAT_ERROR),
        (message(flags=0x2800), dns.NOT_IMPLEMENTED),
        (message(of=3), dns.NOT_IMPLEMENTED),
    ],
)
def test_what_is_no_question_is_told_so(wrong: bytes, error: int) -> None:
    asked = dns.query(wrong)
    assert asked.error == error
    assert dns.reply(asked, asked.error)[3] & 0xF == error


@pytest.mark.parametrize("data", [b"", b"x" * 11, message(flags=0x8180)])
def test_answers_and_crumbs_are_not_answered(data: bytes) -> None:
    with pytest.raises(dns.NotAQueryError):
        dns.query(data)


@given(st.binary(max_size=700))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(dns.NotAQueryError):
        asked = dns.query(data)
        answer = dns.reply(asked, asked.error or dns.NO_SUCH_NAME, AT)
        assert answer[:2] == data[:2]
        assert len(answer) <= max(len(data), 12), "nobody is sent more than was asked"
