"""Versions of objects: what each write makes, what shows, what a delete removes."""

from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.objects import version_statements, versioning

from .conftest import Caller, failure, read, streamed

MIB = 1024 * 1024


async def set_versioning(s3: Caller, status: str) -> None:
    await s3("PutBucketVersioning", Bucket="bucket", VersioningConfiguration={"Status": status})


async def put(s3: Caller, body: bytes, key: str = "key", **more: Any) -> str:
    return str((await s3.put(key, body, **more))["VersionId"])


async def delete(s3: Caller, key: str = "key", **more: Any) -> dict[str, Any]:
    return await s3("DeleteObject", Bucket="bucket", Key=key, **more)


async def versions(s3: Caller, **more: Any) -> list[tuple[str, str, bool, bool]]:
    """(key, version, whether it is a marker, whether it is the latest), as one reply lists them."""
    reply = await s3("ListObjectVersions", Bucket="bucket", **more)
    listed = [(item, False) for item in reply.get("Versions", ())]
    listed += [(item, True) for item in reply.get("DeleteMarkers", ())]
    return [(item["Key"], item["VersionId"], marker, item["IsLatest"]) for item, marker in listed]


async def test_versioning_is_off_until_it_is_enabled_and_never_off_again(s3: Caller) -> None:
    assert await s3("GetBucketVersioning", Bucket="bucket") == {}
    for status in ("Enabled", "Suspended", "Enabled"):
        await set_versioning(s3, status)
        assert await s3("GetBucketVersioning", Bucket="bucket") == {"Status": status}


@pytest.mark.parametrize(
    ("configuration", "code"),
    [
        ({}, "IllegalVersioningConfigurationException"),
        ({"Status": "Off"}, "MalformedXML"),
        ({"Status": "Enabled", "MFADelete": "Enabled"}, "NotImplemented"),
    ],
)
async def test_a_configuration_that_is_none_changes_nothing(
    s3: Caller, configuration: dict[str, str], code: str
) -> None:
    caught = await failure(s3("PutBucketVersioning", Bucket="bucket", VersioningConfiguration=configuration))
    assert caught.code == code
    assert await s3("GetBucketVersioning", Bucket="bucket") == {}


async def test_every_put_is_a_version_of_its_own(s3: Caller, clock: ManualClock) -> None:
    await set_versioning(s3, "Enabled")
    bodies = [b"one", b"", b"three" * 100_000]
    made = [await put(s3, body) for body in bodies]  # while the clock stands still
    assert len(set(made)) == 3
    assert await s3.text("key") == bodies[-1]
    for version, body in zip(made, bodies, strict=True):
        reply = await s3("GetObject", Bucket="bucket", Key="key", VersionId=version)
        assert (await read(reply), reply["VersionId"]) == (body, version)
        head = await s3("HeadObject", Bucket="bucket", Key="key", VersionId=version)
        assert (head["ContentLength"], head["VersionId"]) == (len(body), version)
    listed = [("key", made[2], False, True), ("key", made[1], False, False), ("key", made[0], False, False)]
    assert await versions(s3) == listed
    # Versions keep their bytes however long ago they were replaced.
    clock.advance(1000)
    await s3.service.collect(grace_s=1)
    await s3.blobs.sweep(grace_s=1)
    assert await s3.text("key", VersionId=made[0]) == b"one"


async def test_what_was_there_before_is_the_null_version(s3: Caller) -> None:
    assert "VersionId" not in await s3.put("key", b"before")
    assert await versions(s3) == [("key", "null", False, True)]
    await set_versioning(s3, "Enabled")
    assert (await s3("HeadObject", Bucket="bucket", Key="key"))["VersionId"] == "null"
    after = await put(s3, b"after")
    assert await versions(s3) == [("key", after, False, True), ("key", "null", False, False)]
    assert await s3.text("key", VersionId="null") == b"before"


