"""The server is killed with SIGKILL while messages are published; what was acknowledged arrives everywhere, and what
was published again, because nobody knew, arrives once where that is promised."""

import io
import json
import random
import signal
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import PlatformProcess, start_platform
from tests.services.topics.subscriber import Subscriber
from tests.test_sudden_death import TRUST, descendants, wait_until_gone

KILLS = 3
A_ROUND = 40
PUBLISHERS = 3
REACHING = ("--outgoing-allow", "127.0.0.0/8")
HANDLER = """
import boto3

queues = boto3.client("sqs")
url = queues.get_queue_url(QueueName="from-function")["QueueUrl"]


def handler(event, context):
    for record in event["Records"]:
        queues.send_message(QueueUrl=url, MessageBody=record["Sns"]["Message"])
"""
pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]


class Application:
    """A topic with three queues, a function and a URL, and a FIFO topic with a FIFO queue."""

    def __init__(self, platform: PlatformProcess, url: str) -> None:
        sns, sqs = platform.client("sns"), platform.client("sqs")
        sqs.create_queue(QueueName="from-function")
        self.topic = sns.create_topic(Name="t")["TopicArn"]
        self.fifo = sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
        raw = {"RawMessageDelivery": "true"}
        for name in ("one", "two", "three"):
            sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=_queue(sqs, name), Attributes=raw)
        fifo = _queue(sqs, "four.fifo", FifoQueue="true")
        sns.subscribe(TopicArn=self.fifo, Protocol="sqs", Endpoint=fifo, Attributes=raw)
        sns.subscribe(TopicArn=self.topic, Protocol="lambda", Endpoint=_function(platform))
        sns.subscribe(TopicArn=self.topic, Protocol="http", Endpoint=url)


def _queue(sqs: Any, name: str, **attributes: str) -> str:
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return arn


def _function(platform: PlatformProcess) -> str:
    role = platform.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", HANDLER)
    functions = platform.client("lambda")
    arn: str = functions.create_function(
        FunctionName="f",
        Runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
        MemorySize=256,
        Timeout=30,
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="f")
    return arn


class Publishing:
    """Threads that publish until told to stop. What was not acknowledged they publish again."""

    def __init__(self, application: Application) -> None:
        self.platform: PlatformProcess | None = None
        self.acknowledged: set[str] = set()
        self._application = application
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(name,)) for name in range(PUBLISHERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self) -> None:
        """Return when `A_ROUND` more messages were acknowledged; the test's time-out bounds it."""
        wanted = len(self.acknowledged) + A_ROUND
        while len(self.acknowledged) < wanted:
            time.sleep(0.01)

    def _work(self, name: int) -> None:
        number, client, used = 0, None, None
        while not self._stop.is_set():
            platform = self.platform
            if platform is None:
                time.sleep(0.01)
                continue
            if platform is not used:
                client, used = platform.client("sns", connect_timeout=2, read_timeout=10), platform
            text = f"{name}-{number}"
            try:
                assert client is not None
                client.publish(TopicArn=self._application.topic, Message=text)
                client.publish(
                    TopicArn=self._application.fifo,
                    Message=text,
                    MessageGroupId=f"g{name}",
                    MessageDeduplicationId=text,
                )
            except (BotoCoreError, ClientError):
                continue  # it may have been published or not: once more
            self.acknowledged.add(text)
            number += 1


def drained(platform: PlatformProcess, name: str, wanted: set[str]) -> list[str]:
    """The bodies in a queue, in order, until all that is wanted is among them and no more comes."""
    sqs = platform.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found: list[str] = []
    deadline = time.monotonic() + 90
    while True:
        missing = wanted - set(found)
        assert time.monotonic() < deadline, f"{len(missing)} of {len(wanted)} messages never came to {name}"
        reply = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages = reply.get("Messages", [])
        if not messages and not missing:
            return found
        found += [message["Body"] for message in messages]
        if messages:
            entries = [{"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]} for at, one in enumerate(messages)]
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)


def test_every_acknowledged_message_arrives_everywhere_although_the_server_is_killed(
    tmp_path: Path, subscriber: Subscriber
) -> None:
    data, dice = tmp_path / "data", random.Random(20)
    server, platform = start_platform(data, *REACHING)
    try:
        application = Application(platform, subscriber.url)
        subscriber.wait_for("SubscriptionConfirmation")
        publishing = Publishing(application)
        publishing.start()
        try:
            for _ in range(KILLS):
                publishing.platform = platform
                publishing.wait_for_more()
                time.sleep(dice.random() / 4)
                family = descendants(server.pid)
                server.send_signal(signal.SIGKILL)
                server.wait()
                publishing.platform = None
                wait_until_gone(family)
                server, platform = start_platform(data, *REACHING)
            publishing.platform = platform
            publishing.wait_for_more()
        finally:
            publishing.end()
        for name in ("one", "two", "three", "from-function"):
            assert publishing.acknowledged <= set(drained(platform, name, publishing.acknowledged))
        subscriber.wait_for_messages(publishing.acknowledged)
        in_order = drained(platform, "four.fifo", publishing.acknowledged)
        assert len(in_order) == len(set(in_order)), "a message came twice within the interval"
        for publisher in range(PUBLISHERS):
            numbers = [int(text.partition("-")[2]) for text in in_order if text.startswith(f"{publisher}-")]
            assert numbers == sorted(numbers), "a group was reordered"
        server.terminate()
        assert server.wait(60) == 0
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
