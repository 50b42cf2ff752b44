"""The front door against raw connections: what well-behaved and ill-behaved clients get."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator

import pytest

from mayfly.http import protocol
from mayfly.http.server import PortInUseError, bind
from mayfly.services.contract import HttpRequest, HttpResponse, StreamBody
from mayfly.settings import HttpSettings
from tests.http.conftest import Dial, Serve


async def echo(request: HttpRequest) -> HttpResponse:
    body = b"".join([chunk async for chunk in request.body])
    return HttpResponse(200, [("x-path", request.path), ("x-query", request.query)], body)


async def refuse(request: HttpRequest) -> HttpResponse:
    return HttpResponse(403, (), b"no")


async def test_a_connection_serves_request_after_request(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(echo))
    for text in (b"one", b"two"):
        await wire.send(b"POST /a%20b?q=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n" + text)
        head = await wire.head()
        assert head.startswith("http/1.1 200 ok")
        assert "x-path: /a%20b" in head
        assert "x-query: q=1" in head
        assert await wire.reader.readexactly(3) == text


async def test_a_chunked_body_is_decoded(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(echo))
    await wire.send(b"PUT / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert "content-length: 5" in await wire.head()
    assert await wire.reader.readexactly(5) == b"abcde"


async def test_a_client_that_expects_100_continue_gets_it_when_the_body_is_wanted(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(echo))
    await wire.send(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
    assert (await wire.head()).startswith("http/1.1 100 continue")
    await wire.send(b"ok")
    assert (await wire.head()).startswith("http/1.1 200")


async def test_a_refusal_without_100_continue_closes_the_connection(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(refuse))
    await wire.send(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
    head = await wire.head()
    assert head.startswith("http/1.1 403")
    assert "connection: close" in head
    assert await wire.rest() == b"no"


async def test_an_unread_body_does_not_spoil_the_next_request(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(refuse))
    for _ in range(2):
        await wire.send(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nGET / HTT")
        assert (await wire.head()).startswith("http/1.1 403")
        assert await wire.reader.readexactly(2) == b"no"


async def test_a_head_beyond_the_limit_gets_431_and_the_connection_closes(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(echo))
    await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\nx-big: " + b"a" * 9000 + b"\r\n\r\n")
    reply = await wire.rest()
    assert reply.startswith(b"HTTP/1.1 431 ")
    assert b"<Code>RequestHeaderSectionTooLarge</Code>" in reply


async def test_many_small_headers_count_like_one_large_one(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(echo))
    await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 3000 + b"\r\n")
    assert (await wire.rest()).startswith(b"HTTP/1.1 431 ")


async def test_what_is_not_http_gets_400_and_the_connection_closes(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(echo))
    await wire.send(b"\x16\x03\x01 this is no request\r\n\r\n")
    assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")


async def test_a_head_that_never_ends_is_cut_off(serve: Serve, dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.05)
    wire = await dial(await serve(echo))
    await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n")
    assert await wire.rest() == b""


async def test_a_second_head_that_never_ends_is_cut_off_too(
    serve: Serve, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.2)
    wire = await dial(await serve(refuse))
    await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await wire.head()
    assert await wire.reader.readexactly(2) == b"no"
    await wire.send(b"GET / HT")
    assert await wire.rest() == b""


async def test_a_client_that_leaves_in_the_middle_of_its_body_ends_the_request(serve: Serve, dial: Dial) -> None:
    left: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def read(request: HttpRequest) -> HttpResponse:
        try:
            return await echo(request)
        except ConnectionError as error:
            left.set_result(error)
            raise

    wire = await dial(await serve(read))
    await wire.send(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
    wire.writer.close()
    assert "before the body was complete" in str(await asyncio.wait_for(left, 10))


async def test_a_client_that_stalls_in_its_body_is_cut_off(
    serve: Serve, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "STALL_TIMEOUT_S", 0.05)
    wire = await dial(await serve(echo))
    await wire.send(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
    with contextlib.suppress(ConnectionError):
        assert await wire.rest() == b""


async def test_a_client_that_does_not_read_its_reply_is_cut_off(
    serve: Serve, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "STALL_TIMEOUT_S", 0.05)
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def chunks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(1 << 20)
        finally:
            ended.set_result(None)

    async def stream(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), StreamBody(chunks(), 1 << 40))

    wire = await dial(await serve(stream))
    await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await wire.head()
    await asyncio.wait_for(asyncio.shield(ended), 20)  # nothing is read any more, so the buffers fill


async def test_a_slow_handler_is_no_stalled_client(serve: Serve, dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "STALL_TIMEOUT_S", 0.05)

    async def slow(request: HttpRequest) -> HttpResponse:
        body = b"".join([chunk async for chunk in request.body])
        await asyncio.sleep(2.5)  # longer than two looks for stalled clients
        return HttpResponse(200, (), body)

    wire = await dial(await serve(slow))
    await wire.send(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc")
    assert (await wire.head()).startswith("http/1.1 200")


async def test_a_stream_leaves_at_the_pace_of_its_reader(serve: Serve, dial: Dial) -> None:
    produced = 0
    total = 64 << 20

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal produced
        while produced < total:
            produced += 1 << 20
            yield bytes(1 << 20)

    async def stream(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), StreamBody(chunks(), total))

    wire = await dial(await serve(stream))
    await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await wire.head()
    await wire.reader.readexactly(1 << 20)
    # What the socket buffers and both ends' high-water marks hold is far below the whole.
    assert produced < total // 2
    await wire.reader.readexactly(total - (1 << 20))
    assert produced == total


async def test_a_stream_of_unknown_length_is_sent_in_chunks(serve: Serve, dial: Dial) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    async def stream(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), StreamBody(chunks()))

    wire = await dial(await serve(stream))
    await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    reply = await wire.rest()
    assert b"transfer-encoding: chunked" in reply
    assert reply.endswith(b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")


async def test_a_head_and_a_small_body_leave_together(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(refuse))
    await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await wire.reader.read(65536)).endswith(b"\r\n\r\nno")


@pytest.mark.parametrize("status", [200, 204, 304])
async def test_a_reply_without_a_body_leaves_at_once_and_the_next_request_is_served(
    serve: Serve, dial: Dial, status: int
) -> None:
    async def empty(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status, [("content-length", "5")] if status == 200 else ())

    wire = await dial(await serve(empty))
    for _ in range(2):
        await wire.send(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await wire.head()).startswith(f"http/1.1 {status}")


async def test_a_large_body_follows_its_head(serve: Serve, dial: Dial) -> None:
    async def large(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (), bytes(1 << 20))

    wire = await dial(await serve(large))
    await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert "content-length: 1048576" in await wire.head()
    assert await wire.reader.readexactly(1 << 20) == bytes(1 << 20)


async def test_replies_carry_the_date(serve: Serve, dial: Dial) -> None:
    wire = await dial(await serve(refuse))
    await asyncio.sleep(0)
    await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert re.search(r"\r\ndate: \w{3}, \d{2} \w{3} \d{4} ", await wire.head())


async def test_a_failing_handler_is_a_500_and_the_server_lives(serve: Serve, dial: Dial) -> None:
    async def fail(request: HttpRequest) -> HttpResponse:
        raise RuntimeError("a bug")

    wire = await dial(await serve(fail))
    for _ in range(2):
        await wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await wire.head()).startswith("http/1.1 500")
        await wire.reader.readexactly(len("Internal Server Error"))


async def test_a_listener_closes_what_exceeds_its_quota_and_recovers(serve: Serve, dial: Dial) -> None:
    port = await serve(refuse, max_connections=2)
    first, second, third = await dial(port), await dial(port), await dial(port)
    request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    for wire in (first, second):
        await wire.send(request)
        assert (await wire.head()).startswith("http/1.1 403")
    with contextlib.suppress(ConnectionError):
        assert await third.rest() == b""
    first.writer.close()
    await first.writer.wait_closed()
    while True:  # the server learns of the close a moment later
        again = await dial(port)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await again.send(request)
            assert (await again.head()).startswith("http/1.1 403")
            break


def test_a_port_in_use_is_said_so() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {port} on 127.0.0.1 is in use"):
            bind(HttpSettings(port=port))
