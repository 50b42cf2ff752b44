"""The web behind REST APIs: servers on this machine, and a platform that may call them."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import SSLContext
from threading import Thread

from tests.conftest import PlatformProcess, start_platform


class Silent(BaseHTTPRequestHandler):
    """Says nothing about its requests."""

    def answer(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], tls: SSLContext | None = None) -> Iterator[int]:
    """The port of a server that answers by `handler`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def reaching_out(data: Path) -> Iterator[PlatformProcess]:
    """A platform that may call this machine."""
    server, running = start_platform(data, "--outgoing-allow", "127.0.0.0/8", "--outgoing-allow", "::1/128")
    try:
        yield running
    finally:
        server.terminate()
        assert server.wait(60) == 0, "the server did not end cleanly"
