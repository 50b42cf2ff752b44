"""What the HTTP server inside a sandbox does with clients that do not behave."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.runtime_api.connection import MOST_CONNECTIONS, Connection, Crowd
from mayfly.runtime_api.exchange import Reply, Request, Response, Sink, Whole

from .conftest import RUNTIME, Heard, Stage, invocation


async def test_a_client_that_wants_to_hear_so_may_go_on(stage: Stage, heard: Heard) -> None:
    client = await stage.running()
    client.send("POST", f"{RUNTIME}/invocation/r1/response", Content_Length="2", Expect="100-continue")
    assert (await client.receive()).status == 100

    client.writer.write(b"ok")

    assert (await client.receive()).status == 202
    assert heard.events == [("answered", "r1", b"ok")]


async def test_a_client_is_not_told_to_go_on_with_what_is_refused(stage: Stage) -> None:
    client = await stage.running()
    client.send("POST", f"{RUNTIME}/invocation/no/response", Content_Length="2", Expect="100-continue")

    answer = await client.receive()

    assert (answer.status, answer.headers["connection"]) == (400, "close")


async def test_an_answer_in_single_bytes_is_an_answer(stage: Stage, heard: Heard) -> None:
    client = await stage.running()
    for byte in f"POST {RUNTIME}/invocation/r1/response HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc":
        client.writer.write(byte.encode())
        await client.writer.drain()

    assert (await client.receive()).status == 202
    assert heard.events == [("answered", "r1", b"abc")]


async def test_clients_that_would_rather_speak_another_protocol_are_answered_in_this_one(
    stage: Stage, heard: Heard
) -> None:
    client = await stage.running()
    wish = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2_Settings": "AAMAAABkAAQCAAAAAAIAAAAA"}
    body = b"not the other protocol"
    client.send("POST", f"{RUNTIME}/invocation/r1/response", body, **wish)
    assert (await client.receive()).status == 202
    client.send("GET", f"{RUNTIME}/invocation/next", b"", **wish)
    stage.api.invoke(invocation("r2"))

    assert (await client.receive()).headers["lambda-runtime-aws-request-id"] == "r2"
    assert heard.events[0] == ("answered", "r1", body)


async def test_old_clients_and_those_that_say_so_are_hung_up_on(stage: Stage) -> None:
    client = await stage.client()
    client.writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert (await client.receive()).status == 404
    assert await client.closed()

    client = await stage.client()
    assert (await client.ask("GET", "/", Connection="close")).headers["connection"] == "close"
    assert await client.closed()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SPEAK FRIEND\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 8_000 + b"\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused_and_the_connection_ends(stage: Stage, garbage: bytes) -> None:
    client = await stage.client()
    client.writer.write(garbage)

    assert (await client.receive()).status in (400, 404)
    assert await client.closed()
    assert (await (await stage.client()).ask("GET", "/")).status == 404


async def test_requests_cannot_be_piled_up(stage: Stage, heard: Heard) -> None:
    client = await stage.client()
    client.writer.write(f"GET {RUNTIME}/invocation/next HTTP/1.1\r\n\r\n".encode() * 1000)

    assert await client.closed()
    other = await stage.client()
    stage.api.invoke(invocation("r1"))
    assert (await other.next()).status == 200


async def test_there_are_only_so_many_connections(stage: Stage) -> None:
    clients = [await stage.client() for _ in range(MOST_CONNECTIONS)]
    for client in clients:
        assert (await client.ask("GET", "/")).status == 404
    assert await (await stage.client()).closed()

    clients[0].close()
    await clients[0].writer.wait_closed()
    while stage.api.connections == MOST_CONNECTIONS:  # noqa: ASYNC110 (the end of the other side is not told)
        await asyncio.sleep(0)

    assert (await (await stage.client()).ask("GET", "/")).status == 404


async def test_the_end_of_the_sandbox_ends_its_connections(stage: Stage) -> None:
    client = await stage.client()
    client.send("GET", f"{RUNTIME}/invocation/next")
    await stage.heard.until(1)

    stage.api.close()

    assert await client.closed()


# Whatever bytes come, in whatever pieces: nothing is raised, and answers are HTTP.


class _Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False

    def write(self, data: "bytes | bytearray | memoryview[int]") -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class _Echo:
    """Answers every request with the body of it."""

    def begin(self, request: Request, reply: Reply) -> Sink:
        return Whole(
            1000,
            lambda body, _: reply.send(Response(200, body)),
            lambda: reply.send(Response(413)),
        )


_heads = st.lists(
    st.sampled_from(
        [
            b"GET / HTTP/1.1\r\n",
            b"POST /x HTTP/1.1\r\n",
            b"Content-Length: 3\r\n",
            b"Content-Length: 99999999999999999999999\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Expect: 100-continue\r\n",
            b"Connection: close\r\n",
            b"\r\n",
            b"abc",
            b"3\r\nabc\r\n",
            b"ffffffffffffffffffff\r\n",
            b"0\r\n\r\n",
            b"A: " + b"b" * 40_000 + b"\r\n",
            b"\0\xff\r\n",
        ]
    ),
    max_size=12,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    pieces=st.one_of(_heads, st.lists(st.binary(max_size=60), max_size=12)),
    cut=st.integers(min_value=1, max_value=50),
)
def test_nothing_that_is_sent_raises_and_every_answer_is_http(pieces: list[bytes], cut: int) -> None:
    crowd, wire = Crowd(_Echo()), _Wire()
    connection = Connection(crowd)
    connection.connection_made(wire)
    data = b"".join(pieces)
    for at in range(0, min(len(data), 3000), cut):
        if wire.closed:
            break
        connection.data_received(data[at : at + cut])
    connection.connection_lost(None)

    assert not wire.written or wire.written.startswith(b"HTTP/1.1 ")
    assert crowd.count == 0


@settings(max_examples=60, deadline=None)
@given(
    bodies=st.lists(st.binary(max_size=200), min_size=1, max_size=4),
    chunked=st.booleans(),
    cut=st.integers(min_value=1, max_value=80),
)
def test_bodies_arrive_as_they_were_sent_however_they_are_cut(bodies: list[bytes], chunked: bool, cut: int) -> None:
    connection, wire = Connection(Crowd(_Echo())), _Wire()
    connection.connection_made(wire)
    for body in bodies:
        if chunked:
            rest = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            sent = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + rest + b"0\r\n\r\n"
        else:
            sent = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        for at in range(0, len(sent), cut):
            connection.data_received(sent[at : at + cut])
    got = bytes(wire.written)
    for body in bodies:
        head, _, rest = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert rest[: len(body)] == body
        got = rest[len(body) :]
    assert got == b""
    connection.connection_lost(None)
