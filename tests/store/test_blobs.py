"""What every `Blobs` promises; runs against each implementation in conftest.py."""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import permutations

import pytest

from mayfly.clock import ManualClock
from mayfly.store.api import SMALL_BLOB_BYTES, Blob, BlobNotFoundError, Blobs, Store, Tx

MIB = 1024 * 1024
SOME = bytes(range(256)) * 4096 + b"end"  # a little over 1 MiB


async def chunked(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def collected(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Crc32:
    """A hasher that is not of hashlib."""

    def __init__(self) -> None:
        self.value = 0

    def update(self, data: bytes, /) -> object:
        self.value = zlib.crc32(data, self.value)
        return None


@pytest.mark.parametrize("size", [1, 1000, 256 * 1024, 256 * 1024 + 1, 4 * MIB])
async def test_what_was_put_in_chunks_comes_back_whole(blobs: Blobs, size: int) -> None:
    data = SOME[:2000] if size == 1 else SOME
    blob = await blobs.put(chunked(data, size))
    assert blob == Blob(digest_of(data), len(data))
    assert await collected(blobs.read(blob.digest)) == data
    assert await blobs.read_bytes(blob.digest) == data


async def test_bytes_in_memory_are_put_alike(blobs: Blobs) -> None:
    assert await blobs.put_bytes(SOME) == await blobs.put(chunked(SOME, 1000))
    assert await blobs.read_bytes(digest_of(SOME)) == SOME


async def test_nothing_is_a_blob_too(blobs: Blobs) -> None:
    blob = await blobs.put(chunked(b"", 1))
    assert blob == await blobs.put_bytes(b"") == Blob(digest_of(b""), 0)
    assert await collected(blobs.read(blob.digest)) == b""


async def test_extra_hashers_see_every_byte(blobs: Blobs) -> None:
    md5, crc = hashlib.md5(), Crc32()
    await blobs.put(chunked(SOME, 70_000), [md5, crc])
    assert md5.hexdigest() == hashlib.md5(SOME).hexdigest()
    assert crc.value == zlib.crc32(SOME)


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, None), (0, 1), (5, 5), (100, 700_000), (len(SOME) - 3, None), (len(SOME), None), (len(SOME) + 9, None)],
)
async def test_a_range_reads_like_a_slice(blobs: Blobs, start: int, end: int | None) -> None:
    blob = await blobs.put_bytes(SOME)
    assert await collected(blobs.read(blob.digest, start, end)) == SOME[start:end]


async def test_a_range_beyond_the_end_is_clipped(blobs: Blobs) -> None:
    blob = await blobs.put_bytes(b"short")
    assert await collected(blobs.read(blob.digest, 1, 1000)) == b"hort"


@pytest.mark.parametrize(("start", "end"), [(-1, None), (3, 2)])
async def test_a_range_that_is_none_is_refused(blobs: Blobs, start: int, end: int | None) -> None:
    blob = await blobs.put_bytes(b"short")
    with pytest.raises(ValueError, match="range"):
        await collected(blobs.read(blob.digest, start, end))