async def test_a_delete_puts_a_marker_over_the_object_and_removing_it_shows_the_object_again(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    version = await put(s3, b"hello")
    removal = await delete(s3)
    assert removal["DeleteMarker"] is True
    assert (await failure(s3("GetObject", Bucket="bucket", Key="key"))).code == "NoSuchKey"
    assert "Contents" not in await s3("ListObjectsV2", Bucket="bucket")
    marker = removal["VersionId"]
    caught = await failure(s3("GetObject", Bucket="bucket", Key="key", VersionId=marker))
    assert (caught.code, caught.status) == ("MethodNotAllowed", 405)
    assert await versions(s3) == [("key", version, False, False), ("key", marker, True, True)]
    assert await delete(s3, VersionId=marker) == {"VersionId": marker, "DeleteMarker": True}
    assert await s3.text("key") == b"hello"
    assert await versions(s3) == [("key", version, False, True)]


async def test_a_marker_has_no_tags_and_cannot_be_copied(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    marker = {"Bucket": "bucket", "Key": "key", "VersionId": (await delete(s3))["VersionId"]}
    for name, method in (("PutObjectTagging", "PUT"), ("GetObjectTagging", "GET"), ("DeleteObjectTagging", "DELETE")):
        caught = await failure(s3(name, **marker, Tagging={"TagSet": []}))
        assert (caught.code, caught.members) == (
            "MethodNotAllowed",
            {"Method": method, "ResourceType": "DeleteMarker"},
        )
    source = f"bucket/key?versionId={marker['VersionId']}"
    assert (await failure(s3("CopyObject", Bucket="bucket", Key="copy", CopySource=source))).code == "InvalidRequest"
    assert (await failure(s3("CopyObject", Bucket="bucket", Key="copy", CopySource="bucket/key"))).code == "NoSuchKey"
    assert (await failure(s3.service.open("bucket", "key", marker["VersionId"]))).code == "MethodNotAllowed"


async def test_deleting_what_is_not_there_makes_a_marker_too(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    markers = [(await delete(s3, "none"))["VersionId"] for _ in range(2)]
    assert await versions(s3) == [("none", markers[1], True, True), ("none", markers[0], True, False)]


async def test_deleting_the_newest_version_shows_the_one_before(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    first, second, third = [await put(s3, body, Tagging=f"n={body.decode()}") for body in (b"1", b"2", b"3")]
    assert await delete(s3, VersionId=second) == {"VersionId": second}
    assert await s3.text("key") == b"3"
    await delete(s3, VersionId=third)
    assert await s3.text("key") == b"1"
    reply = await s3("GetObjectTagging", Bucket="bucket", Key="key")
    assert reply == {"TagSet": [{"Key": "n", "Value": "1"}], "VersionId": first}
    await delete(s3, VersionId=first)
    assert await versions(s3) == []
    assert (await failure(s3("GetObject", Bucket="bucket", Key="key"))).code == "NoSuchKey"


async def test_a_version_that_is_not_there_is_as_good_as_deleted(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    version = await put(s3, b"kept")
    gone = versioning.version_id("Enabled", "key", 5)
    assert await delete(s3, VersionId=gone) == {"VersionId": gone}
    assert (await failure(delete(s3, VersionId="?"))).code == "InvalidArgument"
    assert (await failure(s3("GetObject", Bucket="bucket", Key="key", VersionId=gone))).code == "NoSuchVersion"
    assert await versions(s3) == [("key", version, False, True)]


async def test_only_deleting_a_version_gives_its_bytes_back(s3: Caller, clock: ManualClock) -> None:
    await set_versioning(s3, "Enabled")
    version = await put(s3, b"first")
    await put(s3, b"second")
    await delete(s3)
    clock.advance(10)
    assert await s3.service.collect(grace_s=1) == 0
    await delete(s3, VersionId=version)
    clock.advance(10)
    assert await s3.service.collect(grace_s=1) == 1
    clock.advance(10)
    assert await s3.blobs.sweep(grace_s=1) == 1


async def test_a_suspended_bucket_replaces_the_null_version_alone(s3: Caller, clock: ManualClock) -> None:
    await set_versioning(s3, "Enabled")
    kept = await put(s3, b"kept")
    await set_versioning(s3, "Suspended")
    for body in (b"null 1", b"null 2"):
        assert "VersionId" not in await s3.put("key", body)
        assert (await s3("GetObject", Bucket="bucket", Key="key"))["VersionId"] == "null"
    assert await versions(s3) == [("key", "null", False, True), ("key", kept, False, False)]
    assert await s3.text("key") == b"null 2"
    await set_versioning(s3, "Enabled")
    newer = await put(s3, b"newer")
    await set_versioning(s3, "Suspended")
    await s3.put("key", b"null 3")
    assert await versions(s3) == [
        ("key", "null", False, True),
        ("key", newer, False, False),
        ("key", kept, False, False),
    ]
    clock.advance(10)
    assert await s3.service.collect(grace_s=1) == 2  # the first two null versions


async def test_a_delete_in_a_suspended_bucket_puts_a_null_marker_in_the_place_of_the_null_version(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    kept = await put(s3, b"kept")
    await set_versioning(s3, "Suspended")
    await s3.put("key", b"null")
    for _ in range(2):
        assert await delete(s3) == {"VersionId": "null", "DeleteMarker": True}
        assert await versions(s3) == [("key", kept, False, False), ("key", "null", True, True)]
    assert await delete(s3, VersionId="null") == {"VersionId": "null", "DeleteMarker": True}
    assert await s3.text("key") == b"kept"


async def test_deleting_many_says_which_markers_it_made_and_removed(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    version = await put(s3, b"a", "a")
    wanted = [{"Key": "a"}, {"Key": "a", "VersionId": version}, {"Key": "b", "VersionId": "?"}]
    reply = await s3("DeleteObjects", Bucket="bucket", Delete={"Objects": wanted})
    marker = reply["Deleted"][0].pop("DeleteMarkerVersionId")
    assert reply["Deleted"] == [{"Key": "a", "DeleteMarker": True}, {"Key": "a", "VersionId": version}]
    assert [(each["Key"], each["Code"]) for each in reply["Errors"]] == [("b", "InvalidArgument")]
    reply = await s3("DeleteObjects", Bucket="bucket", Delete={"Objects": [{"Key": "a", "VersionId": marker}]})
    removed = {"Key": "a", "VersionId": marker, "DeleteMarker": True, "DeleteMarkerVersionId": marker}
    assert reply == {"Deleted": [removed]}
    assert await versions(s3) == []


async def test_a_bucket_with_versions_or_markers_alone_is_not_empty(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    marker = (await delete(s3))["VersionId"]
    assert (await failure(s3("DeleteBucket", Bucket="bucket"))).code == "BucketNotEmpty"
    await delete(s3, VersionId=marker)
    await s3("DeleteBucket", Bucket="bucket")


async def test_copies_and_uploads_name_their_versions(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    old = await put(s3, b"old", Metadata={"n": "1"})
    await put(s3, b"new")
    source = {"Bucket": "bucket", "Key": "key", "CopySource": f"bucket/key?versionId={old}"}
    copy = await s3("CopyObject", **source)  # how an old version becomes the newest again
    assert copy["CopySourceVersionId"] == old
    head = await s3("HeadObject", Bucket="bucket", Key="key")
    assert (head["VersionId"], head["Metadata"]) == (copy["VersionId"], {"n": "1"})
    upload = {"Bucket": "bucket", "Key": "key"}
    upload["UploadId"] = (await s3("CreateMultipartUpload", **upload))["UploadId"]
    part = await s3("UploadPartCopy", **upload, PartNumber=1, CopySource=f"bucket/key?versionId={old}")
    assert part["CopySourceVersionId"] == old
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]}
    completed = await s3("CompleteMultipartUpload", **upload, MultipartUpload=parts)
    assert await s3("CompleteMultipartUpload", **upload, MultipartUpload=parts) == completed
    newest = await put(s3, b"newest")
    assert await s3.text("key", VersionId=completed["VersionId"]) == b"old"
    assert await s3.text("key", VersionId=completed["VersionId"], PartNumber=1) == b"old"
    assert (await s3("HeadObject", Bucket="bucket", Key="key"))["VersionId"] == newest


async def test_tags_and_attributes_are_a_versions_own(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    old, new = await put(s3, b"old"), await put(s3, b"newer")
    about_old = {"Bucket": "bucket", "Key": "key", "VersionId": old}
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    assert await s3("PutObjectTagging", **about_old, Tagging=tags) == {"VersionId": old}
    assert await s3("GetObjectTagging", **about_old) == {**tags, "VersionId": old}
    assert await s3("GetObjectTagging", Bucket="bucket", Key="key") == {"TagSet": [], "VersionId": new}
    attributes = await s3("GetObjectAttributes", **about_old, ObjectAttributes=["ObjectSize"])
    assert (attributes["ObjectSize"], attributes["VersionId"]) == (3, old)
    assert await s3("DeleteObjectTagging", **about_old) == {"VersionId": old}
    assert (await s3("GetObjectTagging", **about_old))["TagSet"] == []


async def test_a_put_on_condition_looks_at_what_shows(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    await put(s3, b"1")
    assert (await failure(s3.put("key", b"2", IfNoneMatch="*"))).code == "PreconditionFailed"
    await delete(s3)
    await s3.put("key", b"2", IfNoneMatch="*")


async def test_events_name_the_version_and_tell_a_marker_from_a_deletion(s3: Caller) -> None:
    target = "arn:aws:lambda:us-east-1:000000000000:function:faces"
    rule = {"LambdaFunctionArn": target, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
    configuration = {"LambdaFunctionConfigurations": [rule]}
    await s3("PutBucketNotificationConfiguration", Bucket="bucket", NotificationConfiguration=configuration)
    await s3.put("key")
    await set_versioning(s3, "Enabled")
    version = await put(s3, b"hello")
    marker = (await delete(s3))["VersionId"]
    await delete(s3, VersionId=version)
    told = [(event["eventName"], event["s3"]["object"].get("versionId")) for _, event in await s3.events()]
    assert told == [
        ("ObjectCreated:Put", None),
        ("ObjectCreated:Put", version),
        ("ObjectRemoved:DeleteMarkerCreated", marker),
        ("ObjectRemoved:Delete", version),
    ]


async def test_the_platform_itself_reads_versions(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    old = await put(s3, b"old")
    await put(s3, b"new")
    chunks = await s3.service.open("bucket", "key", old)
    assert [chunk async for chunk in chunks] == [b"old"]


async def pages(s3: Caller, size: int, **more: Any) -> list[str]:
    """All entries of a listing read in pages, in their order."""
    entries: list[str] = []
    position: dict[str, str] = {}
    while True:
        reply = await s3("ListObjectVersions", Bucket="bucket", MaxKeys=size, **more, **position)
        items = [*reply.get("Versions", ()), *reply.get("DeleteMarkers", ())]
        assert len(items) + len(reply.get("CommonPrefixes", ())) <= size
        entries += [f"{item['Key']} {item['VersionId']}" for item in items]
        entries += [item["Prefix"] for item in reply.get("CommonPrefixes", ())]
        if not reply["IsTruncated"]:
            return entries
        position = {"KeyMarker": reply["NextKeyMarker"]}
        if "NextVersionIdMarker" in reply:
            position["VersionIdMarker"] = reply["NextVersionIdMarker"]


async def fill(s3: Caller) -> None:
    await s3.put("b", b"null")
    await set_versioning(s3, "Enabled")
    for key in ("a", "b", "b/1", "b/2", "c", "\U0010ffff"):
        await put(s3, b"1", key)
        await delete(s3, key)
        await put(s3, b"2", key)
    await delete(s3, "c")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
async def test_pages_leave_nothing_out_and_show_nothing_twice(s3: Caller, size: int) -> None:
    await fill(s3)
    everything = await pages(s3, size)
    assert len(everything) == len(set(everything)) == 6 * 3 + 2
    assert sorted({entry.split()[0] for entry in everything}) == ["a", "b", "b/1", "b/2", "c", "\U0010ffff"]
    folded = await pages(s3, size, Delimiter="/")
    assert folded.count("b/") == 1
    assert len(folded) == 6 * 3 + 2 - 6 + 1
    assert len(await pages(s3, size, Prefix="b/")) == 6


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_a_bucket_is_emptied_page_by_page_though_the_markers_are_gone_by_then(s3: Caller, size: int) -> None:
    await fill(s3)
    position: dict[str, str] = {}
    while True:
        reply = await s3("ListObjectVersions", Bucket="bucket", MaxKeys=size, **position)
        items = [*reply.get("Versions", ()), *reply.get("DeleteMarkers", ())]
        wanted = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in items]
        await s3("DeleteObjects", Bucket="bucket", Delete={"Objects": wanted})
        if not reply["IsTruncated"]:
            break
        position = {"KeyMarker": reply["NextKeyMarker"], "VersionIdMarker": reply["NextVersionIdMarker"]}
    await s3("DeleteBucket", Bucket="bucket")


async def test_a_page_of_versions_sorts_no_more_than_the_page(s3: Caller) -> None:
    params = {"bucket": "bucket", "start": "", "below": version_statements.ABOVE_ALL, "stop": "", "limit": 1}
    rows = await s3.store.read(lambda reader: reader.all(f"EXPLAIN QUERY PLAN {version_statements.LIST}", params))
    steps = [row[3] for row in rows]
    assert "SEARCH older USING INDEX objects_history_in_order (bucket=? AND key>?)" in steps
    assert sum("TEMP B-TREE" in step for step in steps) == 1  # of the two halves together


async def test_a_large_version_keeps_its_bytes_when_a_newer_one_takes_its_place(s3: Caller) -> None:
    await set_versioning(s3, "Enabled")
    reply = await s3("PutObject", Bucket="bucket", Key="key", Body=streamed(bytes(MIB)))
    await put(s3, b"small")
    await delete(s3, VersionId=(await put(s3, b"gone")))
    assert await s3.text("key", VersionId=reply["VersionId"]) == bytes(MIB)
    assert await s3.text("key") == b"small"
