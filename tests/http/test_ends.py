"""How connections end: by idleness, by refusal, by half, by too many, and with a server that stops."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from mayfly.http import protocol, traffic
from mayfly.http.server import FrontDoor, bind
from mayfly.services.contract import HttpRequest, HttpResponse, StreamBody
from mayfly.settings import HttpSettings
from tests.http.conftest import Dial, Serve

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def fine(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, (), b"fine")


async def test_a_connection_that_stays_idle_is_closed(dial: Dial) -> None:
    settings = replace(HttpSettings(), port=0, keep_alive_s=0.05)
    listener = bind(settings)
    door = FrontDoor(fine, settings)
    await door.listen(listener)
    wire = await dial(listener.getsockname()[1])
    await wire.send(GET)
    assert (await wire.rest()).endswith(b"fine")
    await door.close()


async def test_a_connection_that_never_says_anything_is_closed(
    serve: Serve, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.05)
    wire = await dial(await serve(fine))
    assert await wire.rest() == b""


async def test_a_client_that_has_said_everything_still_gets_its_reply(serve: Serve, dial: Dial) -> None:
    closed = asyncio.Event()

    async def slow(request: HttpRequest) -> HttpResponse:
        await closed.wait()
        return await fine(request)

    wire = await dial(await serve(slow))
    await wire.send(GET)
    wire.writer.write_eof()
    await asyncio.sleep(0.01)
    closed.set()
    assert (await wire.rest()).endswith(b"fine")


async def test_a_client_that_still_sends_gets_to_read_why_it_was_refused(serve: Serve, dial: Dial) -> None:
    async def refuse(request: HttpRequest) -> HttpResponse:
        return HttpResponse(403, (), b"no")

    wire = await dial(await serve(refuse))
    await wire.send(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n" + bytes(1 << 20))
    assert "connection: close" in await wire.head()
    with contextlib.suppress(ConnectionError):
        for _ in range(8):
            await wire.send(bytes(1 << 20))
    assert await wire.reader.readexactly(2) == b"no"
    with contextlib.suppress(ConnectionError):
        assert await wire.rest() == b""


async def test_a_refused_client_that_never_stops_sending_is_cut_off(
    serve: Serve, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "LINGER_S", 0.05)
    wire = await dial(await serve(fine))

    async def never_stop() -> None:
        while True:
            await wire.send(b"nonsense\r\n\r\n")
            await asyncio.sleep(0.01)

    with pytest.raises(ConnectionError):
        await never_stop()


async def test_a_small_body_that_nobody_read_is_dropped_and_the_connection_goes_on(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(fine))
    for _ in range(2):
        await wire.send(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 30\r\n\r\n")
        assert "connection: close" not in await wire.head()
        await wire.send(b"GET / HTTP/1.1\r\nhost: smuggle")
        await wire.send(b"d")
        assert await wire.reader.readexactly(4) == b"fine"


async def test_one_connection_too_many_is_told_so(serve: Serve, dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "MAX_CONNECTIONS", 1)
    port = await serve(fine)
    first = await dial(port)
    await first.send(GET)
    assert (await first.head()).startswith("http/1.1 200")
    second = await dial(port)
    await second.send(GET)
    assert (await second.rest()).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize("size", [2, 4])
async def test_a_stream_of_another_length_than_announced_cuts_the_connection(
    serve: Serve, dial: Dial, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size):
            yield b"a"

    async def stream(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), StreamBody(pieces(), 3))

    wire = await dial(await serve(stream))
    with caplog.at_level(logging.CRITICAL, "mayfly.http.protocol"):
        await wire.send(GET)
        assert "content-length: 3" in await wire.head()
        with contextlib.suppress(ConnectionError):
            assert len(await wire.rest()) <= 3
            assert wire.reader.at_eof()


async def test_a_stream_that_fails_before_its_first_piece_is_a_500(serve: Serve, dial: Dial) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        raise RuntimeError("a bug")
        yield b""

    async def stream(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), StreamBody(pieces(), 3))

    wire = await dial(await serve(stream))
    for _ in range(2):
        await wire.send(GET)
        assert (await wire.head()).startswith("http/1.1 500")
        await wire.reader.readexactly(21)


async def test_a_stream_ends_when_its_reader_goes(serve: Serve, dial: Dial) -> None:
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                await asyncio.sleep(0)
                yield bytes(1000)
        finally:
            ended.set_result(None)

    async def stream(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), StreamBody(pieces()))

    wire = await dial(await serve(stream))
    await wire.send(GET)
    await wire.head()
    wire.writer.transport.abort()
    await asyncio.wait_for(ended, 10)


async def test_a_server_that_stops_finishes_what_is_under_way_and_closes_the_rest(dial: Dial) -> None:
    go, begun = asyncio.Event(), asyncio.Event()

    async def slow(request: HttpRequest) -> HttpResponse:
        if request.path == "/slow":
            begun.set()
            await go.wait()
        return await fine(request)

    settings = replace(HttpSettings(), port=0)
    listener = bind(settings)
    door = FrontDoor(slow, settings)
    await door.listen(listener)
    port = listener.getsockname()[1]
    idle, busy = await dial(port), await dial(port)
    await idle.send(GET)
    await idle.head()
    await idle.reader.readexactly(4)
    await busy.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n" + GET)
    await begun.wait()
    door.refuse()
    assert await idle.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        await dial(port)
    assert door.under_way() == 1
    draining = asyncio.create_task(door.drained())
    go.set()
    reply = await busy.rest()
    assert b"connection: close" in reply
    assert reply.count(b"HTTP/1.1") == 1
    await draining
    assert door.under_way() == 0
    await door.close()


async def test_a_closed_server_cuts_off_what_is_under_way(dial: Dial) -> None:
    cancelled, begun = asyncio.Event(), asyncio.Event()

    async def forever(request: HttpRequest) -> HttpResponse:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return await fine(request)

    settings = replace(HttpSettings(), port=0)
    listener = bind(settings)
    door = FrontDoor(forever, settings)
    await door.listen(listener)
    wire = await dial(listener.getsockname()[1])
    await wire.send(GET)
    await begun.wait()
    await door.close()
    await asyncio.wait_for(cancelled.wait(), 10)
    with contextlib.suppress(ConnectionError):
        assert await wire.rest() == b""


@pytest.mark.parametrize("rudely", [False, True])
async def test_whoever_answers_learns_that_the_client_went_away(serve: Serve, dial: Dial, rudely: bool) -> None:
    waiting, left = asyncio.Event(), asyncio.Event()

    async def answer(request: HttpRequest) -> HttpResponse:
        assert request.client is not None
        request.client.when_gone(left.set)
        waiting.set()
        await left.wait()
        return HttpResponse(200)

    port = await serve(answer)
    wire = await dial(port)
    await wire.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    await waiting.wait()
    if rudely:
        wire.writer.transport.abort()
    else:
        wire.writer.write_eof()
    await asyncio.wait_for(left.wait(), 10)


async def test_a_client_that_went_away_early_is_gone_for_each_of_its_requests(serve: Serve, dial: Dial) -> None:
    left: list[str] = []

    async def answer(request: HttpRequest) -> HttpResponse:
        gone = asyncio.Event()
        assert request.client is not None
        request.client.when_gone(gone.set)
        await asyncio.wait_for(gone.wait(), 10)
        request.client.when_gone(lambda: left.append(request.path))  # late, and told at once
        return HttpResponse(200)

    wire = await dial(await serve(answer))
    await wire.send(b"GET /only HTTP/1.1\r\nhost: a\r\n\r\n")
    wire.writer.write_eof()
    await wire.rest()
    assert left == ["/only"]
