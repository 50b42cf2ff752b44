"""A web server for tests; started with an interpreter's line in front, and nothing but the standard library."""

import json
import os
import socket
import struct
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen = {"third": 0}
together = threading.Condition()
waiting = {"now": 0}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        name, _, rest = self.path.strip("/").partition("/")
        getattr(self, "on_" + name.replace("-", "_").partition("?")[0], self.on_)(rest, body)

    do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815 (the names that the library looks for)

    def reply(
        self, body: bytes, status: int = 200, kind: str = "text/plain", headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)

    def on_(self, rest: str, body: bytes) -> None:
        self.reply(b"here")

    def on_echo(self, rest: str, body: bytes) -> None:
        told = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body.hex(),
            "pid": os.getpid(),
            "client": str(self.client_address),
        }
        cookies = [("Set-Cookie", "one=1"), ("Set-Cookie", "two=2")]
        self.reply(json.dumps(told).encode(), kind="application/json", headers=cookies)

    on_events = on_echo

    def on_binary(self, rest: str, body: bytes) -> None:
        self.reply(bytes(range(256)) * 2000, kind="image/png")

    def on_text(self, rest: str, body: bytes) -> None:
        self.reply(b"text" * 1000)

    def on_status(self, rest: str, body: bytes) -> None:
        self.reply(b"status", status=int(rest))

    def on_third_time(self, rest: str, body: bytes) -> None:
        seen["third"] += 1
        self.reply(str(seen["third"]).encode(), status=200 if seen["third"] >= 3 else 425)

    def on_print(self, rest: str, body: bytes) -> None:
        print(rest, flush=True)
        self.reply(b"printed")

    def on_stream(self, rest: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk(b"first")
        threading.Event().wait(0.2)
        for _ in range(100):
            self.chunk(b"second" * 1000)
        self.chunk(b"")

    def on_broken(self, rest: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk(b"half of it")
        self.close_connection = True

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def on_close(self, rest: str, body: bytes) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True

    def on_garbage(self, rest: str, body: bytes) -> None:
        self.wfile.write(b"this is no HTTP\r\n\r\n")
        self.close_connection = True

    def on_short(self, rest: str, body: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
        self.close_connection = True

    def on_slow(self, rest: str, body: bytes) -> None:
        threading.Event().wait(60)

    def on_together(self, rest: str, body: bytes) -> None:
        """Answers when that many requests are here at a time."""
        with together:
            waiting["now"] += 1
            together.notify_all()
            together.wait_for(lambda: waiting["now"] >= int(rest), timeout=15)
            enough = waiting["now"] >= int(rest)
        self.reply(json.dumps({"pid": os.getpid()}).encode(), status=200 if enough else 500)


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
