"""PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects."""

import asyncio
import base64
import hashlib
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services import checksums
from mayfly.services.contract import ServiceError, StreamBody
from mayfly.store.api import SMALL_BLOB_BYTES

from .conftest import Caller, failure, read, streamed

HELLO_MD5 = hashlib.md5(b"hello").hexdigest()


async def test_what_was_put_is_what_one_gets(s3: Caller) -> None:
    put = await s3.put("key")
    assert put["ETag"] == f'"{HELLO_MD5}"'
    reply = await s3("GetObject", Bucket="bucket", Key="key")
    assert await read(reply) == b"hello"
    assert (reply["ETag"], reply["ContentLength"], reply["ContentType"]) == (put["ETag"], 5, "binary/octet-stream")
    assert reply["LastModified"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert reply["AcceptRanges"] == "bytes"
    assert "ContentRange" not in reply


async def test_an_empty_object_is_an_object(s3: Caller) -> None:
    await s3("PutObject", Bucket="bucket", Key="empty")
    assert await s3.text("empty") == b""
    assert (await s3("HeadObject", Bucket="bucket", Key="empty"))["ContentLength"] == 0


async def test_headers_and_metadata_come_back(s3: Caller) -> None:
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    await s3.put(
        "key",
        ContentType="text/plain",
        CacheControl="no-cache",
        ContentDisposition="inline",
        ContentEncoding="aws-chunked, gzip",
        ContentLanguage="fr",
        Expires=expires,
        Metadata={"colour": "blue"},
        Tagging="a=b&c=d%20e",
    )
    head = await s3("HeadObject", Bucket="bucket", Key="key")
    assert (head["ContentType"], head["CacheControl"], head["ContentDisposition"]) == (
        "text/plain",
        "no-cache",
        "inline",
    )
    assert (head["ContentEncoding"], head["ContentLanguage"], head["Expires"]) == ("gzip", "fr", expires)
    assert (head["Metadata"], head["TagCount"]) == ({"colour": "blue"}, 2)


async def test_a_reply_takes_the_headers_that_the_request_asks_for(s3: Caller) -> None:
    await s3.put("key", ContentType="text/plain")
    reply = await s3("GetObject", Bucket="bucket", Key="key", ResponseContentType="text/html", ResponseExpires=None)
    assert reply["ContentType"] == "text/html"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("deflate, gzip", "deflate, gzip"), ("gzip,br", "gzip,br"), ("gzip, aws-chunked", "gzip"), ("aws-chunked", None)],
)
async def test_the_content_encoding_keeps_its_spelling_but_not_how_it_travelled(
    s3: Caller, sent: str, kept: str | None
) -> None:
    await s3.put("key", ContentEncoding=sent)
    assert (await s3("HeadObject", Bucket="bucket", Key="key")).get("ContentEncoding") == kept


async def test_putting_again_replaces_everything(s3: Caller) -> None:
    await s3.put("key", b"old", Metadata={"a": "b"}, Tagging="a=b")
    await s3.put("key", b"new")
    reply = await s3("GetObject", Bucket="bucket", Key="key")
    assert await read(reply) == b"new"
    assert "Metadata" not in reply
    assert "TagCount" not in reply


async def test_a_reader_that_began_goes_on_with_the_old_object(s3: Caller, clock: ManualClock) -> None:
    await s3.put("key", b"old" * 500_000)
    reply = await s3("GetObject", Bucket="bucket", Key="key")
    await s3.put("key", b"new")
    clock.advance(60)
    await s3.service.collect(grace_s=3600)
    await s3.blobs.sweep(grace_s=0)
    assert await read(reply) == b"old" * 500_000


async def test_replaced_and_deleted_bytes_are_swept_after_the_grace(s3: Caller, clock: ManualClock) -> None:
    await s3.put("one", b"first")
    await s3.put("one", b"second")
    await s3.put("two", b"third")
    await s3("DeleteObject", Bucket="bucket", Key="two")
    clock.advance(10)
    assert await s3.service.collect(grace_s=3600) == 0
    assert await s3.service.collect(grace_s=5) == 2
    clock.advance(10)
    assert await s3.blobs.sweep(grace_s=5) == 2
    assert await s3.text("one") == b"second"


