"""Pieces of replies that several operations share. Pure."""

from typing import Any

from mayfly.services import checksums
from mayfly.services.objects.errors import invalid_argument
from mayfly.services.objects.model import Checksum
from mayfly.services.objects.notifications import encode_key


def checksum_members(checksum: Checksum | None) -> dict[str, Any]:
    """The members that carry a checksum and its type."""
    if checksum is None:
        return {}
    return {checksums.member(checksum.algorithm): checksum.value, "ChecksumType": checksum.type}


class KeyEncoding:
    """How a listing spells keys: as they are, or percent-encoded because XML cannot carry every key."""

    def __init__(self, encoding_type: str | None) -> None:
        if encoding_type not in (None, "url"):
            raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", encoding_type)
        self._url = encoding_type == "url"

    def __call__(self, key: str) -> str:
        return encode_key(key) if self._url else key

    def members(self) -> dict[str, Any]:
        """What the reply says about it."""
        return {"EncodingType": "url"} if self._url else {}


def page_size(value: int | None, name: str) -> int:
    """How many entries a page has: what was asked for, 1,000 at most; InvalidArgument for less than none."""
    return 1000 if value is None else min(natural(value, name), 1000)


def natural(value: int, name: str) -> int:
    """`value` if it is what S3 takes for a count or a marker; InvalidArgument."""
    if not 0 <= value <= 2_147_483_647:
        raise invalid_argument(f"Argument {name} must be an integer between 0 and 2147483647", name, value)
    return value
