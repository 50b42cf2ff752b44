"""One queue that grows long: what its length changes for itself, for another queue, for memory, start-up and disk.

It has a data directory of its own, and is small unless told otherwise: `python -m benchmarks.long_queue --messages
10000000 --data DIRECTORY` fills a queue with ten million, through the API.
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import conversations
from benchmarks.conversations import Conversation, Held
from benchmarks.platform import Running, running
from benchmarks.queues import BODY, CONNECTIONS, PROCESSES, draining, sending
from benchmarks.report import Report, Row, console
from benchmarks.signing import Signer

MESSAGES = 60_000
SECONDS = 1.0
AT_ONCE = 1_000_000  # messages that are filled in under one signature, which is good for some minutes
MOST_S = 600.0  # for what is waited for
FIRST_OF_TRASH = """
SELECT id FROM queues_message WHERE store = (SELECT store FROM queues_trash) ORDER BY store, due_at, receives LIMIT 1
"""

Count = Callable[[int], None]


def long_queue(platform: Running, report: Report) -> None:
    """See the module. `platform` is not used."""
    del platform
    data = Path(tempfile.mkdtemp(prefix="mayfly-bench-long-")) / "data"
    try:
        measure(data, MESSAGES, report)
    finally:
        shutil.rmtree(data.parent, ignore_errors=True)


def measure(data: Path, messages: int, report: Report) -> None:
    """With nothing, a tenth and all of `messages` in the queue; then getting rid of them in all three ways."""
    isolation = "namespace" if os.geteuid() == 0 else "process"
    with running(isolation, kept=data) as first:
        sqs = first.client("sqs")
        for name in ("long", "other"):
            sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "600"})
        lengths = (0, messages // 10, messages)
    before = 0
    for length in lengths:
        with running(isolation, kept=data) as filling:
            if length > before:
                _fill(filling, length - before, report)
            os.kill(filling.pid, signal.SIGKILL)
        before = length
        with running(isolation, kept=data) as killed:
            after_kill_s = killed.start_s
        with running(isolation, kept=data) as stopped:
            report.add(
                Row(f"{length:,} messages: start-up after kill -9", after_kill_s, "s"),
                Row(f"{length:,} messages: start-up after a stop", stopped.start_s, "s"),
                Row(f"{length:,} messages: memory (PSS) when started", pss_mb(stopped.pid), "MB"),
            )
            _ask(stopped, length, report)
    with running(isolation, kept=data) as full:
        _discard(full, report)


def _fill(platform: Running, count: int, report: Report) -> None:
    began, left, url = time.perf_counter(), count, _url(platform, "long")
    with _watched(platform) as most:
        while left > 0:
            signer = Signer("sqs", platform.url[7:], platform.variables)
            part = min(left, AT_ONCE)
            makers = [_some(signer, url, part // 10 // PROCESSES // CONNECTIONS + 1)] * PROCESSES
            left -= conversations.hold(platform.port, platform.pid, makers, CONNECTIONS, MOST_S).items
    report.add(
        Row(f"filling with {count:,} messages by ten", count / (time.perf_counter() - began), "/s"),
        Row("filling: longest log of the database", most["wal"], "MB"),
        Row("filling: most memory (PSS)", most["pss"], "MB"),
    )


def _some(signer: Signer, url: str, batches: int) -> conversations.Make:
    entries = [{"Id": str(number), "MessageBody": BODY} for number in range(10)]
    request = signer.request("AmazonSQS.SendMessageBatch", json.dumps({"QueueUrl": url, "Entries": entries}).encode())

    def talk(until: float, count: Count) -> Conversation:
        for _ in range(batches):
            if time.time() >= until:
                return
            yield request
            count(10)

    return talk


def _ask(platform: Running, length: int, report: Report) -> None:
    for name in ("long", "other"):
        what = f"{length:,} messages: {'the' if name == 'long' else 'another'} queue"
        url = _url(platform, name)
        signer = Signer("sqs", platform.url[7:], platform.variables)
        sent, one = _hold(platform, sending(signer, url, 10)), _hold(platform, sending(signer, url, 1), 1)
        drained, alone = _hold(platform, draining(signer, url)), _hold(platform, draining(signer, url), 1)
        asked = _hold(platform, attributes_of(signer, url), 1)
        report.add(
            Row(f"{what}, sent by ten", sent.per_second, "/s"),
            Row(f"{what}, the server's processor time for one", sent.cpu_us, "µs"),
            Row(f"{what}, a send, median", one.p50_ms, "ms"),
            Row(f"{what}, a send, p99", one.p99_ms, "ms"),
            Row(f"{what}, received and deleted by ten", drained.per_second, "/s"),
            Row(f"{what}, the server's processor time for one", drained.cpu_us, "µs"),
            Row(f"{what}, a receive or a delete of ten, median", alone.p50_ms, "ms"),
            Row(f"{what}, a receive or a delete of ten, p99", alone.p99_ms, "ms"),
            Row(f"{what}, GetQueueAttributes, median", asked.p50_ms, "ms"),
        )
    # Readers all the time beside a writer: those who read must not keep the log from being written back.
    with _watched(platform) as most:
        url = _url(platform, "long")
        signer = Signer("sqs", platform.url[7:], platform.variables)
        makers = [attributes_of(signer, url), sending(signer, url, 10)]
        conversations.hold(platform.port, platform.pid, makers, CONNECTIONS, 4 * SECONDS)
    report.add(
        Row(f"{length:,} messages: longest log of the database, readers beside writers", most["wal"], "MB"),
        Row(f"{length:,} messages: memory (PSS) after all this", pss_mb(platform.pid), "MB"),
        Row(f"{length:,} messages: the database", _size_mb(platform.data, "mayfly.db"), "MB"),
    )


def _discard(platform: Running, report: Report) -> None:
    """Too old, purged, deleted: how long each takes to answer, and how another queue fares meanwhile."""
    sqs, url = platform.client("sqs"), _url(platform, "long")
    calm = _beside(platform)
    rows = _rows(platform)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "60"})
    _wait(lambda: _rows(platform) < rows, 60)
    began = time.perf_counter()
    swept = _beside(platform)
    rate = (rows - _rows(platform)) / (time.perf_counter() - began)
    report.add(Row("messages too old: removed a second", rate, "/s"), *_fared("too old", swept, calm))
    began = time.perf_counter()
    sqs.purge_queue(QueueUrl=url)
    report.add(Row("PurgeQueue: answered after, boto3", (time.perf_counter() - began) * 1000, "ms"))
    _tidied(platform, report, "PurgeQueue", calm)
    signer = Signer("sqs", platform.url[7:], platform.variables)
    makers = [_some(signer, url, max(100, rows // 100 // PROCESSES // CONNECTIONS))] * PROCESSES
    conversations.hold(platform.port, platform.pid, makers, CONNECTIONS, MOST_S)
    report.add(Row("the database, filled with a tenth again", _size_mb(platform.data, "mayfly.db"), "MB"))
    began = time.perf_counter()
    sqs.delete_queue(QueueUrl=url)
    report.add(Row("DeleteQueue: answered after, boto3", (time.perf_counter() - began) * 1000, "ms"))
    _tidied(platform, report, "DeleteQueue", calm)


def _tidied(platform: Running, report: Report, what: str, calm: Held) -> None:
    """How another queue fares while what nobody can reach any more is removed, and when that is over."""
    first, began = _one(platform, FIRST_OF_TRASH), time.perf_counter()
    _wait(lambda: _one(platform, FIRST_OF_TRASH) != first, 60)
    report.add(*_fared(what, _beside(platform), calm))
    _wait(lambda: _one(platform, FIRST_OF_TRASH) == 0, MOST_S)
    report.add(Row(f"{what}: the last message removed after", time.perf_counter() - began, "s"))


def _fared(what: str, held: Held, calm: Held) -> list[Row]:
    return [
        Row(f"{what}: a send to another queue meanwhile, median", held.p50_ms, "ms", calm.p50_ms, "before"),
        Row(f"{what}: a send to another queue meanwhile, p99", held.p99_ms, "ms", calm.p99_ms, "before"),
    ]


def _beside(platform: Running) -> Held:
    signer = Signer("sqs", platform.url[7:], platform.variables)
    talk = sending(signer, _url(platform, "other"), 1)
    return conversations.hold(platform.port, platform.pid, [talk], 1, SECONDS)


def _hold(platform: Running, make: conversations.Make, connections: int = CONNECTIONS) -> Held:
    makers = [make] * (PROCESSES if connections > 1 else 1)
    return conversations.hold(platform.port, platform.pid, makers, connections, SECONDS)


def attributes_of(signer: Signer, url: str) -> conversations.Make:
    body = json.dumps({"QueueUrl": url, "AttributeNames": ["All"]}).encode()
    request = signer.request("AmazonSQS.GetQueueAttributes", body)

    def talk(until: float, count: Count) -> Conversation:
        while time.time() < until:
            yield request
            count(1)

    return talk


@contextmanager
def _watched(platform: Running) -> Iterator[dict[str, float]]:
    """The most of the log's size and of the memory, looked at twice a second."""
    most = {"wal": 0.0, "pss": 0.0}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            most["wal"] = max(most["wal"], _size_mb(platform.data, "mayfly.db-wal"))
            most["pss"] = max(most["pss"], pss_mb(platform.pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def _url(platform: Running, name: str) -> str:
    url: str = platform.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    return url


def _wait(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError("it did not come to an end")
        time.sleep(0.05)


def _rows(platform: Running) -> int:
    """How many messages there are in all queues, from what is kept of the numbers."""
    return _one(platform, "SELECT sum(messages) FROM queues_store")


def _one(platform: Running, sql: str) -> int:
    path = next(platform.data.rglob("mayfly.db"))
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        row = connection.execute(sql).fetchone()
        return int(row[0] or 0) if row is not None else 0
    finally:
        connection.close()


def _size_mb(data: Path, name: str) -> float:
    return sum(path.stat().st_size for path in data.rglob(name)) / 1e6


def pss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_queue", description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--data", type=Path, help="a directory that does not exist yet, on a disk with enough room")
    options = parser.parse_args()
    parent = Path(tempfile.mkdtemp(prefix="mayfly-bench-long-", dir=options.data and options.data.parent))
    report = Report()
    try:
        measure(parent / "data", options.messages, report)
    finally:
        shutil.rmtree(parent, ignore_errors=True)
    report.print()
    console.print(f"written to {report.write(Path(__file__).parent / 'results')}")


if __name__ == "__main__":
    main()
