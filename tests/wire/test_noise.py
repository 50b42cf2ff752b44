"""Whatever is sent, the gateway answers, and never with a failure of its own."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.clock import ManualClock
from mayfly.services.contract import HttpResponse

from .platform import ACCESS_KEY, Recorder, gateway, http_request

DOOR = gateway(
    Recorder("lambda", {"Invoke": {}, "ListFunctions": {}, "CreateFunction": {}}),
    Recorder("s3", {"PutObject": {}, "GetObject": {}, "DeleteObjects": {}, "ListObjectsV2": {}, "UploadPart": {}}),
    Recorder("dynamodb", {"PutItem": {}}),
    Recorder("sts", {"GetCallerIdentity": {}}),
    clock=ManualClock(1_767_225_600.0),  # 2026-01-01
)
SCOPES = ("s3", "lambda", "dynamodb", "sts", "ec2", "monitoring", "nosuch", "")
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "authorization": st.builds(
            "{} Credential={}/20260101/us-east-1/{}/aws4_request, SignedHeaders=host{}, Signature={}".format,
            st.sampled_from(["AWS4-HMAC-SHA256", "AWS", "Bearer"]),
            st.sampled_from([ACCESS_KEY, "other"]) | TEXT,
            st.sampled_from(SCOPES) | TEXT,
            st.sampled_from(["", ";x-amz-date"]) | TEXT,
            TEXT,
        )
        | TEXT,
        "x-amz-date": st.sampled_from(["20260101T000000Z", "20260199T000000Z", "Thu, 01 Jan 2026 00:00:00 GMT"]) | TEXT,
        "x-amz-target": st.sampled_from(["DynamoDB_20120810.PutItem", "DynamoDB_20120810.", "."]) | TEXT,
        "x-amz-content-sha256": st.sampled_from(
            ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "e" * 64]
        )
        | TEXT,
        "x-amz-decoded-content-length": st.sampled_from(["4", "-1", "x"]),
        "x-amz-trailer": st.sampled_from(["x-amz-checksum-crc32", "x-amz-checksum-nosuch"]) | TEXT,
        "x-amz-checksum-crc32": st.sampled_from(["AAAAAA==", "A"]) | TEXT,
        "x-amz-copy-source": TEXT,
        "content-type": st.sampled_from(["application/x-www-form-urlencoded", "application/json"]) | TEXT,
        "content-encoding": st.sampled_from(["gzip", "aws-chunked", "aws-chunked,gzip"]),
        "content-md5": TEXT,
        "smithy-protocol": st.just("rpc-v2-cbor"),
        "host": st.sampled_from(["bucket.s3.localhost", "localhost:4566", "[::1]:80", ""]) | TEXT,
    },
)
PATHS = st.sampled_from(
    ["/", "//", "/bucket", "/bucket/key", "/2015-03-31/functions/f/invocations", "/service/a/operation/b"]
) | st.text("/ab%2.{}?=&+-", max_size=30).map(lambda text: "/" + text.replace("?", ""))
QUERIES = st.sampled_from(
    ["", "uploads", "list-type=2", "Action=GetCallerIdentity&Version=2011-06-15", "%ff=%ff"]
) | st.text("abX=&%2+-", max_size=30)
BODIES = st.binary(max_size=100) | st.sampled_from(
    [b"{}", b"Action=GetCallerIdentity", b"4\r\ndata\r\n0\r\n\r\n", b"<Delete/>", b"4;chunk-signature=0\r\n"]
)


@given(st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "X"]), PATHS, QUERIES, HEADERS, BODIES)
@settings(deadline=None, max_examples=1500, suppress_health_check=[HealthCheck.too_slow])
def test_noise_gets_an_answer(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> None:
    request = http_request(method, f"http://127.0.0.1:4566{path}?{query}", headers, body)
    response: HttpResponse = asyncio.run(DOOR.handle(request))
    assert 200 <= response.status < 500 or response.status == 501
    assert isinstance(response.body, bytes)
    for name, value in response.headers:
        assert "\n" not in name + value
        assert "\r" not in name + value
