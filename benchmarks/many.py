"""Many of everything: groups in a queue, subscriptions of a topic, rules on a bus, deliveries to an endpoint that is
dead. On platforms of their own; the figures in the documentation are of `python -m benchmarks.many --scale 100`.
"""

import argparse
import json
import os
import signal
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks import conversations
from benchmarks.conversations import Conversation
from benchmarks.events import make_bus, putting
from benchmarks.load import cpu_s
from benchmarks.long_queue import attributes_of, pss_mb
from benchmarks.platform import Running, free_port, running
from benchmarks.queues import draining
from benchmarks.report import Report, Row, console
from benchmarks.signing import Signer

CONNECTIONS = 8
SECONDS = 3.0
GROUPS, SUBSCRIPTIONS, RULES, ITEMS = 1000, 100, 100, 1000  # at a scale of 1
BUSY_BUSES = 5
PUBLISHED = 10
PROBES = 50

Count = Callable[[int], None]


def many(platform: Running, report: Report) -> None:
    """See the module. `platform` is not used."""
    del platform
    measure(2, report)


def measure(scale: int, report: Report) -> None:
    """All parts."""
    isolation = "namespace" if os.geteuid() == 0 else "process"
    options = ("--rules-per-bus", "10000", "--outgoing-allow", "127.0.0.0/8")
    for part in (groups, rules, dead_endpoint):
        with running(isolation, *options) as platform:
            part(platform, report, scale)
    subscriptions(isolation, report, scale)


