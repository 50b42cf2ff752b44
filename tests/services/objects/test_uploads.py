"""Multipart uploads."""

import asyncio
import base64
import hashlib
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services import checksums
from mayfly.services.contract import StreamBody
from mayfly.services.objects import multipart

from .conftest import Caller, failure, read, streamed

BIG = bytes(range(256)) * (multipart.MIN_PART_BYTES // 256)


class Upload:
    """One multipart upload to bucket/key."""

    def __init__(self, s3: Caller, upload_id: str, key: str = "key") -> None:
        self.s3 = s3
        self.id = upload_id
        self.about = {"Bucket": "bucket", "Key": key, "UploadId": upload_id}

    @classmethod
    async def begin(cls, s3: Caller, key: str = "key", **more: Any) -> "Upload":
        reply = await s3("CreateMultipartUpload", Bucket="bucket", Key=key, **more)
        return cls(s3, reply["UploadId"], key)

    async def part(self, number: int, body: bytes, **more: Any) -> dict[str, Any]:
        reply = await self.s3("UploadPart", **self.about, PartNumber=number, Body=streamed(body), **more)
        return {"PartNumber": number, **reply}

    async def complete(self, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
        return await self.s3("CompleteMultipartUpload", **self.about, MultipartUpload={"Parts": parts}, **more)


def multipart_etag(*bodies: bytes) -> str:
    digests = b"".join(hashlib.md5(body).digest() for body in bodies)
    return f'"{hashlib.md5(digests).hexdigest()}-{len(bodies)}"'


async def test_parts_become_an_object_in_the_order_of_their_numbers(s3: Caller) -> None:
    upload = await Upload.begin(s3, ContentType="text/plain", Metadata={"a": "b"}, Tagging="t=u")
    tail = await upload.part(7, b"tail")
    head = await upload.part(2, BIG)
    assert (await failure(s3("HeadObject", Bucket="bucket", Key="key"))).code == "NoSuchKey"
    reply = await upload.complete(head, tail)
    assert reply["ETag"] == multipart_etag(BIG, b"tail")
    assert reply["Location"] == "http://127.0.0.1:4566/bucket/key"
    got = await s3("GetObject", Bucket="bucket", Key="key")
    assert await read(got) == BIG + b"tail"
    assert (got["ContentType"], got["Metadata"], got["TagCount"]) == ("text/plain", {"a": "b"}, 1)


async def test_ranges_cross_the_seams_of_parts(s3: Caller) -> None:
    upload = await Upload.begin(s3)
    whole = BIG + BIG[::-1] + b"tail"
    parts = [await upload.part(1, BIG), await upload.part(2, BIG[::-1]), await upload.part(3, b"tail")]
    await upload.complete(*parts)
    seam = len(BIG)
    for start, end in [(0, 10), (seam - 3, seam + 3), (seam - 1, 2 * seam + 2), (2 * seam, 2 * seam + 4)]:
        reply = await s3("GetObject", Bucket="bucket", Key="key", Range=f"bytes={start}-{end - 1}")
        assert await read(reply) == whole[start:end]
    second = await s3("GetObject", Bucket="bucket", Key="key", PartNumber=2)
    assert await read(second) == BIG[::-1]
    assert (second["PartsCount"], second["ContentRange"]) == (3, f"bytes {seam}-{2 * seam - 1}/{len(whole)}")
    caught = await failure(s3("GetObject", Bucket="bucket", Key="key", PartNumber=4))
    assert (caught.code, caught.status) == ("InvalidPartNumber", 416)


async def test_a_part_may_be_sent_again(s3: Caller, clock: ManualClock) -> None:
    upload = await Upload.begin(s3)
    first = await upload.part(1, b"first")
    second = await upload.part(1, b"second")
    assert (await failure(upload.complete(first))).code == "InvalidPart"
    await upload.complete(second)
    assert await s3.text("key") == b"second"
    clock.advance(10)
    assert await s3.service.collect(grace_s=1) == 1


async def test_the_same_bytes_may_be_two_parts(s3: Caller, clock: ManualClock) -> None:
    upload = await Upload.begin(s3)
    parts = [await upload.part(1, BIG), await upload.part(2, BIG), await upload.part(2, b"tail")]
    await upload.complete(parts[0], parts[2])
    clock.advance(10)
    assert await s3.service.collect(grace_s=1) == 1
    await s3.blobs.sweep(grace_s=1)
    assert await s3.text("key") == BIG + b"tail"


async def test_completing_again_answers_the_same(s3: Caller) -> None:
    upload = await Upload.begin(s3)
    part = await upload.part(1, b"only")
    first = await upload.complete(part)
    assert await upload.complete(part) == first
    await s3.put("key", b"other")
    assert (await failure(upload.complete(part))).code == "NoSuchUpload"


async def test_of_concurrent_completions_all_see_one_object(s3: Caller) -> None:
    upload = await Upload.begin(s3)
    part = await upload.part(1, b"only")
    replies = await asyncio.gather(*(upload.complete(part) for _ in range(5)))
    assert all(reply == replies[0] for reply in replies)
    assert await s3.text("key") == b"only"


async def test_parts_arrive_concurrently(s3: Caller) -> None:
    upload = await Upload.begin(s3)
    bodies = [BIG[: 1 + number] for number in range(20)]
    parts = await asyncio.gather(*(upload.part(number + 1, body) for number, body in enumerate(bodies)))
    listed = await s3("ListParts", **upload.about)
    assert [part["ETag"] for part in listed["Parts"]] == [part["ETag"] for part in parts]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([], "MalformedXML"),
        ([2, 1], "InvalidPartOrder"),
        ([1, 1], "InvalidPartOrder"),
        ([1, 3], "InvalidPart"),
        ([1, 2], "EntityTooSmall"),
    ],
)
async def test_parts_that_make_no_object_are_refused(s3: Caller, parts: list[int], code: str) -> None:
    upload = await Upload.begin(s3)
    sent = {number: await upload.part(number, b"small") for number in (1, 2)}
    named = [sent.get(number, {"PartNumber": number, "ETag": '"x"'}) for number in parts]
    assert (await failure(upload.complete(*named))).code == code
    assert len((await s3("ListParts", **upload.about))["Parts"]) == 2


