"""Who a request is for."""

from collections.abc import AsyncIterator

import pytest

from mayfly.http.routes import Routes
from mayfly.services.contract import HttpRequest, HttpResponse, StreamBody


async def no_bytes() -> AsyncIterator[bytes]:
    chunks: tuple[bytes, ...] = ()
    for chunk in chunks:
        yield chunk


def request(path: str, host: str) -> HttpRequest:
    return HttpRequest("GET", path, "", [], StreamBody(no_bytes(), 0), host, "127.0.0.1", "id")


async def gateway(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, (), b"gateway")


async def function_url(url_id: str, request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, (), f"{url_id} {request.path}".encode())


async def health(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, (), b"fine")


class Apis:
    """One domain name, and any id."""

    async def by_id(self, api_id: str, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), f"api {api_id} {request.mount} {request.path}".encode())

    def knows(self, host: str) -> bool:
        return host == "shop.example.com"

    async def by_domain(self, host: str, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), f"domain {host} {request.path}".encode())


@pytest.mark.parametrize(
    ("host", "path", "answer"),
    [
        ("127.0.0.1:4566", "/bucket/key", b"gateway"),
        ("bucket.s3.us-east-1.amazonaws.com", "/_mayfly", b"gateway"),
        ("abc123.lambda-url.us-east-1.on.aws", "/a/b", b"abc123 /a/b"),
        ("ABC123.lambda-url.us-east-1.localhost:4566", "/", b"abc123 /"),
        ("127.0.0.1", "/_mayfly/url/abc123/a%20b/", b"abc123 /a%20b/"),
        ("127.0.0.1", "/_mayfly/url/abc123", b"abc123 /"),
        ("127.0.0.1", "/_mayfly/health", b"fine"),
        ("a1b2c3.execute-api.us-east-1.amazonaws.com", "/prod/pets", b"api a1b2c3  /prod/pets"),
        ("A1B2C3.execute-api.localhost:4566", "/", b"api a1b2c3  /"),
        ("127.0.0.1", "/_mayfly/api/a1b2c3/prod/a%20b/", b"api a1b2c3 /_mayfly/api/a1b2c3 /prod/a%20b/"),
        ("127.0.0.1", "/_mayfly/api/a1b2c3", b"api a1b2c3 /_mayfly/api/a1b2c3 /"),
        ("Shop.example.com:8443", "/pets", b"domain shop.example.com /pets"),
        ("other.example.com", "/pets", b"gateway"),
    ],
)
async def test_a_request_goes_to_whom_it_is_for(host: str, path: str, answer: bytes) -> None:
    routes = Routes(gateway, function_url, {"health": health}, Apis())
    assert (await routes.answer(request(path, host))).body == answer


async def test_an_unknown_page_of_mayflys_own_names_those_that_exist() -> None:
    reply = await Routes(gateway, function_url, {"health": health}).answer(request("/_mayfly/helth", "x"))
    assert reply.status == 404
    assert b"there are: url, api, health" in (reply.body if isinstance(reply.body, bytes) else b"")
