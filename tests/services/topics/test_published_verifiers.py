"""A subscriber as people write them: an HTTP server that confirms, and checks messages with a published package."""

import json
import os
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PlatformProcess, start_platform

JAVASCRIPT = Path(__file__).parents[2] / "javascript"


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


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    with Subscriber() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def reaching(tmp_path: Path) -> Iterator[PlatformProcess]:
    """A platform that may send requests to this machine."""
    server, running = start_platform(tmp_path / "data", "--outgoing-allow", "127.0.0.0/8")
    yield running
    server.terminate()
    assert server.wait(60) == 0


def test_a_published_verifier_accepts_what_a_subscriber_gets(
    reaching: PlatformProcess, subscriber: Subscriber, tmp_path: Path
) -> None:
    node = shutil.which("node")
    assert node, "node is missing; `make test` installs it into .venv/bin and puts that on the PATH"
    assert (JAVASCRIPT / "node_modules" / "sns-validator").is_dir(), "the verifier is missing; `make test` installs it"
    sns = reaching.client("sns")
    for number, version in enumerate(("1", "2"), start=1):
        topic = sns.create_topic(Name=f"t{version}", Attributes={"SignatureVersion": version})["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=subscriber.url)
        subscriber.wait_for("SubscriptionConfirmation", number)
        sns.publish(TopicArn=topic, Message="plain")
        sns.publish(TopicArn=topic, Message='quoted "text",\nlines, 日本語', Subject="a subject")
        subscriber.wait_for("Notification", 2 * number)
    messages = tmp_path / "messages.json"
    messages.write_text(json.dumps(subscriber.got))
    done = subprocess.run(
        [node, "--test", "topics.test.mjs"],
        cwd=JAVASCRIPT,
        env={"PATH": os.environ["PATH"], "TEST_MESSAGES": str(messages)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