async def test_an_upload_that_is_not_there_takes_nothing(s3: Caller) -> None:
    ghost = Upload(s3, "none")
    part = {"PartNumber": 1, "ETag": '"x"'}
    for call in (
        ghost.part(1, b"x"),
        ghost.complete(part),
        s3("AbortMultipartUpload", **ghost.about),
        s3("ListParts", **ghost.about),
    ):
        caught = await failure(call)
        assert (caught.code, caught.status) == ("NoSuchUpload", 404)
    upload = await Upload.begin(s3)
    assert (await failure(upload.part(0, b""))).code == "InvalidArgument"
    assert (await failure(upload.part(10_001, b""))).code == "InvalidArgument"


async def test_aborting_frees_the_parts(s3: Caller, clock: ManualClock) -> None:
    upload = await Upload.begin(s3)
    for number in range(1, 4):
        await upload.part(number, b"x" * number)
    await s3("AbortMultipartUpload", **upload.about)
    assert (await failure(upload.part(4, b"late"))).code == "NoSuchUpload"
    clock.advance(10)
    assert await s3.service.collect(grace_s=1) == 3
    clock.advance(10)
    assert await s3.blobs.sweep(grace_s=1) == 3


async def test_a_part_on_its_way_while_its_upload_is_aborted_is_refused(s3: Caller) -> None:
    upload = await Upload.begin(s3)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"half"
        await s3("AbortMultipartUpload", **upload.about)
        yield b"half"

    body = StreamBody(chunks(), 8)
    assert (await failure(s3("UploadPart", **upload.about, PartNumber=1, Body=body))).code == "NoSuchUpload"


async def test_parts_that_were_not_named_are_freed(s3: Caller, clock: ManualClock) -> None:
    upload = await Upload.begin(s3)
    one = await upload.part(1, b"one")
    await upload.part(2, b"two")
    await upload.complete(one)
    clock.advance(10)
    assert await s3.service.collect(grace_s=1) == 1
    assert await s3.text("key") == b"one"


