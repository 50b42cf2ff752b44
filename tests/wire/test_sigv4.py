"""Signatures that botocore makes are accepted; anything changed afterwards is refused, in each protocol's words."""

import hashlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.clock import ManualClock, SystemClock
from mayfly.services.contract import HttpRequest, HttpResponse, join_headers
from mayfly.wire import claims, sigv4
from mayfly.wire.exchange import parse_query
from mayfly.wire.gateway import Gateway

from .platform import ACCESS_KEY, SECRET, TOKEN, Keys, Recorder, client, gateway, http_request, prepared_to_http, run

PATHS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)
KEYS = PATHS.filter(lambda key: bool(key) and not key.lower().startswith("x-amz-"))
QUERIES = st.lists(st.tuples(KEYS, PATHS), max_size=4)
KINDS: list[tuple[type[SigV4Auth], str]] = [
    (SigV4Auth, "lambda"),
    (S3SigV4Auth, "s3"),
    (SigV4QueryAuth, "lambda"),
    (S3SigV4QueryAuth, "s3"),
]


def verify(http: HttpRequest, body: bytes, secret: str = SECRET) -> None:
    """What the gateway does with a signature, without a gateway."""
    headers = join_headers(http.headers)
    claim = claims.claim_of(headers, parse_query(http.query))
    assert claim is not None
    presigned_s3 = claim.presigned and claim.service == "s3"
    payload = sigv4.UNSIGNED_PAYLOAD if presigned_s3 else hashlib.sha256(body).hexdigest()
    request = sigv4.SignedRequest(http.method, http.path, http.query, headers)
    sigv4.Verifier().check(claim, secret, request, payload)


def signed(kind: type[SigV4Auth], service: str, path: str, query: list[tuple[str, str]], body: bytes) -> HttpRequest:
    url = "http://127.0.0.1:4566" + quote("/" + path, safe="/~")
    if query:
        url += "?" + "&".join(f"{quote(key, safe='~')}={quote(text, safe='~')}" for key, text in query)
    method = "GET" if issubclass(kind, SigV4QueryAuth) else "POST"  # botocore moves a POST's body into the query
    request = AWSRequest(method, url, headers={"X-Custom": "  two   spaces "}, data=body)
    kind(Credentials(ACCESS_KEY, SECRET, TOKEN), service, "eu-west-1").add_auth(request)
    return prepared_to_http(request.prepare())


@pytest.mark.parametrize(("kind", "service"), KINDS)
@given(path=PATHS, query=QUERIES, body=st.binary(max_size=30))
@settings(deadline=None, max_examples=60)
def test_every_signature_of_botocore_verifies(
    kind: type[SigV4Auth], service: str, path: str, query: list[tuple[str, str]], body: bytes
) -> None:
    if service != "s3" and path.startswith("/"):
        path = path.lstrip("/")  # botocore takes what follows "//" for a host
    if issubclass(kind, SigV4QueryAuth):
        body = b""
    verify(signed(kind, service, path, query, body), body)


@pytest.mark.parametrize(("kind", "service"), KINDS)
@given(data=st.data())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
def test_no_change_to_a_signed_request_goes_unnoticed(kind: type[SigV4Auth], service: str, data: st.DataObject) -> None:
    secret = SECRET
    body = b"" if issubclass(kind, SigV4QueryAuth) else b"body"
    http = signed(kind, service, "some/path", [("a", "b")], body)
    covers_body = kind is not S3SigV4QueryAuth
    what = data.draw(st.sampled_from(["method", "path", "query", "host", "secret"] + ["body"] * covers_body))
    changed = {"method": http.method, "path": http.path, "query": http.query}
    headers = dict(http.headers)
    match what:
        case "method":
            changed["method"] = "PUT"
        case "path":
            changed["path"] += data.draw(st.sampled_from(["x", "%20", "/x"]))
        case "query":
            changed["query"] += data.draw(st.sampled_from(["x", "&x=y"]))
        case "host":
            headers["host"] = "elsewhere"
        case "body":
            body = data.draw(st.binary(max_size=5).filter(lambda other: other not in {b"", b"body"}))
        case "secret":
            secret += "x"
    url = f"http://{headers['host']}{changed['path']}?{changed['query']}"
    with pytest.raises(claims.AuthError) as caught:
        verify(http_request(changed["method"], url, headers, body), body, secret)
    assert caught.value.kind in {"mismatch", "query-parameters"}


def test_header_values_beyond_ascii_are_signed_as_the_bytes_that_they_are() -> None:
    request = AWSRequest("PUT", "http://127.0.0.1:4566/bucket/key", headers={"x-amz-meta-a": "日é"}, data=b"data")
    S3SigV4Auth(Credentials(ACCESS_KEY, SECRET), "s3", "us-east-1").add_auth(request)
    http = prepared_to_http(request.prepare())
    headers = {name: value.encode().decode("latin-1") for name, value in http.headers}  # as servers decode them
    verify(http_request("PUT", "http://127.0.0.1:4566/bucket/key", headers, b"data"), b"data")
    headers["x-amz-meta-a"] += "\xff"
    with pytest.raises(claims.AuthError):
        verify(http_request("PUT", "http://127.0.0.1:4566/bucket/key", headers, b"data"), b"data")


