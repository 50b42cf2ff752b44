"""Requests that mean harm, or that nobody thought of, at REST APIs."""

import http.client
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import quote, unquote, urlsplit

import pytest

from tests.conftest import PlatformProcess
from tests.services.apis.rest.conftest import Rest, send
from tests.services.apis.rest.web import Silent, reaching_out, serving

STATUS_200 = {"application/json": '{"statusCode": 200}'}


class Echo(Silent, BaseHTTPRequestHandler):
    """Answers with the line and the headers that it got."""

    def do_GET(self) -> None:
        self.answer(json.dumps({"path": self.path, "headers": dict(self.headers.items())}).encode())


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with serving(Echo) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def reaching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    with reaching_out(tmp_path_factory.mktemp("hostile") / "data") as running:
        yield running


@pytest.fixture
def outward(reaching: PlatformProcess) -> Rest:
    return Rest(reaching, {})


@pytest.mark.parametrize("kind", ["HTTP_PROXY", "HTTP"])
def test_what_stands_in_a_path_stays_in_its_place(outward: Rest, echo: str, kind: str) -> None:
    rest = outward
    api = rest.create()
    item = rest.resource(api, "{id}")
    rest.method(api, item, "GET", requestParameters={"method.request.path.id": True})
    mapped = {"integration.request.path.id": "method.request.path.id"}
    rest.integrate(
        api,
        item,
        "GET",
        type=kind,
        integrationHttpMethod="GET",
        uri=f"{echo}/items/{{id}}/end",
        requestParameters=mapped,
    )
    if kind == "HTTP":
        rest.respond(api, item, "GET")
    rest.deploy(api)
    for said in ("a?admin=1", "a#b", "a b", "a\r\nX-Bad: 1", "100%", "é"):
        answer = send("GET", rest.url(api, f"/{quote(said, safe='')}"))
        assert unquote(answer.json["path"]) == f"/items/{said}/end"
        assert not set(answer.json["path"]) & set("?# ")
        assert "X-Bad" not in answer.json["headers"]


def test_no_query_makes_headers_of_an_answer(rest: Rest) -> None:
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "GET", apiKeyRequired=True)
    rest.integrate(api, root, "GET", type="MOCK", requestTemplates=STATUS_200)
    rest.respond(api, root, "GET")
    rest.gateway.put_gateway_response(
        restApiId=api,
        responseType="INVALID_API_KEY",
        responseParameters={"gatewayresponse.header.X-Said": "method.request.querystring.q"},
    )
    rest.deploy(api)
    for said in ("a\r\nX-Bad: 1", "a\nX-Bad: 1", "a\0b", "词"):
        answer = send("GET", rest.url(api, f"/?q={quote(said)}"))
        assert answer.status == 403
        assert "x-bad" not in answer.headers
        assert answer.headers["x-said"].encode("latin-1").decode().startswith(("a ", "词"))


def test_no_body_of_a_backend_makes_headers_of_an_answer(rest: Rest) -> None:
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "POST")
    rest.integrate(api, root, "POST", type="AWS", uri=rest.function_uri("plain"))
    headers = {"method.response.header.x-said": "integration.response.body.said"}
    rest.respond(api, root, "POST", responseParameters=headers)
    rest.deploy(api)
    answer = send("POST", rest.url(api, "/"), json.dumps({"said": "a\r\nX-Bad: 1"}).encode())
    assert (answer.status, answer.headers["x-said"]) == (200, "a  X-Bad: 1")
    assert "x-bad" not in answer.headers


def test_headers_of_functions_beyond_latin_1_are_utf_8_and_line_ends_are_refused(rest: Rest) -> None:
    api = rest.create()
    rest.proxy(api, rest.root(api), "POST", "answer")
    rest.deploy(api)
    name = 'attachment; filename="报告.pdf"'
    body = json.dumps({"statusCode": 200, "headers": {"Content-Disposition": name}}).encode()
    answer = send("POST", rest.url(api, "/"), body)
    assert answer.headers["content-disposition"].encode("latin-1").decode() == name
    for bad in ({"X": "a\r\nY: b"}, {"X\r\nY": "b"}, {"X Y": "b"}):
        body = json.dumps({"statusCode": 200, "headers": bad}).encode()
        assert send("POST", rest.url(api, "/"), body).status == 502


def test_repeated_headers_and_parameters_all_reach_the_function(rest: Rest) -> None:
    api = rest.create()
    rest.proxy(api, rest.resource(api, "{proxy+}"), "ANY")
    rest.deploy(api)
    place = urlsplit(rest.url(api, "/a%2Fb//c%20d/?q=1&q=2&empty=&%C3%A9=%E2%82%AC"))
    connection = http.client.HTTPConnection(place.netloc, timeout=30)
    connection.putrequest("GET", f"{place.path}?{place.query}")
    connection.putheader("X-Two", "1")
    connection.putheader("x-two", "2")
    connection.endheaders()
    event = json.loads(connection.getresponse().read())
    connection.close()
    assert next(v for k, v in event["multiValueHeaders"].items() if k.lower() == "x-two") == ["1", "2"]
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "2"], "empty": [""], "é": ["€"]}
    assert event["queryStringParameters"]["q"] == "2"


def test_head_has_no_body_and_a_method_that_is_not_there_is_refused(rest: Rest) -> None:
    api = rest.create()
    rest.proxy(api, rest.root(api), "ANY", "echo")
    item = rest.resource(api, "x")
    rest.proxy(api, item, "GET")
    rest.deploy(api)
    answer = send("HEAD", rest.url(api, "/"))
    assert (answer.status, answer.body) == (200, b"")
    for verb in ("OPTIONS", "PUT"):
        answer = send(verb, rest.url(api, "/x"))
        assert (answer.status, answer.json["message"]) == (403, "Missing Authentication Token")


def test_bodies_beyond_ten_megabytes_are_413(rest: Rest) -> None:
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "POST")
    rest.integrate(api, root, "POST", type="MOCK", requestTemplates=STATUS_200)
    rest.respond(api, root, "POST")
    rest.deploy(api)
    kind = {"Content-Type": "application/json"}
    largest = b'"' + b"x" * (10 * 1024 * 1024 - 2) + b'"'
    assert send("POST", rest.url(api, "/"), largest, kind).status == 200
    answer = send("POST", rest.url(api, "/"), largest + b" ", kind)
    assert (answer.status, answer.json) == (413, {"message": "HTTP content length exceeded 10485760 bytes."})
