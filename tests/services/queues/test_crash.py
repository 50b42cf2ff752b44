"""A process that works with a FIFO queue is killed with SIGKILL, again and again: nothing is lost, or overtaken."""

import random
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from mayfly.clock import ManualClock
from mayfly.services.queues.service import QueuesService
from mayfly.store.sqlite import SqliteStore

from .crash_worker import CONTEXT, PACKAGE, URL

SCRIPT = Path(__file__).with_name("crash_worker.py")
ROUNDS = 4

Told = dict[str, list[str]]


def work_until_killed(directory: Path, round_: int, told: Told) -> None:
    """Let a process work, kill it after a random number of lines, and collect them all."""
    process = subprocess.Popen([sys.executable, str(SCRIPT), str(directory), f"r{round_}"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(random.randint(50, 1500))]
        process.kill()
        lines += process.stdout.read().splitlines(keepends=True)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert process.returncode == -9, "it ended before it was killed"
    for line in lines:
        kind, body, *_ = line.decode().split()
        told[kind].append(body)


async def left(directory: Path) -> list[str]:
    """What is in the queue, in the order in which it is received when everything is visible again, and removed."""
    clock = ManualClock(4_000_000_000.0)
    store = await SqliteStore.open(directory / "mayfly.db", [PACKAGE], clock)
    service = QueuesService(store, clock)
    await service.operations["SetQueueAttributes"](
        CONTEXT, {"QueueUrl": URL, "Attributes": {"MessageRetentionPeriod": "1209600"}}
    )
    await store.write(lambda tx: tx.run("UPDATE queues_message SET sent_at = 4000000000000"))
    bodies: list[str] = []
    while True:
        ask = {"QueueUrl": URL, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0}
        reply: Any = await service.operations["ReceiveMessage"](CONTEXT, ask)
        if not reply:
            break
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(reply["Messages"])
        ]
        bodies += [message["Body"] for message in reply["Messages"]]
        await service.operations["DeleteMessageBatch"](CONTEXT, {"QueueUrl": URL, "Entries": entries})
    await store.close()
    return bodies


async def test_nothing_acknowledged_is_lost_and_no_group_gets_out_of_order(tmp_path: Path) -> None:
    told: Told = defaultdict(list)
    for round_ in range(ROUNDS):
        work_until_killed(tmp_path, round_, told)
    remaining = await left(tmp_path)
    assert max(Counter(told["received"]).values()) == 1, "delivered twice while it was in flight"
    assert not set(told["deleted"]) & set(remaining), "an acknowledged deletion is lost"
    assert set(told["sent"]) <= set(told["deleting"]) | set(remaining), "an acknowledged message is lost"
    assert set(remaining) | set(told["received"]) <= set(told["sending"])
    assert max(Counter(remaining).values(), default=1) == 1, "a duplicate was taken"
    for group in {body.rpartition("-")[0] for body in told["sending"]}:
        received = [body for body in told["received"] if body.startswith(group)]
        assert received == sorted(received)
        kept = [body for body in remaining if body.startswith(group)]
        assert kept == sorted(kept)
    assert told["deleted"]
    assert remaining
