"""What the database knows of blobs: which there are, who needs them, and the bytes of the small ones.

Functions of a `Reader` or a `Tx`, called by `files.FileBlobs` inside store bodies; nothing here knows the disk. A row
of `blobs` means durable bytes: in `blob_bytes` when `record_small` found no row before it, else in a file.
"""

from collections.abc import Sequence

from mayfly.store.api import Blob, BlobNotFoundError, Reader, Tx

INSERT_BLOB = """
INSERT INTO blobs (digest, size, put_at, owners) VALUES (:digest, :size, :now, 0)
ON CONFLICT (digest) DO UPDATE SET put_at = excluded.put_at
"""
RENEW_BLOB = "UPDATE blobs SET put_at = :now WHERE digest = :digest"
SELECT_BLOB = "SELECT 1 FROM blobs WHERE digest = :digest"
INSERT_BYTES = "INSERT INTO blob_bytes (digest, bytes) VALUES (:digest, :bytes)"
SELECT_BYTES = "SELECT bytes FROM blob_bytes WHERE digest = :digest"
DELETE_BYTES = "DELETE FROM blob_bytes WHERE digest = :digest"
INSERT_OWNER = """
INSERT INTO blob_owners (digest, owner) VALUES (:digest, :owner) ON CONFLICT (digest, owner) DO NOTHING
"""
DELETE_OWNER = "DELETE FROM blob_owners WHERE digest = :digest AND owner = :owner"
# A blob that is not there counts nothing.
COUNT_OWNER = "UPDATE blobs SET owners = owners + :change WHERE digest = :digest"
SELECT_UNOWNED = """
SELECT put_at, digest FROM blobs
WHERE owners = 0 AND put_at < :before AND (put_at, digest) > (:after, :digest)
ORDER BY put_at, digest LIMIT :count
"""
DELETE_UNOWNED = "DELETE FROM blobs WHERE digest = :digest AND put_at < :before AND owners = 0"


def record(tx: Tx, blob: Blob, now: float) -> None:
    """The blob's bytes are durable in a file."""
    tx.run(INSERT_BLOB, {"digest": blob.digest, "size": blob.size, "now": now})


def record_small(tx: Tx, blob: Blob, data: bytes, now: float) -> None:
    """Keep the bytes themselves, unless the blob is there already."""
    if not tx.run(RENEW_BLOB, {"digest": blob.digest, "now": now}):
        record(tx, blob, now)
        tx.run(INSERT_BYTES, {"digest": blob.digest, "bytes": data})


def small(reader: Reader, digest: str) -> bytes | None:
    """The bytes, where they are in the database."""
    row = reader.one(SELECT_BYTES, {"digest": digest})
    return None if row is None else bytes(row[0])


def link(tx: Tx, digest: str, owner: str) -> None:
    """Idempotent; `BlobNotFoundError`."""
    if tx.one(SELECT_BLOB, {"digest": digest}) is None:
        raise BlobNotFoundError(f"no blob {digest}; it was never put, or was swept before it was linked")
    if tx.run(INSERT_OWNER, {"digest": digest, "owner": owner}):
        tx.run(COUNT_OWNER, {"digest": digest, "change": 1})


def unlink(tx: Tx, digest: str, owner: str) -> None:
    """Idempotent."""
    if tx.run(DELETE_OWNER, {"digest": digest, "owner": owner}):
        tx.run(COUNT_OWNER, {"digest": digest, "change": -1})


def unowned(reader: Reader, before: float, after: tuple[float, str], count: int) -> list[tuple[float, str]]:
    """(time put, digest) of blobs without an owner that were put until `before`, in order, behind `after`."""
    params = {"before": before, "after": after[0], "digest": after[1], "count": count}
    return [(put_at, digest) for put_at, digest in reader.all(SELECT_UNOWNED, params)]


def forget(tx: Tx, digests: Sequence[str], before: float) -> list[str]:
    """Remove those that are still without an owner and were not put again; which."""
    gone = [digest for digest in digests if tx.run(DELETE_UNOWNED, {"digest": digest, "before": before})]
    tx.many(DELETE_BYTES, [{"digest": digest} for digest in gone])
    return gone


def rowless(reader: Reader, digests: Sequence[str]) -> list[str]:
    """Those of `digests` that are no blobs."""
    return [digest for digest in digests if reader.one(SELECT_BLOB, {"digest": digest}) is None]