@pytest.mark.parametrize("digest", ["0" * 64, "", "../../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
async def test_what_is_not_stored_is_not_found(blobs: Blobs, store: Store, digest: str) -> None:
    with pytest.raises(BlobNotFoundError):
        await blobs.read_bytes(digest)
    with pytest.raises(BlobNotFoundError):
        await collected(blobs.read(digest))
    with pytest.raises(BlobNotFoundError):
        await store.write(lambda tx: blobs.link(tx, digest, "me"))


async def test_nothing_is_stored_when_the_source_fails(blobs: Blobs) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield SOME
        raise ConnectionError("the client went away")

    with pytest.raises(ConnectionError):
        await blobs.put(failing())
    with pytest.raises(BlobNotFoundError):
        await blobs.read_bytes(digest_of(SOME))


async def test_equal_contents_put_at_once_are_one_blob(blobs: Blobs) -> None:
    put = await asyncio.gather(*(blobs.put(chunked(SOME, 100_000)) for _ in range(10)))
    assert set(put) == {Blob(digest_of(SOME), len(SOME))}
    assert await blobs.read_bytes(digest_of(SOME)) == SOME


async def link(store: Store, blobs: Blobs, blob: Blob, owner: str) -> None:
    await store.write(lambda tx: blobs.link(tx, blob.digest, owner))


async def unlink(store: Store, blobs: Blobs, blob: Blob, owner: str) -> None:
    await store.write(lambda tx: blobs.unlink(tx, blob.digest, owner))


async def stored(blobs: Blobs, candidates: Sequence[Blob]) -> list[Blob]:
    found = []
    for blob in candidates:
        try:
            await blobs.read_bytes(blob.digest)
        except BlobNotFoundError:
            continue
        found.append(blob)
    return found


async def test_a_sweep_takes_what_has_no_owner_and_is_old_enough(
    blobs: Blobs, store: Store, clock: ManualClock
) -> None:
    owned, unowned = await blobs.put_bytes(b"owned"), await blobs.put_bytes(b"unowned")
    await link(store, blobs, owned, "me")
    clock.advance(100)
    young = await blobs.put_bytes(b"young")
    assert await blobs.sweep(50) == 1
    assert await stored(blobs, [owned, unowned, young]) == [owned, young]
    assert await blobs.sweep(50) == 0


async def test_a_blob_lives_until_its_last_owner_lets_go(blobs: Blobs, store: Store, clock: ManualClock) -> None:
    blob = await blobs.put_bytes(b"shared")
    for owner in ("a", "a", "b"):
        await link(store, blobs, blob, owner)
    await unlink(store, blobs, blob, "a")
    await unlink(store, blobs, blob, "a")
    clock.advance(100)
    assert await blobs.sweep(50) == 0
    await unlink(store, blobs, blob, "b")
    assert await blobs.sweep(50) == 1
    with pytest.raises(BlobNotFoundError):
        await link(store, blobs, blob, "late")


async def test_putting_again_renews_the_grace(blobs: Blobs, clock: ManualClock) -> None:
    await blobs.put_bytes(b"again")
    clock.advance(100)
    blob = await blobs.put_bytes(b"again")
    clock.advance(10)
    assert await blobs.sweep(50) == 0
    assert await stored(blobs, [blob]) == [blob]


async def test_a_link_that_is_undone_gives_no_ownership(blobs: Blobs, store: Store, clock: ManualClock) -> None:
    blob = await blobs.put_bytes(b"nearly")

    def undone(tx: object) -> None:
        blobs.link(tx, blob.digest, "me")  # type: ignore[arg-type]  # a Tx; its name is not needed here
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(undone)
    clock.advance(100)
    assert await blobs.sweep(50) == 1


async def test_a_sweep_goes_through_more_blobs_than_it_takes_at_once(
    blobs: Blobs, store: Store, clock: ManualClock
) -> None:
    put = await asyncio.gather(*(blobs.put_bytes(b"%d" % number) for number in range(600)))
    for blob in put[::100]:
        await link(store, blobs, blob, "me")
    clock.advance(100)
    assert await blobs.sweep(50) == 594
    assert await stored(blobs, put[::50]) == put[::100]


async def test_a_put_that_meets_a_sweep_of_the_same_content_ends_with_the_blob_stored(
    blobs: Blobs, store: Store, clock: ManualClock
) -> None:
    for round_ in range(20):
        data = b"contended %d" % round_
        old = await blobs.put_bytes(data)
        clock.advance(100)
        puts = [asyncio.create_task(blobs.put_bytes(data)) for _ in range(4)]
        sweeps = [asyncio.create_task(blobs.sweep(50)) for _ in range(2)]
        await asyncio.gather(*puts, *sweeps)
        assert await blobs.read_bytes(old.digest) == data
        await link(store, blobs, old, "me")


async def test_a_reader_keeps_what_it_opened_though_it_is_swept(blobs: Blobs, clock: ManualClock) -> None:
    blob = await blobs.put_bytes(SOME)
    reading = blobs.read(blob.digest)
    first = await anext(reading)
    clock.advance(100)
    assert await blobs.sweep(50) == 1
    assert first + await collected(reading) == SOME


async def test_a_cancelled_put_leaves_a_blob_or_nothing(blobs: Blobs, clock: ManualClock) -> None:
    for turns in range(30):
        data = b"cancelled %d" % turns
        putting = asyncio.create_task(blobs.put_bytes(data))
        for _ in range(turns):
            await asyncio.sleep(0)
        putting.cancel()
        await asyncio.wait([putting])
    clock.advance(100)
    await blobs.sweep(50)
    for turns in range(30):
        with pytest.raises(BlobNotFoundError):
            await blobs.read_bytes(digest_of(b"cancelled %d" % turns))


# --- with the write of what needs it


def owned_by(blobs: Blobs, owner: str) -> Callable[[Blob], Callable[[Tx], Blob]]:
    """For `put_with`: link the blob, and answer it."""

    def then(blob: Blob) -> Callable[[Tx], Blob]:
        def body(tx: Tx) -> Blob:
            blobs.link(tx, blob.digest, owner)
            return blob

        return body

    return then


LIMIT = SMALL_BLOB_BYTES


@pytest.mark.parametrize("size", [0, 1, 1000, LIMIT - 1, LIMIT, LIMIT + 1, 300_000, len(SOME)])
@pytest.mark.parametrize("chunk", [777, 400_000])
async def test_a_blob_and_what_needs_it_are_put_in_one_go(
    blobs: Blobs, store: Store, clock: ManualClock, size: int, chunk: int
) -> None:
    data = SOME[:size]
    blob = await blobs.put_with(chunked(data, chunk), owned_by(blobs, "me"))
    assert blob == Blob(digest_of(data), size)
    clock.advance(100)
    assert await blobs.sweep(50) == 0
    assert await blobs.read_bytes(blob.digest) == data
    assert await collected(blobs.read(blob.digest)) == data
    assert await collected(blobs.read(blob.digest, 1, max(1, size - 1))) == data[1 : max(1, size - 1)]
    assert await collected(blobs.read(blob.digest, size + 9)) == b""
    assert await store.read(lambda reader: blobs.at_hand(reader, blob.digest)) in (data, None)
    await unlink(store, blobs, blob, "me")
    assert await blobs.sweep(50) == 1
    assert await stored(blobs, [blob]) == []
    assert await store.read(lambda reader: blobs.at_hand(reader, blob.digest)) is None


async def test_small_blobs_that_were_put_with_a_write_are_at_hand(blobs: Blobs, store: Store) -> None:
    blob = await blobs.put_with(chunked(b"small", 2), owned_by(blobs, "me"))
    assert await store.read(lambda reader: blobs.at_hand(reader, blob.digest)) == b"small"


@pytest.mark.parametrize("size", [1000, 300_000])
async def test_hashers_have_seen_everything_when_it_is_asked_what_to_write(blobs: Blobs, size: int) -> None:
    data, md5, crc = SOME[:size], hashlib.md5(), Crc32()
    seen: list[tuple[str, int]] = []

    def then(blob: Blob) -> Callable[[Tx], None]:
        seen.append((md5.hexdigest(), crc.value))
        return lambda tx: None

    await blobs.put_with(chunked(data, 100), then, [md5, crc])
    assert seen == [(hashlib.md5(data).hexdigest(), zlib.crc32(data))]


@pytest.mark.parametrize("size", [0, 1000, 300_000])
@pytest.mark.parametrize("where", ["source", "then", "body"])
async def test_nothing_is_stored_when_the_source_or_the_write_fails(
    blobs: Blobs, store: Store, size: int, where: str
) -> None:
    data = SOME[:size]

    async def source() -> AsyncIterator[bytes]:
        yield data
        if where == "source":
            raise LookupError(where)

    def then(blob: Blob) -> Callable[[Tx], None]:
        if where == "then":
            raise LookupError(where)

        def body(tx: Tx) -> None:
            blobs.link(tx, blob.digest, "me")
            raise LookupError(where)

        return body

    with pytest.raises(LookupError, match=where):
        await blobs.put_with(source(), then)
    with pytest.raises(BlobNotFoundError):
        await link(store, blobs, Blob(digest_of(data), size), "me")
    await blobs.sweep(0)
    assert await stored(blobs, [Blob(digest_of(data), size)]) == []


async def test_equal_contents_are_one_blob_whichever_way_they_are_put(
    blobs: Blobs, store: Store, clock: ManualClock
) -> None:
    ways: list[Callable[[str], Awaitable[Blob]]] = [
        lambda owner: blobs.put_with(chunked(b"same", 1), owned_by(blobs, owner)),
        lambda owner: blobs.put_bytes(b"same"),
        lambda owner: blobs.put_with(chunked(b"same", 4), owned_by(blobs, owner)),
    ]
    for order in permutations(ways):
        put = [await way(str(number)) for number, way in enumerate(order)]
        assert set(put) == {Blob(digest_of(b"same"), 4)}
        clock.advance(100)
        assert await blobs.sweep(50) == 0
        assert await blobs.read_bytes(put[0].digest) == b"same"
        for owner in ("0", "1", "2"):
            await unlink(store, blobs, put[0], owner)
        assert await blobs.sweep(50) == 1
        assert await stored(blobs, put) == []


@pytest.mark.parametrize("size", [10, 300_000])
async def test_a_put_with_a_write_that_meets_a_sweep_of_the_same_content_ends_with_the_blob_stored(
    blobs: Blobs, store: Store, clock: ManualClock, size: int
) -> None:
    for round_ in range(10):
        data = bytes([round_]) * size
        old = await blobs.put_with(chunked(data, size), lambda blob: lambda tx: blob)
        clock.advance(100)
        puts = [blobs.put_with(chunked(data, size), owned_by(blobs, str(number))) for number in range(3)]
        await asyncio.gather(blobs.sweep(50), *puts, blobs.put_bytes(data), blobs.sweep(50))
        await blobs.sweep(50)
        assert await blobs.read_bytes(old.digest) == data


@pytest.mark.parametrize("size", [10, 300_000])
async def test_a_cancelled_put_with_a_write_leaves_both_or_nothing(
    blobs: Blobs, store: Store, clock: ManualClock, size: int
) -> None:
    contents = [bytes([turns]) * size for turns in range(40)]
    for turns, data in enumerate(contents):
        putting = asyncio.create_task(blobs.put_with(chunked(data, size), owned_by(blobs, "me")))
        for _ in range(turns):
            await asyncio.sleep(0)
        putting.cancel()
        await asyncio.wait([putting])
        await blobs.sweep(-1)
    await store.write(lambda tx: None)  # behind those that had begun when their callers left
    clock.advance(100)
    await blobs.sweep(50)
    candidates = [Blob(digest_of(data), size) for data in contents]
    for blob in await stored(blobs, candidates):
        await unlink(store, blobs, blob, "me")
    await blobs.sweep(-1)
    assert await stored(blobs, candidates) == []