async def test_replacing_a_multipart_object_frees_its_parts(s3: Caller, clock: ManualClock) -> None:
    upload = await Upload.begin(s3)
    await upload.complete(await upload.part(1, BIG), await upload.part(2, b"tail"))
    reply = await s3("GetObject", Bucket="bucket", Key="key")
    await s3.put("key", b"new")
    assert await read(reply) == BIG + b"tail"
    clock.advance(10)
    assert await s3.service.collect(grace_s=1) == 2
    rows = await s3.store.read(lambda reader: reader.all("SELECT * FROM objects_parts"))
    assert rows == []


async def test_a_bucket_takes_its_unfinished_uploads_with_it(s3: Caller, clock: ManualClock) -> None:
    upload = await Upload.begin(s3)
    await upload.part(1, b"x")
    await s3("DeleteBucket", Bucket="bucket")
    assert (await failure(s3("ListMultipartUploads", Bucket="bucket"))).code == "NoSuchBucket"
    clock.advance(10)
    assert await s3.service.collect(grace_s=1) == 1


async def test_completing_has_conditions(s3: Caller) -> None:
    upload = await Upload.begin(s3)
    part = await upload.part(1, b"x")
    await s3.put("key")
    assert (await failure(upload.complete(part, IfNoneMatch="*"))).status == 412
    await s3("DeleteObject", Bucket="bucket", Key="key")
    await upload.complete(part, IfNoneMatch="*", MpuObjectSize=1)


