"""CORS, ownership, public access and ACLs."""

from typing import Any

import pytest

from mayfly.services.objects import cors
from mayfly.services.objects.cors import CorsRule

from .conftest import Caller, failure

RULE = {
    "ID": "web",
    "AllowedMethods": ["GET", "PUT"],
    "AllowedOrigins": ["https://*.example.com"],
    "AllowedHeaders": ["x-amz-*", "Content-Type"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 600,
}


async def test_cors_rules_come_back_as_they_were_put(s3: Caller) -> None:
    assert (await failure(s3("GetBucketCors", Bucket="bucket"))).code == "NoSuchCORSConfiguration"
    assert await s3.service.cors_rules("bucket") == ()
    bare = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    await s3("PutBucketCors", Bucket="bucket", CORSConfiguration={"CORSRules": [RULE, bare]})
    assert await s3("GetBucketCors", Bucket="bucket") == {"CORSRules": [RULE, bare]}
    answer = cors.match(await s3.service.cors_rules("bucket"), "https://a.example.com", "PUT", ["X-Amz-Date"])
    assert answer is not None
    assert (answer.allow_origin, answer.allow_credentials, answer.max_age_s) == ("https://a.example.com", True, 600)
    assert (answer.allow_headers, answer.exposed) == (("x-amz-date",), ("ETag",))
    await s3("DeleteBucketCors", Bucket="bucket")
    assert await s3.service.cors_rules("bucket") == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"AllowedMethods": ["PATCH"]}, "InvalidRequest"),
        ({"AllowedMethods": []}, "MalformedXML"),
        ({"AllowedOrigins": ["https://*.*"]}, "InvalidRequest"),
        ({"AllowedHeaders": ["*-*"]}, "InvalidRequest"),
        ({"ExposeHeaders": ["x-*"]}, "InvalidRequest"),
    ],
)
async def test_cors_rules_that_break_the_rules_are_refused(s3: Caller, change: dict[str, Any], code: str) -> None:
    configuration = {"CORSRules": [RULE | change]}
    assert (await failure(s3("PutBucketCors", Bucket="bucket", CORSConfiguration=configuration))).code == code
    assert (await failure(s3("PutBucketCors", Bucket="bucket", CORSConfiguration={"CORSRules": []}))).status == 400


@pytest.mark.parametrize(
    ("origin", "method", "headers", "allowed"),
    [
        ("https://a.example.com", "GET", [], True),
        ("https://.example.com", "GET", [], True),
        ("https://example.com", "GET", [], False),
        ("http://a.example.com", "GET", [], False),
        ("https://a.example.com", "DELETE", [], False),
        ("https://a.example.com", "GET", ["content-type", "X-AMZ-META-A"], True),
        ("https://a.example.com", "GET", ["authorization"], False),
    ],
)
def test_a_rule_allows_origin_method_and_headers_together(
    origin: str, method: str, headers: list[str], allowed: bool
) -> None:
    rules = cors.parse([RULE])
    assert (cors.match(rules, origin, method, headers) is not None) == allowed


def test_the_first_rule_that_allows_a_request_answers_it() -> None:
    first = CorsRule(("GET",), ("*",), max_age_s=1)
    second = CorsRule(("GET", "PUT"), ("https://a",), max_age_s=2)
    get = cors.match((first, second), "https://a", "GET")
    put = cors.match((first, second), "https://a", "PUT")
    assert get is not None
    assert put is not None
    assert (get.allow_origin, get.allow_credentials, get.max_age_s) == ("*", False, 1)
    assert (put.allow_origin, put.allow_credentials, put.max_age_s) == ("https://a", True, 2)


async def test_a_new_bucket_blocks_public_access_and_belongs_to_its_owner(s3: Caller) -> None:
    block = (await s3("GetPublicAccessBlock", Bucket="bucket"))["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    controls = (await s3("GetBucketOwnershipControls", Bucket="bucket"))["OwnershipControls"]
    assert controls == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


async def test_both_can_be_changed_and_removed(s3: Caller) -> None:
    await s3("PutPublicAccessBlock", Bucket="bucket", PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    block = (await s3("GetPublicAccessBlock", Bucket="bucket"))["PublicAccessBlockConfiguration"]
    assert [name for name, value in block.items() if value] == ["BlockPublicAcls"]
    controls = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    await s3("PutBucketOwnershipControls", Bucket="bucket", OwnershipControls=controls)
    assert (await s3("GetBucketOwnershipControls", Bucket="bucket"))["OwnershipControls"] == controls
    wrong = {"Rules": [{"ObjectOwnership": "Nobody"}]}
    call = s3("PutBucketOwnershipControls", Bucket="bucket", OwnershipControls=wrong)
    assert (await failure(call)).code == "MalformedXML"
    await s3("DeletePublicAccessBlock", Bucket="bucket")
    await s3("DeleteBucketOwnershipControls", Bucket="bucket")
    assert (await failure(s3("GetPublicAccessBlock", Bucket="bucket"))).status == 404
    assert (await failure(s3("GetBucketOwnershipControls", Bucket="bucket"))).status == 404


async def test_the_owner_has_full_control_and_nobody_else_any(s3: Caller) -> None:
    await s3.put("key")
    bucket = await s3("GetBucketAcl", Bucket="bucket")
    assert [grant["Permission"] for grant in bucket["Grants"]] == ["FULL_CONTROL"]
    assert await s3("GetObjectAcl", Bucket="bucket", Key="key") == bucket
    assert (await failure(s3("GetObjectAcl", Bucket="bucket", Key="none"))).code == "NoSuchKey"
