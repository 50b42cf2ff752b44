"""Identifiers: random ones for what Mayfly makes, and ARNs for what it names.

Randomness comes from `os.urandom` wherever somebody might guess. Policy code never calls these, it is handed the
result.
"""

import os
import random
import secrets
import time
from typing import NamedTuple

PARTITION = "aws"


def request_id() -> str:
    """A fresh request id in the form of AWS: a random UUID (RFC 9562, version 4) in lower case."""
    return _uuid(os.urandom(16).hex())


class RequestIds:
    """Many of them, for whoever needs one for each of its requests.

    They begin with the time, in milliseconds, so that what is kept by id grows at one end: the row of a task costs
    half of what it costs with an id from anywhere. 74 bits are drawn.

    What the system is asked for is enough for `AHEAD`: asking lets go of the interpreter, which another thread takes
    then, and that costs more than all else about an id. For one process: a fork must make its own.
    """

    AHEAD = 32

    def __init__(self) -> None:
        self._drawn = ""
        self._at = 0
        self._began = ""

    def next(self) -> str:
        at = self._at
        if at == len(self._drawn):
            self._drawn, at = os.urandom(10 * self.AHEAD).hex(), 0
            self._began = f"{int(time.time() * 1000):012x}"
        self._at = at + 20
        return _uuid(self._began + self._drawn[at : at + 20])


def _uuid(drawn: str) -> str:
    """The UUID with 32 random hexadecimal digits. Made by hand: `uuid` takes five times as long."""
    variant = "89ab"[int(drawn[16], 16) & 3]
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-{variant}{drawn[17:20]}-{drawn[20:]}"


def digits(count: int) -> str:
    """`count` random hexadecimal digits for what must be unlike anything else, and need not be hard to guess."""
    return f"{random.getrandbits(4 * count):0{count}x}"  # without a system call; a fork draws others


def token(length: int, alphabet: str = "abcdefghijklmnopqrstuvwxyz0123456789") -> str:
    """`length` random characters of `alphabet`, fit for a name that must not be guessed."""
    # One draw for all characters: there are exactly as many numbers as tokens, so each is as likely as any other.
    number = secrets.randbelow(len(alphabet) ** length)
    characters = []
    for _ in range(length):
        number, index = divmod(number, len(alphabet))
        characters.append(alphabet[index])
    return "".join(characters)


class Arn(NamedTuple):
    """An Amazon Resource Name; `resource` keeps everything after the fifth colon, colons and slashes included."""

    service: str
    region: str
    account: str
    resource: str
    partition: str = PARTITION

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    @classmethod
    def parse(cls, text: str) -> "Arn":
        """The parts of `text`; ValueError when it has not the shape of an ARN."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
            raise ValueError(f"{text!r} is not an ARN (arn:partition:service:region:account:resource)")
        return cls(parts[2], parts[3], parts[4], parts[5], parts[1])
