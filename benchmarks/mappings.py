"""A function driven by a queue, in batches of ten: messages a second, from the queue through the function to deletion.

Messages are sent ahead; the clock runs from when the mapping is enabled until the queue is empty, so that polling,
calls, deletion, logs and usage records are all in it; and once more while messages are sent. Beside it, in the same
run: the same queue emptied over the wire by ReceiveMessage and DeleteMessageBatch without any function, and the
function called with events of the same size.
"""

import json
import statistics
import time
from typing import Any

from benchmarks import conversations, load
from benchmarks.platform import Running, make_function
from benchmarks.queues import BODY, CONNECTIONS, PROCESSES, draining, sending
from benchmarks.report import Report, Row
from benchmarks.signing import Signer

MESSAGES = 30_000
BATCH = 10
ROUNDS = 3
SECONDS = 2.0
PLAIN = "def handler(event, context):\n    return None\n"
ASYNC = "async def handler(event, context):\n    return None\n"
CALLS_AT_A_TIME = 64


def mappings(platform: Running, report: Report) -> None:
    """See the module."""
    make_function(platform, "bench-plain", PLAIN, memory_mb=1769)
    make_function(platform, "bench-async", ASYNC, memory_mb=1769)
    _several_at_a_time(platform, "bench-async")
    subjects = {"plain": _Subject(platform, "bench-plain"), "async": _Subject(platform, "bench-async")}
    kept_up: list[float] = []
    drained: list[float] = []
    called: list[float] = []
    for _ in range(ROUNDS):
        for subject in subjects.values():
            subject.measure()
        kept_up.append(subjects["plain"].keep_up())
        drained.append(_drain(platform))
        called.append(_calls(platform, "bench-plain"))
    floor = statistics.median(drained)
    for name, subject in subjects.items():
        report.add(
            Row(
                f"queue-driven function, {name}, batch {BATCH}: messages",
                statistics.median(subject.per_second),
                "/s",
                floor,
                "received and deleted over the wire",
            ),
            Row("the server's processor time for one of these", statistics.median(subject.cpu_us), "µs"),
        )
    report.add(Row("plain, sent by ten over the wire meanwhile: messages", statistics.median(kept_up), "/s"))
    report.add(Row("the same events by Invoke: messages", statistics.median(called) * BATCH, "/s"))


class _Subject:
    """One function and its queue."""

    def __init__(self, platform: Running, function: str) -> None:
        self._platform = platform
        self._lambda, self._sqs = platform.client("lambda"), platform.client("sqs")
        self._signer = Signer("sqs", platform.url[7:], platform.variables)
        attributes = {"VisibilityTimeout": "600"}
        self._url = self._sqs.create_queue(QueueName=f"{function}-queue", Attributes=attributes)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self._uuid = self._lambda.create_event_source_mapping(
            FunctionName=function, EventSourceArn=arn, BatchSize=BATCH, Enabled=False
        )["UUID"]
        self.per_second: list[float] = []
        self.cpu_us: list[float] = []

    def measure(self) -> None:
        """One round: fill the queue, and have it emptied."""
        fill(self._platform, self._signer, self._url, MESSAGES)
        count = self._left()
        cpu, began = load.cpu_s(self._platform.pid), time.perf_counter()
        self._lambda.update_event_source_mapping(UUID=self._uuid, Enabled=True)
        while self._left():
            time.sleep(0.02)
        elapsed, used = time.perf_counter() - began, load.cpu_s(self._platform.pid) - cpu
        self._lambda.update_event_source_mapping(UUID=self._uuid, Enabled=False)
        while self._lambda.get_event_source_mapping(UUID=self._uuid)["State"] != "Disabled":
            time.sleep(0.02)
        self.per_second.append(count / elapsed)
        self.cpu_us.append(used / count * 1e6)

    def keep_up(self) -> float:
        """Messages a second while they are sent, until all of them are gone."""
        self._lambda.update_event_source_mapping(UUID=self._uuid, Enabled=True)
        talk, began = sending(self._signer, self._url, BATCH), time.perf_counter()
        held = conversations.hold(self._platform.port, self._platform.pid, [talk], CONNECTIONS, SECONDS)
        while self._left():
            time.sleep(0.02)
        elapsed = time.perf_counter() - began
        self._lambda.update_event_source_mapping(UUID=self._uuid, Enabled=False)
        while self._lambda.get_event_source_mapping(UUID=self._uuid)["State"] != "Disabled":
            time.sleep(0.02)
        return held.items / elapsed

    def _left(self) -> int:
        found: dict[str, str] = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])["Attributes"]
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return sum(int(found[name]) for name in names)


def fill(platform: Running, signer: Signer, url: str, messages: int) -> None:
    """Send at least so many."""
    sent = 0
    while sent < messages:
        talk = sending(signer, url, BATCH)
        held = conversations.hold(platform.port, platform.pid, [talk] * PROCESSES, CONNECTIONS, 1.0)
        sent += held.items


def _drain(platform: Running) -> float:
    """Messages a second that are received and deleted by requests."""
    signer = Signer("sqs", platform.url[7:], platform.variables)
    url = platform.client("sqs").create_queue(QueueName="bench-floor", Attributes={"VisibilityTimeout": "600"})[
        "QueueUrl"
    ]
    fill(platform, signer, url, MESSAGES)
    makers = [draining(signer, url)] * PROCESSES
    return conversations.hold(platform.port, platform.pid, makers, CONNECTIONS, SECONDS).per_second


def _calls(platform: Running, function: str) -> float:
    """Calls a second with events as large as those of the mapping."""
    request = platform.invoke_request(function, json.dumps(_event()).encode())
    return load.run(load.Subject(platform.port, platform.pid, request, b"null"), 16, SECONDS).per_second


def _event() -> dict[str, Any]:
    record = {
        "messageId": "0" * 36,
        "receiptHandle": "0" * 44,
        "body": BODY,
        "attributes": {
            "SenderId": "0" * 12,
            "SentTimestamp": "0" * 13,
            "ApproximateReceiveCount": "1",
            "ApproximateFirstReceiveTimestamp": "0" * 13,
        },
        "messageAttributes": {},
        "md5OfMessageAttributes": None,
        "md5OfBody": "0" * 32,
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:bench-plain-queue",
        "awsRegion": "us-east-1",
    }
    return {"Records": [record] * BATCH}


def _several_at_a_time(platform: Running, function: str) -> None:
    """Have an instance run several calls at a time."""
    client = platform.client("lambda")
    provider = client.get_function_configuration(FunctionName=function)["FunctionArn"].split(":function:")[0]
    client.update_function_configuration(
        FunctionName=function,
        CapacityProviderConfig={
            "LambdaManagedInstancesCapacityProviderConfig": {
                "CapacityProviderArn": f"{provider}:capacity-provider:mayfly",
                "PerExecutionEnvironmentMaxConcurrency": CALLS_AT_A_TIME,
            }
        },
    )
    client.get_waiter("function_updated_v2").wait(FunctionName=function)
