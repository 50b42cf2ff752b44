"""The server is killed with SIGKILL while events are put: what was acknowledged reaches every target, once or more."""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import PlatformProcess, start_platform

KILLS = 3
RULES = 24  # more than are served in the transaction of the event
PUTTERS = 3
TEMPLATE = '{"n": <n>, "rule": <aws.events.rule-name>}'
pytestmark = pytest.mark.timeout(200)


def make_bus(platform: PlatformProcess) -> str:
    """A bus with an archive, whose rules all send to one queue and say who they are; the queue's URL."""
    events, sqs = platform.client("events"), platform.client("sqs")
    url: str = sqs.create_queue(QueueName="all")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    source = events.create_event_bus(Name="shop")["EventBusArn"]
    events.create_archive(ArchiveName="shop", EventSourceArn=source)
    for number in range(RULES):
        events.put_rule(Name=f"r{number:02}", EventBusName="shop", EventPattern='{"source":["shop"]}')
        transformer = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": TEMPLATE}
        targets = [{"Id": "q", "Arn": arn, "InputTransformer": transformer}]
        events.put_targets(Rule=f"r{number:02}", EventBusName="shop", Targets=targets)
    return url


class Putters:
    """Threads that put events, each with a number of its own, and remember which were acknowledged."""

    def __init__(self, platform: PlatformProcess, first: int) -> None:
        self.acknowledged: list[int] = []
        self._next = first
        self._lock = threading.Lock()
        self._halt = threading.Event()
        self._threads = [threading.Thread(target=self._put, args=(platform.client("events"),)) for _ in range(PUTTERS)]
        for thread in self._threads:
            thread.start()

    def _put(self, events: Any) -> None:
        while not self._halt.is_set():
            with self._lock:
                number, self._next = self._next, self._next + 1
            detail = json.dumps({"n": number})
            entry = {"EventBusName": "shop", "Source": "shop", "DetailType": "sold", "Detail": detail}
            try:
                reply = events.put_events(Entries=[entry])
            except (BotoCoreError, ClientError):
                return
            assert reply["FailedEntryCount"] == 0
            self.acknowledged.append(number)

    def join(self) -> list[int]:
        self._halt.set()
        for thread in self._threads:
            thread.join(30)
        return self.acknowledged


def drained(platform: PlatformProcess, url: str, wanted: int) -> Counter[tuple[int, str]]:
    """What is in the queue, until there is nothing more and at least `wanted` different messages were seen."""
    sqs, seen = platform.client("sqs"), Counter[tuple[int, str]]()
    empty = 0
    while empty < 3:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        empty = 0 if messages else empty + 1
        if empty and len(seen) < wanted and empty < 10:
            continue
        for message in messages:
            body = json.loads(message["Body"])
            seen[body["n"], body["rule"]] += 1
        if messages:
            entries = [{"Id": str(i), "ReceiptHandle": one["ReceiptHandle"]} for i, one in enumerate(messages)]
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return seen


def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    data = tmp_path / "data"
    server, platform = start_platform(data)
    acknowledged: list[int] = []
    try:
        url = make_bus(platform)
        for round_ in range(KILLS):
            putters = Putters(platform, first=round_ * 1_000_000)
            while len(putters.acknowledged) < 20 + random.randrange(10):
                threading.Event().wait(0.005)
            os.kill(server.pid, signal.SIGKILL)
            server.wait()
            acknowledged += putters.join()
            server, platform = start_platform(data)
        url = platform.client("sqs").get_queue_url(QueueName="all")["QueueUrl"]
        seen = drained(platform, url, len(acknowledged) * RULES)
        expected = {(number, f"r{rule:02}") for number in acknowledged for rule in range(RULES)}
        assert expected - seen.keys() == set()
        # A local target takes an event in the transaction that moves it on, so not even a crash delivers twice.
        assert {pair: count for pair, count in seen.items() if count > 1} == {}
        events = platform.client("events")
        kept = events.describe_archive(ArchiveName="shop")["EventCount"]
        assert kept >= len(acknowledged)
        check_replay(platform, events, url, kept)
    finally:
        server.kill()
        server.wait()


def check_replay(platform: PlatformProcess, events: Any, url: str, kept: int) -> None:
    """A replay puts every archived event on the bus again, to the one rule that it names."""
    bus = events.describe_event_bus(Name="shop")["Arn"]
    events.start_replay(
        ReplayName="again",
        EventSourceArn=events.describe_archive(ArchiveName="shop")["ArchiveArn"],
        EventStartTime=datetime.now(UTC) - timedelta(hours=1),
        EventEndTime=datetime.now(UTC) + timedelta(minutes=1),
        Destination={"Arn": bus, "FilterArns": [bus.replace(":event-bus/shop", ":rule/shop/r00")]},
    )
    seen = drained(platform, url, kept)
    assert len(seen) == kept == sum(seen.values())
    assert {rule for _, rule in seen} == {"r00"}


@contextmanager
def endpoint() -> Iterator[tuple[str, set[int]]]:
    """An HTTP server of a third party, and the numbers of the events that it took."""
    got: set[int] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            number = json.loads(self.rfile.read(int(self.headers["content-length"])))["n"]
            # One in five fails at first, as endpoints do.
            fails = number % 5 == 0 and number not in failed
            failed.add(number)
            self.send_response(503 if fails else 204)
            self.send_header("content-length", "0")
            self.end_headers()
            if not fails:
                got.add(number)

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    failed: set[int] = set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_destination(events: Any, name: str, url: str) -> str:
    connection = events.create_connection(
        Name=name,
        AuthorizationType="API_KEY",
        AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "secret"}},
    )["ConnectionArn"]
    arn: str = events.create_api_destination(
        Name=name, ConnectionArn=connection, InvocationEndpoint=url, HttpMethod="POST"
    )["ApiDestinationArn"]
    return arn


def test_endpoints_that_fail_and_servers_that_die_lose_no_event(tmp_path: Path) -> None:
    data, allow = tmp_path / "data", ("--outgoing-allow", "127.0.0.0/8")
    server, platform = start_platform(data, *allow)
    acknowledged: list[int] = []
    try:
        with endpoint() as (gone, _):
            pass  # nobody listens there any more
        with endpoint() as (url, got):
            events = platform.client("events")
            events.create_event_bus(Name="shop")
            events.put_rule(Name="http", EventBusName="shop", EventPattern='{"source":["shop"]}')
            targets = [
                {"Id": name, "Arn": make_destination(events, name, at), "InputPath": "$.detail"}
                for name, at in (("dead", gone), ("alive", url))
            ]
            assert events.put_targets(Rule="http", EventBusName="shop", Targets=targets)["FailedEntryCount"] == 0
            for round_ in range(2):
                putters = Putters(platform, first=round_ * 1_000_000)
                while len(putters.acknowledged) < 30:
                    threading.Event().wait(0.005)
                os.kill(server.pid, signal.SIGKILL)
                server.wait()
                acknowledged += putters.join()
                server, platform = start_platform(data, *allow)
            deadline = time.monotonic() + 60
            while not set(acknowledged) <= got and time.monotonic() < deadline:
                threading.Event().wait(0.05)
            assert set(acknowledged) - got == set()
    finally:
        server.kill()
        server.wait()
