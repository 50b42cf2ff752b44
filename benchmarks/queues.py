"""Queues: durable sends, alone and by ten, receive and delete, and how soon a waiting receiver wakes.

Real requests, each with a signature of its own where its body differs, over loopback, from two processes.
"""

import json
import socket
import statistics
import time
from collections.abc import Callable

from benchmarks import conversations
from benchmarks.amqp import publishing
from benchmarks.conversations import Conversation, Held
from benchmarks.platform import Running
from benchmarks.queue_peers import adding, rabbitmq, redis
from benchmarks.report import Report, Row, console
from benchmarks.signing import Signer

PROCESSES = 2
CONNECTIONS = 12  # in each
ROUNDS = 3
SECONDS = 3.0
BODY = "x" * 100
WAKES = 300

Count = Callable[[int], None]


def queues(platform: Running, report: Report) -> None:
    """See the module."""
    client = platform.client("sqs")
    signer = Signer("sqs", platform.url[7:], platform.variables)
    url = client.create_queue(QueueName="bench", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    runs: dict[str, list[Held]] = {}
    server = (platform.port, platform.pid)
    with redis() as stream, rabbitmq() as broker:
        for _ in range(ROUNDS):
            for batch, what in ((1, "single"), (10, "batch")):
                runs.setdefault(what, []).append(_hold(server, sending(signer, url, batch)))
                if stream is not None:
                    make, complete = adding(batch, BODY)
                    runs.setdefault(f"redis {what}", []).append(_hold(stream, make, complete))
                if broker is not None:
                    make, complete = publishing(batch, BODY)
                    runs.setdefault(f"rabbitmq {what}", []).append(_hold(broker, make, complete))
            runs.setdefault("drain", []).append(_hold(server, draining(signer, url)))
    found = {what: conversations.median(each) for what, each in runs.items()}
    for what, words in (("batch", "sent by ten, durable"), ("single", "sent alone, durable")):
        held = found[what]
        for name, peer in (("Redis stream, fsync always", "redis"), ("RabbitMQ, durable and confirmed", "rabbitmq")):
            beside = found.get(f"{peer} {what}")
            if beside is not None:
                report.add(Row(f"queue: messages {words}", held.per_second, "/s", beside.per_second, name))
        if stream is None and broker is None:
            report.add(Row(f"queue: messages {words}", held.per_second, "/s"))
        report.add(
            Row("queue: the server's processor time for one of these", held.cpu_us, "µs"),
        )
    drain = found["drain"]
    report.add(
        Row("queue: messages received and deleted by ten", drain.per_second, "/s"),
        Row("queue: the server's processor time for one of these", drain.cpu_us, "µs"),
    )
    if stream is None:
        console.print("  redis-server is not installed; on Debian: apt-get install redis-server")
    if broker is None:
        console.print("  rabbitmq-server is not installed; on Debian: apt-get install rabbitmq-server")
    waking = client.create_queue(QueueName="bench-waking", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    p50, p99 = wake_ups(platform, signer, waking)
    report.add(
        Row("queue: from the send to the wake-up of a long poll, median", p50, "ms"),
        Row("queue: the same, p99", p99, "ms"),
    )


def _hold(
    server: tuple[int, int], make: conversations.Make, complete: conversations.Complete = conversations.http_reply
) -> Held:
    return conversations.hold(*server, [make] * PROCESSES, CONNECTIONS, SECONDS, complete)


def sending(signer: Signer, url: str, batch: int) -> conversations.Make:
    """Send the same over and over."""
    if batch == 1:
        body = json.dumps({"QueueUrl": url, "MessageBody": BODY}).encode()
        request = signer.request("AmazonSQS.SendMessage", body)
    else:
        entries = [{"Id": str(number), "MessageBody": BODY} for number in range(batch)]
        body = json.dumps({"QueueUrl": url, "Entries": entries}).encode()
        request = signer.request("AmazonSQS.SendMessageBatch", body)

    def talk(until: float, count: Count) -> Conversation:
        while time.time() < until:
            yield request
            count(batch)

    return talk


def draining(signer: Signer, url: str) -> conversations.Make:
    """Receive ten, delete them."""
    ask = json.dumps({"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0}).encode()
    request = signer.request("AmazonSQS.ReceiveMessage", ask)

    def talk(until: float, count: Count) -> Conversation:
        while time.time() < until:
            found = json.loads((yield request)).get("Messages", [])
            if not found:
                return
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(found)
            ]
            body = json.dumps({"QueueUrl": url, "Entries": entries}).encode()
            reply = json.loads((yield signer.request("AmazonSQS.DeleteMessageBatch", body)))
            count(len(reply["Successful"]))

    return talk


def wake_ups(platform: Running, signer: Signer, url: str) -> tuple[float, float]:
    """Median and 99th percentile of the time from before a send to after the receive that waited for it, in ms."""
    ask = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20}).encode()
    say = json.dumps({"QueueUrl": url, "MessageBody": "x"}).encode()
    receive, send = signer.request("AmazonSQS.ReceiveMessage", ask), signer.request("AmazonSQS.SendMessage", say)
    samples: list[float] = []
    address = ("127.0.0.1", platform.port)
    with socket.create_connection(address) as receiver, socket.create_connection(address) as sender:
        for _ in range(WAKES):
            receiver.sendall(receive)
            time.sleep(0.01)  # the receiver waits by then
            began = time.perf_counter()
            sender.sendall(send)
            _reply(receiver)
            samples.append(time.perf_counter() - began)
            _reply(sender)
    samples.sort()
    return statistics.median(samples) * 1000, samples[int(len(samples) * 0.99)] * 1000


def _reply(connection: socket.socket) -> bytes:
    """The body of the next reply."""
    buffer = b""
    while (content := conversations.http_reply(buffer)) is None:
        buffer += connection.recv(65536)
    return content
