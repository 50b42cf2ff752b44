"""What a browser lets pages do with HTTP APIs and REST APIs of another origin: CORS and cookies."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.browser.chromium import Browser, Page, ScriptError
from tests.conftest import PlatformProcess
from tests.services.apis.http.test_http_apis_in_stacks import deployed, ended

# `Secure` cookies are for TLS and for a machine's own name; they are asked for by a parameter.
COOKIES = """["seen=a; Path=/", "hidden=b; Path=/; HttpOnly; SameSite=Strict"] + \\
            ["across=c; Path=/; SameSite=None; Secure"] * ("across" in (event.get("queryStringParameters") or {}))"""
FORMAT_2 = """
import json
def h(event, context):
    method, cookies = event["requestContext"]["http"]["method"], sorted(event.get("cookies", []))
    told = [method, event["headers"].get("x-colour"), cookies]
    answer = {"statusCode": 200, "headers": {"x-shown": "1", "x-kept": "2"}, "body": json.dumps(told)}
    if event["rawPath"].endswith("/login"):
        answer["cookies"] = COOKIES
    return answer
"""
FORMAT_1 = """
import json
def h(event, context):
    given = {name.lower(): value for name, value in event["headers"].items()}
    cookies = sorted(filter(None, given.get("cookie", "").split("; ")))
    headers = {"x-shown": "1", "x-kept": "2", "Access-Control-Allow-Origin": "ORIGIN",
               "Access-Control-Allow-Credentials": "true", "Access-Control-Expose-Headers": "x-shown"}
    told = [event["httpMethod"], given.get("x-colour"), cookies]
    answer = {"statusCode": 200, "headers": headers, "body": json.dumps(told)}
    if event["path"].endswith("/login"):
        answer["multiValueHeaders"] = {"Set-Cookie": COOKIES}
    return answer