@pytest.mark.parametrize("size", [0, SMALL_BLOB_BYTES, SMALL_BLOB_BYTES + 1, 1_000_000])
async def test_a_put_is_one_commit_and_a_small_one_touches_no_file(s3: Caller, tmp_path: Path, size: int) -> None:
    before = s3.store.commits
    await s3.put("key", bytes(size))
    assert s3.store.commits == before + 1
    files = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert len(files) == (size > SMALL_BLOB_BYTES)
    assert await s3.text("key") == bytes(size)
    if size:
        assert await s3.text("key", Range="bytes=5-6") == bytes(2)


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_what_refuses_a_put_whatever_its_body_is_comes_before_what_is_wrong_with_the_body(
    s3: Caller, size: int
) -> None:
    wrong: dict[str, Any] = {
        "Key": "key",
        "Body": streamed(bytes(size)),
        "ContentMD5": base64.b64encode(bytes(16)).decode(),
    }
    assert (await failure(s3("PutObject", Bucket="none", **wrong))).code == "NoSuchBucket"
    assert (await failure(s3("PutObject", Bucket="bucket", **wrong, IfMatch="*"))).code == "NoSuchKey"
    wrong["Body"] = streamed(bytes(size))
    assert (await failure(s3("PutObject", Bucket="bucket", **wrong))).code == "BadDigest"


async def test_missing_things_are_named(s3: Caller) -> None:
    caught = await failure(s3("GetObject", Bucket="bucket", Key="none"))
    assert (caught.code, caught.status, caught.members["Key"]) == ("NoSuchKey", 404, "none")
    assert (await failure(s3("GetObject", Bucket="none", Key="key"))).code == "NoSuchBucket"
    assert (await failure(s3("PutObject", Bucket="none", Key="key", Body=streamed(b"")))).code == "NoSuchBucket"
    assert (await failure(s3("DeleteObject", Bucket="none", Key="key"))).code == "NoSuchBucket"


async def test_an_unversioned_bucket_has_only_the_version_null(s3: Caller) -> None:
    await s3.put("key")
    assert await s3.text("key", VersionId="null") == b"hello"
    assert (await failure(s3("GetObject", Bucket="bucket", Key="key", VersionId="abc"))).code == "NoSuchVersion"
    assert (await failure(s3("GetObject", Bucket="bucket", Key="key", VersionId="ü"))).code == "InvalidArgument"


@pytest.mark.parametrize(
    ("request_", "code", "status"),
    [
        ({"Key": "é" * 513}, "KeyTooLongError", 400),
        ({"Key": "a\0b"}, "InvalidURI", 400),
        ({"Metadata": {"a": "x" * 2048}}, "MetadataTooLarge", 400),
        ({"StorageClass": "GLACIER"}, "InvalidStorageClass", 400),
        ({"ServerSideEncryption": "aws:kms"}, "NotImplemented", 501),
        ({"ObjectLockMode": "GOVERNANCE"}, "NotImplemented", 501),
        ({"ACL": "public-read"}, "AccessControlListNotSupported", 400),
        ({"ContentMD5": "short"}, "InvalidDigest", 400),
        ({"ContentMD5": base64.b64encode(bytes(16)).decode()}, "BadDigest", 400),
        ({"ChecksumCRC32": "nonsense"}, "InvalidRequest", 400),
        ({"ChecksumCRC32": base64.b64encode(bytes(4)).decode()}, "BadDigest", 400),
        ({"ChecksumCRC32": "AAAAAA==", "ChecksumSHA1": "AAAA"}, "InvalidRequest", 400),
        ({"ChecksumAlgorithm": "SHA256"}, "InvalidRequest", 400),
        ({"ChecksumAlgorithm": "ROT13"}, "InvalidRequest", 400),
        ({"Tagging": "a=1&a=2"}, "InvalidArgument", 400),
        ({"Tagging": "&".join(f"k{n}=v" for n in range(11))}, "BadRequest", 400),
        ({"Tagging": "a%3C=v"}, "InvalidTag", 400),
        ({"IfNoneMatch": '"abc"'}, "NotImplemented", 501),
        ({"IfMatch": '"abc"'}, "NoSuchKey", 404),
    ],
)
async def test_a_bad_put_gets_its_error_and_changes_nothing(
    s3: Caller, request_: dict[str, object], code: str, status: int
) -> None:
    request = {"Bucket": "bucket", "Key": "key", "Body": streamed(b"hello"), **request_}
    caught = await failure(s3("PutObject", **request))
    assert (caught.code, caught.status) == (code, status)
    rows = await s3.store.read(lambda reader: reader.all("SELECT * FROM objects_objects"))
    assert rows == []


