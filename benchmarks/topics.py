"""Topics: how soon what is published arrives, past filters, and how much can be published.

Delivery is measured through boto3 on both sides, beside a message that is sent to the queue itself in the same rounds;
what a topic adds is the difference. Throughput is measured with requests that are signed once.
"""

import statistics
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from benchmarks import conversations
from benchmarks.conversations import Conversation, Held
from benchmarks.platform import Running
from benchmarks.queue_peers import adding, redis
from benchmarks.report import Report, Row, console
from benchmarks.signing import Signer

ROUNDS = 3
SECONDS = 3.0
CONNECTIONS = 12
DELIVERIES = 200
FILTERS = 100
TEXT = "x" * 100

Count = Callable[[int], None]


def topics(platform: Running, report: Report) -> None:
    """See the module."""
    sns, sqs = platform.client("sns"), platform.client("sqs")
    _deliveries(sns, sqs, report)
    signer = Signer("sns", platform.url[7:], platform.variables)
    subjects = {
        "to nobody": _topic(sns, sqs, "bench-none", 0),
        "to three queues": _topic(sns, sqs, "bench-signed", 3),
        "to three queues, raw": _topic(sns, sqs, "bench-raw", 3, RawMessageDelivery="true"),
    }
    rounds: dict[tuple[str, int], list[Held]] = {}
    with redis() as stream:
        for _ in range(ROUNDS):
            for batch in (1, 10):
                for what, arn in subjects.items():
                    make = publishing(signer, arn, batch)
                    held = conversations.hold(platform.port, platform.pid, [make] * 2, CONNECTIONS, SECONDS)
                    rounds.setdefault((what, batch), []).append(held)
                if stream is not None:
                    make, complete = adding(batch * 3, TEXT)
                    held = conversations.hold(*stream, [make] * 2, CONNECTIONS, SECONDS, complete)
                    rounds.setdefault(("redis", batch), []).append(held)
    found = {key: conversations.median(runs) for key, runs in rounds.items()}
    for (what, batch), held in found.items():
        if what == "redis":
            continue
        broker = found.get(("redis", batch))
        floor = broker.per_second / 3 if broker is not None and what != "to nobody" else None
        report.add(
            Row(
                f"topic: published {'by ten' if batch > 1 else 'alone'}, {what}",
                held.per_second,
                "/s",
                floor,
                "three entries of Redis streams, fsync always",
            ),
            Row("topic: the server's processor time for one of these", held.cpu_us, "µs"),
        )
    if stream is None:
        console.print("  redis-server is not installed; on Debian: apt-get install redis-server")


def _topic(sns: Any, sqs: Any, name: str, queues: int, **attributes: str) -> str:
    arn: str = sns.create_topic(Name=name)["TopicArn"]
    for number in range(queues):
        _subscribe(sns, sqs, arn, f"{name}-{number}", **attributes)
    return arn


def _subscribe(sns: Any, sqs: Any, topic: str, name: str, **attributes: str) -> str:
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=attributes)
    return url


def publishing(signer: Signer, arn: str, batch: int) -> conversations.Make:
    """Publish the same over and over."""
    form = {"Version": "2010-03-31", "TopicArn": arn}
    if batch == 1:
        form |= {"Action": "Publish", "Message": TEXT}
    else:
        form["Action"] = "PublishBatch"
        for number in range(1, batch + 1):
            member = f"PublishBatchRequestEntries.member.{number}"
            form |= {f"{member}.Id": str(number), f"{member}.Message": TEXT}
    request = signer.form(urlencode(form).encode())

    def talk(until: float, count: Count) -> Conversation:
        while time.time() < until:
            yield request
            count(batch)

    return talk


def _deliveries(sns: Any, sqs: Any, report: Report) -> None:
    """From before the publish to after the receive that waited for it, with `FILTERS` subscriptions of which one wants
    the message."""
    topic = sns.create_topic(Name="bench-filters")["TopicArn"]
    urls = [
        _subscribe(
            sns, sqs, topic, f"bench-filter-{number}", FilterPolicy=f'{{"kind": ["k{number}", {{"prefix": "x"}}]}}'
        )
        for number in range(FILTERS)
    ]
    wanted = {"kind": {"DataType": "String", "StringValue": f"k{FILTERS // 2}"}}
    url = urls[FILTERS // 2]
    ways: dict[str, Callable[[], object]] = {
        "send": lambda: sqs.send_message(QueueUrl=url, MessageBody=TEXT),
        "publish": lambda: sns.publish(TopicArn=topic, Message=TEXT, MessageAttributes=wanted),
    }
    samples: dict[str, list[float]] = {way: [] for way in ways}
    arrived = threading.Semaphore(0)
    received_at = 0.0

    def receive() -> None:
        nonlocal received_at
        for _ in range(DELIVERIES * len(ways)):
            reply = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
            received_at = time.perf_counter()
            sqs.delete_message(QueueUrl=url, ReceiptHandle=reply["Messages"][0]["ReceiptHandle"])
            arrived.release()

    receiver = threading.Thread(target=receive)
    receiver.start()
    for _ in range(DELIVERIES):
        for way, act in ways.items():
            time.sleep(0.01)  # the receiver waits by then
            began = time.perf_counter()
            act()
            arrived.acquire()
            samples[way].append((received_at - began) * 1000)
    receiver.join()
    floor = "sent to the queue itself"
    for what, pick in (("median", statistics.median), ("p99", _p99)):
        row = f"topic: from publish past {FILTERS} filters to a receiver, {what}"
        report.add(Row(row, pick(samples["publish"]), "ms", pick(samples["send"]), floor))


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]
