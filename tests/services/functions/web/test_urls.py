"""Function URLs: configuration, access, events, replies, CORS."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.engine.api import Failure, ThrottledError
from mayfly.errors import CallerError
from mayfly.services.contract import HttpRequest, HttpResponse, Principal, StreamBody
from mayfly.services.described_replies import BadReplyError
from mayfly.services.functions.web.events import query_parameters
from mayfly.services.functions.web.replies import interpret
from mayfly.settings import FunctionLimits
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ARN, Stage, failed, ok

OPEN: list[dict[str, Any]] = [
    {"StatementId": "url", "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"},
    {"StatementId": "run", "Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": True},
]


def request(
    method: str = "GET",
    path: str = "/",
    query: str = "",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
) -> HttpRequest:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10):
            yield body[start : start + 10]

    host = "127.0.0.1:4566"
    return HttpRequest(method, path, query, [("host", host), *headers], StreamBody(chunks()), host, "10.0.0.9", "req-1")


async def with_url(stage: Stage, **config: Any) -> str:
    """A public function with a URL; the URL's id."""
    await stage.create()
    for permission in OPEN:
        await stage.call("AddPermission", FunctionName="f", **permission)
    shown = await stage.call("CreateFunctionUrlConfig", FunctionName="f", **{"AuthType": "NONE", **config})
    url: str = shown["FunctionUrl"]
    return url.rstrip("/").rpartition("/")[2]


def returning(stage: Stage, value: Any) -> None:
    stage.engine.script = lambda target, call: ok(json.dumps(value).encode())


async def ask(stage: Stage, url_id: str, asked: HttpRequest | None = None) -> HttpResponse:
    return await stage.functions.urls.handle(url_id, asked or request())


def event(stage: Stage) -> Any:
    return json.loads(stage.engine.calls[-1][1].payload)


