"""CreateBucket, DeleteBucket, HeadBucket, ListBuckets, GetBucketLocation."""

import pytest

from mayfly.services.contract import ANONYMOUS, Principal

from .conftest import Caller, failure

OTHER = Principal("root", "111111111111", "arn:aws:iam::111111111111:root", "111111111111")


async def test_a_created_bucket_is_found_and_listed(s3: Caller) -> None:
    reply = await s3("CreateBucket", Bucket="another-bucket")
    assert reply == {"Location": "/another-bucket", "BucketArn": "arn:aws:s3:::another-bucket"}
    assert (await s3("HeadBucket", Bucket="another-bucket"))["BucketRegion"] == "us-east-1"
    assert [bucket["Name"] for bucket in (await s3("ListBuckets"))["Buckets"]] == ["another-bucket", "bucket"]


@pytest.mark.parametrize(
    "name",
    ["ab", "a" * 64, "Upper", "under_score", "-dash", "dash-", "two..dots", "192.168.5.4", "xn--a", "a-s3alias", "a b"],
)
async def test_a_name_that_breaks_the_rules_is_refused(s3: Caller, name: str) -> None:
    caught = await failure(s3("CreateBucket", Bucket=name))
    assert (caught.code, caught.status) == ("InvalidBucketName", 400)


async def test_creating_a_bucket_again_succeeds_in_us_east_1_and_keeps_its_objects(s3: Caller) -> None:
    await s3.put("key")
    await s3("CreateBucket", Bucket="bucket")
    assert await s3.text("key") == b"hello"


async def test_creating_a_bucket_again_elsewhere_says_that_one_owns_it(s3: Caller) -> None:
    s3.region = "eu-central-1"
    location = {"LocationConstraint": "eu-central-1"}
    await s3("CreateBucket", Bucket="in-europe", CreateBucketConfiguration=location)
    caught = await failure(s3("CreateBucket", Bucket="in-europe", CreateBucketConfiguration=location))
    assert (caught.code, caught.status) == ("BucketAlreadyOwnedByYou", 409)
    assert await s3("GetBucketLocation", Bucket="in-europe") == {"LocationConstraint": "eu-central-1"}
    assert await s3("GetBucketLocation", Bucket="bucket") == {}


async def test_a_name_that_another_account_has_is_not_available(s3: Caller) -> None:
    caught = await failure(s3.as_(s3.context(OTHER), "CreateBucket", Bucket="bucket"))
    assert (caught.code, caught.status) == ("BucketAlreadyExists", 409)


@pytest.mark.parametrize(
    ("region", "constraint", "code"),
    [
        ("us-east-1", "us-east-1", "InvalidLocationConstraint"),
        ("us-east-1", "nowhere", "InvalidLocationConstraint"),
        ("eu-west-1", None, "IllegalLocationConstraintException"),
        ("eu-west-1", "eu-central-1", "IllegalLocationConstraintException"),
    ],
)
async def test_a_location_must_fit_the_endpoint(s3: Caller, region: str, constraint: str | None, code: str) -> None:
    s3.region = region
    configuration = {} if constraint is None else {"LocationConstraint": constraint}
    assert (await failure(s3("CreateBucket", Bucket="new", CreateBucketConfiguration=configuration))).code == code


async def test_eu_is_the_old_name_of_ireland(s3: Caller) -> None:
    await s3("CreateBucket", Bucket="old", CreateBucketConfiguration={"LocationConstraint": "EU"})
    assert (await s3("HeadBucket", Bucket="old"))["BucketRegion"] == "eu-west-1"


async def test_a_bucket_with_objects_is_not_deleted(s3: Caller) -> None:
    await s3.put("key")
    caught = await failure(s3("DeleteBucket", Bucket="bucket"))
    assert (caught.code, caught.status) == ("BucketNotEmpty", 409)
    await s3("DeleteObject", Bucket="bucket", Key="key")
    await s3("DeleteBucket", Bucket="bucket")
    assert (await failure(s3("HeadBucket", Bucket="bucket"))).code == "NoSuchBucket"


async def test_deleting_a_bucket_forgets_its_settings(s3: Caller) -> None:
    await s3("CreateBucket", Bucket="tagged", CreateBucketConfiguration={"Tags": [{"Key": "a", "Value": "b"}]})
    await s3("DeleteBucket", Bucket="tagged")
    await s3("CreateBucket", Bucket="tagged")
    rows = await s3.store.read(
        lambda reader: reader.all("SELECT kind FROM objects_bucket_settings WHERE bucket = 'tagged'")
    )
    assert ("tagging",) not in rows


async def test_buckets_come_in_pages_and_by_prefix(s3: Caller) -> None:
    for number in range(5):
        await s3("CreateBucket", Bucket=f"page-{number}")
    first = await s3("ListBuckets", MaxBuckets=2, Prefix="page-")
    second = await s3("ListBuckets", MaxBuckets=2, Prefix="page-", ContinuationToken=first["ContinuationToken"])
    third = await s3("ListBuckets", MaxBuckets=2, Prefix="page-", ContinuationToken=second["ContinuationToken"])
    names = [bucket["Name"] for page in (first, second, third) for bucket in page["Buckets"]]
    assert names == [f"page-{number}" for number in range(5)]
    assert "ContinuationToken" not in third
    assert (await failure(s3("ListBuckets", ContinuationToken="!"))).code == "InvalidArgument"
    assert (await failure(s3("ListBuckets", MaxBuckets=0))).code == "InvalidArgument"


async def test_buckets_are_shown_to_their_account_only(s3: Caller) -> None:
    stranger = s3.context(OTHER)
    assert (await s3.as_(stranger, "ListBuckets"))["Buckets"] == []
    for name in ("HeadBucket", "DeleteBucket"):
        assert (await failure(s3.as_(stranger, name, Bucket="bucket"))).status == 403
    assert (await failure(s3.as_(stranger, "GetObject", Bucket="bucket", Key="key"))).code == "AccessDenied"


async def test_who_did_not_sign_is_refused_by_every_operation(s3: Caller) -> None:
    nobody = s3.context(ANONYMOUS)
    for name in s3.service.operations:
        assert (await failure(s3.as_(nobody, name, Bucket="bucket", Key="key"))).code == "AccessDenied", name


async def test_the_expected_owner_must_own_the_bucket(s3: Caller) -> None:
    assert (await failure(s3("HeadBucket", Bucket="bucket", ExpectedBucketOwner="111111111111"))).status == 403
    await s3("HeadBucket", Bucket="bucket", ExpectedBucketOwner="000000000000")
