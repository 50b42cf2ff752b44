"""Signatures of requests that no model describes."""

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from msgspec.structs import replace

from mayfly.clock import SystemClock
from mayfly.services.contract import HttpRequest
from mayfly.wire.signed import NotSignedError, SignedRequests

from .platform import ACCESS_KEY, SECRET, Keys, http_request, prepared_to_http

SIGNED = SignedRequests(Keys(), SystemClock(), 900.0)


def signed(service: str = "lambda") -> HttpRequest:
    request = AWSRequest("POST", "http://id.lambda-url.us-east-1.localhost:4566/some/path?a=b", data=b"body")
    SigV4Auth(Credentials(ACCESS_KEY, SECRET), service, "us-east-1").add_auth(request)
    return prepared_to_http(request.prepare())


async def test_a_signed_request_has_a_principal() -> None:
    assert (await SIGNED.principal(signed(), b"body", "lambda")).kind == "root"


async def test_the_signature_covers_what_routing_took_off_the_path() -> None:
    request = replace(signed(), mount="/some", path="/path")
    assert (await SIGNED.principal(request, b"body", "lambda")).kind == "root"


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (signed(), b"another body"),
        (signed("s3"), b"body"),
        (replace(signed(), path="/other"), b"body"),
        (replace(signed(), headers=[("host", "x"), ("authorization", "AWS4-HMAC-SHA256 nonsense")]), b"body"),
        (http_request("GET", "http://127.0.0.1:4566/"), b""),
    ],
)
async def test_any_other_request_has_none(request_: HttpRequest, body: bytes) -> None:
    with pytest.raises(NotSignedError):
        await SIGNED.principal(request_, body, "lambda")
