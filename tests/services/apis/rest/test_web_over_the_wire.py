"""REST APIs in front of the web: HTTP and HTTP_PROXY."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from tests.conftest import PlatformProcess
from tests.services.apis.rest.conftest import Rest, send
from tests.services.apis.rest.web import Silent, reaching_out, serving


class Echo(Silent, BaseHTTPRequestHandler):
    """Answers with what it got."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        said = {"path": self.path, "body": body.decode(), "headers": {k.lower(): v for k, v in self.headers.items()}}
        status = 418 if "teapot" in self.path else 200
        self.answer(json.dumps(said).encode(), status, Content_Type="application/json", X_Own="yes")


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with serving(Echo) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def reaching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    with reaching_out(tmp_path_factory.mktemp("rest-web") / "data") as running:
        yield running


@pytest.fixture
def rest(reaching: PlatformProcess) -> Rest:
    return Rest(reaching, {})


def test_a_request_is_passed_on_to_the_web_and_its_answer_back(rest: Rest, web: str) -> None:
    api = rest.create()
    item = rest.resource(api, "{proxy+}")
    rest.method(api, item, "ANY")
    rest.integrate(
        api,
        item,
        "ANY",
        type="HTTP_PROXY",
        integrationHttpMethod="ANY",
        uri=f"{web}/base/{{proxy}}",
        requestParameters={"integration.request.path.proxy": "method.request.path.proxy"},
    )
    rest.deploy(api)
    answer = send("POST", rest.url(api, "/a/b?x=1"), b"text", {"X-Mine": "m", "Content-Type": "text/plain"})
    assert (answer.status, answer.headers["x-own"]) == (200, "yes")
    assert (answer.json["path"], answer.json["body"]) == ("/base/a/b?x=1", "text")
    assert answer.json["headers"]["x-mine"] == "m"
    assert send("POST", rest.url(api, "/teapot"), b"").status == 418


def test_the_web_is_asked_with_what_is_mapped_and_its_status_selects_the_response(rest: Rest, web: str) -> None:
    api = rest.create()
    item = rest.resource(api, "{id}")
    rest.method(api, item, "POST", requestParameters={"method.request.querystring.q": True})
    rest.integrate(
        api,
        item,
        "POST",
        type="HTTP",
        uri=f"{web}/${{stageVariables.base}}/{{id}}",
        requestParameters={
            "integration.request.path.id": "method.request.path.id",
            "integration.request.querystring.asked": "method.request.querystring.q",
            "integration.request.header.x-static": "'s'",
            "integration.request.header.x-context": "context.stage",
        },
    )
    rest.respond(api, item, "POST", "200")
    rest.respond(api, item, "POST", "400", selectionPattern="4\\d{2}", responseTemplates={"application/json": "{}"})
    rest.deploy(api, variables={"base": "b"})
    answer = send("POST", rest.url(api, "/7?q=x"), b"{}", {"Content-Type": "application/json", "X-Mine": "m"})
    assert answer.json["path"] == "/b/7?asked=x"
    assert answer.json["headers"]["x-static"] == "s"
    assert answer.json["headers"]["x-context"] == "dev"
    assert "x-mine" not in answer.json["headers"]
    refused = send("POST", rest.url(api, "/teapot?q=x"), b"{}", {"Content-Type": "application/json"})
    assert (refused.status, refused.json) == (400, {})
