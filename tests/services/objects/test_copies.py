"""CopyObject."""

from typing import Any

import pytest

from mayfly.clock import ManualClock

from .conftest import Caller, failure, streamed


async def copy(s3: Caller, source: str = "bucket/key", key: str = "copy", **more: Any) -> dict[str, Any]:
    reply = await s3("CopyObject", Bucket="bucket", Key=key, CopySource=source, **more)
    result: dict[str, Any] = reply["CopyObjectResult"]
    return result


async def test_a_copy_has_the_bytes_and_the_description_of_its_source(s3: Caller) -> None:
    put = await s3.put(
        "key", ContentType="text/plain", Metadata={"a": "b"}, Tagging="t=u", WebsiteRedirectLocation="/x"
    )
    result = await copy(s3)
    assert (result["ETag"], result["ChecksumCRC64NVME"]) == (put["ETag"], put["ChecksumCRC64NVME"])
    head = await s3("HeadObject", Bucket="bucket", Key="copy")
    assert (head["ContentType"], head["Metadata"], head["TagCount"]) == ("text/plain", {"a": "b"}, 1)
    assert "WebsiteRedirectLocation" not in head
    await s3("DeleteObject", Bucket="bucket", Key="key")
    assert await s3.text("copy") == b"hello"


async def test_a_copy_outlives_its_source_and_the_sweep(s3: Caller, clock: ManualClock) -> None:
    await s3.put("key")
    await copy(s3)
    await s3("DeleteObject", Bucket="bucket", Key="key")
    clock.advance(10)
    await s3.service.collect(grace_s=1)
    assert await s3.blobs.sweep(grace_s=1) == 0
    assert await s3.text("copy") == b"hello"


async def test_the_directives_say_what_is_replaced(s3: Caller) -> None:
    await s3.put("key", ContentType="text/plain", Metadata={"a": "b"}, Tagging="t=u")
    await copy(
        s3,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
        ContentType="text/html",
        Metadata={"c": "d"},
        Tagging="v=w&x=y",
    )
    head = await s3("HeadObject", Bucket="bucket", Key="copy")
    assert (head["ContentType"], head["Metadata"], head["TagCount"]) == ("text/html", {"c": "d"}, 2)
    assert (await failure(copy(s3, MetadataDirective="MERGE"))).code == "InvalidArgument"


async def test_a_copy_to_itself_must_change_something(s3: Caller) -> None:
    await s3.put("key")
    assert (await failure(copy(s3, key="key"))).code == "InvalidRequest"
    await copy(s3, key="key", MetadataDirective="REPLACE", Metadata={"new": "1"})
    head = await s3("HeadObject", Bucket="bucket", Key="key")
    assert head["Metadata"] == {"new": "1"}
    assert await s3.text("key") == b"hello"


async def test_the_source_is_percent_encoded(s3: Caller) -> None:
    await s3.put("a b+c/é?")
    await copy(s3, source="/bucket/a%20b%2Bc/%C3%A9%3F?versionId=null")
    assert await s3.text("copy") == b"hello"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("bucket", "InvalidArgument"),
        ("bucket/", "InvalidArgument"),
        ("bucket/%FF", "InvalidArgument"),
        ("bucket/key?acl", "InvalidArgument"),
        ("bucket/none", "NoSuchKey"),
        ("nowhere/key", "NoSuchBucket"),
        ("bucket/key?versionId=x", "NoSuchVersion"),
        ("arn:aws:s3:us-east-1:000000000000:accesspoint/a/object/key", "NotImplemented"),
    ],
)
async def test_a_source_that_is_not_there_is_named(s3: Caller, source: str, code: str) -> None:
    await s3.put("key")
    assert (await failure(copy(s3, source=source))).code == code


async def test_a_copy_has_conditions_on_both_ends(s3: Caller) -> None:
    put = await s3.put("key")
    for more in ({"CopySourceIfNoneMatch": put["ETag"]}, {"CopySourceIfMatch": '"x"'}):
        assert (await failure(copy(s3, **more))).status == 412
    await copy(s3, CopySourceIfMatch=put["ETag"], IfNoneMatch="*")
    assert (await failure(copy(s3, IfNoneMatch="*"))).status == 412


async def test_another_checksum_may_be_asked_of_the_copy(s3: Caller) -> None:
    await s3.put("key")
    direct = await s3.put("direct", b"hello", ChecksumSHA256="LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")
    result = await copy(s3, ChecksumAlgorithm="SHA256")
    assert result["ChecksumSHA256"] == direct["ChecksumSHA256"]
    assert (await failure(copy(s3, ChecksumAlgorithm="ROT13"))).code == "InvalidRequest"


async def test_more_than_5_gib_are_copied_in_parts_only(s3: Caller) -> None:
    await s3.put("key")
    await s3.store.write(lambda tx: tx.run("UPDATE objects_objects SET size = 5368709121"))
    assert (await failure(copy(s3))).code == "InvalidRequest"


async def test_a_copy_of_a_multipart_object_is_of_one_piece(s3: Caller) -> None:
    upload = (await s3("CreateMultipartUpload", Bucket="bucket", Key="key"))["UploadId"]
    about = {"Bucket": "bucket", "Key": "key", "UploadId": upload}
    part = await s3("UploadPart", **about, PartNumber=1, Body=streamed(b"hello"))
    await s3("CompleteMultipartUpload", **about, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert (await s3("HeadObject", Bucket="bucket", Key="key"))["ETag"].endswith('-1"')
    assert (await copy(s3))["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert await s3.text("copy") == b"hello"
