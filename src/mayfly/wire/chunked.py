"""`aws-chunked` bodies: chunks with or without signatures, trailers after the last one. Sans-IO: bytes in, data out.

Data are handed out as they come; what is wrong with a chunk is known at its end, so whoever stores the data must wait
for `finish`. Sizes of what is buffered are bounded: lines by `MAX_LINE`, trailers by `MAX_TRAILERS`.

Source: "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and the page on
trailing headers of the same chapter (Amazon S3 API Reference).
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from enum import Enum, auto

from mayfly.services.contract import ServiceError
from mayfly.wire.sigv4 import ChunkSigner

MAX_LINE = 4096
MAX_TRAILERS = 16
MIN_SIGNED_CHUNK = 8192  # of every chunk but the last

_HEADER = re.compile(rb"([0-9a-fA-F]{1,15})(?:;chunk-signature=([0-9a-f]{64}))?")
_SIGNATURE = "x-amz-trailer-signature"


class _State(Enum):
    HEADER = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILERS = auto()
    DONE = auto()


class ChunkedDecoder:
    """One body. `signer` is None where chunks carry no signatures."""

    def __init__(self, signer: ChunkSigner | None, length: int, trailers_expected: bool) -> None:
        self._signer = signer
        self._previous = signer.seed if signer is not None else ""
        self._length = length
        self._trailers_expected = trailers_expected
        self._state = _State.HEADER
        self._buffer = bytearray()
        self._left = 0  # bytes of the current chunk that have not come yet
        self._received = 0
        self._short_seen = False
        self._signature = ""
        self._digest = hashlib.sha256()
        self._lines: list[tuple[str, str]] = []
        self.trailers: dict[str, str] = {}

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces of the payload in `data`; `ServiceError` when the body is malformed or was tampered with."""
        self._buffer += data
        while True:
            if self._state is _State.DATA:
                if not self._buffer:
                    return
                piece = bytes(self._buffer[: self._left])
                del self._buffer[: len(piece)]
                self._take(piece)
                yield piece
            elif self._state is _State.DATA_END:
                if len(self._buffer) < 2:
                    return
                if self._buffer[:2] != b"\r\n":
                    raise malformed()
                del self._buffer[:2]
                self._end_chunk()
            elif self._state is _State.DONE:
                if self._buffer:
                    raise malformed()
                return
            else:
                line = self._line()
                if line is None:
                    return
                if self._state is _State.HEADER:
                    self._header(line)
                else:
                    self._trailer(line)

    def finish(self) -> None:
        """No more bytes come; `ServiceError` unless the body is complete."""
        if self._state is _State.TRAILERS and not self._trailers_expected and not self._lines and not self._buffer:
            self._state = _State.DONE  # some clients leave out the empty line at the end
        if self._state is not _State.DONE or self._received != self._length:
            raise incomplete()

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end > MAX_LINE or (end < 0 and len(self._buffer) > MAX_LINE):
            raise malformed()
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _header(self, line: bytes) -> None:
        match = _HEADER.fullmatch(line)
        if match is None or (match[2] is None) != (self._signer is None):
            raise malformed()
        size = int(match[1], 16)
        if self._received + size > self._length:
            raise incomplete()
        if self._signer is not None:
            if size and self._short_seen:
                raise ServiceError(
                    "InvalidChunkSizeError",
                    "Only the last chunk is allowed to have a size less than 8192 bytes",
                    status=403,
                )
            self._short_seen = size < MIN_SIGNED_CHUNK
            self._signature = match[2].decode()
            self._digest = hashlib.sha256()
        self._left = size
        if size:
            self._state = _State.DATA
        else:
            self._verify()
            self._state = _State.TRAILERS

    def _take(self, piece: bytes) -> None:
        self._left -= len(piece)
        self._received += len(piece)
        if self._signer is not None:
            self._digest.update(piece)
        if not self._left:
            self._state = _State.DATA_END

    def _end_chunk(self) -> None:
        self._verify()
        self._state = _State.HEADER

    def _verify(self) -> None:
        if self._signer is None:
            return
        expected = self._signer.chunk(self._previous, self._digest.hexdigest())
        if not hmac.compare_digest(expected, self._signature):
            raise mismatch()
        self._previous = expected

    def _trailer(self, line: bytes) -> None:
        if not line:
            self._end_trailers()
            return
        name, colon, value = line.partition(b":")
        if not colon or len(self._lines) >= MAX_TRAILERS or not self._trailers_expected:
            raise bad_trailer()
        try:
            self._lines.append((name.decode("ascii").strip().lower(), value.decode("ascii").strip()))
        except UnicodeDecodeError as error:
            raise bad_trailer() from error

    def _end_trailers(self) -> None:
        signature = ""
        text = ""
        for name, value in self._lines:
            if name == _SIGNATURE:
                signature = value
            else:
                self.trailers[name] = value
                text += f"{name}:{value}\n"
        if self._signer is not None and self._trailers_expected:
            expected = self._signer.trailer(self._previous, hashlib.sha256(text.encode()).hexdigest())
            if not hmac.compare_digest(expected.encode(), signature.encode()):
                raise mismatch()
        self._state = _State.DONE


def malformed() -> ServiceError:
    """A chunk is not framed as it should be."""
    return ServiceError("IncompleteBody", "The request body is not well-formed aws-chunked data", status=400)


def incomplete() -> ServiceError:
    """There are fewer or more bytes than were announced."""
    return ServiceError(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
        status=400,
    )


def bad_trailer() -> ServiceError:
    """The trailers cannot be read, or are not those that were announced."""
    return ServiceError(
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
        status=400,
    )


def mismatch() -> ServiceError:
    """A chunk's or the trailers' signature is wrong."""
    return ServiceError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
        status=403,
    )
