"""What a layer is compressed with, which its first bytes tell, and how that is undone in pieces of a bounded size.

gzip looks back by 32 KiB. How far zstd does is up to who compresses: `MOST_WINDOW_LOG` is what its own program takes
unless told otherwise. Both may have several parts one after the other, zstd also some that hold nothing of the content.
Used by `layer`, where it is shut in already.
"""

import sys
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

from mayfly.images.inside.paths import BrokenError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC_BYTES = 4
MOST_WINDOW_LOG = 27  # 128 MiB, of the gigabyte that the process may have
ERRORS = (zlib.error, zstd.ZstdError)
_CHUNK = 1 << 18
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # for zlib: 32 KiB, and gzip's header
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPED = b"\x2a\x4d\x18"  # after a byte from 0x50 to 0x5f: something for others


class Decompressor(Protocol):
    """Undoes one part."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's, with what it has not looked at yet."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)


def _zstd() -> Decompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: MOST_WINDOW_LOG})


def expander(first: bytes) -> "Callable[[], Decompressor] | None":
    """What makes the decompressors for something that begins with `first`; None where it is not compressed."""
    if first.startswith(_GZIP_MAGIC):
        return _Gzip
    skipped = first[1:] == _ZSTD_SKIPPED and first[0] >> 4 == 5
    return _zstd if skipped or first == _ZSTD_MAGIC else None


class Prefixed:
    """A source of which the first bytes have been read."""

    def __init__(self, first: bytes, source: BinaryIO) -> None:
        self._first, self._source = first, source

    def read(self, size: int) -> bytes:
        first, self._first = self._first, b""
        return first or self._source.read(size)


class Expanding:
    """What a compressed source holds, whose first bytes have been read."""

    def __init__(self, first: bytes, source: BinaryIO, make: "Callable[[], Decompressor]") -> None:
        self._source = Prefixed(first, source)
        self._make = make
        self._part = make()
        self._ended = False

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, none at the end; `BrokenError`, and what decompressors raise (`ERRORS`)."""
        while not self._ended:
            given = b""
            if self._part.eof:
                given = self._part.unused_data or self._source.read(_CHUNK)
                self._ended = not given.strip(b"\0")  # tapes were filled up
                if self._ended:
                    break
                self._part = self._make()
            elif self._part.needs_input:
                given = self._source.read(_CHUNK)
                if not given:
                    raise BrokenError("it is cut short")
            data = self._part.decompress(given, size)
            if data:
                return data
        return b""
