"""Buckets in a browser, over the wire."""

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import PlatformProcess

RULES = {
    "CORSRules": [
        {
            "AllowedOrigins": ["https://app.example"],
            "AllowedMethods": ["GET", "PUT"],
            "AllowedHeaders": ["x-amz-*", "content-type"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 60,
        }
    ]
}


def ask(url: str, method: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, {name.lower(): value for name, value in reply.headers.items()}, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()


@pytest.fixture(scope="module")
def bucket(platform: PlatformProcess) -> str:
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="cross-origin")
    s3.put_bucket_cors(Bucket="cross-origin", CORSConfiguration=RULES)
    s3.put_object(Bucket="cross-origin", Key="k", Body=b"hello")
    return "cross-origin"


def test_a_preflight_that_a_rule_allows_is_answered_without_a_signature(platform: PlatformProcess, bucket: str) -> None:
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "Content-Type, x-amz-meta-a",
    }
    status, headers, _ = ask(f"{platform.url}/{bucket}/k", "OPTIONS", asked)
    assert status == 200
    assert headers["access-control-allow-origin"] == "https://app.example"
    assert headers["access-control-allow-methods"] == "GET, PUT"
    assert headers["access-control-allow-headers"] == "content-type, x-amz-meta-a"
    assert headers["access-control-max-age"] == "60"


@pytest.mark.parametrize(
    ("origin", "method", "asked"),
    [
        ("https://evil.example", "GET", ""),
        ("https://app.example", "DELETE", ""),
        ("https://app.example", "GET", "authorization"),
    ],
)
def test_a_preflight_that_no_rule_allows_is_refused(
    platform: PlatformProcess, bucket: str, origin: str, method: str, asked: str
) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": asked}
    status, got, body = ask(f"{platform.url}/{bucket}/k", "OPTIONS", headers)
    assert (status, b"AccessForbidden" in body) == (403, True)
    assert "access-control-allow-origin" not in got


def test_a_bucket_without_rules_says_so(platform: PlatformProcess) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    status, _, body = ask(f"{platform.url}/no-such-bucket/k", "OPTIONS", asked)
    assert (status, b"CORS is not enabled" in body) == (403, True)


def test_a_reply_is_marked_for_an_allowed_origin_only(
    platform: PlatformProcess, bucket: str, client: Callable[..., Any]
) -> None:
    url = client("s3", signature_version="s3v4").generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "k"}
    )
    status, headers, body = ask(url, "GET", {"Origin": "https://app.example"})
    assert (status, body) == (200, b"hello")
    assert headers["access-control-allow-origin"] == "https://app.example"
    assert headers["access-control-expose-headers"] == "ETag"
    _, headers, body = ask(url, "GET", {"Origin": "https://evil.example"})
    assert body == b"hello"
    assert "access-control-allow-origin" not in headers