def services() -> list[Recorder]:
    return [
        Recorder("lambda", {"ListFunctions": {"Functions": []}}),
        Recorder("dynamodb", {"ListTables": {"TableNames": []}}),
        Recorder("sqs", {"ListQueues": {"QueueUrls": []}}),
        Recorder("sts", {"GetCallerIdentity": {"Account": "000000000000"}}),
        Recorder("s3", {"ListBuckets": {"Buckets": []}, "GetObject": {"Body": b"data"}, "PutObject": {}}),
    ]


CALLS: dict[str, Callable[[Any], Any]] = {
    "lambda": lambda made: made.list_functions(),
    "dynamodb": lambda made: made.list_tables(),
    "sqs": lambda made: made.list_queues(),
    "sts": lambda made: made.get_caller_identity(),
    "s3": lambda made: made.list_buckets(),
}


def refusal(call: Callable[[], Any]) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    response: Any = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


@pytest.mark.parametrize("service", sorted(CALLS))
def test_temporary_credentials_are_accepted_with_their_token(service: str) -> None:
    door = gateway(*services(), keys=Keys(TOKEN))
    assert CALLS[service](client(door, service, token=TOKEN))["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    ("service", "status", "code"),
    [
        ("lambda", 403, "UnrecognizedClientException"),
        ("dynamodb", 400, "UnrecognizedClientException"),
        ("sqs", 403, "InvalidClientTokenId"),
        ("sts", 403, "InvalidClientTokenId"),
        ("s3", 400, "InvalidToken"),
    ],
)
def test_a_wrong_token_is_refused(service: str, status: int, code: str) -> None:
    door = gateway(*services(), keys=Keys(TOKEN))
    assert refusal(lambda: CALLS[service](client(door, service, token="wrong")))[:2] == (status, code)


def test_an_unknown_key_of_s3_is_named() -> None:
    door = gateway(*services(), keys=Keys(TOKEN))
    assert refusal(lambda: CALLS["s3"](client(door, "s3")))[:2] == (403, "InvalidAccessKeyId")


@pytest.mark.parametrize(
    ("service", "status", "code"),
    [
        ("lambda", 403, "InvalidSignatureException"),
        ("dynamodb", 400, "InvalidSignatureException"),
        ("sqs", 403, "SignatureDoesNotMatch"),
        ("sts", 403, "SignatureDoesNotMatch"),
        ("s3", 403, "SignatureDoesNotMatch"),
    ],
)
def test_a_wrong_signature_is_refused_in_the_services_words(service: str, status: int, code: str) -> None:
    def tamper(request: Any) -> None:
        value = request.headers["Authorization"].decode()
        request.headers["Authorization"] = re.sub("Signature=.", "Signature=x", value)

    door = gateway(*services())
    assert refusal(lambda: CALLS[service](client(door, service, tamper=tamper)))[:2] == (status, code)


@pytest.mark.parametrize(
    ("service", "status", "code", "words"),
    [
        ("lambda", 403, "InvalidSignatureException", "Signature expired"),
        ("dynamodb", 400, "InvalidSignatureException", "Signature expired"),
        ("sts", 403, "SignatureDoesNotMatch", "Signature expired"),
        ("s3", 403, "RequestTimeTooSkewed", "The difference between the request time and the current time"),
    ],
)
def test_a_clock_too_far_off_is_refused_in_the_services_words(service: str, status: int, code: str, words: str) -> None:
    door = gateway(*services(), clock=ManualClock(SystemClock().now() + 1000))
    found = refusal(lambda: CALLS[service](client(door, service)))
    assert found[:2] == (status, code)
    assert found[2].startswith(words)


def test_a_clock_a_little_off_is_fine() -> None:
    door = gateway(*services(), clock=ManualClock(SystemClock().now() + 800))
    assert CALLS["lambda"](client(door, "lambda"))["Functions"] == []


def answer(door: Gateway, method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Any:
    response: HttpResponse = run(door.handle(http_request(method, url, headers, body)))
    return response


def presigned(expires_s: int) -> str:
    made = client(gateway(), "s3", s3={"addressing_style": "path"}, signature_version="s3v4")
    url: str = made.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "a key+"}, expires_s)
    return url


