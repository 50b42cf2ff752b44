"""`python -m benchmarks.counting`: messages through a queue, a topic, three queues and a function, with crashes.

A pipe carries messages from the first queue to the topic, three more carry them from the topic's queues to one
function. The function prints what it was given, and its log lines are durable before its answer counts: the log is the
table that says what arrived. Meanwhile the server is killed with SIGKILL and started again on the same data, several
times. A message that the sender was told is sent must be in the log for each of the three queues, at least once.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from benchmarks.platform import free_port, zipped

BRANCHES = ("one", "two", "three")
BATCH = 10
SENDERS = 4
PATIENCE_S = 1800.0
SOURCE = """
def handler(event, context):
    seen = {}
    for record in event:
        seen.setdefault(record["eventSourceARN"].rpartition(":")[2], []).append(record["body"])
    for queue, bodies in seen.items():
        print("ARRIVED", queue, ",".join(bodies))
"""
console = Console(highlight=False)


class Server:
    """A platform on one data directory and port, which can be killed and started again."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._variables: dict[str, str] = {}

    def start(self) -> None:
        """Start, and wait until it is ready."""
        command = [sys.executable, "-m", "mayfly"]
        log = (self._data.parent / f"{self._data.name}.log").open("ab")
        self._process = subprocess.Popen(
            [*command, "up", "--data", str(self._data), "--port", str(self._port)], stdout=subprocess.PIPE, stderr=log
        )
        log.close()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if b" is ready" not in line:
            raise RuntimeError(f"the platform did not start: {line!r}")
        if not self._variables:
            answer = subprocess.run(
                [*command, "env", "--json", "--data", str(self._data)], check=True, capture_output=True, text=True
            )
            self._variables = json.loads(answer.stdout)

    def kill(self) -> None:
        """End it as a loss of power would end it, but for the disk."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(60)

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)

    def client(self, service: str) -> Any:
        """A boto3 client that tries again for as long as a restart takes."""
        session: Any = boto3.session.Session()
        return session.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self._port}",
            region_name=self._variables["AWS_DEFAULT_REGION"],
            aws_access_key_id=self._variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self._variables["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
        )


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a temporary data directory."""
    data = Path(tempfile.mkdtemp(prefix="mayfly-counting-"))
    server = Server(data)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)
        (data.parent / f"{data.name}.log").unlink(missing_ok=True)


class Sender(threading.Thread):
    """Sends the numbers of a range, batch by batch, each until it is told that it was sent."""

    def __init__(self, server: Server, queue: str, numbers: range) -> None:
        super().__init__(daemon=True)
        self._client = server.client("sqs")
        self._queue = queue
        self._numbers = numbers
        self.sent = 0
        self.again = 0

    def run(self) -> None:
        for start in range(self._numbers.start, self._numbers.stop, BATCH):
            left = {str(number): str(number) for number in range(start, min(start + BATCH, self._numbers.stop))}
            while left:
                entries = [{"Id": number, "MessageBody": body} for number, body in left.items()]
                try:
                    reply = self._client.send_message_batch(QueueUrl=self._queue, Entries=entries)
                except (BotoCoreError, ClientError):
                    self.again += 1
                    time.sleep(0.2)
                    continue
                for done in reply.get("Successful", ()):
                    del left[done["Id"]]
                    self.sent += 1


def deploy(server: Server) -> str:
    """Everything between the first queue and the function; the URL of that queue."""
    sqs, sns, iam = server.client("sqs"), server.client("sns"), server.client("iam")
    services = ["lambda.amazonaws.com", "pipes.amazonaws.com"]
    allow = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    role = iam.create_role(RoleName="counting", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    functions = server.client("lambda")
    function = functions.create_function(
        FunctionName="count",
        Runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": zipped(SOURCE)},
        Timeout=30,
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="count")
    topic = sns.create_topic(Name="all")["TopicArn"]
    arns = {}
    for name in ("first", *BRANCHES):
        sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "60"})
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        arns[name] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for name in BRANCHES:
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns[name], Attributes={"RawMessageDelivery": "true"})
    pipes = server.client("pipes")
    batches = {"SqsQueueParameters": {"BatchSize": BATCH}}
    pipes.create_pipe(
        Name="fan-out",
        RoleArn=role,
        Source=arns["first"],
        SourceParameters=batches,
        Target=topic,
        TargetParameters={"InputTemplate": "<$.body>"},
    )
    for name in BRANCHES:
        pipes.create_pipe(Name=name, RoleArn=role, Source=arns[name], SourceParameters=batches, Target=function)
    url = sqs.get_queue_url(QueueName="first")["QueueUrl"]
    assert isinstance(url, str)
    return url


