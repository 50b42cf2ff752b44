"""A subscriber as people write them: an HTTP server that confirms its subscriptions, and keeps what it gets."""

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Subscriber(ThreadingHTTPServer):
    """Confirms its subscriptions, and keeps what it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[dict[str, Any]] = []
        self.news = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def wait_for(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The messages of a kind, once there are `count`."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self.got if one["Type"] == kind]

        with self.news:
            assert self.news.wait_for(lambda: len(found()) >= count, timeout=30), f"no {kind} came"
            return found()

    def wait_for_messages(self, wanted: set[str]) -> None:
        """Return when all of these messages have come."""

        def missing() -> set[str]:
            return wanted - {one["Message"] for one in self.got}

        with self.news:
            assert self.news.wait_for(lambda: not missing(), timeout=90), f"{len(missing())} never came"


class Handler(BaseHTTPRequestHandler):
    server: Subscriber

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.headers["x-amz-sns-message-type"] == message["Type"]
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
        if message["Type"] == "SubscriptionConfirmation":
            with urllib.request.urlopen(message["SubscribeURL"]) as answer:
                assert b"<SubscriptionArn>" in answer.read()
        with self.server.news:
            self.server.got.append(message)
            self.server.news.notify_all()

    def log_message(self, *_: object) -> None:
        """Not into the output of tests."""