def test_a_presigned_url_works_until_it_expires() -> None:
    url = presigned(60)
    assert answer(gateway(*services()), "GET", url).body == b"data"
    late = answer(gateway(*services(), clock=ManualClock(SystemClock().now() + 61)), "GET", url)
    assert late.status == 403
    assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in late.body


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("X-Amz-Expires=60", "X-Amz-Expires=604801", b"AuthorizationQueryParametersError"),
        ("X-Amz-Expires=60", "X-Amz-Expires=-1", b"AuthorizationQueryParametersError"),
        ("X-Amz-Expires=60", "X-Amz-Expires=soon", b"AuthorizationQueryParametersError"),
        ("X-Amz-Expires=60", "X-Amz-Expires=61", b"SignatureDoesNotMatch"),
        ("/bucket/", "/other/", b"SignatureDoesNotMatch"),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", b"InvalidRequest"),
    ],
)
def test_a_changed_presigned_url_is_refused(old: str, new: str, code: bytes) -> None:
    url = presigned(60)
    assert old in url
    response = answer(gateway(*services()), "GET", url.replace(old, new))
    assert response.status in {400, 403}
    assert b"<Code>" + code + b"</Code>" in response.body


def test_a_presigned_url_does_not_stretch_to_headers_that_were_not_signed() -> None:
    response = answer(gateway(*services()), "GET", presigned(60), {"x-amz-acl": "public-read"})
    assert response.status == 403
    assert b"<HeadersNotSigned>x-amz-acl</HeadersNotSigned>" in response.body


def test_a_presigned_url_may_carry_headers_in_its_query() -> None:
    request = AWSRequest("PUT", "http://127.0.0.1:4566/bucket/key?x-amz-acl=private&x-amz-meta-Who=me")
    S3SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET), "s3", "us-east-1", expires=60).add_auth(request)
    s3 = Recorder("s3", {"PutObject": {}})
    response = answer(gateway(s3), "PUT", str(request.url), body=b"data")
    assert response.status == 200
    expected = {"ACL": "private", "Body": b"data", "Bucket": "bucket", "Key": "key", "Metadata": {"who": "me"}}
    assert s3.calls == [("PutObject", expected)]


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("AWS AKID:signature", "InvalidRequest"),
        ("AWS4-ECDSA-P256-SHA256 Credential=a/b/s3/aws4_request", "InvalidRequest"),
        ("AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=x", "AuthorizationHeaderMalformed"),
    ],
)
def test_an_authorization_that_cannot_be_read_is_refused(authorization: str, code: str) -> None:
    headers = {"authorization": authorization, "x-amz-date": "20260101T000000Z"}
    response = answer(gateway(*services()), "GET", "http://127.0.0.1:4566/bucket/key", headers)
    assert response.status == 400
    assert f"<Code>{code}</Code>".encode() in response.body


def test_a_request_without_a_signature_is_refused_except_where_handlers_may_decide() -> None:
    door = gateway(*services())
    target = {"x-amz-target": "DynamoDB_20120810.ListTables"}
    response = answer(door, "POST", "http://127.0.0.1:4566/", target, b"{}")
    assert (response.status, b"MissingAuthenticationTokenException" in response.body) == (400, True)
    response = answer(door, "GET", "http://127.0.0.1:4566/2015-03-31/functions/")
    assert (response.status, b"Missing Authentication Token" in response.body) == (403, True)
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    response = answer(door, "POST", "http://127.0.0.1:4566/", form, body)
    assert (response.status, b"<Code>MissingAuthenticationToken</Code>" in response.body) == (403, True)
    assert answer(door, "GET", "http://127.0.0.1:4566/bucket/key").body == b"data"


def test_anonymous_clients_of_s3_reach_the_handler_as_anonymous() -> None:
    s3 = Recorder("s3", {"GetObject": {"Body": b"data"}})
    made = client(gateway(s3), "s3", signature_version=UNSIGNED)
    assert made.get_object(Bucket="bucket", Key="key")["Body"].read() == b"data"
    assert s3.contexts[0].principal.kind == "anonymous"


def test_a_body_other_than_the_signed_one_is_refused_before_the_handler_can_use_it() -> None:
    def tamper(request: Any) -> None:
        request.body = b"tampered"
        request.headers["content-length"] = "8"

    s3 = Recorder("s3", {"PutObject": {}})
    made = client(gateway(s3), "s3", tamper=tamper, request_checksum_calculation="when_required")
    found = refusal(lambda: made.put_object(Bucket="bucket", Key="key", Body=b"original"))
    assert found[:2] == (400, "XAmzContentSHA256Mismatch")
    assert s3.calls == []


def test_signing_keys_are_kept_but_not_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sigv4, "MAX_KEYS", 2)
    verifier = sigv4.Verifier()
    for region in ("a", "b", "c"):
        claim = claims.Claim("k", "20260101", region, "s3", ("host",), "x", None, "20260101T000000Z", 0.0)
        with pytest.raises(claims.AuthError):
            verifier.check(claim, SECRET, sigv4.SignedRequest("GET", "/", "", {"host": "h"}), "")
    assert len(verifier._keys) == 2
