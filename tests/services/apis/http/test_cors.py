"""What browsers are told of other origins."""

from typing import Any

import pytest

from mayfly.services.apis.http import cors
from mayfly.services.contract import HttpRequest, HttpResponse, StreamBody


async def nothing() -> Any:
    return
    yield


def request(method: str, **headers: str) -> HttpRequest:
    given = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return HttpRequest(method, "/", "", given, StreamBody(nothing(), 0), "h", "127.0.0.1", "r", content=b"")


def asked(members: dict[str, Any], origin: str, method: str = "GET", headers: str | None = None) -> dict[str, str]:
    wanted = {"origin": origin, "access_control_request_method": method}
    if headers is not None:
        wanted["access_control_request_headers"] = headers
    found = cors.compiled(members)
    assert found is not None
    asks = request("OPTIONS", **wanted)
    assert cors.is_preflight(asks)
    response = cors.preflight(found, asks)
    assert response.status == 204
    return dict(response.headers)


def test_a_preflight_request_is_told_what_is_configured() -> None:
    members = {
        "AllowOrigins": ["https://a.example"],
        "AllowMethods": ["GET", "PUT"],
        "AllowHeaders": ["X-A", "authorization"],
        "AllowCredentials": True,
        "MaxAge": 600,
    }
    assert asked(members, "https://a.example") == {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,PUT",
        "access-control-allow-headers": "x-a,authorization",
        "access-control-max-age": "600",
        "vary": "Origin",
    }


def test_an_origin_that_may_not_is_told_nothing() -> None:
    assert asked({"AllowOrigins": ["https://a.example"], "AllowMethods": ["*"]}, "https://b.example") == {
        "vary": "Origin"
    }


@pytest.mark.parametrize(
    ("allowed", "origin", "granted"),
    [
        ("*", "https://any.example", "*"),
        ("https://*", "https://any.example", "https://any.example"),
        ("https://*", "http://any.example", None),
        ("https://*.example", "https://a.example", "https://a.example"),
        ("https://*.example", "https://a.example.evil", None),
        ("https://A.example", "https://a.example", "https://a.example"),
    ],
)
def test_origins_may_have_stars(allowed: str, origin: str, granted: str | None) -> None:
    found = asked({"AllowOrigins": [allowed]}, origin)
    assert found.get("access-control-allow-origin") == granted


def test_a_star_is_spelt_out_to_who_sends_credentials() -> None:
    members = {"AllowOrigins": ["https://*"], "AllowMethods": ["*"], "AllowHeaders": ["*"], "AllowCredentials": True}
    found = asked(members, "https://a.example", "DELETE", "x-one, x-two")
    assert found["access-control-allow-methods"] == "DELETE"
    assert found["access-control-allow-headers"] == "x-one, x-two"


def test_what_an_integration_says_of_cors_is_replaced() -> None:
    found = cors.compiled({"AllowOrigins": ["https://a.example"], "ExposeHeaders": ["X-B"]})
    assert found is not None
    said = HttpResponse(200, [("access-control-allow-origin", "*"), ("x-b", "1")], b"")
    assert cors.decorated(found, "https://a.example", said).headers == [
        ("x-b", "1"),
        ("access-control-allow-origin", "https://a.example"),
        ("access-control-expose-headers", "x-b"),
        ("vary", "Origin"),
    ]
    assert cors.decorated(found, None, said).headers == [("x-b", "1"), ("vary", "Origin")]


def test_an_empty_configuration_is_none() -> None:
    assert cors.compiled({}) is None
