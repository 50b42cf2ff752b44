"""The event bus: from PutEvents to a receiver that waits, and what an event costs on a bus of ten and of 10,000 rules.

Every event matches one rule, whose target is a queue, so a reply says that the message is durable there.
"""

import itertools
import json
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import conversations
from benchmarks.conversations import Conversation, Held
from benchmarks.platform import Running, running
from benchmarks.report import Report, Row
from benchmarks.signing import Signer

FEW, MANY = 10, 10_000
CONNECTIONS = 12
ROUNDS = 3
SECONDS = 3.0
DELIVERIES = 300


def events(_platform: Running, report: Report) -> None:
    """See the module. The platform is its own: a bus has 300 rules unless the operator says otherwise."""
    with running("process", "--rules-per-bus", str(MANY)) as platform:
        signer = Signer("events", platform.url[7:], platform.variables)
        for bus, rules in (("few", FEW), ("many", MANY)):
            make_bus(platform, signer, bus, rules)
        put, sent = _deliveries(platform, "many")
        words, floor = f"events: put ({MANY:,} rules) to received by a long poll", "sent without a bus"
        report.add(
            Row(f"{words}: median", statistics.median(put), "ms", statistics.median(sent), floor),
            Row("events: the same, p99", put[int(len(put) * 0.99)], "ms", sent[int(len(sent) * 0.99)], floor),
        )
        rounds: dict[tuple[str, int], list[Held]] = {}
        for _ in range(ROUNDS):
            for bus, batch in itertools.product(("few", "many"), (1, 10)):
                held = conversations.hold(
                    platform.port, platform.pid, [putting(signer, bus, batch)] * 2, CONNECTIONS, SECONDS
                )
                rounds.setdefault((bus, batch), []).append(held)
        for batch, words in ((1, "alone"), (10, "by ten")):
            few, many = (conversations.median(rounds[bus, batch]) for bus in ("few", "many"))
            floor = f"{FEW} rules"
            report.add(
                Row(f"events: put {words}, {MANY:,} rules, delivered", many.per_second, "/s", few.per_second, floor),
                Row("events: the server's processor time for one of these", many.cpu_us, "µs", few.cpu_us, floor),
            )


def make_bus(platform: Running, signer: Signer, bus: str, rules: int) -> None:
    """A bus with so many rules, each for one article, which all send to the queue of the bus's name."""
    sqs = platform.client("sqs")
    url = sqs.create_queue(QueueName=bus)["QueueUrl"]
    arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    platform.client("events").create_event_bus(Name=bus)
    numbers = iter(range(rules))

    def talk(_until: float, count: Any) -> Conversation:
        yield from _making(signer, bus, arn, numbers, count)

    held = conversations.hold(platform.port, platform.pid, [talk], 8, 600.0)
    if held.items != rules:
        raise RuntimeError(f"{held.items} rules were made, not {rules}")


def _making(signer: Signer, bus: str, arn: str, numbers: Iterator[int], count: Any) -> Conversation:
    for number in numbers:
        name = f"rule-{number}"
        pattern = {
            "source": ["shop"],
            "detail-type": ["sold", "returned"],
            "detail": {"article": [f"article-{number}"], "price": [{"numeric": [">", number]}]},
        }
        rule = {"Name": name, "EventBusName": bus, "EventPattern": json.dumps(pattern)}
        yield signer.request("AWSEvents.PutRule", json.dumps(rule).encode())
        targets = {"Rule": name, "EventBusName": bus, "Targets": [{"Id": "q", "Arn": arn}]}
        reply = json.loads((yield signer.request("AWSEvents.PutTargets", json.dumps(targets).encode())))
        count(1 if reply.get("FailedEntryCount") == 0 else 0)


def _entry(bus: str) -> dict[str, str]:
    detail = {"article": "article-7", "price": 100, "customer": {"id": 1234, "country": "NL"}, "items": [1, 2, 3]}
    return {"EventBusName": bus, "Source": "shop", "DetailType": "sold", "Detail": json.dumps(detail)}


def putting(signer: Signer, bus: str, batch: int) -> conversations.Make:
    """Put the same over and over."""
    body = json.dumps({"Entries": [_entry(bus)] * batch}).encode()
    request = signer.request("AWSEvents.PutEvents", body)

    def talk(until: float, count: Any) -> Conversation:
        while time.time() < until:
            reply = yield request
            if b'"FailedEntryCount":0' not in reply.replace(b" ", b""):
                raise RuntimeError(f"an event was refused: {reply[:200]!r}")
            count(batch)

    return talk


def _deliveries(platform: Running, bus: str) -> tuple[list[float], list[float]]:
    """Times in ms, sorted, from before PutEvents to after the receive that waited; and the same of messages that are
    sent to the queue without a bus, which is the floor. In turns, so that a busy machine is busy for both.

    Through boto3 on both sides, so that the clients' own time, some 2 ms, is part of it.
    """
    sqs, client = platform.client("sqs"), platform.client("events")
    url = sqs.get_queue_url(QueueName=bus)["QueueUrl"]
    arrived = threading.Semaphore(0)
    at = 0.0

    def receive() -> None:
        nonlocal at
        for _ in range(2 * DELIVERIES):
            reply = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
            at = time.perf_counter()
            sqs.delete_message(QueueUrl=url, ReceiptHandle=reply["Messages"][0]["ReceiptHandle"])
            arrived.release()

    receiver = threading.Thread(target=receive)
    receiver.start()
    entry = _entry(bus)
    samples: tuple[list[float], list[float]] = ([], [])
    for number in range(2 * DELIVERIES):
        time.sleep(0.01)  # the receiver waits by then
        began = time.perf_counter()
        if number % 2:
            sqs.send_message(QueueUrl=url, MessageBody=entry["Detail"])
        else:
            client.put_events(Entries=[entry])
        arrived.acquire()
        samples[number % 2].append((at - began) * 1000)
    receiver.join()
    return sorted(samples[0]), sorted(samples[1])
