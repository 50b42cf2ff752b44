"""Requests whose framing can be read in two ways are not read at all, and replies cannot be made into two."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.http import heads
from mayfly.services.contract import HttpRequest, HttpResponse
from tests.http.conftest import Dial, Serve

HEAD = b"POST /first HTTP/1.1\r\nhost: x\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        HEAD + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n" + SMUGGLED,
        HEAD + b"content-length: 0\r\ncontent-length: 4\r\n\r\n" + SMUGGLED,
        HEAD + b"content-length: 4\r\ncontent-length: 4\r\n\r\nabcd" + SMUGGLED,
        HEAD + b"content-length: +4\r\n\r\nabcd" + SMUGGLED,
        HEAD + b"content-length: -1\r\n\r\n" + SMUGGLED,
        HEAD + b"content-length: 4, 4\r\n\r\nabcd" + SMUGGLED,
        HEAD + b"content-length: 0x4\r\n\r\nabcd" + SMUGGLED,
        HEAD + b"content-length: 99999999999999999999\r\n\r\n" + SMUGGLED,
        HEAD + b"content-length : 4\r\n\r\nabcd" + SMUGGLED,
        HEAD + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
        HEAD + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        HEAD + b"transfer-encoding: chunked\r\n\r\n-1\r\n\r\n" + SMUGGLED,
        HEAD + b"transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n" + SMUGGLED,
        HEAD + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + SMUGGLED,
        HEAD + b"transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n" + SMUGGLED,
        HEAD + b" continued: by-folding\r\n\r\n" + SMUGGLED,
        HEAD + b"x: a\rb\r\n\r\n" + SMUGGLED,
        HEAD + b"x: a\0b\r\n\r\n" + SMUGGLED,
        HEAD + b"host: y\r\n\r\n" + SMUGGLED,
        b"POST /first HTTP/1.1\nhost: x\n\n" + SMUGGLED,
        b"POST /first HTTP/2.0\r\nhost: x\r\n\r\n" + SMUGGLED,
        b"POST first HTTP/1.1\r\nhost: x\r\n\r\n" + SMUGGLED,
        b"POST ftp://x/first HTTP/1.1\r\nhost: x\r\n\r\n" + SMUGGLED,
        b"POST /\xc3\xa9 HTTP/1.1\r\nhost: x\r\n\r\n" + SMUGGLED,
        b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n" + SMUGGLED,
    ],
)
async def test_a_request_that_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_answered(
    serve: Serve, dial: Dial, request_: bytes
) -> None:
    paths: list[str] = []

    async def note(request: HttpRequest) -> HttpResponse:
        paths.append(request.path)
        async for _ in request.body:
            pass
        return HttpResponse(200)

    wire = await dial(await serve(note))
    await wire.send(request_)
    reply = await wire.rest()
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert reply.count(b"HTTP/1.1") == 1
    assert "/smuggled" not in paths


async def test_a_refusal_waits_for_the_replies_before_it(serve: Serve, dial: Dial) -> None:
    go = asyncio.Event()

    async def slow(request: HttpRequest) -> HttpResponse:
        await go.wait()
        return HttpResponse(200, (), b"first")

    wire = await dial(await serve(slow))
    await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\nnonsense\r\n\r\n")
    await asyncio.sleep(0)
    go.set()
    reply = await wire.rest()
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert b"first" + b"HTTP/1.1 400 " in reply


@pytest.mark.parametrize("name", ["x\r\ny", "x\ny", "x\ry"])
@pytest.mark.parametrize("where", ["name", "value"])
async def test_a_header_with_a_line_end_is_never_sent(serve: Serve, dial: Dial, name: str, where: str) -> None:
    header = (name, "v") if where == "name" else ("x", name)

    async def inject(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, [header], b"secret")

    wire = await dial(await serve(inject))
    for _ in range(2):
        await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await wire.head()).startswith("http/1.1 500")
        assert await wire.reader.readexactly(21) == b"Internal Server Error"


headers = st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=16)), max_size=4)


@given(headers)
def test_a_head_has_a_line_for_each_header_or_is_refused(given: list[tuple[str, str]]) -> None:
    try:
        head = heads.head("HTTP/1.1 200 OK\r\n", given, "")
    except heads.BadHeadError:
        return
    lines = head.decode("latin-1").split("\r\n")
    assert lines == ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in given), "", ""]
    assert not any(mark in line for line in lines for mark in "\r\n\0")
