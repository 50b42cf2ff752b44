"""Blobs as files named by their SHA-256, and who needs them in SQL.

A blob is written to `tmp/`, fsynced, renamed to `ab/cd/<digest>`, its directory fsynced, and only then recorded in the
table `blobs`. So a row means durable bytes; a file without a row is the rest of an interrupted `put` or `sweep`, and
goes with the next sweep. Equal content put twice replaces the file by its equal; who reads the old one keeps it open.

A small blob of `put_with` has its bytes in the database (`blob_rows`). A file that is put later of the same content
lies beside them; both go with the row.

`sweep` against a concurrent `put` or `link` of the same content: `link` needs the blob's row in its own transaction,
and `sweep` takes the row away in one that requires that there is no owner, so one of the two is first: either the owner
is seen and the blob stays, or `link` raises `BlobNotFoundError`. `put` and `sweep` exclude one another per digest, from
before the rename until the row is committed and from before the row goes until the file is gone; both are bookkept on
the event loop. Hence one process at a time owns a directory of blobs.
"""

import asyncio
import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from mayfly.clock import Clock
from mayfly.store import blob_rows
from mayfly.store.api import (
    SMALL_BLOB_BYTES,
    Blob,
    BlobNotFoundError,
    Hasher,
    Reader,
    Store,
    StoreClosedError,
    Tx,
)
from mayfly.store.blob_files import CHUNK_BYTES, Reading, Upload, names_in, remove, remove_leftovers, shards
from mayfly.store.disk import storage_errors

T = TypeVar("T")
P = ParamSpec("P")

THREADS = 8
SWEEP_BATCH = 256
DIGEST = re.compile(r"[0-9a-f]{64}")


