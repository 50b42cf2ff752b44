"""Bytes in and out: a body becomes a durable blob, an object's blobs become a stream.

Called by the operations outside of transactions, except for `at_hand`. Memory stays bounded by the chunks that the wire
and the blobs use.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from mayfly.services import checksums
from mayfly.services.contract import ByteStream, StreamBody
from mayfly.services.objects import checks, upload_catalog
from mayfly.services.objects.claims import Claims
from mayfly.services.objects.errors import error
from mayfly.services.objects.model import Part, StoredObject
from mayfly.services.objects.ranges import Span
from mayfly.store.api import SMALL_BLOB_BYTES, Blob, Blobs, Hasher, Reader, Store, Tx

T = TypeVar("T")


class Received(NamedTuple):
    """Bytes that are durable and were found to be what the caller claimed; no object refers to them yet."""

    digest: str
    size: int
    md5: str  # hexadecimal
    checksum: bytes  # of the algorithm that was claimed
    kept: bytes  # of the algorithm to keep


class _Hashes:
    """What is computed of bytes on their way in."""

    def __init__(self, algorithms: Collection[str]) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._running = {algorithm: checksums.new_checksum(algorithm) for algorithm in algorithms}
        self.hashers: Sequence[Hasher] = (self._md5, *self._running.values())

    def received(self, blob: Blob, claims: Claims, keep: str | None = None) -> Received:
        """The outcome, once every byte has passed; BadDigest."""
        digests = {algorithm: checksum.digest() for algorithm, checksum in self._running.items()}
        claimed = digests[claims.algorithm]
        claims.check(self._md5.digest(), claimed)
        return Received(blob.digest, blob.size, self._md5.hexdigest(), claimed, digests[keep or claims.algorithm])


async def receive(blobs: Blobs, body: "ByteStream | bytes", claims: Claims, keep: str | None = None) -> Received:
    """Store a request's body; BadDigest, EntityTooLarge or IncompleteBody when it is not as announced.

    `keep` is the algorithm whose checksum is wanted besides the claimed one; None: only that one.
    """
    hashes = _Hashes({claims.algorithm, keep or claims.algorithm})
    return hashes.received(await blobs.put(_bounded(body), hashes.hashers), claims, keep)


async def receive_with(
    blobs: Blobs, body: "ByteStream | bytes", claims: Claims, then: Callable[[Received], Callable[[Tx], T]]
) -> T:
    """`receive`, and in the same commit the body that `then` gives; its value."""
    hashes = _Hashes({claims.algorithm})
    return await blobs.put_with(_bounded(body), lambda blob: then(hashes.received(blob, claims)), hashes.hashers)


async def copy(store: Store, blobs: Blobs, source: StoredObject, span: Span, algorithm: str) -> Received:
    """The bytes of `span` of an object as a blob of their own, with the hashes that the copy shows."""
    hashes = _Hashes({algorithm})
    blob = await blobs.put(stream(store, blobs, source, span), hashes.hashers)
    return hashes.received(blob, Claims(None, algorithm, None, named=False))


async def copy_with(
    store: Store, blobs: Blobs, source: StoredObject, algorithm: str, then: Callable[[Received], Callable[[Tx], T]]
) -> T:
    """`copy` of all of an object, and in the same commit the body that `then` gives; its value."""
    hashes = _Hashes({algorithm})
    claims = Claims(None, algorithm, None, named=False)
    chunks = stream(store, blobs, source, Span(0, source.size))
    return await blobs.put_with(chunks, lambda blob: then(hashes.received(blob, claims)), hashes.hashers)


async def stream(store: Store, blobs: Blobs, stored: StoredObject, span: Span) -> AsyncIterator[bytes]:
    """The bytes of `span`, across parts where there are any; goes on when the object is replaced meanwhile."""
    if span.start >= span.end:
        return
    if stored.digest:
        async for chunk in blobs.read(stored.digest, span.start, span.end):
            yield chunk
        return
    parts = await store.read(lambda reader: upload_catalog.parts_of_span(reader, stored.version, *span))
    for part in parts:
        async for chunk in blobs.read(part.digest, *_within(part, span)):
            yield chunk


def at_hand(reader: Reader, blobs: Blobs, stored: StoredObject) -> bytes | None:
    """All bytes of a small object, where the snapshot that found it has them too."""
    if not stored.digest or stored.size > SMALL_BLOB_BYTES:
        return None
    return blobs.at_hand(reader, stored.digest)


def body_of(store: Store, blobs: Blobs, stored: StoredObject, span: Span) -> StreamBody:
    """`stream` as the body of a reply."""
    return StreamBody(stream(store, blobs, stored, span), span.end - span.start)


def stream_of(request: Mapping[str, Any]) -> "ByteStream | bytes":
    """The body of a request; no body is an empty one."""
    body: ByteStream | bytes = request.get("Body", b"")
    return body


def _within(part: Part, span: Span) -> tuple[int, int]:
    return max(0, span.start - part.start), min(part.size, span.end - part.start)


def length_of(body: "ByteStream | bytes") -> int | None:
    """How many bytes there are; None when that is not known ahead."""
    return len(body) if isinstance(body, bytes) else body.length


async def _bounded(body: "ByteStream | bytes") -> AsyncIterator[bytes]:
    length = length_of(body)
    if length is not None:
        checks.check_size(length)
    if isinstance(body, bytes):
        if body:
            yield body
        return
    size = 0
    async for chunk in body:
        size += len(chunk)
        checks.check_size(size)
        yield chunk
    if length is not None and size != length:
        raise error("IncompleteBody")
