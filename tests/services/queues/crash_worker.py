"""A process that sends to a FIFO queue and works its messages off, telling on standard output what was acknowledged.

Run by test_crash.py as `python crash_worker.py DIRECTORY ROUND`, until it is killed.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from mayfly.clock import SystemClock
from mayfly.services.contract import Principal, RequestContext
from mayfly.services.queues.service import QueuesService
from mayfly.store.sqlite import SqliteStore

ACCOUNT = "000000000000"
PACKAGE = "mayfly.services.queues"
CONTEXT = RequestContext("r", ACCOUNT, "us-east-1", Principal("root", ACCOUNT, "arn", ACCOUNT), "http://127.0.0.1")
URL = f"http://127.0.0.1/{ACCOUNT}/work.fifo"
GROUPS = "abcd"


def told(kind: str, *words: object) -> None:
    """One line in one write: whole or not there at all."""
    os.write(1, (" ".join([kind, *map(str, words)]) + "\n").encode())


async def send(service: QueuesService, group: str, round_: str) -> None:
    """Messages of one group, one after the other, each sent twice: the second is a duplicate."""
    group = f"{group}-{round_}"  # of each round its own: what the last one held is in flight still
    number = 0
    while True:
        number += 1
        body = f"{group}-{number:06}"
        request = {"QueueUrl": URL, "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": body}
        told("sending", body)
        reply: Any = await service.operations["SendMessage"](CONTEXT, dict(request))
        told("sent", body, reply["SequenceNumber"])
        await service.operations["SendMessage"](CONTEXT, dict(request))


async def work(service: QueuesService) -> None:
    """Receive, delete, for ever."""
    while True:
        ask = {"QueueUrl": URL, "MaxNumberOfMessages": 3, "WaitTimeSeconds": 5}
        reply: Any = await service.operations["ReceiveMessage"](CONTEXT, ask)
        for message in reply.get("Messages", []):
            told("received", message["Body"])
        for message in reply.get("Messages", []):
            told("deleting", message["Body"])
            await service.operations["DeleteMessage"](
                CONTEXT, {"QueueUrl": URL, "ReceiptHandle": message["ReceiptHandle"]}
            )
            told("deleted", message["Body"])


async def main(directory: Path, round_: str) -> None:
    clock = SystemClock()
    store = await SqliteStore.open(directory / "mayfly.db", [PACKAGE], clock)
    service = QueuesService(store, clock)
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "600"}
    await service.operations["CreateQueue"](CONTEXT, {"QueueName": "work.fifo", "Attributes": attributes})
    async with asyncio.TaskGroup() as tasks:
        for group in GROUPS:
            tasks.create_task(send(service, group, round_))
        for _ in range(3):
            tasks.create_task(work(service))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
