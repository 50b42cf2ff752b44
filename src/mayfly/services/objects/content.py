"""Bytes in and out: a body becomes a durable blob, an object's blobs become a stream.

Called by the operations outside of transactions. Memory stays bounded by the chunks that the wire and the blobs use.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from mayfly.services import checksums
from mayfly.services.contract import ByteStream, StreamBody
from mayfly.services.objects import checks, upload_catalog
from mayfly.services.objects.claims import Claims
from mayfly.services.objects.errors import error
from mayfly.services.objects.model import Part, StoredObject
from mayfly.services.objects.ranges import Span
from mayfly.store.api import Blobs, Store


class Received(NamedTuple):
    """Bytes that are durable and were found to be what the caller claimed; no object refers to them yet."""

    digest: str
    size: int
    md5: str  # hexadecimal
    checksum: bytes  # of the algorithm that was claimed
    kept: bytes  # of the algorithm to keep


async def receive(blobs: Blobs, body: "ByteStream | bytes", claims: Claims, keep: str | None = None) -> Received:
    """Store a request's body; BadDigest, EntityTooLarge or IncompleteBody when it is not as announced.

    `keep` is the algorithm whose checksum is wanted besides the claimed one; None: only that one.
    """
    length = len(body) if isinstance(body, bytes) else body.length
    if length is not None:
        checks.check_size(length)
    md5 = hashlib.md5(usedforsecurity=False)
    running = {
        algorithm: checksums.new_checksum(algorithm) for algorithm in {claims.algorithm, keep or claims.algorithm}
    }
    blob = await blobs.put(_bounded(body, length), (md5, *running.values()))
    digests = {algorithm: checksum.digest() for algorithm, checksum in running.items()}
    claimed = digests[claims.algorithm]
    claims.check(md5.digest(), claimed)
    return Received(blob.digest, blob.size, md5.hexdigest(), claimed, digests[keep or claims.algorithm])


async def copy(store: Store, blobs: Blobs, source: StoredObject, span: Span, algorithm: str) -> Received:
    """The bytes of `span` of an object as a blob of their own, with the hashes that the copy shows."""
    md5 = hashlib.md5(usedforsecurity=False)
    checksum = checksums.new_checksum(algorithm)
    blob = await blobs.put(stream(store, blobs, source, span), (md5, checksum))
    return Received(blob.digest, blob.size, md5.hexdigest(), checksum.digest(), checksum.digest())


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


def body_of(store: Store, blobs: Blobs, stored: StoredObject, span: Span) -> StreamBody:
    """`stream` as the body of a reply."""
    return StreamBody(stream(store, blobs, stored, span), span.end - span.start)


def stream_of(request: Mapping[str, Any]) -> "ByteStream | bytes":
    """The body of a request; no body is an empty one."""
    body: ByteStream | bytes = request.get("Body", b"")
    return body


def _within(part: Part, span: Span) -> tuple[int, int]:
    return max(0, span.start - part.start), min(part.size, span.end - part.start)


async def _bounded(body: "ByteStream | bytes", length: int | None) -> AsyncIterator[bytes]:
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
