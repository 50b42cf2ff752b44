"""What is remembered of claims and paths changes no answer: both ways are asked the same, valid and corrupted."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import HttpResponse
from mayfly.wire import claims, sigv4
from mayfly.wire.claim_reader import LONGEST_KNOWN, MOST_KNOWN, ClaimReader

from .platform import ACCESS_KEY, SECRET, Recorder, gateway, http_request, prepared_to_http, run

PATH = "http://127.0.0.1:4566/2015-03-31/functions/hello/invocations"


def signed(body: bytes = b"{}", path: str = PATH, service: str = "lambda", token: str | None = None) -> Any:
    request = AWSRequest("POST", path, data=body, headers={"host": "127.0.0.1:4566"})
    SigV4Auth(Credentials(ACCESS_KEY, SECRET, token), service, "us-east-1").add_auth(request)
    return prepared_to_http(request.prepare())


def outcome(reader: Any, headers: Mapping[str, str]) -> object:
    try:
        return reader(headers, ())
    except claims.AuthError as error:
        return error.kind, error.message, error.details


HEADERS = dict(signed().headers)
AUTHORIZATION = HEADERS["authorization"]

mutations = st.one_of(
    st.just(AUTHORIZATION),
    st.builds(lambda at: AUTHORIZATION[:at], st.integers(0, len(AUTHORIZATION))),
    st.builds(
        lambda at, text: AUTHORIZATION[:at] + text + AUTHORIZATION[at:],
        st.integers(0, len(AUTHORIZATION)),
        st.sampled_from(
            [" ", ",", "=", "Signature=", "a", "/", ";", "é", "\t", "Credential=x", ", Signature=" + "0" * 64]
        ),
    ),
    st.builds(
        lambda at, text: AUTHORIZATION[:at] + text + AUTHORIZATION[at + 1 :],
        st.integers(0, len(AUTHORIZATION) - 1),
        st.sampled_from(["0", "f", "g", "F", " ", ",", "\n"]),
    ),
)
dates = st.sampled_from(
    [HEADERS["x-amz-date"], "20260131T120000Z", "20260131T990000Z", "", "x", "Sat, 31 Jan 2026 12:00:00 GMT"]
)


@given(st.lists(st.tuples(mutations, dates, st.sampled_from([None, "", "token"])), min_size=1, max_size=8))
def test_a_reader_with_a_memory_reads_what_one_without_reads(requests: list[tuple[str, str, str | None]]) -> None:
    reader = ClaimReader()
    reader.claim_of(HEADERS, ())
    for authorization, date, token in requests:
        headers = {**HEADERS, "authorization": authorization, "x-amz-date": date}
        if token is not None:
            headers["x-amz-security-token"] = token
        assert outcome(reader.claim_of, headers) == outcome(claims.claim_of, headers)


def test_what_is_remembered_is_bounded() -> None:
    reader = ClaimReader()
    for number in range(MOST_KNOWN + 10):
        authorization = AUTHORIZATION.replace(ACCESS_KEY, f"KEY{number}")
        assert reader.claim_of({**HEADERS, "authorization": authorization}, ()) is not None
    long = AUTHORIZATION.replace(ACCESS_KEY, "K" * LONGEST_KNOWN)
    assert reader.claim_of({**HEADERS, "authorization": long}, ()) is not None
    assert len(reader._known) == MOST_KNOWN


def reply(response: HttpResponse) -> tuple[int, list[tuple[str, str]], object]:
    return response.status, sorted(response.headers), response.body


corruptions = st.sampled_from(
    [
        "nothing",
        "signature",
        "body",
        "path",
        "header",
        "date",
        "no-signature",
        "other-service",
        "method",
        "query",
        "token",
    ]
)


def corrupted(kind: str, number: int) -> Any:
    """A request that is damaged after it was signed."""
    request = signed(f'{{"n": {number}}}'.encode())
    headers, path, method, query, body = dict(request.headers), request.path, request.method, request.query, None
    match kind:
        case "signature":
            headers["authorization"] = headers["authorization"][:-1] + (
                "0" if headers["authorization"][-1] != "0" else "1"
            )
        case "body":
            body = b'{"n": -1}'
        case "path":
            path = path.replace("hello", "other")
        case "header":
            headers["host"] = "elsewhere:4566"
        case "date":
            headers["x-amz-date"] = headers["x-amz-date"][:9] + "000000Z"
        case "no-signature":
            del headers["authorization"]
        case "other-service":
            headers = dict(signed(service="sqs").headers)
        case "method":
            method = "GET"
        case "query":
            query = "Qualifier=1"
        case "token":
            headers["x-amz-security-token"] = "x"
    content = body if body is not None else f'{{"n": {number}}}'.encode()
    url = f"http://127.0.0.1:4566{path}" + (f"?{query}" if query else "")
    return http_request(method, url, headers, content)


@given(st.lists(st.tuples(corruptions, st.integers(0, 3)), min_size=2, max_size=6))
def test_a_gateway_that_has_seen_requests_answers_like_one_that_has_not(kinds: list[tuple[str, int]]) -> None:
    def made() -> Any:
        return gateway(Recorder("lambda", {"Invoke": {"StatusCode": 200, "Payload": b"{}"}}))

    used = made()
    assert run(used.handle(signed())).status == 200
    for kind, number in kinds:
        request = corrupted(kind, number)
        again = corrupted(kind, number)
        # Bodies can be read once, so each way has its own copy; ids and times are the same in both.
        fresh, seen = run(made().handle(request)), run(used.handle(again))
        assert (fresh.status, fresh.close) == (seen.status, seen.close)
        if fresh.status == 200:
            assert reply(fresh) == reply(seen)
        assert (kind == "nothing") is (fresh.status == 200)


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        *[(path, True) for path in ("", "/", "/a/b.c_~-", "/a/", "/a.b/c")],
        *[(path, False) for path in ("a", "/a//b", "/.a", "/a/..", "/a/./b", "/a%20b", "/ä", "//", "/a\n")],
    ],
)
def test_a_path_is_plain_when_neither_encoding_nor_normalising_changes_it(path: str, plain: bool) -> None:
    assert sigv4._plain(path) is plain
