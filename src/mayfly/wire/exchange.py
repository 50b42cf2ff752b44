"""A request as the codecs see it, and the small pure functions that take one apart.

Made by the gateway from `contract.HttpRequest`; read by routing, the codecs and signature verification.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote, unquote_plus

from msgspec import Struct

from mayfly.services.contract import ByteStream

MAX_PARAMETERS = 10_000


class Request(Struct):
    """A request whose operation is known. `body` holds the bytes, or `stream` does for operations that stream."""

    method: str
    query: Sequence[tuple[str, str]]  # decoded, in order
    headers: Mapping[str, str]  # lower-case names; repeated headers joined by commas
    labels: Mapping[str, str] = {}  # decoded path labels, by the name in `requestUri`
    body: bytes = b""
    stream: ByteStream | None = None


def parse_query(text: str) -> list[tuple[str, str]]:
    """The decoded pairs of a query string; a key without `=` has the value "". ValueError beyond `MAX_PARAMETERS`."""
    if not text:
        return []
    pairs = text.split("&")
    if len(pairs) > MAX_PARAMETERS:
        raise ValueError(f"more than {MAX_PARAMETERS} parameters")
    found = []
    for pair in pairs:
        if pair:
            key, _, value = pair.partition("=")
            found.append((decode_plus(key), decode_plus(value)))
    return found


def decode_plus(text: str) -> str:
    """Percent-decoding of a query component, where `+` is a space; ValueError when the bytes are not UTF-8."""
    if "%" not in text and "+" not in text:
        return text
    return unquote_plus(text, errors="strict")


def decode_path(text: str) -> str:
    """Percent-decoding of a path component; ValueError when the bytes are not UTF-8."""
    return unquote(text, errors="strict") if "%" in text else text