async def test_a_url_is_created_shown_changed_and_deleted(stage: Stage) -> None:
    await stage.create()
    created = await stage.call(
        "CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE", Cors={"AllowOrigins": ["*"], "MaxAge": 5}
    )
    assert created["FunctionArn"] == f"{ARN}f"
    assert created["Cors"] == {"AllowOrigins": ["*"], "MaxAge": 5}
    assert (await stage.call("GetFunctionUrlConfig", FunctionName="f"))["InvokeMode"] == "BUFFERED"
    again = await stage.refusal("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
    assert again.code == "ResourceConflictException"
    stage.clock.advance(1)
    changed = await stage.call("UpdateFunctionUrlConfig", FunctionName="f", AuthType="AWS_IAM")
    assert (changed["AuthType"], changed["Cors"]) == ("AWS_IAM", created["Cors"])
    assert changed["LastModifiedTime"] > changed["CreationTime"] == created["CreationTime"]
    listed = await stage.call("ListFunctionUrlConfigs", FunctionName="f")
    assert [shown["FunctionUrl"] for shown in listed["FunctionUrlConfigs"]] == [created["FunctionUrl"]]
    await stage.call("DeleteFunctionUrlConfig", FunctionName="f")
    assert (await stage.refusal("GetFunctionUrlConfig", FunctionName="f")).code == "ResourceNotFoundException"
    streaming = await stage.call(
        "CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE", InvokeMode="RESPONSE_STREAM"
    )
    assert streaming["InvokeMode"] == "RESPONSE_STREAM"
    changed = await stage.call("UpdateFunctionUrlConfig", FunctionName="f", AuthType="AWS_IAM")
    assert "InvokeMode" not in changed, "replies name it where the request did"
    assert (await stage.call("GetFunctionUrlConfig", FunctionName="f"))["InvokeMode"] == "RESPONSE_STREAM"
    changed = await stage.call("UpdateFunctionUrlConfig", FunctionName="f", InvokeMode="BUFFERED")
    assert changed["InvokeMode"] == "BUFFERED"


async def test_a_url_without_permission_is_forbidden(stage: Stage) -> None:
    await stage.create()
    shown = await stage.call("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
    url_id = shown["FunctionUrl"].rstrip("/").rpartition("/")[2]
    for permission in OPEN:
        response = await ask(stage, url_id)
        assert response.status == 403
        assert ("x-amzn-errortype", "AccessDeniedException") in response.headers
        await stage.call("AddPermission", FunctionName="f", **permission)
    assert (await ask(stage, url_id)).status == 200
    await stage.call("RemovePermission", FunctionName="f", StatementId="url")
    assert (await ask(stage, url_id)).status == 403
    assert len(stage.engine.calls) == 1


async def test_a_url_that_is_gone_is_forbidden_without_a_word(stage: Stage) -> None:
    url_id = await with_url(stage)
    assert (await ask(stage, url_id)).status == 200
    await stage.call("DeleteFunctionUrlConfig", FunctionName="f")
    response = await ask(stage, url_id)
    assert (response.status, response.body) == (403, b'{"Message": null}')
    assert ("x-amzn-errortype", "AccessDeniedException") in response.headers


async def test_a_deny_of_the_policy_keeps_people_out_who_sign(stage: Stage) -> None:
    url_id = await with_url(stage)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "lambda:Invoke*", "Resource": f"{ARN}f"}
    kept_out = {**statement, "Effect": "Deny", "Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}}
    for statements, status in (([statement], 200), ([statement, kept_out], 403)):
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        await stage.call("PutResourcePolicy", ResourceArn=f"{ARN}f", Policy=text)
        assert (await ask(stage, url_id)).status == status
    await stage.call("Invoke", FunctionName="f", Payload=b"{}")


async def test_an_iam_url_is_for_those_who_sign(stage: Stage) -> None:
    url_id = await with_url(stage, AuthType="AWS_IAM")
    assert (await ask(stage, url_id)).status == 403

    kind: Literal["root", "user"] = "root"

    class Signed:
        async def principal(self, request: HttpRequest, body: bytes, service: str) -> Principal:
            if request.header("authorization") is None:
                raise CallerError("nobody signed")
            return Principal(kind, "000000000000", "arn:aws:iam::000000000000:someone", "AIDA", "AKIA")

    stage.functions.urls._signatures = Signed()
    assert (await ask(stage, url_id)).status == 403
    assert (await ask(stage, url_id, request(headers=[("authorization", "yes")]))).status == 200
    assert event(stage)["requestContext"]["accountId"] == "000000000000"
    assert event(stage)["requestContext"]["authorizer"]["iam"]["userArn"] == "arn:aws:iam::000000000000:someone"
    for permission in OPEN:
        await stage.call("RemovePermission", FunctionName="f", StatementId=permission["StatementId"])
    assert (await ask(stage, url_id, request(headers=[("authorization", "yes")]))).status == 200
    kind = "user"
    assert (await ask(stage, url_id, request(headers=[("authorization", "yes")]))).status == 403


async def test_the_event_is_payload_format_two(stage: Stage) -> None:
    url_id = await with_url(stage)
    await ask(
        stage,
        url_id,
        request(
            "POST",
            "/a%20b/c",
            "q=1&q=2&empty=&plus=a+b%21",
            [
                ("x-two", "1"),
                ("x-two", "2"),
                ("cookie", "a=1; b=2"),
                ("cookie", "c=3"),
                ("content-type", "application/json; charset=utf-8"),
                ("user-agent", "test"),
            ],
            b'{"k": "v"}',
        ),
    )
    seen = event(stage)
    context = seen.pop("requestContext")
    headers = seen.pop("headers")
    assert seen == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a%20b/c",
        "rawQueryString": "q=1&q=2&empty=&plus=a+b%21",
        "cookies": ["a=1", "b=2", "c=3"],
        "queryStringParameters": {"q": "1,2", "empty": "", "plus": "a b!"},
        "body": '{"k": "v"}',
        "isBase64Encoded": False,
    }
    assert headers["x-two"] == "1,2"
    assert (headers["x-forwarded-for"], headers["x-forwarded-port"]) == ("10.0.0.9", "4566")
    assert "cookie" not in headers
    assert context == {
        "accountId": "anonymous",
        "apiId": url_id,
        "domainName": "127.0.0.1",
        "domainPrefix": url_id,
        "http": {
            "method": "POST",
            "path": "/a%20b/c",
            "protocol": "HTTP/1.1",
            "sourceIp": "10.0.0.9",
            "userAgent": "test",
        },
        "requestId": "req-1",
        "routeKey": "$default",
        "stage": "$default",
        "time": "14/Nov/2023:22:13:20 +0000",
        "timeEpoch": 1_700_000_000_000,
    }
    assert stage.records.usage[0].source == "url"


@pytest.mark.parametrize(
    ("content_type", "body", "encoded"),
    [
        ("text/plain", b"hi", False),
        ("application/ld+json", b"{}", False),
        ("application/octet-stream", b"hi", True),
        ("application/x-www-form-urlencoded", b"a=1", True),
        ("text/plain", b"\xff", True),
    ],
)
async def test_what_is_not_text_is_base64(stage: Stage, content_type: str, body: bytes, encoded: bool) -> None:
    url_id = await with_url(stage)
    await ask(stage, url_id, request("POST", headers=[("content-type", content_type)], body=body))
    seen = event(stage)
    assert seen["isBase64Encoded"] is encoded
    assert (base64.b64decode(seen["body"]) if encoded else seen["body"].encode()) == body


@pytest.mark.parametrize(
    ("returned", "body"),
    [
        ({"hello": "world"}, b'{"hello": "world"}'),
        ("hello", b"hello"),
        (3.1, b"3.1"),
        ([1, True], b"[1, true]"),
        (None, b"null"),
    ],
)
async def test_anything_without_a_status_is_the_body(stage: Stage, returned: Any, body: bytes) -> None:
    url_id = await with_url(stage)
    returning(stage, returned)
    response = await ask(stage, url_id)
    assert (response.status, response.body) == (200, body)
    assert ("content-type", "application/json") in response.headers


async def test_an_object_with_a_status_describes_the_response(stage: Stage) -> None:
    url_id = await with_url(stage)
    returning(
        stage,
        {
            "statusCode": 201,
            "headers": {"Content-Type": "image/png", "X-Number": 5, "X-Yes": True, "Content-Length": "999"},
            "cookies": ["a=1", "b=2; Secure"],
            "body": base64.b64encode(b"\x89PNG").decode(),
            "isBase64Encoded": True,
        },
    )
    response = await ask(stage, url_id)
    assert (response.status, response.body) == (201, b"\x89PNG")
    assert list(response.headers)[:5] == [
        ("content-type", "image/png"),
        ("x-number", "5"),
        ("x-yes", "true"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2; Secure"),
    ]


@pytest.mark.parametrize(
    "returned",
    [
        {"statusCode": 99},
        {"statusCode": "no"},
        {"statusCode": None},
        {"statusCode": 200, "body": {}},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
        {"statusCode": 200, "headers": {"a": "b\r\nset-cookie: x"}},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"a": []}},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "cookies": "a"},
    ],
    ids=str,
)
async def test_a_reply_that_makes_no_response_is_a_bad_gateway(stage: Stage, returned: Any) -> None:
    url_id = await with_url(stage)
    returning(stage, returned)
    assert (await ask(stage, url_id)).status == 502


