"""Presigned URLs of signature version 2, as boto3 makes them by default in us-east-1, over the wire."""

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from tests.conftest import PlatformProcess

BUCKET = "version-two"


@pytest.fixture(scope="module")
def s3(platform: PlatformProcess) -> Any:
    client = platform.client("s3", signature_version="s3")
    platform.client("s3").create_bucket(Bucket=BUCKET)
    platform.client("s3").put_object(Bucket=BUCKET, Key="a b+c/é", Body=b"hello")
    return client


def ask(method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def test_a_get_with_overridden_headers(s3: Any) -> None:
    parameters = {"Bucket": BUCKET, "Key": "a b+c/é", "ResponseContentDisposition": 'attachment; filename="x y.txt"'}
    url = s3.generate_presigned_url("get_object", Params=parameters)
    assert "AWSAccessKeyId=" in url
    assert ask("GET", url) == (200, b"hello")


def test_a_put_with_metadata_and_type(s3: Any) -> None:
    parameters = {"Bucket": BUCKET, "Key": "put", "Metadata": {"who": "me"}, "ContentType": "text/x"}
    url = s3.generate_presigned_url("put_object", Params=parameters)
    assert ask("PUT", url, b"data", {"Content-Type": "text/x"})[0] == 200
    assert ask("GET", s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "put"})) == (
        200,
        b"data",
    )


@pytest.mark.parametrize(
    "tamper",
    [
        lambda url: url.replace("Signature=", "Signature=A"),
        lambda url: url.replace("/version-two/", "/version-three/"),
        lambda url: url + "&versionId=1",
        lambda url: url.replace("Expires=", "Expires=9"),
        lambda url: url.replace("Expires=", "Expires=x"),
        lambda url: url + "&x-amz-meta-more=1",
    ],
)
def test_what_was_tampered_with_is_refused(s3: Any, tamper: Callable[[str], str]) -> None:
    url = tamper(s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a b+c/é"}))
    status, body = ask("GET", url)
    assert status == 403
    assert b"SignatureDoesNotMatch" in body or b"AccessDenied" in body


def test_another_method_than_the_signed_one_is_refused(s3: Any) -> None:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "put"})
    assert ask("DELETE", url)[0] == 403


def test_an_expired_url_is_refused(s3: Any) -> None:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "put"}, ExpiresIn=-10)
    status, body = ask("GET", url)
    assert (status, b"Request has expired" in body) == (403, True)


def test_a_version_2_signature_in_the_header_is_refused(s3: Any) -> None:
    with pytest.raises(s3.exceptions.ClientError, match="AWS4-HMAC-SHA256"):
        s3.list_buckets()


def test_temporary_credentials_sign_version_2_urls(platform: PlatformProcess) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": platform.account}, "Action": "sts:AssumeRole"},
        ],
    }
    role = platform.client("iam").create_role(RoleName="v2", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    keys = platform.client("sts").assume_role(RoleArn=role, RoleSessionName="v2")["Credentials"]
    session: Any = boto3.session.Session()
    client = session.client(
        "s3",
        endpoint_url=platform.url,
        region_name=platform.region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        config=Config(signature_version="s3", s3={"addressing_style": "path"}),
    )
    url = client.generate_presigned_url("list_objects_v2", Params={"Bucket": BUCKET})
    assert ask("GET", url)[0] == 200
    status, body = ask("GET", url.replace("x-amz-security-token=", "x-amz-security-token=A"))
    assert (status, b"InvalidToken" in body) == (400, True)
