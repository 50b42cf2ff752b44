"""Messages of DNS, as much as a server needs that knows a few names: one question in, addresses or a refusal out.

Sans-IO, by RFC 1035; what is not an address of IPv4 is answered with nothing, as of a name that has no such record. A
library of the whole of DNS would parse more of what a hostile function sends than anybody here wants to know. Used by
`outlet`.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

MOST_BYTES = 512  # of a question; longer ones are not asked in earnest
TTL_S = 60

NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NO_SUCH_NAME, NOT_IMPLEMENTED = range(5)

_HEADER = struct.Struct(">HHHHHH")  # number, flags, and how many questions, answers, authorities, additions
_RESPONSE, _OPCODES, _AUTHORITATIVE, _RECURSION_DESIRED, _RECURSION_AVAILABLE = 0x8000, 0x7800, 0x0400, 0x0100, 0x0080
_A, _IN, _ANY = 1, 1, 255
_QUESTION_AT = b"\xc0\x0c"  # the name of an answer is that of the question
_MOST_NAME, _MOST_LABEL = 255, 63


class NotAQueryError(ValueError):
    """A message to which there is no answer: a response, or too short for one."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question. `error`: what must be answered whatever is known, or NO_ERROR."""

    number: int
    name: str  # in lower case, without the last dot; empty where there is an error
    asks_address: bool
    recursion: bool
    question: bytes  # as it came
    error: int = NO_ERROR


def query(message: bytes) -> Query:
    """Read a question; `NotAQueryError`."""
    if len(message) < _HEADER.size:
        raise NotAQueryError
    number, flags, questions, _, _, _ = _HEADER.unpack_from(message)
    if flags & _RESPONSE:
        raise NotAQueryError
    recursion = bool(flags & _RECURSION_DESIRED)
    if flags & _OPCODES:
        return Query(number, "", False, recursion, b"", NOT_IMPLEMENTED)
    read = _name(message) if questions == 1 and len(message) <= MOST_BYTES else None
    if read is None or len(message) < read[1] + 4:
        return Query(number, "", False, recursion, b"", FORMAT_ERROR)
    name, end = read
    kind, of = struct.unpack_from(">HH", message, end)
    question = message[_HEADER.size : end + 4]
    if of not in {_IN, _ANY}:
        return Query(number, name, False, recursion, question, NOT_IMPLEMENTED)
    return Query(number, name, kind in {_A, _ANY}, recursion, question)


def reply(to: Query, error: int, at: IPv4Address | None = None) -> bytes:
    """The answer: `at`, where an address was asked for and there is one."""
    answered = at is not None and to.asks_address and error == NO_ERROR
    flags = _RESPONSE | _AUTHORITATIVE | _RECURSION_AVAILABLE | (_RECURSION_DESIRED if to.recursion else 0) | error
    header = _HEADER.pack(to.number, flags, int(bool(to.question)), int(answered), 0, 0)
    if at is None or not answered:
        return header + to.question
    return header + to.question + _QUESTION_AT + struct.pack(">HHIH", _A, _IN, TTL_S, 4) + at.packed


def _name(message: bytes) -> tuple[str, int] | None:
    """The name after the header, and where it ends; None: it is none, or not written out."""
    labels: list[str] = []
    at = _HEADER.size
    while at < len(message):
        size = message[at]
        if size == 0:
            return ".".join(labels).lower(), at + 1
        label = message[at + 1 : at + 1 + size]
        if size > _MOST_LABEL or len(label) < size or b"." in label or not label.isascii():
            return None
        labels.append(label.decode("ascii"))
        at += 1 + size
        if at - _HEADER.size > _MOST_NAME:
            return None
    return None