async def test_a_reply_nested_beyond_reason_is_a_bad_gateway(stage: Stage) -> None:
    url_id = await with_url(stage)
    stage.engine.script = lambda target, call: ok(b"[" * 200_000 + b"]" * 200_000)
    assert (await ask(stage, url_id)).status == 502


async def test_failures_have_their_statuses(stage: Stage) -> None:
    url_id = await with_url(stage)
    stage.engine.script = lambda target, call: failed(Failure("raised", b"{}"))
    response = await ask(stage, url_id)
    assert (response.status, response.body) == (502, b"Internal Server Error")
    stage.engine.script = lambda target, call: ThrottledError("account", 1)
    assert (await ask(stage, url_id)).status == 429


async def test_a_refusal_says_when_to_come_again_where_that_is_known(stage: Stage) -> None:
    url_id = await with_url(stage)
    stage.engine.script = lambda target, call: ThrottledError("scaling", 1, 2.5)
    refused = await ask(stage, url_id)
    assert dict(refused.headers)["retry-after"] == "3"
    assert isinstance(refused.body, bytes)
    assert json.loads(refused.body) == {
        "Message": "Rate Exceeded.",
        "Type": "User",
        "Reason": "ConcurrentInvocationLimitExceeded",
    }


async def test_a_version_that_is_deactivated_is_not_called_by_its_url(stage: Stage) -> None:
    url_id = await with_url(stage)
    await stage.call("PublishVersion", FunctionName="f")
    await stage.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    config = await stage.call("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    for permission in OPEN:
        await stage.call("AddPermission", FunctionName="f", Qualifier="live", **permission)
    none = {"MaxExecutionEnvironments": 0}
    await stage.call("PutFunctionScalingConfig", FunctionName="f", Qualifier="1", FunctionScalingConfig=none)
    refused = await ask(stage, config["FunctionUrl"].rstrip("/").rpartition("/")[2])
    assert (refused.status, b"Deactivated" in cast(bytes, refused.body)) == (409, True)
    assert (await ask(stage, url_id)).status == 200


async def test_a_body_that_is_too_large_never_reaches_the_function(open_stage: OpenStage) -> None:
    stage = await open_stage(FunctionLimits(payload_bytes=2000))
    url_id = await with_url(stage)
    for body in (b"x" * 2001, b"x" * 1900):  # the second is too large as an event
        assert (await ask(stage, url_id, request("POST", body=body))).status == 413
    assert stage.engine.calls == []


CORS = {
    "AllowOrigins": ["https://a.example"],
    "AllowMethods": ["GET", "PUT"],
    "AllowHeaders": ["x-mine"],
    "ExposeHeaders": ["x-shown"],
    "AllowCredentials": True,
    "MaxAge": 60,
}


def preflight(origin: str, method: str = "PUT") -> HttpRequest:
    asked = [("origin", origin), ("access-control-request-method", method), ("access-control-request-headers", "x-a")]
    return request("OPTIONS", headers=asked)


async def test_a_preflight_is_answered_without_the_function(stage: Stage) -> None:
    url_id = await with_url(stage, Cors=CORS)
    headers = dict((await ask(stage, url_id, preflight("https://a.example"))).headers)
    assert headers == {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "x-mine",
        "access-control-max-age": "60",
        "vary": "Origin",
    }
    for asked in (preflight("https://b.example"), preflight("https://a.example", "DELETE")):
        assert dict((await ask(stage, url_id, asked)).headers) == {"vary": "Origin"}
    assert stage.engine.calls == []


async def test_configured_cors_overrides_what_the_function_says(stage: Stage) -> None:
    url_id = await with_url(stage, Cors=CORS)
    returning(stage, {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}, "body": ""})
    mine = dict((await ask(stage, url_id, request(headers=[("origin", "https://a.example")]))).headers)
    assert mine["access-control-allow-origin"] == "https://a.example"
    assert mine["access-control-expose-headers"] == "x-shown"
    theirs = dict((await ask(stage, url_id, request(headers=[("origin", "https://b.example")]))).headers)
    assert "access-control-allow-origin" not in theirs
    plain = dict((await ask(stage, url_id)).headers)
    assert plain["access-control-allow-origin"] == "*"


async def test_without_configured_cors_the_function_sees_the_preflight(stage: Stage) -> None:
    url_id = await with_url(stage)
    await ask(stage, url_id, preflight("https://a.example"))
    assert event(stage)["requestContext"]["http"]["method"] == "OPTIONS"


@given(st.binary(max_size=200))
def test_any_reply_is_a_response_or_a_bad_reply(payload: bytes) -> None:
    try:
        response = interpret(payload)
    except BadReplyError:
        return
    assert 200 <= response.status <= 599


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.fixed_dictionaries({}, optional={"headers": st.dictionaries(st.text(), st.text()), "body": st.text()}),
)
def test_any_described_response_has_headers_that_can_be_sent(status: Any, rest: dict[str, Any]) -> None:
    try:
        response = interpret(json.dumps({"statusCode": status, **rest}).encode())
    except BadReplyError:
        return
    assert all("\n" not in value and "\r" not in value and name.isascii() for name, value in response.headers)


@given(st.text())
def test_any_query_has_parameters(query: str) -> None:
    assert all(isinstance(value, str) for value in query_parameters(query).values())