@pytest.mark.parametrize("algorithm", checksums.ALGORITHMS)
async def test_every_checksum_is_verified_kept_and_shown_on_request(s3: Caller, algorithm: str) -> None:
    checksum = checksums.new_checksum(algorithm)
    checksum.update(b"hello")
    value = checksums.encode(checksum.digest())
    member = checksums.member(algorithm)
    assert (await s3.put("key", b"hello", **{member: value}))[member] == value
    head = await s3("HeadObject", Bucket="bucket", Key="key", ChecksumMode="ENABLED")
    assert (head[member], head["ChecksumType"]) == (value, "FULL_OBJECT")
    assert member not in await s3("HeadObject", Bucket="bucket", Key="key")
    wrong = checksums.encode(bytes(checksums.SIZES[algorithm]))
    assert (await failure(s3.put("key", b"hello", **{member: wrong}))).code == "BadDigest"


async def test_an_object_without_a_claim_gets_the_checksum_of_s3s_choice(s3: Caller) -> None:
    reply = await s3.put("key")
    assert reply["ChecksumCRC64NVME"]
    assert reply["ChecksumType"] == "FULL_OBJECT"


async def test_the_algorithm_of_a_trailer_is_the_one_that_is_kept(s3: Caller) -> None:
    context = s3.context(headers={"x-amz-trailer": "x-amz-checksum-crc32"})
    request = {"Bucket": "bucket", "Key": "key", "Body": streamed(b"hello"), "ChecksumAlgorithm": "CRC32"}
    reply = await s3.as_(context, "PutObject", **request)
    assert reply["ChecksumCRC32"] == base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()


async def test_a_body_that_breaks_off_leaves_nothing(s3: Caller) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await s3("PutObject", Bucket="bucket", Key="key", Body=StreamBody(broken(), 8))
    short = StreamBody(streamed(b"half").chunks, 8)
    assert (await failure(s3("PutObject", Bucket="bucket", Key="key", Body=short))).code == "IncompleteBody"
    assert (await failure(s3("HeadObject", Bucket="bucket", Key="key"))).code == "NoSuchKey"


async def test_more_than_5_gib_at_once_is_refused_before_a_byte_is_read(s3: Caller) -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    body = StreamBody(unread(), 5 * 1024**3 + 1)
    assert (await failure(s3("PutObject", Bucket="bucket", Key="key", Body=body))).code == "EntityTooLarge"


