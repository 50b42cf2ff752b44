"""Tags of objects and of buckets."""

import pytest

from .conftest import Caller, failure

TAGS = [{"Key": "colour", "Value": "blue"}, {"Key": "größe", "Value": ""}]


async def test_an_object_keeps_its_tags_in_order(s3: Caller) -> None:
    await s3.put("key", Tagging="old=1")
    await s3("PutObjectTagging", Bucket="bucket", Key="key", Tagging={"TagSet": TAGS})
    assert await s3("GetObjectTagging", Bucket="bucket", Key="key") == {"TagSet": TAGS}
    await s3("DeleteObjectTagging", Bucket="bucket", Key="key")
    assert await s3("GetObjectTagging", Bucket="bucket", Key="key") == {"TagSet": []}
    assert await s3.text("key") == b"hello"


async def test_tags_need_their_object(s3: Caller) -> None:
    for name in ("GetObjectTagging", "DeleteObjectTagging"):
        assert (await failure(s3(name, Bucket="bucket", Key="none"))).code == "NoSuchKey"


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([("k", "v")] * 2, "InvalidTag"),
        ([("", "v")], "InvalidTag"),
        ([("k" * 129, "v")], "InvalidTag"),
        ([("k", "v" * 257)], "InvalidTag"),
        ([("k", "<v>")], "InvalidTag"),
        ([("aws:k", "v")], "InvalidTag"),
        ([(str(number), "v") for number in range(11)], "BadRequest"),
    ],
)
async def test_tags_that_break_the_rules_change_nothing(s3: Caller, tags: list[tuple[str, str]], code: str) -> None:
    await s3.put("key", Tagging="old=1")
    tag_set = [{"Key": key, "Value": value} for key, value in tags]
    caught = await failure(s3("PutObjectTagging", Bucket="bucket", Key="key", Tagging={"TagSet": tag_set}))
    assert (caught.code, caught.status) == (code, 400)
    reply = await s3("GetObjectTagging", Bucket="bucket", Key="key")
    assert reply["TagSet"] == [{"Key": "old", "Value": "1"}]


async def test_a_bucket_has_up_to_fifty_tags_or_no_tag_set(s3: Caller) -> None:
    assert (await failure(s3("GetBucketTagging", Bucket="bucket"))).code == "NoSuchTagSet"
    tag_set = [{"Key": f"k{number:02d}", "Value": "v"} for number in range(51)]
    assert (await failure(s3("PutBucketTagging", Bucket="bucket", Tagging={"TagSet": tag_set}))).status == 400
    await s3("PutBucketTagging", Bucket="bucket", Tagging={"TagSet": tag_set[:50]})
    assert await s3("GetBucketTagging", Bucket="bucket") == {"TagSet": tag_set[:50]}
    await s3("DeleteBucketTagging", Bucket="bucket")
    assert (await failure(s3("GetBucketTagging", Bucket="bucket"))).status == 404


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", []),
        ("foo=bar&bar", [("foo", "bar"), ("bar", "")]),
        ("a=b%3Dc&gr%C3%B6%C3%9Fe=+1", [("a", "b=c"), ("größe", " 1")]),
    ],
)
async def test_a_header_may_name_tags_without_values(s3: Caller, header: str, tags: list[tuple[str, str]]) -> None:
    await s3.put("key", Tagging=header)
    reply = await s3("GetObjectTagging", Bucket="bucket", Key="key")
    assert reply["TagSet"] == [{"Key": key, "Value": value} for key, value in tags]


@pytest.mark.parametrize("header", ["a=1&a=2", "a=1&&b=2", "&", "a=%FF", "a=1&"])
async def test_a_header_that_is_no_list_of_tags_is_refused(s3: Caller, header: str) -> None:
    assert (await failure(s3.put("key", Tagging=header))).code == "InvalidArgument"
