"""Ids of what REST APIs make, and ARNs."""

import hashlib

from mayfly import ids
from mayfly.services.contract import RequestContext

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def made_id(context: RequestContext, length: int, what: str) -> str:
    """The id of something new: random, unless the caller names what it wants made, so that an attempt that is repeated
    finds what the first one made."""
    if context.once is None:
        return ids.token(length)
    number = int.from_bytes(hashlib.sha256(f"{what}\0{context.once}".encode()).digest(), "big")
    found = []
    for _ in range(length):
        number, index = divmod(number, len(_DIGITS))
        found.append(_DIGITS[index])
    return "".join(found)


def arn(region: str, path: str) -> str:
    """Of what API Gateway keeps: the path is that of its own API."""
    return f"arn:aws:apigateway:{region}::{path}"
