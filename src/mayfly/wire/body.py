"""A request's body on its way to the handler: counted, unwrapped, hashed, compared with what the request claims.

`Body` is the `TrailingStream` that handlers of streaming operations get. It raises instead of ending when anything
that was claimed about the bytes turns out false, so a consumer that reached the end may trust all of it.
"""

import hashlib
import hmac
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from mayfly.services import checksums
from mayfly.services.contract import ByteStream, ServiceError
from mayfly.wire import chunked
from mayfly.wire.chunked import ChunkedDecoder


@dataclass(frozen=True, slots=True)
class Claims:
    """What a request says of its body."""

    sha256: str | None = None  # hexadecimal, from x-amz-content-sha256
    md5: bytes | None = None  # from Content-MD5
    checksum: tuple[str, bytes] | None = None  # algorithm and digest, from an x-amz-checksum-* header
    trailer: str | None = None  # the algorithm whose checksum is announced to trail


class Tracked:
    """The body as the server delivers it, knowing whether all of it was read."""

    def __init__(self, source: ByteStream, content: bytes | None = None) -> None:
        self._source = source
        self._content = content
        self._chunks: AsyncIterator[bytes] | None = None
        self.length = source.length
        self.started = False
        self.finished = content is not None or source.length == 0  # nothing is left to be sent
        self.broken = False  # the connection failed under it

    def at_hand(self, limit: int, operation: str = "") -> bytes | None:
        """All of it where it came along with the head, None elsewhere; `ServiceError` beyond `limit` bytes."""
        content = self._content
        if content is not None and len(content) > limit:
            raise too_large(limit, operation)
        return content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.started = True
        if self._chunks is None:
            self._chunks = self._source.__aiter__()
        try:
            return await self._chunks.__anext__()
        except StopAsyncIteration:
            self.finished = True
            raise
        except OSError:
            self.broken = True
            raise

    async def drain(self, limit: int) -> bool:
        """Read and drop what is left, `limit` bytes at most; whether the end was reached."""
        if self.finished:
            return True
        if self.length is not None and self.length > limit:
            return False
        dropped = 0
        async for piece in self:
            dropped += len(piece)
            if dropped > limit:
                return False
        return True


class Body:
    """A verified stream: see the module."""

    def __init__(
        self, source: AsyncIterator[bytes], length: int | None, claims: Claims, decoder: ChunkedDecoder | None = None
    ) -> None:
        self._source = source
        self._length = length
        self._claims = claims
        self._decoder = decoder
        self._started = False
        self._trailers: dict[str, str] = {}

    @property
    def length(self) -> int | None:
        return self._length

    @property
    def trailers(self) -> Mapping[str, str]:
        return self._trailers

    def __aiter__(self) -> AsyncIterator[bytes]:
        if self._started:
            raise RuntimeError("a body is read once")
        self._started = True
        return self._read()

    async def _read(self) -> AsyncIterator[bytes]:
        checks = _Checks(self._claims)
        decoder = self._decoder
        received = 0
        async for data in self._source:
            for piece in decoder.feed(data) if decoder is not None else (data,):
                received += len(piece)
                if self._length is not None and received > self._length:
                    raise chunked.incomplete()
                checks.update(piece)
                yield piece
        if decoder is not None:
            decoder.finish()
        if self._length is not None and received != self._length:
            raise chunked.incomplete()
        checks.finish(decoder.trailers if decoder is not None else {})
        self._trailers.update(checks.members)


@dataclass(slots=True)
class _Checks:
    """The running hashes of one body. `members` holds the trailing checksum, by the model's name, after `finish`."""

    claims: Claims
    members: dict[str, str] = field(default_factory=dict)
    _running: list[tuple[checksums.Checksum, Callable[[bytes], None]]] = field(default_factory=list)
    _trailing: checksums.Checksum | None = None

    def __post_init__(self) -> None:
        claims = self.claims
        if claims.sha256 is not None:
            expected = claims.sha256
            self._running.append((hashlib.sha256(), lambda digest: _same_sha256(expected, digest)))
        if claims.md5 is not None:
            md5 = claims.md5
            self._running.append((hashlib.md5(usedforsecurity=False), lambda digest: _same_md5(md5, digest)))
        if claims.checksum is not None:
            algorithm, wanted = claims.checksum
            checksum = checksums.new_checksum(algorithm)
            self._running.append((checksum, lambda digest: _same_checksum(algorithm, wanted, digest)))
        if claims.trailer is not None:
            self._trailing = checksums.new_checksum(claims.trailer)

    def update(self, data: bytes) -> None:
        for checksum, _ in self._running:
            checksum.update(data)
        if self._trailing is not None:
            self._trailing.update(data)

    def finish(self, trailers: Mapping[str, str]) -> None:
        for checksum, check in self._running:
            check(checksum.digest())
        if self._trailing is None or self.claims.trailer is None:
            return
        algorithm = self.claims.trailer
        text = trailers.get(checksums.header(algorithm))
        if text is None:
            raise chunked.bad_trailer()
        wanted = checksums.decode(algorithm, text)
        if wanted is None:
            raise ServiceError(
                "InvalidRequest", f"Value for {checksums.header(algorithm)} trailing header is invalid.", status=400
            )
        _same_checksum(algorithm, wanted, self._trailing.digest())
        self.members[checksums.member(algorithm)] = text


def check_bytes(data: bytes, claims: Claims) -> None:
    """`ServiceError` unless `claims` hold for a body that is in memory."""
    checks = _Checks(claims)
    checks.update(data)
    checks.finish({})


def _same_sha256(expected: str, digest: bytes) -> None:
    if not hmac.compare_digest(expected, digest.hex()):
        raise ServiceError(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            status=400,
            members={"ClientComputedContentSHA256": expected, "S3ComputedContentSHA256": digest.hex()},
        )


def _same_md5(expected: bytes, digest: bytes) -> None:
    if expected != digest:
        raise ServiceError(
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
            status=400,
            members={"ExpectedDigest": expected.hex(), "CalculatedDigest": checksums.encode(digest)},
        )


def _same_checksum(algorithm: str, expected: bytes, digest: bytes) -> None:
    if expected != digest:
        raise ServiceError(
            "BadDigest", f"The {algorithm} you specified did not match the calculated checksum.", status=400
        )


async def read_all(source: AsyncIterator[bytes], limit: int, length: int | None, operation: str = "") -> bytes:
    """The whole body; `ServiceError` RequestEntityTooLargeException beyond `limit` bytes. `operation` is for words."""
    if length is not None and length > limit:
        raise too_large(limit, operation)
    first = b""
    rest: list[bytes] = []
    size = 0
    async for piece in source:
        size += len(piece)
        if size > limit:
            raise too_large(limit, operation)
        if first:
            rest.append(piece)
        else:
            first = piece
    if length is not None and size != length:
        raise chunked.incomplete()
    return b"".join((first, *rest)) if rest else first


def too_large(limit: int, operation: str) -> ServiceError:
    """More bytes than an operation takes."""
    words = f"Request must be smaller than {limit} bytes"
    if operation:
        words += f" for the {operation} operation"
    return ServiceError("RequestEntityTooLargeException", words, status=413)


def gunzip(data: bytes, limit: int, operation: str) -> bytes:
    """`data` decompressed; `ServiceError` when it is not gzip or grows beyond `limit` bytes."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        out = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise ServiceError("SerializationException", f"The body is not valid gzip data: {error}", status=400) from error
    if len(out) > limit:
        raise too_large(limit, operation)
    if not inflater.eof:
        raise ServiceError("SerializationException", "The gzip data of the body end too early", status=400)
    return out
