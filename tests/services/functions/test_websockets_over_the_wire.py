"""WebSockets of a function that is a web server, between two of the published library's ends."""

from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from .test_web_over_the_wire import START, Serve, functions, package, serve

__all__ = ["functions", "serve"]

SERVER = """
import os
from websockets.sync.server import serve

def answer(socket):
    for message in socket:
        if message == "bye":
            socket.close(1001, "gone")
        elif message == "flood":
            for number in range(200):
                socket.send(bytes([number]) * 50_000)
        else:
            socket.send(message.upper() if isinstance(message, str) else message)

def ready(connection, request):
    if request.path == "/":
        return connection.respond(200, "ready")
    if request.path == "/no":
        return connection.respond(403, "no")

with serve(answer, "127.0.0.1", int(os.environ["PORT"]), process_request=ready) as server:
    server.serve_forever()
"""


@pytest.fixture(scope="session")
def code() -> bytes:
    """The server, and the library that it needs."""
    library = Path(websockets.__file__).parent
    files = {f"websockets/{path.relative_to(library)}": path.read_text() for path in library.rglob("*.py")}
    return package({"app.py": SERVER, "run.sh": START, **files})


@pytest.fixture
def address(serve: Serve, code: bytes, request: pytest.FixtureRequest) -> str:
    """Where its WebSocket is. The test's parameter is the function's time limit."""
    _, url = serve(Code={"ZipFile": code}, Timeout=getattr(request, "param", 20), MemorySize=512)
    return url.replace("http://", "ws://", 1) + "socket"


def test_messages_go_both_ways(address: str) -> None:
    with connect(address) as socket:
        for text in ("hello", "x" * 500_000):
            socket.send(text)
            assert socket.recv() == text.upper()
        socket.send(b"\x00\xff")
        assert socket.recv() == b"\x00\xff"
        assert socket.ping().wait(10)


def test_a_reader_that_takes_its_time_gets_everything(address: str) -> None:
    with connect(address, max_queue=2) as socket:
        socket.send("flood")
        received = [socket.recv() for _ in range(200)]
        assert received == [bytes([number]) * 50_000 for number in range(200)]


def test_the_server_may_close(address: str) -> None:
    with connect(address) as socket:
        socket.send("bye")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001


def test_a_server_that_refuses_is_heard(address: str) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(address.removesuffix("socket") + "no"):
        pass
    assert refused.value.response.status_code == 403


def test_one_that_is_left_ends_its_call(address: str, functions: Any) -> None:
    with connect(address) as socket:
        socket.send("a")
        assert socket.recv() == "A"
    with connect(address) as socket:  # on the same instance, or another: what counts is that it works
        socket.send("b")
        assert socket.recv() == "B"


@pytest.mark.parametrize("address", [1], indirect=True)
def test_the_functions_time_ends_it(address: str) -> None:
    with connect(address) as socket, pytest.raises(ConnectionClosed):
        socket.recv(timeout=30)