def waiting(server: Server) -> int:
    """How many messages are in any queue, in flight or not."""
    sqs, total = server.client("sqs"), 0
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    for name in ("first", *BRANCHES):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        total += sum(int(found[each]) for each in names)
    return total


def arrived(server: Server, count: int) -> tuple[dict[str, bytearray], int]:
    """How often each number arrived by each queue (to 255), as the log tells it; and the arrivals in all."""
    logs, seen, total = server.client("logs"), {name: bytearray(count) for name in BRANCHES}, 0
    request: dict[str, Any] = {"logGroupName": "/aws/lambda/count", "filterPattern": "ARRIVED"}
    while True:
        page = logs.filter_log_events(**request)
        for event in page["events"]:
            _, queue, numbers = event["message"].split()
            for number in map(int, numbers.split(",")):
                seen[queue][number] = min(seen[queue][number] + 1, 255)
                total += 1
        if "nextToken" not in page:
            return seen, total
        request["nextToken"] = page["nextToken"]


def count(messages: int, crashes: int, seed: int) -> bool:
    """Run once and say what became of the messages; whether all of them arrived by all queues."""
    moments = random.Random(seed)
    with serving() as server:
        url = deploy(server)
        began = time.monotonic()
        per = -(-messages // SENDERS)
        ranges = [range(start, min(start + per, messages)) for start in range(0, messages, per)]
        senders = [Sender(server, url, numbers) for numbers in ranges]
        for sender in senders:
            sender.start()
        done = 0
        at = sorted(moments.uniform(0.1, 0.9) * messages for _ in range(crashes))
        while any(sender.is_alive() for sender in senders):
            time.sleep(0.1)
            if done < crashes and sum(sender.sent for sender in senders) >= at[done]:
                done += 1
                server.kill()
                server.start()
                console.print(f"killed and started again, {done} of {crashes}, after {time.monotonic() - began:.0f} s")
        sent_s = time.monotonic() - began
        console.print(f"sent {messages:,} in {sent_s:.0f} s; {sum(sender.again for sender in senders)} tries again")
        left = _drain(server, began)
        seen, total = arrived(server, messages)
    lost = {name: found.count(0) for name, found in seen.items()}
    console.print(f"arrived {total:,} times by {len(BRANCHES)} queues in {time.monotonic() - began:.0f} s")
    console.print(f"twice or more: {total + sum(lost.values()) - len(BRANCHES) * messages:,}; still waiting: {left}")
    console.print(f"[bold]lost: {lost}[/]")
    return not any(lost.values()) and not left


def _drain(server: Server, began: float) -> int:
    """Wait until the queues are empty; how many messages they still hold when patience ends."""
    deadline, told = time.monotonic() + PATIENCE_S, 0.0
    while (left := waiting(server)) and time.monotonic() < deadline:
        if time.monotonic() - told > 30:
            told = time.monotonic()
            console.print(f"{left:,} messages wait after {told - began:.0f} s")
        time.sleep(1)
    return left


def main() -> None:
    """Count, and exit with status 1 if a message was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counting", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000, help="how many (%(default)s)")
    parser.add_argument("--crashes", type=int, default=5, help="how often the server is killed (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which it is (%(default)s)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        console.print("run it as root: the function runs at the isolation that users run it at")
    sys.exit(0 if count(options.messages, options.crashes, options.seed) else 1)


if __name__ == "__main__":
    main()