"""


def template(origin: str) -> dict[str, Any]:
    """An HTTP API and a REST API that let pages of `origin` in, an HTTP API that lets any in, and one all of stars."""

    def function(code: str, kind: str, member: str, *apis: str) -> dict[str, Any]:
        events = {
            f"{api}{path}{method}": {
                "Type": kind,
                "Properties": {"Path": f"/{path}", "Method": method, member: {"Ref": api}},
            }
            for api in apis
            for path, method in (("things", "get"), ("things", "put"), ("things", "delete"), ("login", "post"))
        }
        properties = {"Runtime": "python3.12", "Handler": "index.h", "InlineCode": code, "Events": events}
        return {"Type": "AWS::Serverless::Function", "Properties": properties}

    cors: dict[str, Any] = {
        "AllowOrigins": [origin],
        "AllowMethods": ["GET", "PUT", "POST"],
        "AllowHeaders": ["X-Colour", "Content-Type"],
        "ExposeHeaders": ["X-Shown"],
        "AllowCredentials": True,
        "MaxAge": 0,
    }
    anyone = {"AllowOrigins": ["*"], "AllowMethods": ["*"], "AllowHeaders": ["*"]}
    stars = {"AllowOrigins": ["http://*"], "AllowMethods": ["*"], "AllowHeaders": ["*"], "AllowCredentials": True}
    rest = {
        "AllowOrigin": f"'{origin}'",
        "AllowMethods": "'GET,PUT,POST'",
        "AllowHeaders": "'X-Colour,Content-Type'",
        "AllowCredentials": True,
        "MaxAge": "'0'",
    }
    readable = {"Headers": {"Access-Control-Allow-Origin": f"'{origin}'"}}
    refusals = {"MISSING_AUTHENTICATION_TOKEN": {"ResponseParameters": readable}}
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Http": {"Type": "AWS::Serverless::HttpApi", "Properties": {"CorsConfiguration": cors}},
            "Anyone": {"Type": "AWS::Serverless::HttpApi", "Properties": {"CorsConfiguration": anyone}},
            "Stars": {"Type": "AWS::Serverless::HttpApi", "Properties": {"CorsConfiguration": stars}},
            "Rest": {
                "Type": "AWS::Serverless::Api",
                "Properties": {"StageName": "prod", "Cors": rest, "GatewayResponses": refusals},
            },
            "OfHttp": function(FORMAT_2.replace("COOKIES", COOKIES), "HttpApi", "ApiId", "Http", "Anyone", "Stars"),
            "OfRest": function(
                FORMAT_1.replace("COOKIES", COOKIES).replace("ORIGIN", origin), "Api", "RestApiId", "Rest"
            ),
        },
        "Outputs": {name: {"Value": {"Ref": name}} for name in ("Http", "Anyone", "Stars", "Rest")},
    }


@pytest.fixture(scope="module")
def apis(platform: PlatformProcess, browser: Browser, origin: str) -> Iterator[dict[str, str]]:
    """Where the APIs are, without DNS. The browser is asked for first: without one nothing is deployed."""
    stacks = platform.client("cloudformation")
    name = f"browser-{uuid4().hex[:8]}"
    outputs = deployed(stacks, name, json.dumps(template(origin)))
    below = f"{platform.url}/_mayfly/api/"
    yield {
        "http": f"{below}{outputs['Http']}",
        "anyone": f"{below}{outputs['Anyone']}",
        "stars": f"{below}{outputs['Stars']}",
        "rest": f"{below}{outputs['Rest']}/prod",
    }
    stack = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    stacks.delete_stack(StackName=name)
    ended(stacks, stack)


def fetched(page: Page, url: str, **options: Any) -> Any:
    """What a page sees of a response; `ScriptError` where the browser keeps it from the page."""
    seen = "async r => ({status: r.status, headers: Object.fromEntries(r.headers), body: await r.text()})"
    return page.evaluate(f"fetch({json.dumps(url)}, {json.dumps(options)}).then({seen})")


BOTH = pytest.mark.parametrize("kind", ["http", "rest"])


@BOTH
def test_a_page_reads_a_simple_response_and_the_headers_that_are_exposed(
    apis: dict[str, str], page: Page, kind: str
) -> None:
    seen = fetched(page, f"{apis[kind]}/things")
    assert (seen["status"], json.loads(seen["body"])) == (200, ["GET", None, []])
    assert seen["headers"]["x-shown"] == "1"
    assert "x-kept" not in seen["headers"]


@BOTH
def test_a_browser_asks_before_a_page_changes_anything_and_is_let(apis: dict[str, str], page: Page, kind: str) -> None:
    url = f"{apis[kind]}/things"
    headers = {"X-Colour": "red", "Content-Type": "application/json"}
    seen = fetched(page, url, method="PUT", headers=headers, body="{}", credentials="include")
    assert json.loads(seen["body"]) == ["PUT", "red", []]
    assert page.preflight() == url


@BOTH
@pytest.mark.parametrize("asked", [{"method": "DELETE"}, {"method": "PUT", "headers": {"X-Size": "1"}}])
def test_a_method_or_a_header_that_is_not_allowed_is_not_sent(
    apis: dict[str, str], page: Page, kind: str, asked: dict[str, Any]
) -> None:
    with pytest.raises(ScriptError, match="Failed to fetch"):
        fetched(page, f"{apis[kind]}/things", **asked)
    assert page.preflight() == f"{apis[kind]}/things"


@BOTH
@pytest.mark.parametrize("asked", [{}, {"method": "PUT", "headers": {"X-Colour": "red"}}])
def test_a_page_of_another_origin_reads_nothing(
    apis: dict[str, str], strange_page: Page, kind: str, asked: dict[str, Any]
) -> None:
    with pytest.raises(ScriptError, match="Failed to fetch"):
        fetched(strange_page, f"{apis[kind]}/things", **asked)


@BOTH
def test_cookies_that_a_function_sets_are_stored_and_sent_with_credentials_only(
    apis: dict[str, str], page: Page, kind: str
) -> None:
    fetched(page, f"{apis[kind]}/login", method="POST", credentials="omit")
    assert page.evaluate("document.cookie") == ""
    fetched(page, f"{apis[kind]}/login", method="POST", credentials="include")
    # Cookies know no ports, so the page has those of the API, less the one that scripts may not see.
    assert page.evaluate("document.cookie") == "seen=a"
    with_them = fetched(page, f"{apis[kind]}/things", credentials="include")
    assert json.loads(with_them["body"]) == ["GET", None, ["hidden=b", "seen=a"]]
    changing = fetched(page, f"{apis[kind]}/things", method="PUT", headers={"X-Colour": "red"}, credentials="include")
    assert json.loads(changing["body"]) == ["PUT", "red", ["hidden=b", "seen=a"]]
    without = fetched(page, f"{apis[kind]}/things", credentials="omit")
    assert json.loads(without["body"])[2] == []


@BOTH
def test_of_an_api_of_another_site_only_cookies_meant_for_that_are_kept(
    apis: dict[str, str], page: Page, kind: str
) -> None:
    below = apis[kind].replace("127.0.0.1", "localhost")  # to a browser, another site
    fetched(page, f"{below}/login?across=1", method="POST", credentials="include")
    seen = fetched(page, f"{below}/things", credentials="include")
    assert json.loads(seen["body"]) == ["GET", None, ["across=c"]]
    assert page.evaluate("document.cookie") == ""


def test_an_api_for_anyone_is_read_by_any_page_but_never_with_credentials(
    apis: dict[str, str], strange_page: Page
) -> None:
    headers = {"X-Anything": "1"}
    seen = fetched(strange_page, f"{apis['anyone']}/things", method="DELETE", headers=headers)
    assert json.loads(seen["body"])[0] == "DELETE"
    with pytest.raises(ScriptError, match="Failed to fetch"):
        fetched(strange_page, f"{apis['anyone']}/things", credentials="include")


def test_stars_hold_for_requests_with_credentials_too(apis: dict[str, str], strange_page: Page) -> None:
    url, headers = f"{apis['stars']}/things", {"X-Anything": "1", "Authorization": "Bearer t"}
    seen = fetched(strange_page, url, method="DELETE", headers=headers, credentials="include")
    assert json.loads(seen["body"])[0] == "DELETE"
    assert strange_page.preflight() == url


def test_a_page_reads_how_an_api_refuses(apis: dict[str, str], page: Page) -> None:
    missing = fetched(page, f"{apis['http']}/nowhere")
    assert (missing["status"], json.loads(missing["body"])) == (404, {"message": "Not Found"})
    refused = fetched(page, f"{apis['rest']}/nowhere")
    assert (refused["status"], json.loads(refused["body"])) == (403, {"message": "Missing Authentication Token"})


@BOTH
def test_a_page_that_an_api_serves_itself_is_of_its_origin_by_host_name(
    apis: dict[str, str], page: Page, platform: PlatformProcess, kind: str
) -> None:
    api, _, stage = apis[kind].removeprefix(f"{platform.url}/_mayfly/api/").partition("/")
    host, port = f"{api}.execute-api.{platform.region}.localhost", platform.url.rpartition(":")[2]
    base = f"http://{host}:{port}/{stage}".rstrip("/")
    page.open(f"{base}/things")
    fetched(page, f"{base}/login", method="POST")
    assert page.evaluate("document.cookie") == "seen=a"
    # What neither API allows to others, and with cookies that none of those of other names gets.
    seen = fetched(page, f"{base}/things", method="DELETE", headers={"X-Size": "1"})
    assert json.loads(seen["body"]) == ["DELETE", None, ["hidden=b", "seen=a"]]
    page.open(f"{apis[kind]}/things")
    assert page.evaluate("document.cookie") == ""
