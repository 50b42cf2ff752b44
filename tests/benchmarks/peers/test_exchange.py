"""Replies are whole before they are judged, and judged by every byte of the body."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from benchmarks.peers.exchange import first_reply, once, reply_length
from benchmarks.peers.subject import Target


@contextmanager
def answering(*pieces: bytes) -> Iterator[Target]:
    """One connection gets these pieces, each sent by itself, and its end."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                for piece in pieces:
                    connection.sendall(piece)

        thread = Thread(target=serve)
        thread.start()
        yield Target(server.getsockname()[1], b"GET / HTTP/1.1\r\n\r\n", b"hello")
        thread.join()


def test_a_reply_that_comes_in_pieces_is_right() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-", b"Length: 5\r\n\r\nhe", b"llo") as target:
        assert once(target) > 0


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhallo",
        b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ],
)
def test_any_other_reply_is_wrong(reply: bytes) -> None:
    with answering(reply) as target, pytest.raises(RuntimeError, match="wrong reply"):
        first_reply(target)


def test_a_connection_that_ends_early_is_an_error() -> None:
    with (
        answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe") as target,
        pytest.raises(RuntimeError, match="ended"),
    ):
        once(target)


def test_a_length_is_known_once_the_head_is_whole() -> None:
    head = b"HTTP/1.1 200 OK\r\nx: y\r\nCONTENT-LENGTH: 12\r\n\r\n"
    assert reply_length(head[:-1]) is None
    assert reply_length(head) == len(head) + 12


def test_a_reply_without_a_length_is_refused() -> None:
    with pytest.raises(RuntimeError, match="how long"):
        reply_length(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
