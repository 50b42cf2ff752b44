"""What is too large for an HTTP API, and cookies on their way through one."""

from typing import Any

import pytest

from tests.conftest import PlatformProcess
from tests.services.apis.http.wire import ask, function

COOKIES = """
def h(event, context):
    cookies = ["a=1; Path=/; HttpOnly", "b=2; SameSite=None; Secure"]
    return {"statusCode": 200, "cookies": cookies, "body": str(len(event.get("body", "")))}
"""


@pytest.fixture(scope="module")
def url(platform: PlatformProcess) -> str:
    arn = function(platform, "http-api-cookies", COOKIES)
    made: Any = platform.client("apigatewayv2").create_api(
        Name="cookies",
        ProtocolType="HTTP",
        Target=arn,
        CorsConfiguration={"AllowOrigins": ["http://page.example"], "AllowCredentials": True, "AllowMethods": ["*"]},
    )
    return str(made["ApiEndpoint"])


def test_a_page_of_another_origin_gets_its_cookies_and_may_read_the_answer(url: str) -> None:
    answer = ask(url, "/", "POST", b"x", {"Origin": "http://page.example", "Cookie": "a=1"})
    assert [value for name, value in answer.headers if name == "set-cookie"] == [
        "a=1; Path=/; HttpOnly",
        "b=2; SameSite=None; Secure",
    ]
    assert answer.header("access-control-allow-origin") == "http://page.example"
    assert answer.header("access-control-allow-credentials") == "true"
    assert answer.header("vary") == "Origin"
    other = ask(url, "/", "POST", b"x", {"Origin": "http://other.example"})
    assert other.header("access-control-allow-origin") is None


def test_a_body_is_too_large_for_a_function_before_it_is_for_an_api(url: str) -> None:
    text = {"Content-Type": "text/plain"}
    assert ask(url, "/", "POST", b"x" * 5_000_000, text).body == b"5000000"
    for size in (7_000_000, 10 * 1024 * 1024 + 1):
        answer = ask(url, "/", "POST", b"x" * size, text)
        assert (answer.status, answer.body) == (413, b'{"message":"Request Entity Too Large"}')