class FileBlobs:
    """`Blobs` in a directory. Close it before the store."""

    def __init__(self, root: Path, store: Store, clock: Clock) -> None:
        self._root = root
        self._store = store
        self._clock = clock
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="mayfly-blobs")
        self._durable: set[Path] = set()  # directories of the fan-out that this process made sure of
        self._publishing: Counter[str] = Counter()
        self._sweeping: dict[str, asyncio.Event] = {}
        self._suspects: set[str] = set()  # files that an interrupted call may have left without a row
        self._walked = False  # whether files without a row were looked for since the start
        remove_leftovers(root)

    def path(self, digest: str) -> Path:
        """Where the bytes are, for readers that need a file; `BlobNotFoundError` if `digest` is none."""
        if DIGEST.fullmatch(digest) is None:
            raise BlobNotFoundError(f"{digest!r} is not a digest")
        return self._root / digest[:2] / digest[2:4] / digest

    async def put(self, chunks: AsyncIterator[bytes], hashers: Sequence[Hasher] = ()) -> Blob:
        async with contextlib.aclosing(_batches(chunks)) as batches:
            return await self._put_file(batches, hashers, _only_the_blob)

    async def put_with(
        self, chunks: AsyncIterator[bytes], then: Callable[[Blob], Callable[[Tx], T]], hashers: Sequence[Hasher] = ()
    ) -> T:
        async with contextlib.aclosing(_batches(chunks)) as batches:
            first: list[bytes] = await anext(batches, [])
            # A batch below the size of one is the last.
            if sum(map(len, first)) > SMALL_BLOB_BYTES:
                return await self._put_file(batches, hashers, then, first)
        data = b"".join(first)
        for hasher in hashers:
            hasher.update(data)
        blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
        body = then(blob)
        now = self._clock.now()

        def record(tx: Tx) -> T:
            blob_rows.record_small(tx, blob, data, now)
            return body(tx)

        return await self._store.write(record)

    async def put_bytes(self, data: bytes) -> Blob:
        upload = Upload(self._root, (hashlib.sha256(),))
        try:
            await self._in_pool(lambda: upload.write([data]))
            return await self._publish(upload, _only_the_blob)
        finally:
            self._discard(upload, None)

    def at_hand(self, reader: Reader, digest: str) -> bytes | None:
        return blob_rows.small(reader, digest)

    async def read(self, digest: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        if start < 0 or (end is not None and end < start):
            raise ValueError(f"no such range: {start} to {end}")
        reading = Reading(self.path(digest), start, end)
        try:
            if not await self._in_pool(reading.open):
                kept = (await self._read_kept(digest))[start:end]
                if kept:
                    yield kept
                return
            while reading.chunk:
                yield reading.chunk
                if not reading.left:
                    break
                await self._in_pool(reading.advance)
        finally:
            reading.close()

    async def read_bytes(self, digest: str) -> bytes:
        path = self.path(digest)

        def whole() -> bytes | None:
            with storage_errors(path):
                try:
                    return path.read_bytes()
                except FileNotFoundError:
                    return None

        data = await self._in_pool(whole)
        return await self._read_kept(digest) if data is None else data

    def link(self, tx: Tx, digest: str, owner: str) -> None:
        blob_rows.link(tx, digest, owner)

    def unlink(self, tx: Tx, digest: str, owner: str) -> None:
        blob_rows.unlink(tx, digest, owner)

    async def sweep(self, grace_s: float) -> int:
        before = self._clock.now() - grace_s
        await self._sweep_orphans()
        removed, after = 0, (float("-inf"), "")
        while True:

            def candidates(reader: Reader, after: tuple[float, str] = after) -> list[tuple[float, str]]:
                return blob_rows.unowned(reader, before, after, SWEEP_BATCH)

            batch = await self._store.read(candidates)
            if not batch:
                return removed
            after = batch[-1]
            removed += await self._sweep([digest for _, digest in batch], before)

    async def close(self) -> None:
        """Wait for what the threads are doing, then end them."""
        await asyncio.to_thread(self._pool.shutdown)

    async def _put_file(
        self,
        batches: AsyncIterator[list[bytes]],
        hashers: Sequence[Hasher],
        then: Callable[[Blob], Callable[[Tx], T]],
        first: Sequence[bytes] = (),
    ) -> T:
        """Write `first` and the rest into a file while more arrives, then publish it."""
        upload = Upload(self._root, (hashlib.sha256(), *hashers))
        last: Future[None] | None = self._submit(upload.write, first) if first else None
        try:
            async for pieces in batches:
                if last is not None:
                    await asyncio.wrap_future(last)
                last = self._submit(upload.write, pieces)
            if last is not None:
                await asyncio.wrap_future(last)
            return await self._publish(upload, then)
        finally:
            self._discard(upload, last)

    async def _publish(self, upload: Upload, then: Callable[[Blob], Callable[[Tx], T]]) -> T:
        """Make a finished upload a blob: durable bytes first, then the row, and with it what `then` makes of it."""
        blob = Blob(upload.digest, upload.size)
        body = then(blob)
        digest, target = blob.digest, self.path(blob.digest)
        while (sweeping := self._sweeping.get(digest)) is not None:
            await sweeping.wait()
        self._publishing[digest] += 1
        recorded = False
        try:
            await self._in_pool(lambda: upload.publish(target, self._durable))
            now = self._clock.now()

            def record(tx: Tx) -> T:
                blob_rows.record(tx, blob, now)
                return body(tx)

            value = await _to_the_end(self._store.write(record))
            recorded = True
        finally:
            self._publishing[digest] -= 1
            if not self._publishing[digest]:
                del self._publishing[digest]
            if not recorded:
                self._suspects.add(digest)
        return value

    async def _read_kept(self, digest: str) -> bytes:
        """The bytes that the database has; `BlobNotFoundError`."""
        data = await self._store.read(lambda reader: self.at_hand(reader, digest))
        if data is None:
            raise BlobNotFoundError(f"no blob {digest}")
        return data

    async def _sweep(self, digests: Iterable[str], before: float) -> int:
        """Remove rows that are still unowned, then their files, with no `put` of the same content in between."""
        with self._excluded(digests) as mine:
            self._suspects.update(mine)  # until it is known what became of them
            gone = await _to_the_end(self._store.write(lambda tx: blob_rows.forget(tx, mine, before)))
            await self._remove(gone)
            self._suspects.difference_update(mine)
        return len(gone)

    async def _sweep_orphans(self) -> None:
        """Remove files without a row. Those that a crash left are looked for once; later ones are known."""
        if not self._walked:
            for shard in await self._in_pool(lambda: shards(self._root)):

                def names(shard: Path = shard) -> list[str]:
                    return names_in(shard, DIGEST)

                await self._remove_rowless(await self._in_pool(names))
            self._walked = True
        suspects, self._suspects = self._suspects, set()
        await self._remove_rowless(sorted(suspects))

    async def _remove_rowless(self, digests: Sequence[str]) -> None:
        for begin in range(0, len(digests), SWEEP_BATCH):
            with self._excluded(digests[begin : begin + SWEEP_BATCH]) as mine:
                rowless = partial(blob_rows.rowless, digests=mine)
                await self._remove(await self._store.read(rowless))

    async def _remove(self, digests: Sequence[str]) -> None:
        removed = False
        try:
            await self._in_pool(lambda: remove([self.path(name) for name in digests]))
            removed = True
        finally:
            if not removed:
                self._suspects.update(digests)

    @contextlib.contextmanager
    def _excluded(self, digests: Iterable[str]) -> Iterator[list[str]]:
        """Keep `put` from publishing these; those that it is publishing are left out."""
        mine = [name for name in digests if not self._publishing[name] and name not in self._sweeping]
        done = asyncio.Event()
        self._sweeping.update(dict.fromkeys(mine, done))
        try:
            yield mine
        finally:
            for name in mine:
                del self._sweeping[name]
            done.set()

    async def _in_pool(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread. It is over when this returns or raises, cancellation included."""
        return await _to_the_end(asyncio.wrap_future(self._submit(work)))

    def _submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        try:
            return self._pool.submit(work, *args, **kwargs)
        except RuntimeError:
            raise StoreClosedError("the blobs are closed") from None

    def _discard(self, upload: Upload, last: Future[None] | None) -> None:
        """Remove what an upload that failed has left, in a thread, or at the next start if the threads have ended."""
        if not upload.published:
            with contextlib.suppress(StoreClosedError):
                self._submit(upload.discard, last)


def _only_the_blob(blob: Blob) -> Callable[[Tx], Blob]:
    return lambda tx: blob


async def _to_the_end(work: Awaitable[T]) -> T:
    """The result of `work`. It is over when this returns or raises, also when the caller is cancelled meanwhile."""
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # seen, so that nobody reports it as forgotten
        raise


async def _batches(chunks: AsyncIterator[bytes]) -> AsyncGenerator[list[bytes], None]:
    """The chunks in lists of about `CHUNK_BYTES`, so that small ones do not cost a thread switch each."""
    pieces: list[bytes] = []
    size = 0
    async for chunk in chunks:
        if not chunk:
            continue
        pieces.append(chunk)
        size += len(chunk)
        if size >= CHUNK_BYTES:
            yield pieces
            pieces, size = [], 0
    if pieces:
        yield pieces