# --- checksums


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
async def test_full_object_checksums_are_combined_without_reading_again(s3: Caller, algorithm: str) -> None:
    upload = await Upload.begin(s3, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    member = checksums.member(algorithm)
    parts = [
        await upload.part(number, body, **{member: digest_of(algorithm, body)})
        for number, body in ((1, BIG), (2, BIG[::-1]), (3, b"tail"))
    ]
    whole = digest_of(algorithm, BIG + BIG[::-1] + b"tail")
    wrong = digest_of(algorithm, b"wrong")
    assert (await failure(upload.complete(*parts, **{member: wrong}))).code == "BadDigest"
    reply = await upload.complete(*parts, **{member: whole, "ChecksumType": "FULL_OBJECT"})
    assert (reply[member], reply["ChecksumType"]) == (whole, "FULL_OBJECT")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
async def test_composite_checksums_are_the_checksum_of_checksums(s3: Caller, algorithm: str) -> None:
    upload = await Upload.begin(s3, ChecksumAlgorithm=algorithm)
    member = checksums.member(algorithm)
    parts = [
        await upload.part(number, body, **{member: digest_of(algorithm, body)})
        for number, body in ((1, BIG), (2, b"tail"))
    ]
    reply = await upload.complete(*parts)
    digests = b"".join(base64.b64decode(part[member]) for part in parts)
    assert reply[member] == f"{digest_of(algorithm, digests)}-2"
    attributes = await s3(
        "GetObjectAttributes", Bucket="bucket", Key="key", ObjectAttributes=["Checksum", "ObjectParts", "ObjectSize"]
    )
    assert attributes["Checksum"] == {member: digest_of(algorithm, digests), "ChecksumType": "COMPOSITE"}
    assert [part["Size"] for part in attributes["ObjectParts"]["Parts"]] == [len(BIG), 4]
    assert attributes["ObjectSize"] == len(BIG) + 4


async def test_a_part_must_bring_the_checksum_that_its_upload_was_begun_with(s3: Caller) -> None:
    upload = await Upload.begin(s3, ChecksumAlgorithm="SHA256")
    assert (await failure(upload.part(1, b"x"))).code == "InvalidRequest"
    crc = base64.b64encode(zlib.crc32(b"x").to_bytes(4, "big")).decode()
    assert (await failure(upload.part(1, b"x", ChecksumCRC32=crc))).code == "InvalidRequest"
    part = await upload.part(1, b"x", ChecksumSHA256=digest_of("SHA256", b"x"))
    del part["ChecksumSHA256"]
    assert (await failure(upload.complete(part))).code == "InvalidRequest"


async def test_an_upload_begun_without_a_checksum_gets_the_one_of_s3s_choice(s3: Caller) -> None:
    upload = await Upload.begin(s3)
    parts = [
        await upload.part(1, BIG),
        await upload.part(2, b"tail", ChecksumSHA256=digest_of("SHA256", b"tail")),
    ]
    other = digest_of("SHA256", BIG + b"tail")
    assert (await failure(upload.complete(*parts, ChecksumSHA256=other))).code == "InvalidRequest"
    reply = await upload.complete(*parts, ChecksumCRC64NVME=digest_of("CRC64NVME", BIG + b"tail"))
    assert (reply["ChecksumCRC64NVME"], reply["ChecksumType"]) == (
        digest_of("CRC64NVME", BIG + b"tail"),
        "FULL_OBJECT",
    )


@pytest.mark.parametrize(
    ("algorithm", "kind"), [("CRC64NVME", "COMPOSITE"), ("SHA256", "FULL_OBJECT"), (None, "COMPOSITE")]
)
async def test_checksums_that_cannot_be_combined_are_refused_at_once(
    s3: Caller, algorithm: str | None, kind: str
) -> None:
    more = {} if algorithm is None else {"ChecksumAlgorithm": algorithm}
    assert (await failure(Upload.begin(s3, ChecksumType=kind, **more))).code == "InvalidRequest"


# --- copies and listings


async def test_a_part_is_copied_from_a_range_of_an_object(s3: Caller) -> None:
    await s3.put("source", b"0123456789")
    upload = await Upload.begin(s3)
    reply = await s3(
        "UploadPartCopy", **upload.about, PartNumber=1, CopySource="bucket/source", CopySourceRange="bytes=2-4"
    )
    assert reply["CopyPartResult"]["ETag"] == f'"{hashlib.md5(b"234").hexdigest()}"'
    await upload.complete({"PartNumber": 1, "ETag": reply["CopyPartResult"]["ETag"]})
    assert await s3.text("key") == b"234"
    late = s3("UploadPartCopy", **upload.about, PartNumber=1, CopySource="bucket/source")
    assert (await failure(late)).code == "NoSuchUpload"


async def test_parts_come_in_pages(s3: Caller) -> None:
    upload = await Upload.begin(s3)
    for number in (1, 3, 5):
        await upload.part(number, b"x")
    first = await s3("ListParts", **upload.about, MaxParts=2)
    assert ([part["PartNumber"] for part in first["Parts"]], first["IsTruncated"]) == ([1, 3], True)
    second = await s3("ListParts", **upload.about, MaxParts=2, PartNumberMarker=first["NextPartNumberMarker"])
    assert ([part["PartNumber"] for part in second["Parts"]], second["IsTruncated"]) == ([5], False)


async def test_a_marker_is_a_natural_number(s3: Caller) -> None:
    upload = await Upload.begin(s3)
    for marker in (-1, 2**70):
        assert (await failure(s3("ListParts", **upload.about, PartNumberMarker=marker))).code == "InvalidArgument"


async def test_uploads_come_by_key_and_time_in_pages(s3: Caller, clock: ManualClock) -> None:
    begun = []
    for key in ("b", "a/1", "b", "a/2", "c", "b"):
        begun.append((key, (await Upload.begin(s3, key)).id))
        clock.advance(1)
    expected = sorted(begun, key=lambda item: (item[0], begun.index(item)))
    found: list[tuple[str, str]] = []
    more: dict[str, str] = {}
    while True:
        page = await s3("ListMultipartUploads", Bucket="bucket", MaxUploads=2, **more)
        found += [(upload["Key"], upload["UploadId"]) for upload in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert found == expected
    folded = await s3("ListMultipartUploads", Bucket="bucket", Delimiter="/")
    assert folded["CommonPrefixes"] == [{"Prefix": "a/"}]
    assert len(folded["Uploads"]) == 4


def digest_of(algorithm: str, data: bytes) -> str:
    checksum = checksums.new_checksum(algorithm)
    checksum.update(data)
    return checksums.encode(checksum.digest())