async def test_a_big_object_streams_in_bounded_memory(s3: Caller) -> None:
    size, chunk = 256 * 1024**2, bytes(1024**2)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(size // len(chunk)):
            yield chunk

    tracemalloc.start()
    try:
        await s3("PutObject", Bucket="bucket", Key="big", Body=StreamBody(chunks(), size))
        reply = await s3("GetObject", Bucket="bucket", Key="big")
        total = 0
        async for piece in reply["Body"]:
            total += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == size
    assert peak < 32 * 1024**2


@pytest.mark.parametrize(
    ("header", "body", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-30", b"0123456789", "bytes 0-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
        ("bytes=5-4", b"0123456789", None),
        ("bytes=0-1,3-4", b"0123456789", None),
        ("pages=1-2", b"0123456789", None),
    ],
)
async def test_a_range_selects_its_bytes(s3: Caller, header: str, body: bytes, content_range: str | None) -> None:
    await s3.put("key", b"0123456789")
    reply = await s3("GetObject", Bucket="bucket", Key="key", Range=header)
    assert await read(reply) == body
    assert reply["ContentLength"] == len(body)
    assert reply.get("ContentRange") == content_range


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
async def test_a_range_behind_the_end_is_not_satisfiable(s3: Caller, header: str) -> None:
    await s3.put("key", b"0123456789")
    caught = await failure(s3("GetObject", Bucket="bucket", Key="key", Range=header))
    assert (caught.code, caught.status, caught.members["ActualObjectSize"]) == ("InvalidRange", 416, 10)


async def test_an_object_of_one_piece_is_its_own_first_part(s3: Caller) -> None:
    await s3.put("key", b"0123456789")
    reply = await s3("GetObject", Bucket="bucket", Key="key", PartNumber=1)
    assert (await read(reply), reply["ContentRange"]) == (b"0123456789", "bytes 0-9/10")
    assert (await failure(s3("GetObject", Bucket="bucket", Key="key", PartNumber=2))).status == 416
    assert (await failure(s3("GetObject", Bucket="bucket", Key="key", PartNumber=0))).code == "InvalidArgument"
    both = s3("GetObject", Bucket="bucket", Key="key", PartNumber=1, Range="bytes=0-1")
    assert (await failure(both)).code == "InvalidRequest"


async def test_deleting_is_idempotent_unless_it_has_a_condition(s3: Caller) -> None:
    await s3.put("key")
    caught = await failure(s3("DeleteObject", Bucket="bucket", Key="key", IfMatch='"other"'))
    assert (caught.code, caught.status) == ("PreconditionFailed", 412)
    await s3("DeleteObject", Bucket="bucket", Key="key", IfMatch=f'"{HELLO_MD5}"')
    await s3("DeleteObject", Bucket="bucket", Key="key")
    assert (await failure(s3("DeleteObject", Bucket="bucket", Key="key", IfMatch="*"))).status == 404


async def test_many_are_deleted_at_once_and_failures_are_listed(s3: Caller) -> None:
    for number in range(250):
        await s3.put(f"{number:03d}")
    objects: list[dict[str, str]] = [{"Key": f"{number:03d}"} for number in range(250)]
    objects[120]["ETag"] = '"other"'
    objects.append({"Key": "never-was"})
    reply = await s3("DeleteObjects", Bucket="bucket", Delete={"Objects": objects})
    assert len(reply["Deleted"]) == 250
    assert [(item["Key"], item["Code"]) for item in reply["Errors"]] == [("120", "PreconditionFailed")]
    assert await s3("DeleteObjects", Bucket="bucket", Delete={"Objects": [{"Key": "120"}], "Quiet": True}) == {}


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_delete_names_1_to_1000_keys(s3: Caller, count: int) -> None:
    objects = [{"Key": str(number)} for number in range(count)]
    assert (await failure(s3("DeleteObjects", Bucket="bucket", Delete={"Objects": objects}))).code == "MalformedXML"


async def test_of_many_that_put_only_if_there_is_none_exactly_one_wins(s3: Caller) -> None:
    async def attempt(number: int) -> ServiceError | int:
        try:
            await s3.put("key", str(number).encode(), IfNoneMatch="*")
        except ServiceError as error:
            return error
        return number

    results = await asyncio.gather(*(attempt(number) for number in range(20)))
    winners = [result for result in results if isinstance(result, int)]
    assert len(winners) == 1
    assert {(error.code, error.status) for error in results if isinstance(error, ServiceError)} == {
        ("PreconditionFailed", 412)
    }
    assert await s3.text("key") == str(winners[0]).encode()


async def test_a_put_on_condition_replaces_only_what_it_expects(s3: Caller) -> None:
    first = await s3.put("key", b"1")
    await s3.put("key", b"2", IfMatch=first["ETag"])
    assert (await failure(s3.put("key", b"3", IfMatch=first["ETag"]))).status == 412
    assert await s3.text("key") == b"2"
