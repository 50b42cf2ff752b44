"""Everything once more as a user does it: boto3 over a socket."""

import hashlib
import io
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from .door import Door, open_door

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:faces"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(tmp_path_factory.mktemp("door")) as opened:
        yield opened


@pytest.fixture(scope="module")
def boto(door: Door) -> Any:
    return door.client()


@pytest.fixture
def bucket(boto: Any, request: pytest.FixtureRequest) -> str:
    """A bucket of this test's own."""
    name = f"b-{hashlib.sha256(request.node.name.encode()).hexdigest()[:20]}"
    boto.create_bucket(Bucket=name)
    return name


def refusal(call: Any, **request: Any) -> tuple[str, int]:
    """The code and status that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_an_object_makes_the_round_trip(boto: Any, bucket: str) -> None:
    expires = datetime(2031, 1, 1, tzinfo=UTC)
    put = boto.put_object(
        Bucket=bucket,
        Key="dir/ä key+?.txt",
        Body=b"hello",
        ContentType="text/plain",
        CacheControl="max-age=1",
        Metadata={"Colour": "blue"},
        Tagging="a=b",
        Expires=expires,
    )
    got = boto.get_object(Bucket=bucket, Key="dir/ä key+?.txt")
    assert got["Body"].read() == b"hello"
    assert got["ETag"] == put["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert (got["ContentType"], got["CacheControl"], got["ContentLength"]) == ("text/plain", "max-age=1", 5)
    assert (got["Metadata"], got["TagCount"]) == ({"colour": "blue"}, 1)
    assert abs(got["LastModified"] - datetime.now(UTC)) < timedelta(minutes=5)
    assert put["ChecksumCRC32"] == got["ChecksumCRC32"]
    head = boto.head_object(Bucket=bucket, Key="dir/ä key+?.txt")
    assert (head["ContentLength"], head["ETag"], head["Metadata"]) == (5, put["ETag"], {"colour": "blue"})


def test_ranges_and_conditions_have_their_statuses(boto: Any, bucket: str) -> None:
    etag = boto.put_object(Bucket=bucket, Key="key", Body=b"0123456789")["ETag"]
    got = boto.get_object(Bucket=bucket, Key="key", Range="bytes=-3")
    assert (got["Body"].read(), got["ContentRange"]) == (b"789", "bytes 7-9/10")
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    head = boto.head_object(Bucket=bucket, Key="key", Range="bytes=1-2")
    assert (head["ContentLength"], head["ResponseMetadata"]["HTTPStatusCode"]) == (2, 206)
    about = {"Bucket": bucket, "Key": "key"}
    assert refusal(boto.get_object, **about, Range="bytes=10-") == ("InvalidRange", 416)
    assert refusal(boto.get_object, **about, IfNoneMatch=etag) == ("304", 304)
    assert refusal(boto.get_object, **about, IfMatch='"x"') == ("PreconditionFailed", 412)
    assert refusal(boto.head_object, **about, IfMatch='"x"') == ("412", 412)
    future = datetime.now(UTC) + timedelta(days=1)
    assert refusal(boto.get_object, **about, IfUnmodifiedSince=future - timedelta(days=9)) == (
        "PreconditionFailed",
        412,
    )
    assert boto.get_object(**about, IfModifiedSince=future - timedelta(days=9))["Body"].read() == b"0123456789"
    assert refusal(boto.put_object, **about, Body=b"", IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert boto.put_object(**about, Body=b"new", IfMatch=etag)["ETag"] != etag


def test_what_is_not_there_is_404(boto: Any, bucket: str) -> None:
    assert refusal(boto.get_object, Bucket=bucket, Key="none") == ("NoSuchKey", 404)
    assert refusal(boto.head_object, Bucket=bucket, Key="none") == ("404", 404)
    assert refusal(boto.head_bucket, Bucket="no-such-bucket") == ("404", 404)
    assert refusal(boto.list_objects_v2, Bucket="no-such-bucket") == ("NoSuchBucket", 404)
    with pytest.raises(boto.exceptions.NoSuchKey):
        boto.get_object(Bucket=bucket, Key="none")


def test_buckets_come_and_go(boto: Any, door: Door) -> None:
    boto.create_bucket(Bucket="come-and-go")
    names = [item["Name"] for item in boto.list_buckets()["Buckets"]]
    assert "come-and-go" in names
    assert boto.get_bucket_location(Bucket="come-and-go")["LocationConstraint"] is None
    assert boto.head_bucket(Bucket="come-and-go")["BucketRegion"] == "us-east-1"
    europe = door.client(region="eu-central-1")
    location = {"LocationConstraint": "eu-central-1"}
    europe.create_bucket(Bucket="in-europe", CreateBucketConfiguration=location)
    assert boto.get_bucket_location(Bucket="in-europe")["LocationConstraint"] == "eu-central-1"
    again = refusal(europe.create_bucket, Bucket="in-europe", CreateBucketConfiguration=location)
    assert again == ("BucketAlreadyOwnedByYou", 409)
    boto.put_object(Bucket="come-and-go", Key="k")
    assert refusal(boto.delete_bucket, Bucket="come-and-go") == ("BucketNotEmpty", 409)
    boto.delete_object(Bucket="come-and-go", Key="k")
    boto.delete_bucket(Bucket="come-and-go")
    assert "Status" not in boto.get_bucket_versioning(Bucket="in-europe")
    pages = boto.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1})
    assert "in-europe" in [item["Name"] for page in pages for item in page["Buckets"]]


def test_listings_page_through_odd_keys(boto: Any, bucket: str) -> None:
    keys = [f"dir{number % 3}/a b+{number}é%.txt" for number in range(25)] + ["top", "line\nfeed", "c\x01"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: boto.put_object(Bucket=bucket, Key=key, Body=b"x"), keys))
    pages = boto.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
    assert [item["Key"] for page in pages for item in page["Contents"]] == sorted(keys)
    pages = boto.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
    assert [item["Key"] for page in pages for item in page["Contents"]] == sorted(keys)
    folded = boto.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [item["Prefix"] for item in folded["CommonPrefixes"]] == ["dir0/", "dir1/", "dir2/"]
    assert [item["Key"] for item in folded["Contents"]] == ["c\x01", "line\nfeed", "top"]
    deleted = boto.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys if key != "c\x01"]})
    assert len(deleted["Deleted"]) == len(keys) - 1
    assert boto.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_a_big_file_goes_up_and_down_in_parts(boto: Any, bucket: str) -> None:
    data = os.urandom(1024) * 1024 * 20
    config = TransferConfig(multipart_threshold=5 * 1024**2, multipart_chunksize=6 * 1024**2, max_concurrency=4)
    boto.upload_fileobj(io.BytesIO(data), bucket, "big", Config=config, ExtraArgs={"Metadata": {"a": "b"}})
    head = boto.head_object(Bucket=bucket, Key="big")
    assert (head["ContentLength"], head["Metadata"]) == (len(data), {"a": "b"})
    assert head["ETag"].endswith('-4"')
    out = io.BytesIO()
    boto.download_fileobj(bucket, "big", out, Config=config)
    assert out.getvalue() == data
    assert boto.head_object(Bucket=bucket, Key="big", PartNumber=4)["PartsCount"] == 4
    boto.copy({"Bucket": bucket, "Key": "big"}, bucket, "copied", Config=config)
    assert boto.get_object(Bucket=bucket, Key="copied")["Body"].read() == data
    boto.copy_object(Bucket=bucket, Key="whole", CopySource={"Bucket": bucket, "Key": "big"})
    assert boto.head_object(Bucket=bucket, Key="whole")["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    attributes = boto.get_object_attributes(
        Bucket=bucket, Key="big", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "ObjectSize", "StorageClass"]
    )
    assert (attributes["ObjectSize"], attributes["ObjectParts"]["TotalPartsCount"]) == (len(data), 4)


def test_uploads_are_listed_and_aborted(boto: Any, bucket: str) -> None:
    upload = boto.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    about = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    part = boto.upload_part(**about, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")
    (listed,) = boto.list_parts(**about)["Parts"]
    assert (listed["PartNumber"], listed["Size"], listed["ChecksumSHA256"]) == (1, 1, part["ChecksumSHA256"])
    assert [item["UploadId"] for item in boto.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    assert refusal(boto.complete_multipart_upload, **about, MultipartUpload={"Parts": []}) == ("MalformedXML", 400)
    boto.abort_multipart_upload(**about)
    assert refusal(boto.list_parts, **about) == ("NoSuchUpload", 404)
    assert "Uploads" not in boto.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_each_checksum_trails_the_body_and_is_verified(boto: Any, bucket: str, algorithm: str) -> None:
    put = boto.put_object(Bucket=bucket, Key="key", Body=io.BytesIO(b"x" * 200_000), ChecksumAlgorithm=algorithm)
    got = boto.get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"x" * 200_000
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    wrong = {f"Checksum{algorithm}": put[f"Checksum{algorithm}"]}
    assert refusal(boto.put_object, Bucket=bucket, Key="key", Body=b"y", **wrong) == ("BadDigest", 400)


def test_presigned_urls_read_and_write(door: Door, bucket: str) -> None:
    boto = door.client(signature_version="s3v4")
    about = {"Bucket": bucket, "Key": "signed key"}
    url = boto.generate_presigned_url("put_object", Params=about, ExpiresIn=60)
    with urllib.request.urlopen(urllib.request.Request(url, data=b"hello", method="PUT")) as reply:
        assert reply.status == 200
    url = boto.generate_presigned_url("get_object", Params={**about, "ResponseContentType": "text/x"}, ExpiresIn=60)
    with urllib.request.urlopen(url) as reply:
        assert (reply.read(), reply.headers["content-type"]) == (b"hello", "text/x")


def test_who_does_not_sign_is_refused(door: Door, boto: Any, bucket: str) -> None:
    boto.put_object(Bucket=bucket, Key="key", Body=b"secret")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{door.url}/{bucket}/key")
    with caught.value as reply:
        assert reply.code == 403
        assert b"<Code>AccessDenied</Code>" in reply.read()


def test_documents_of_a_bucket_make_the_round_trip(boto: Any, bucket: str) -> None:
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    boto.put_bucket_tagging(Bucket=bucket, Tagging=tags)
    assert boto.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags["TagSet"]
    boto.put_object(Bucket=bucket, Key="key")
    boto.put_object_tagging(Bucket=bucket, Key="key", Tagging=tags)
    assert boto.get_object_tagging(Bucket=bucket, Key="key")["TagSet"] == tags["TagSet"]
    boto.delete_object_tagging(Bucket=bucket, Key="key")
    assert boto.get_object_tagging(Bucket=bucket, Key="key")["TagSet"] == []
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 5, "ID": "x"}]
    boto.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert boto.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    boto.delete_bucket_cors(Bucket=bucket)
    assert refusal(boto.get_bucket_cors, Bucket=bucket) == ("NoSuchCORSConfiguration", 404)
    assert boto.get_bucket_acl(Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert boto.get_object_acl(Bucket=bucket, Key="key")["Grants"][0]["Grantee"]["Type"] == "CanonicalUser"
    assert boto.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
    controls = boto.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert controls["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_a_notification_configuration_makes_the_round_trip(boto: Any, bucket: str) -> None:
    rule = {
        "Id": "one",
        "LambdaFunctionArn": FUNCTION,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "in/"}, {"Name": "Suffix", "Value": ".jpg"}]}},
    }
    configuration = {"LambdaFunctionConfigurations": [rule]}
    boto.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    assert boto.get_bucket_notification_configuration(Bucket=bucket)["LambdaFunctionConfigurations"] == [rule]
    boto.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    assert "LambdaFunctionConfigurations" not in boto.get_bucket_notification_configuration(Bucket=bucket)
    bridge: dict[str, Any] = {"EventBridgeConfiguration": {}}
    boto.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=bridge)
    assert boto.get_bucket_notification_configuration(Bucket=bucket)["EventBridgeConfiguration"] == {}


def test_versions_make_the_round_trip(boto: Any, bucket: str) -> None:
    boto.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert boto.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    old = boto.put_object(Bucket=bucket, Key="k", Body=b"old")["VersionId"]
    new = boto.put_object(Bucket=bucket, Key="k", Body=b"new")["VersionId"]
    marker = boto.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    assert refusal(boto.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)
    assert refusal(boto.get_object, Bucket=bucket, Key="k", VersionId=marker["VersionId"])[1] == 405
    for asked in ({}, {"VersionId": marker["VersionId"]}):
        with pytest.raises(boto.exceptions.ClientError) as caught:
            boto.head_object(Bucket=bucket, Key="k", **asked)
        headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
        assert headers["x-amz-delete-marker"] == "true"
        assert headers["x-amz-version-id"] == marker["VersionId"]
    reply = boto.get_object(Bucket=bucket, Key="k", VersionId=old)
    assert (reply["Body"].read(), reply["VersionId"]) == (b"old", old)
    pages = boto.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    listed = [item for page in pages for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
    assert [(item["VersionId"], item["IsLatest"]) for item in listed] == [
        (marker["VersionId"], True),
        (new, False),
        (old, False),
    ]
    copied = boto.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k", "VersionId": old})
    assert copied["CopySourceVersionId"] == old
    removed = boto.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})["Deleted"]
    assert (removed[0]["DeleteMarker"], removed[0]["Key"]) == (True, "k")


def test_what_is_not_implemented_says_so(boto: Any, bucket: str) -> None:
    assert refusal(
        boto.put_bucket_request_payment, Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"}
    ) == (
        "NotImplemented",
        501,
    )
    assert refusal(boto.put_object_acl, Bucket=bucket, Key="k", ACL="private") == ("NotImplemented", 501)
    encrypted = {"Bucket": bucket, "Key": "k", "ServerSideEncryption": "aws:kms"}
    assert refusal(boto.put_object, **encrypted) == ("NotImplemented", 501)


def test_what_no_bucket_can_have_is_not_configured(boto: Any, bucket: str) -> None:
    assert refusal(boto.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)
    assert refusal(boto.get_bucket_policy_status, Bucket=bucket) == ("NoSuchBucketPolicy", 404)
    lifecycle = refusal(boto.get_bucket_lifecycle_configuration, Bucket=bucket)
    assert lifecycle == ("NoSuchLifecycleConfiguration", 404)
    assert refusal(boto.get_bucket_website, Bucket=bucket) == ("NoSuchWebsiteConfiguration", 404)
    assert refusal(boto.get_bucket_replication, Bucket=bucket)[1] == 404
    assert refusal(boto.get_bucket_encryption, Bucket=bucket)[1] == 404
    assert refusal(boto.get_object_lock_configuration, Bucket=bucket)[1] == 404
    assert boto.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "LoggingEnabled" not in boto.get_bucket_logging(Bucket=bucket)
    assert "Status" not in boto.get_bucket_accelerate_configuration(Bucket=bucket)
    assert refusal(boto.get_bucket_policy, Bucket="no-such-bucket") == ("NoSuchBucket", 404)


def test_every_object_has_the_version_null(boto: Any, bucket: str) -> None:
    for key in ("a", "b", "c/d"):
        boto.put_object(Bucket=bucket, Key=key, Body=b"x")
    pages = list(boto.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
    versions = [version for page in pages for version in page["Versions"]]
    assert [(version["Key"], version["VersionId"], version["IsLatest"]) for version in versions] == [
        ("a", "null", True),
        ("b", "null", True),
        ("c/d", "null", True),
    ]
    folded = boto.list_object_versions(Bucket=bucket, Delimiter="/")
    assert folded["CommonPrefixes"] == [{"Prefix": "c/"}]
    wanted = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
    assert len(boto.delete_objects(Bucket=bucket, Delete={"Objects": wanted})["Deleted"]) == 3
    assert refusal(boto.list_object_versions, Bucket=bucket, VersionIdMarker="x") == ("InvalidArgument", 400)


def test_of_concurrent_conditional_puts_one_wins(boto: Any, bucket: str) -> None:
    def attempt(number: int) -> str:
        try:
            boto.put_object(Bucket=bucket, Key="lock", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "won"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(attempt, range(16)))
    assert sorted(results) == ["PreconditionFailed"] * 15 + ["won"]
