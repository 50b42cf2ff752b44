"""The order and the pace of requests and replies on one connection."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mayfly.http import protocol
from mayfly.http.body import HIGH_WATER_BYTES
from mayfly.services.contract import HttpRequest, HttpResponse, StreamBody
from tests.http.conftest import Dial, Serve


def get(path: str, *headers: str, version: str = "1.1") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"GET {path} HTTP/{version}\r\nhost: x\r\n{lines}\r\n".encode()


async def say_path(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, (), request.path.encode())


async def test_requests_sent_ahead_are_answered_one_at_a_time_in_their_order(serve: Serve, dial: Dial) -> None:
    running, most = 0, 0

    async def answer(request: HttpRequest) -> HttpResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(3 if request.path.endswith("1") else 1):
            await asyncio.sleep(0)
        running -= 1
        return await say_path(request)

    wire = await dial(await serve(answer))
    await wire.send(b"".join(get(f"/{number}") for number in range(50)))
    for number in range(50):
        await wire.head()
        text = f"/{number}".encode()
        assert await wire.reader.readexactly(len(text)) == text
    assert most == 1


async def test_bodies_sent_ahead_stay_with_their_requests(serve: Serve, dial: Dial) -> None:
    async def echo(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), b"".join([piece async for piece in request.body]))

    wire = await dial(await serve(echo))
    posts = [f"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nbody{n}".encode() for n in range(9)]
    everything = b"".join(posts)
    for at in range(0, len(everything), 37):  # in pieces that fit nothing
        await wire.send(everything[at : at + 37])
        await asyncio.sleep(0)
    for number in range(9):
        await wire.head()
        assert await wire.reader.readexactly(5) == f"body{number}".encode()


async def test_a_client_that_sends_too_far_ahead_is_refused_after_its_replies(
    serve: Serve, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "MOST_AHEAD", 4)
    wire = await dial(await serve(say_path))
    await wire.send(get("/") * 100)
    reply = await wire.rest()
    assert 4 <= reply.count(b"HTTP/1.1 200") <= 5
    assert reply.count(b"HTTP/1.1 400") == 1
    assert reply.index(b"HTTP/1.1 400") > reply.rindex(b"HTTP/1.1 200")


async def test_reading_stops_while_a_request_waits_for_its_turn(serve: Serve, dial: Dial) -> None:
    go = asyncio.Event()
    begun = asyncio.Event()
    seen = 0

    async def slow(request: HttpRequest) -> HttpResponse:
        nonlocal seen
        seen += 1
        begun.set()
        await go.wait()
        return HttpResponse(200)

    wire = await dial(await serve(slow))
    await wire.send(get("/1") + get("/2"))
    await begun.wait()
    wire.writer.write(get("/", "x: " + "a" * 4000) * 5000)  # 20 MB that the server must not take in
    transport = wire.writer.transport
    for _ in range(200):
        await asyncio.sleep(0)
    assert transport.get_write_buffer_size() > 8 << 20
    assert seen == 1
    transport.abort()
    go.set()


async def test_a_body_is_read_at_the_pace_of_whoever_answers(serve: Serve, dial: Dial) -> None:
    go = asyncio.Event()
    begun = asyncio.Event()
    total = 32 << 20

    async def slow(request: HttpRequest) -> HttpResponse:
        begun.set()
        await go.wait()
        size = 0
        async for piece in request.body:
            size += len(piece)
        return HttpResponse(200, (), str(size).encode())

    wire = await dial(await serve(slow))
    await wire.send(f"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: {total}\r\n\r\n".encode())
    wire.writer.write(bytes(total))
    await begun.wait()
    for _ in range(200):
        await asyncio.sleep(0)
    assert wire.writer.transport.get_write_buffer_size() > total // 2
    assert total > 10 * HIGH_WATER_BYTES
    go.set()
    assert "content-length: 8" in await wire.head()
    assert await wire.reader.readexactly(8) == str(total).encode()


async def test_a_small_body_comes_with_its_request(serve: Serve, dial: Dial) -> None:
    contents: list[bytes | None] = []

    second = asyncio.Event()

    async def note(request: HttpRequest) -> HttpResponse:
        contents.append(request.content)
        if len(contents) == 2:
            second.set()
        return HttpResponse(200, (), b"".join([piece async for piece in request.body]))

    wire = await dial(await serve(note))
    await wire.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc")
    await wire.head()
    assert await wire.reader.readexactly(3) == b"abc"
    await wire.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\na")
    await second.wait()
    await wire.send(b"bc")
    await wire.head()
    assert await wire.reader.readexactly(3) == b"abc"
    await wire.send(get("/"))
    await wire.head()
    assert contents == [b"abc", None, b""]


async def test_what_follows_a_reply_that_nobody_reads_waits(serve: Serve, dial: Dial) -> None:
    answered = 0

    async def large(request: HttpRequest) -> HttpResponse:
        nonlocal answered
        answered += 1
        return HttpResponse(200, (), bytes(8 << 20))

    wire = await dial(await serve(large))
    await wire.send(get("/") * 20)
    for _ in range(20):
        await wire.head()
        assert answered <= 20
        await wire.reader.readexactly(8 << 20)
    assert answered == 20


async def test_replies_wait_for_a_client_that_does_not_read(serve: Serve, dial: Dial) -> None:
    answered = 0
    begun = asyncio.Event()

    async def large(request: HttpRequest) -> HttpResponse:
        nonlocal answered
        answered += 1
        begun.set()
        return HttpResponse(200, (), bytes(32 << 20))

    wire = await dial(await serve(large))
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a stream's transport
    await wire.send(get("/") * 20)
    await begun.wait()
    for _ in range(200):
        await asyncio.sleep(0)
    assert answered == 1


async def test_an_http_1_0_client_gets_one_reply_and_the_end(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(say_path))
    await wire.send(get("/a", version="1.0"))
    reply = await wire.rest()
    assert b"connection: close" in reply
    assert reply.endswith(b"\r\n\r\n/a")


async def test_an_http_1_0_client_may_keep_its_connection(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(say_path))
    for _ in range(2):
        await wire.send(get("/a", "connection: keep-alive", version="1.0"))
        assert "connection: keep-alive" in await wire.head()
        assert await wire.reader.readexactly(2) == b"/a"


async def test_an_http_1_0_client_gets_a_stream_of_unknown_length_until_the_end(serve: Serve, dial: Dial) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    async def stream(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), StreamBody(pieces()))

    wire = await dial(await serve(stream))
    await wire.send(get("/", "connection: keep-alive", version="1.0"))
    reply = await wire.rest()
    assert b"chunked" not in reply
    assert reply.endswith(b"\r\n\r\nabc")


async def test_a_client_that_asks_for_the_end_gets_it(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(say_path))
    await wire.send(get("/a", "connection: close"))
    assert b"connection: close" in await wire.rest()


async def test_an_answer_can_end_the_connection(serve: Serve, dial: Dial) -> None:
    async def last(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), b"bye", close=True)

    wire = await dial(await serve(last))
    await wire.send(get("/") * 3)
    reply = await wire.rest()
    assert reply.count(b"HTTP/1.1") == 1
    assert b"connection: close" in reply


async def test_an_upgrade_is_answered_in_http_1_1_and_the_connection_goes_on(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(say_path))
    for _ in range(2):
        await wire.send(get("/a", "connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AA") * 2)
        for _ in range(2):
            assert (await wire.head()).startswith("http/1.1 200")
            assert await wire.reader.readexactly(2) == b"/a"


@pytest.mark.parametrize("cut", [0, 1, 3, 8])
async def test_the_body_of_a_request_that_asks_for_an_upgrade_is_its_body(serve: Serve, dial: Dial, cut: int) -> None:
    async def echo(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), b"".join([piece async for piece in request.body]))

    wire = await dial(await serve(echo))
    head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 8\r\n\r\n"
    for _ in range(2):
        await wire.send(head + b"GET / HT"[:cut])
        await asyncio.sleep(0.01)  # so that the server reads twice
        await wire.send(b"GET / HT"[cut:])
        assert (await wire.head()).startswith("http/1.1 200")
        assert await wire.reader.readexactly(8) == b"GET / HT"


async def test_a_target_in_absolute_form_is_its_path(serve: Serve, dial: Dial) -> None:
    async def say(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), f"{request.path} {request.query}".encode())

    wire = await dial(await serve(say))
    for target, said in (("http://x:1/a?b=c#d", b"/a b=c"), ("http://x", b"/ "), ("/a//b?c?d", b"/a//b c?d")):
        await wire.send(get(target))
        await wire.head()
        assert await wire.reader.readexactly(len(said)) == said
