"""Requests of the platform to itself: which they are, and that the rest goes outside."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest

from mayfly.app.own_addresses import OwnAddresses
from mayfly.outgoing.api import Opened, OutgoingError, Request, Response
from mayfly.services.contract import HttpRequest, HttpResponse, StreamBody


class Outside:
    """Remembers what was sent."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    async def send(self, request: Request) -> Response:
        self.urls.append(request.url)
        return Response(200, (), b"outside")

    async def open(self, request: Request) -> Opened:
        self.urls.append(request.url)
        return Opened(200, (), parts_of(b"out", b"side"), lambda: None)


async def parts_of(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


class Apis:
    def has(self, api_id: str) -> bool:
        return api_id == "abc123"

    def knows(self, host: str) -> bool:
        return host == "shop.example.com"


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def own(outside: Outside) -> OwnAddresses:
    async def answer(request: HttpRequest) -> HttpResponse:
        said = f"{request.method} {request.host} {request.path} {request.query} {request.content!r}"
        return HttpResponse(201, [("X-Seen", request.header("authorization") or "")], said.encode())

    made = OwnAddresses(outside, "http://127.0.0.1:4566")
    made.bind(answer, Apis())
    return made


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://127.0.0.1:4566/_mayfly/api/abc/x?y=1", "POST 127.0.0.1:4566 /_mayfly/api/abc/x y=1 b'{}'"),
        ("http://localhost:4566/_mayfly/url/u1/", "POST localhost:4566 /_mayfly/url/u1/  b'{}'"),
        (
            "https://abc123.execute-api.us-east-1.amazonaws.com/prod",
            "POST abc123.execute-api.us-east-1.amazonaws.com /prod  b'{}'",
        ),
        ("https://shop.example.com", "POST shop.example.com /  b'{}'"),
    ],
)
async def test_what_is_here_is_answered_here(own: OwnAddresses, outside: Outside, url: str, seen: str) -> None:
    reply = await own.send(Request("POST", url, body=b"{}"))
    assert (reply.status, reply.body.decode()) == (201, seen)
    assert outside.urls == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:4566/_mayfly/status",
        "http://127.0.0.1:4566/bucket/key",
        "http://127.0.0.1:9999/_mayfly/api/abc/x",
        "https://zzz999.execute-api.us-east-1.amazonaws.com/prod",
        "https://other.example.com/",
        "ftp://shop.example.com/",
        "http://[broken",
    ],
)
async def test_all_else_goes_outside_whose_rules_hold(own: OwnAddresses, outside: Outside, url: str) -> None:
    assert (await own.send(Request("GET", url))).body == b"outside"
    assert outside.urls == [url]


async def test_a_name_and_password_in_the_url_are_told(own: OwnAddresses) -> None:
    reply = await own.send(Request("GET", "http://me:se%20cret@127.0.0.1:4566/_mayfly/api/abc"))
    assert reply.header("x-seen") == "Basic " + b64encode(b"me:se cret").decode()


async def test_an_answer_is_cut_and_awaited_no_longer_than_asked(outside: Outside) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"def"
        await asyncio.Event().wait()

    async def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), StreamBody(parts()))

    own = OwnAddresses(outside, "http://127.0.0.1:4566")
    own.bind(answer, Apis())
    url = "http://127.0.0.1:4566/_mayfly/api/abc"
    cut = await own.send(Request("GET", url, most_body=4))
    assert (cut.body, cut.complete) == (b"abcd", False)
    with pytest.raises(OutgoingError) as late:
        await own.send(Request("GET", url, timeout_s=0.01))
    assert late.value.kind == "timeout"


async def test_an_answer_is_handed_over_as_it_comes(outside: Outside) -> None:
    waiting, closed = asyncio.Event(), asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await waiting.wait()
            yield b"second"
        finally:
            closed.set()

    async def answer(request: HttpRequest) -> HttpResponse:
        if request.path.endswith("/whole"):
            return HttpResponse(202, (("X-One", "1"),), b"whole")
        return HttpResponse(200, (), StreamBody(parts()))

    own = OwnAddresses(outside, "http://127.0.0.1:4566")
    own.bind(answer, Apis())
    url = "http://127.0.0.1:4566/_mayfly/api/abc"
    opened = await own.open(Request("GET", url))
    assert await anext(opened.parts) == b"first"
    waiting.set()
    assert [part async for part in opened.parts] == [b"second"]
    assert closed.is_set()
    whole = await own.open(Request("GET", f"{url}/whole"))
    assert (whole.status, whole.headers) == (202, (("x-one", "1"),))
    assert [part async for part in whole.parts] == [b"whole"]
    out = await own.open(Request("GET", "https://elsewhere.example/"))
    assert [part async for part in out.parts] == [b"out", b"side"]
    assert outside.urls == ["https://elsewhere.example/"]
