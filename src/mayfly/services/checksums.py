"""The checksums of S3's "flexible checksums", by the names that the API gives them.

Used by the wire, which verifies what a request claims about its body, and by objects, which stores and combines them.
SHA and MD5 come from `hashlib`, CRC-32 from `zlib`; CRC-32C, CRC-64/NVME and the XXHash family from AWS's own native
library, because 5 GiB must pass at memory speed. Nothing here blocks for longer than the bytes it is given need.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from awscrt import checksums as crt


class Checksum(Protocol):
    """A running checksum: what `hashlib`'s objects look like, so that it serves as a `store.api.Hasher` too."""

    def update(self, data: bytes, /) -> object:
        """Add bytes."""

    def digest(self) -> bytes:
        """The checksum of everything added so far, big-endian for CRCs; more may be added afterwards."""


class _Crc:
    """A CRC over a function of (data, CRC so far)."""

    __slots__ = ("_function", "_size", "_value")

    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    """One of the native library's XXHash objects; they tolerate being read more than once."""

    __slots__ = ("_hash",)

    def __init__(self, native: crt.XXHash) -> None:
        self._hash = native

    def update(self, data: bytes, /) -> None:
        self._hash.update(data)

    def digest(self) -> bytes:
        return bytes(self._hash.finalize())


_FACTORIES: Final[Mapping[str, Callable[[], Checksum]]] = MappingProxyType(
    {
        "CRC32": lambda: _Crc(zlib.crc32, 4),
        "CRC32C": lambda: _Crc(crt.crc32c, 4),
        "CRC64NVME": lambda: _Crc(crt.crc64nvme, 8),
        "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
        "SHA256": hashlib.sha256,
        "SHA512": hashlib.sha512,
        "MD5": lambda: hashlib.md5(usedforsecurity=False),
        "XXHASH64": lambda: _XxHash(crt.XXHash.new_xxhash64()),
        "XXHASH3": lambda: _XxHash(crt.XXHash.new_xxhash3_64()),
        "XXHASH128": lambda: _XxHash(crt.XXHash.new_xxhash3_128()),
    }
)
_COMBINERS: Final[Mapping[str, tuple[Callable[[int, int, int], int], int]]] = MappingProxyType(
    {
        "CRC32": (crt.combine_crc32, 4),
        "CRC32C": (crt.combine_crc32c, 4),
        "CRC64NVME": (crt.combine_crc64nvme, 8),
    }
)

ALGORITHMS: Final = tuple(_FACTORIES)
SIZES: Final[Mapping[str, int]] = MappingProxyType({name: len(make().digest()) for name, make in _FACTORIES.items()})
COMBINABLE: Final = frozenset(_COMBINERS)


def new_checksum(algorithm: str) -> Checksum:
    """A fresh checksum of `algorithm`, one of `ALGORITHMS`; KeyError for anything else."""
    return _FACTORIES[algorithm]()


def combine(algorithm: str, first: bytes, second: bytes, second_length: int) -> bytes:
    """The checksum of two byte strings in a row from the checksum of each and the length of the second.

    For `COMBINABLE` algorithms only (KeyError otherwise). This is how the FULL_OBJECT checksum of a multipart upload
    is had without reading the parts again.
    """
    function, size = _COMBINERS[algorithm]
    value = function(int.from_bytes(first, "big"), int.from_bytes(second, "big"), second_length)
    return value.to_bytes(size, "big")


def encode(digest: bytes) -> str:
    """A digest in base64, as headers, trailers and XML carry it."""
    return base64.b64encode(digest).decode("ascii")


def decode(algorithm: str, text: str) -> bytes | None:
    """The digest that `text` is the base64 of; None unless it is valid and has the algorithm's size."""
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == SIZES[algorithm] else None


def member(algorithm: str) -> str:
    """The name of the model's member that carries the checksum: "ChecksumCRC32"."""
    return f"Checksum{algorithm}"


def header(algorithm: str) -> str:
    """The name of the header or trailer that carries the checksum, in lower case: "x-amz-checksum-crc32"."""
    return f"x-amz-checksum-{algorithm.lower()}"


def algorithm_of_header(name: str) -> str | None:
    """The algorithm whose checksum the header or trailer `name` (lower case) carries, or None."""
    algorithm = name.removeprefix("x-amz-checksum-").upper()
    return algorithm if name.startswith("x-amz-checksum-") and algorithm in _FACTORIES else None
