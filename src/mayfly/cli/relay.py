"""A port of this machine that leads into an instance that is being debugged: by signed requests, one a connection."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Self
from urllib.parse import urlsplit

from mayfly.cli.connection import Connection
from mayfly.errors import PlatformError

PROTOCOL = "mayfly-debug"
_CHUNK = 64 << 10
_ANSWER_S = 60.0
_MOST_HEAD = 16 << 10


class RelayError(PlatformError):
    """No connection into the instance can be had."""


class Relay:
    """Listens on 127.0.0.1 while the context is open; `complain` is told of connections that led nowhere."""

    def __init__(self, connection: Connection, path: str, port: int, complain: Callable[[str], None]) -> None:
        """`path` is that of the page which gives connections; `port`: any where that one is taken."""
        self._connection = connection
        self._path = path
        self._complain = complain
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = _listening(port)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="relay", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._listener.close()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(accepted,), name="relayed", daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near:
            try:
                far, early = dialled(self._connection, self._path)
            except (PlatformError, OSError) as error:
                self._complain(str(error))
                return
            with far, self._kept(near, far):
                near.sendall(early)
                back = threading.Thread(target=_copy, args=(far, near), name="relayed back", daemon=True)
                back.start()
                _copy(near, far)
                back.join()

    @contextlib.contextmanager
    def _kept(self, *sockets: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.update(sockets)
        try:
            yield
        finally:
            with self._lock:
                self._open.difference_update(sockets)


def dialled(connection: Connection, path: str) -> tuple[socket.socket, bytes]:
    """A connection into the instance, and what came of it already; `PlatformError` when the server refuses."""
    head = connection.signed("GET", path, {"Connection": "Upgrade", "Upgrade": PROTOCOL})
    place = urlsplit(connection.url)
    made = socket.create_connection((place.hostname or "", place.port or (443 if place.scheme == "https" else 80)), 10)
    try:
        if place.scheme == "https":
            made = ssl.create_default_context().wrap_socket(made, server_hostname=place.hostname)
        made.settimeout(_ANSWER_S)
        made.sendall(head)
        said = b""
        while b"\r\n\r\n" not in said and len(said) < _MOST_HEAD:
            part = made.recv(_CHUNK)
            if not part:
                break
            said += part
        first, _, rest = said.partition(b"\r\n")
        _, _, early = rest.partition(b"\r\n\r\n")
        if b" 101 " not in first:
            raise RelayError(early.decode(errors="replace").strip() or first.decode(errors="replace"))
        made.settimeout(None)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        made.close()
        raise
    return made, early


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(_CHUNK):
            sink.sendall(part)
    for one, how in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
        with contextlib.suppress(OSError):
            one.shutdown(how)


def _listening(port: int) -> socket.socket:
    """On that port, or on any."""
    for wanted in (port, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", wanted))
        except OSError:
            listener.close()
            if wanted == 0:
                raise
        else:
            listener.listen()
            return listener
    raise AssertionError("one of them was bound, or said why not")