def groups(platform: Running, report: Report, scale: int) -> None:
    """A FIFO queue of few groups, and of many."""
    for count in (GROUPS // 10, GROUPS * scale):
        sqs = platform.client("sqs")
        url = sqs.create_queue(
            QueueName=f"g{count}.fifo", Attributes={"FifoQueue": "true", "VisibilityTimeout": "600"}
        )["QueueUrl"]
        signer = Signer("sqs", platform.url[7:], platform.variables)
        began = time.perf_counter()
        _all(platform, [_to_groups(signer, url, first) for first in range(0, count, 10)])
        sent = count / (time.perf_counter() - began)
        asked = conversations.hold(platform.port, platform.pid, [attributes_of(signer, url)], 1, 1.0)
        drained = conversations.hold(platform.port, platform.pid, [draining(signer, url)], 1, SECONDS)
        report.add(
            Row(f"{count:,} groups: a message for each sent by ten", sent, "/s"),
            Row(f"{count:,} groups: received and deleted by ten, on one connection", drained.per_second, "/s"),
            Row(f"{count:,} groups: the server's processor time for one of these", drained.cpu_us, "µs"),
            Row(f"{count:,} groups: a receive or a delete of ten, median", drained.p50_ms, "ms"),
            Row(f"{count:,} groups: GetQueueAttributes, median", asked.p50_ms, "ms"),
            Row(f"{count:,} groups: memory (PSS)", pss_mb(platform.pid), "MB"),
        )
        began = time.perf_counter()
        sqs.purge_queue(QueueUrl=url)
        report.add(Row(f"{count:,} groups: PurgeQueue, boto3", (time.perf_counter() - began) * 1000, "ms"))


def _to_groups(signer: Signer, url: str, first: int) -> bytes:
    entries = [
        {"Id": str(n), "MessageBody": "x" * 100, "MessageGroupId": f"g{n}", "MessageDeduplicationId": f"d{n}"}
        for n in range(first, first + 10)
    ]
    return signer.request("AmazonSQS.SendMessageBatch", json.dumps({"QueueUrl": url, "Entries": entries}).encode())


def subscriptions(isolation: str, report: Report, scale: int) -> None:
    """A topic with as many queues, one message at a time, and several with a kill -9 before they are all delivered."""
    count = SUBSCRIPTIONS * scale
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-many-") as folder:
        data = Path(folder) / "data"
        with running(isolation, kept=data) as platform:
            topic = _subscribed(platform, count)
            sns, before = platform.client("sns"), pss_mb(platform.pid)
            took, through = [], []
            for number in range(1, 4):
                began = time.perf_counter()
                sns.publish(TopicArn=topic, Message="x" * 100)
                took.append((time.perf_counter() - began) * 1000)
                _wait(lambda number=number: _messages(platform) >= number * count)  # type: ignore[misc]
                through.append(time.perf_counter() - began)
            began = time.perf_counter()
            for _ in range(PUBLISHED):
                sns.publish(TopicArn=topic, Message="x" * 100)
            each = (time.perf_counter() - began) * 1000 / PUBLISHED
            report.add(
                Row(f"{count:,} subscriptions: a publish, boto3", statistics.median(took), "ms"),
                Row(f"{count:,} subscriptions: the same while others are delivered", each, "ms"),
                Row(f"{count:,} subscriptions: delivered to all after", statistics.median(through), "s"),
                Row(
                    f"{count:,} subscriptions: memory (PSS) that came with publishing",
                    pss_mb(platform.pid) - before,
                    "MB",
                ),
            )
            killed_at = _messages(platform)
            os.kill(platform.pid, signal.SIGKILL)
        whole = (3 + PUBLISHED) * count
        with running(isolation, kept=data) as platform:
            began = time.perf_counter()
            _wait(lambda: _messages(platform) >= whole)
            seconds = time.perf_counter() - began
            time.sleep(1.0)
            report.add(
                Row(f"{count:,} subscriptions: killed with this much of the messages delivered", killed_at / whole, ""),
                Row(f"{count:,} subscriptions: the rest, after the start", seconds, "s"),
                Row(
                    f"{count:,} subscriptions: fewest of {3 + PUBLISHED} messages in a queue",
                    _one(platform, FEWEST),
                    "",
                ),
                Row(f"{count:,} subscriptions: most of {3 + PUBLISHED} messages in a queue", _one(platform, MOST), ""),
            )
            topic_gone = time.perf_counter()
            platform.client("sns").delete_topic(TopicArn=topic)
            report.add(Row(f"{count:,} subscriptions: DeleteTopic", (time.perf_counter() - topic_gone) * 1000, "ms"))


def _subscribed(platform: Running, count: int) -> str:
    sqs, sns = (Signer(name, platform.url[7:], platform.variables) for name in ("sqs", "sns"))
    topic: str = platform.client("sns").create_topic(Name="many")["TopicArn"]
    _all(
        platform,
        [sqs.request("AmazonSQS.CreateQueue", json.dumps({"QueueName": f"q{n}"}).encode()) for n in range(count)],
    )
    queue = topic.replace(":sns:", ":sqs:").rpartition(":")[0]
    fixed = {"Version": "2010-03-31", "Action": "Subscribe", "TopicArn": topic, "Protocol": "sqs"}
    raw = {"Attributes.entry.1.key": "RawMessageDelivery", "Attributes.entry.1.value": "true"}
    forms = [urlencode({**fixed, **raw, "Endpoint": f"{queue}:q{n}"}).encode() for n in range(count)]
    _all(platform, [sns.form(form) for form in forms])
    return topic


def rules(platform: Running, report: Report, scale: int) -> None:
    """Events put on a bus of many rules, and on one of few, alone and beside other buses that are busy."""
    signer = Signer("events", platform.url[7:], platform.variables)
    count = RULES * scale
    make_bus(platform, signer, "few", 10)
    make_bus(platform, signer, "many", count)
    for number in range(BUSY_BUSES):
        make_bus(platform, signer, f"busy-{number}", 10)
    for bus in ("few", "many"):
        conversations.hold(platform.port, platform.pid, [putting(signer, bus, 1)], 1, 1.0)  # read, so to speak
    calm = _probed(platform, signer)
    busy = [putting(signer, f"busy-{number}", 1) for number in range(BUSY_BUSES)]
    loading = threading.Thread(target=conversations.hold, args=(platform.port, platform.pid, busy, 2, 2 * SECONDS + 3))
    loading.start()
    time.sleep(1.0)
    loaded = _probed(platform, signer)
    loading.join()
    for words, found in (("alone", calm), (f"beside {BUSY_BUSES} busy buses", loaded)):
        few, full = found["few"], found["many"]
        report.add(
            Row(f"{count:,} rules: PutEvents {words}, median", full.p50_ms, "ms", few.p50_ms, "10 rules"),
            Row(f"{count:,} rules: PutEvents {words}, p99", full.p99_ms, "ms", few.p99_ms, "10 rules"),
        )
    report.add(Row(f"{count:,} rules and {BUSY_BUSES + 1} small buses: memory (PSS)", pss_mb(platform.pid), "MB"))


def _probed(platform: Running, signer: Signer) -> dict[str, conversations.Held]:
    """Both buses, in turns."""
    runs: dict[str, list[conversations.Held]] = {"few": [], "many": []}
    for _ in range(3):
        for bus, held in runs.items():
            held.append(conversations.hold(platform.port, platform.pid, [putting(signer, bus, 1)], 1, SECONDS / 3))
    return {bus: conversations.median(held) for bus, held in runs.items()}


def dead_endpoint(platform: Running, report: Report, scale: int) -> None:
    """How soon an endpoint hears of an event, before and while very many wait for another one that refuses all."""
    events, count = platform.client("events"), ITEMS * scale
    with _listening() as (port, heard):
        for bus, where in (("alive", port), ("dead", free_port())):
            _destination(platform, bus, f"http://127.0.0.1:{where}/")
        calm = _heard(events, heard)
        signer = Signer("events", platform.url[7:], platform.variables)
        entry = {"EventBusName": "dead", "Source": "s", "DetailType": "d", "Detail": "{}"}
        batch = signer.request("AWSEvents.PutEvents", json.dumps({"Entries": [entry] * 10}).encode())
        began = time.perf_counter()
        _all(platform, [batch] * (count // 10))
        rate = count / (time.perf_counter() - began)
        cpu, began = cpu_s(platform.pid), time.perf_counter()
        beside = _heard(events, heard)
        time.sleep(5.0)
        used = (cpu_s(platform.pid) - cpu) / (time.perf_counter() - began)
        report.add(
            Row(f"{count:,} for a dead endpoint: put", rate, "/s"),
            Row(f"{count:,} for a dead endpoint: another hears after, median", beside[0], "ms", calm[0], "before"),
            Row(f"{count:,} for a dead endpoint: another hears after, most", beside[1], "ms", calm[1], "before"),
            Row(f"{count:,} for a dead endpoint: the server's processor time meanwhile", used * 100, "%"),
            Row(f"{count:,} for a dead endpoint: memory (PSS)", pss_mb(platform.pid), "MB"),
            Row(f"{count:,} for a dead endpoint: still to be delivered", _one(platform, WAITING), ""),
        )


WAITING = "SELECT count(*) FROM queue_items"
FEWEST, MOST = "SELECT min(messages) FROM queues_store", "SELECT max(messages) FROM queues_store"


def _destination(platform: Running, bus: str, url: str) -> None:
    events, iam = platform.client("events"), platform.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName=bus, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "k"}}
    connection = events.create_connection(Name=bus, AuthorizationType="API_KEY", AuthParameters=key)["ConnectionArn"]
    destination = events.create_api_destination(
        Name=bus, ConnectionArn=connection, InvocationEndpoint=url, HttpMethod="POST"
    )["ApiDestinationArn"]
    events.create_event_bus(Name=bus)
    events.put_rule(Name=bus, EventBusName=bus, EventPattern='{"source": ["s"]}')
    failed = events.put_targets(Rule=bus, EventBusName=bus, Targets=[{"Id": "d", "Arn": destination, "RoleArn": role}])[
        "FailedEntryCount"
    ]
    if failed:
        raise RuntimeError("the destination is no target")


@contextmanager
def _listening() -> Iterator[tuple[int, threading.Semaphore]]:
    heard = threading.Semaphore(0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            heard.release()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _heard(events: Any, heard: threading.Semaphore) -> tuple[float, float]:
    """Milliseconds from before an event is put to when the endpoint has it: median and most."""
    entry = {"EventBusName": "alive", "Source": "s", "DetailType": "d", "Detail": "{}"}
    samples = []
    for _ in range(PROBES):
        time.sleep(0.02)
        began = time.perf_counter()
        events.put_events(Entries=[entry])
        if not heard.acquire(timeout=60):
            raise RuntimeError("the endpoint that is alive heard nothing")
        samples.append((time.perf_counter() - began) * 1000)
    return statistics.median(samples), max(samples)


def _all(platform: Running, requests: Sequence[bytes]) -> None:
    """Make all of `requests`, from several connections."""

    def talking(part: Sequence[bytes]) -> conversations.Make:
        left = iter(part)

        def talk(until: float, count: Count) -> Conversation:
            del until
            for request in left:
                reply = yield request
                if b'"Failed":[{' in reply or b'"FailedEntryCount":1' in reply:
                    raise RuntimeError(f"refused: {reply[:200]!r}")
                count(1)

        return talk

    makers = [talking(requests[half::2]) for half in range(2)]
    held = conversations.hold(platform.port, platform.pid, makers, min(CONNECTIONS, len(requests) // 2), 600.0)
    if held.items != len(requests):
        raise RuntimeError(f"{held.items} of {len(requests)} requests were made")


def _messages(platform: Running) -> int:
    return _one(platform, "SELECT sum(messages) FROM queues_store")


def _one(platform: Running, sql: str) -> int:
    connection = sqlite3.connect(f"file:{platform.data / 'mayfly.db'}?mode=ro", uri=True)
    try:
        return int(connection.execute(sql).fetchone()[0] or 0)
    finally:
        connection.close()


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError("it did not come to an end")
        time.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description=__doc__)
    parser.add_argument("--scale", type=int, default=2)
    report = Report()
    measure(parser.parse_args().scale, report)
    console.print(f"written to {report.write(Path(__file__).parent / 'results')}")


if __name__ == "__main__":
    main()
