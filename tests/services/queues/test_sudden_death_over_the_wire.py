"""A real server is killed with SIGKILL while messages go through a queue: none is lost, and a move task goes on."""

import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import PlatformProcess, start_platform

PATIENCE_S = 60
SENDERS = 3


class Sending:
    """Threads that send numbered messages and remember which were acknowledged."""

    def __init__(self, platform: PlatformProcess, url: str) -> None:
        self.acknowledged: set[str] = set()
        self._enough = threading.Event()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(platform, url, n)) for n in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def _send(self, platform: PlatformProcess, url: str, sender: int) -> None:
        client = platform.client("sqs")
        number = 0
        while not self._stopped.is_set():
            number += 1
            entries = [{"Id": str(at), "MessageBody": f"{sender}-{number}-{at}"} for at in range(10)]
            try:
                reply = client.send_message_batch(QueueUrl=url, Entries=entries)
            except (BotoCoreError, ClientError):
                return  # the server is dead
            self.acknowledged |= {f"{sender}-{number}-{each['Id']}" for each in reply["Successful"]}
            if len(self.acknowledged) >= 300:
                self._enough.set()

    def wait_for_some(self) -> None:
        assert self._enough.wait(PATIENCE_S)

    def stop(self) -> set[str]:
        self._stopped.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        return self.acknowledged


def received(client: Any, url: str) -> set[str]:
    """The bodies of everything that is there, removed."""
    bodies: set[str] = set()
    while found := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies |= {message["Body"] for message in found}
        entries = [{"Id": str(at), "ReceiptHandle": each["ReceiptHandle"]} for at, each in enumerate(found)]
        assert "Failed" not in client.delete_message_batch(QueueUrl=url, Entries=entries)
    return bodies


def test_acknowledged_messages_and_tasks_survive_the_death_of_the_server(tmp_path: Path) -> None:
    server, platform = start_platform(tmp_path / "data")
    try:
        client = platform.client("sqs")
        dead = client.create_queue(QueueName="dead")["QueueUrl"]
        arn = f"arn:aws:sqs:{platform.region}:{platform.account}:dead"
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
        client.create_queue(QueueName="source", Attributes={"RedrivePolicy": policy})
        target = client.create_queue(QueueName="target")["QueueUrl"]
        sending = Sending(platform, dead)
        sending.wait_for_some()
        client.start_message_move_task(
            SourceArn=arn, DestinationArn=arn.replace("dead", "target"), MaxNumberOfMessagesPerSecond=500
        )
        server.send_signal(signal.SIGKILL)
        server.wait()
        acknowledged = sending.stop()
        server, platform = start_platform(tmp_path / "data")
        client = platform.client("sqs")
        path = target.split("/", 3)[3]
        (task,) = client.list_message_move_tasks(SourceArn=arn)["Results"]
        assert task["Status"] in {"RUNNING", "COMPLETED"}  # at its pace, it is done in a second
        deadline = time.monotonic() + PATIENCE_S
        found: set[str] = set()
        while not acknowledged <= found:
            assert time.monotonic() < deadline, f"{len(acknowledged - found)} messages are missing"
            found |= received(client, f"{platform.url}/{path}")
        server.terminate()
        assert server.wait(PATIENCE_S) == 0
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
