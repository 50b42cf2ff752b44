"""What functions get of a request."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools.utilities.parser.models import APIGatewayProxyEventModel, APIGatewayProxyEventV2Model
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.apis.http import events
from mayfly.services.apis.http.exchange import Exchange, common_log_time, trace_of
from mayfly.services.contract import HttpRequest, StreamBody

TRACE = "Root=1-65530a80-0123456789abcdef01234567"


@dataclass
class Api:
    id: str = "abc"
    account: str = "000000000000"
    region: str = "us-east-1"


@dataclass
class Stage:
    name: str = "$default"
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Route:
    key: str = "GET /pets/{id}"
    path: str = "/pets/{id}"
    method: str = "GET"


async def nothing() -> Any:
    return
    yield


def exchange(
    body: bytes = b"",
    query: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    stage: Stage | None = None,
    **more: Any,
) -> Exchange:
    request = HttpRequest(
        "GET", "/pets/7", query, headers, StreamBody(nothing()), "abc.example:4566", "192.0.2.1", "req-1", content=body
    )
    made = Exchange(
        request,
        Api(),
        stage or Stage(),
        1_700_000_000.123,
        "/pets/7",
        "/pets/7",
        "/pets/7",
        "abc.example",
        "abc",
        TRACE,
    )
    made.body, made.route, made.parameters = body, Route(), {"id": "7"}
    for name, value in more.items():
        setattr(made, name, value)
    return made


def shown(event: bytes) -> Any:
    return json.loads(event)


def test_format_2_is_what_powertools_expects() -> None:
    made = exchange(
        b'{"a":1}',
        "a=1&a=2",
        (("content-type", "application/json"), ("cookie", "a=1; b=2"), ("x-forwarded-for", "198.51.100.1")),
        Stage("$default", {"v": "1"}),
    )
    event = shown(events.format_2(made))
    model = APIGatewayProxyEventV2Model.model_validate(event)
    assert model.cookies == ["a=1", "b=2"]
    assert model.queryStringParameters == {"a": "1,2"}
    assert model.pathParameters == {"id": "7"}
    assert model.stageVariables == {"v": "1"}
    assert event["headers"]["x-forwarded-for"] == "198.51.100.1, 192.0.2.1"
    assert event["headers"]["x-forwarded-port"] == "4566"
    assert (event["body"], event["isBase64Encoded"]) == ('{"a":1}', False)


def test_format_2_tells_of_claims_and_signers() -> None:
    jwt = {"jwt": {"claims": {"sub": "u"}, "scopes": ["read"]}}
    event = shown(events.format_2(exchange(authorizer=jwt)))
    assert event["requestContext"]["authorizer"] == jwt
    APIGatewayProxyEventV2Model.model_validate(event)


def test_format_1_is_what_powertools_expects() -> None:
    made = exchange(b"\xff\x00", "a=1&a=2&b=", (("x-a", "1"), ("x-a", "2"), ("user-agent", "t")))
    event = shown(events.format_1(made))
    model = APIGatewayProxyEventModel.model_validate(event)
    assert model.requestContext.requestTimeEpoch is not None
    assert event["multiValueHeaders"]["x-a"] == ["1", "2"]
    assert event["headers"]["x-a"] == "2"
    assert event["headers"]["User-Agent"] == "t"
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}
    assert event["queryStringParameters"] == {"a": "2", "b": ""}
    assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode(b"\xff\x00").decode(), True)


def test_format_1_has_null_for_what_there_is_none_of() -> None:
    event = shown(events.format_1(exchange(parameters={})))
    for name in (
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ):
        assert event[name] is None


def test_a_trace_is_taken_over_or_begun() -> None:
    assert trace_of(TRACE, 0.0, "x") == TRACE
    assert trace_of(f"Self=1;{TRACE};Parent=0123456789abcdef", 0.0, "x").startswith("Self=1")
    assert trace_of("nonsense", 1_700_000_000.0, "0" * 24) == f"Root=1-6553f100-{'0' * 24}"
    assert trace_of(None, 0.0, "f" * 24) == f"Root=1-00000000-{'f' * 24}"


def test_times_are_in_english() -> None:
    assert common_log_time(0.0) == "01/Jan/1970:00:00:00 +0000"


@given(st.binary(), st.sampled_from([None, "text/plain", "application/json; charset=utf-8", "image/png", "a/b+json"]))
def test_every_body_comes_through(content: bytes, kind: str | None) -> None:
    text, encoded = events.body(content, kind)
    assert (base64.b64decode(text) if encoded else text.encode()) == content


@given(st.text())
def test_any_query_is_taken_apart(query: str) -> None:
    joined, listed = events.query_parameters(query), events.query_values(query)
    assert joined.keys() == listed.keys()
    assert all(",".join(values) == joined[name] for name, values in listed.items())
