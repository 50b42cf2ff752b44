"""Schedules: what a hundred thousand cost while nothing is due, and how late they fire, alone, under load and at once.

They are written into the database of a stopped server, as its operations would have; making them by requests would take
longer than everything that is measured.
"""

import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import conversations
from benchmarks.platform import Running, running
from benchmarks.queues import sending
from benchmarks.report import Report, Row
from benchmarks.signing import Signer
from mayfly.app.directory import DataDirectory
from mayfly.app.foundations import MIGRATED
from mayfly.clock import SystemClock
from mayfly.services.schedules import catalog
from mayfly.services.schedules.model import Schedule
from mayfly.services.schedules.timing import Timing
from mayfly.store.api import Tx
from mayfly.store.sqlite import SqliteStore
from mayfly.ticker.ticker import Moment, Tick, Ticker

COUNT = 100_000
WATCH_S = 10.0
A_SECOND = 500  # that fire each second, in both parts of ten seconds
PART_S = 10
AT_ONCE = 5_000  # that fire at the same moment afterwards
LEAD_S = WATCH_S + 20.0  # from the database being written to the first that fires
CONNECTIONS = 32  # of whoever sends messages meanwhile: as much as the server takes
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def schedules(platform: Running, report: Report) -> None:
    """See the module. `platform` is not used: it has a data directory of its own."""
    del platform
    isolation = "namespace" if os.geteuid() == 0 else "process"
    data = Path(tempfile.mkdtemp(prefix="mayfly-bench-schedules-")) / "data"
    try:
        with running(isolation, kept=data) as empty:
            role, queue = _prepare(empty)
            none_ms = _idle_ms(empty.pid)
        began = time.time()
        asyncio.run(_fill(data, role, queue, int(began + LEAD_S)))
        first = int(began + LEAD_S)
        with running(isolation, kept=data) as full:
            report.add(
                Row(f"start-up with {COUNT:,} schedules", full.start_s, "s", empty.start_s, "with none"),
                Row(f"{COUNT:,} idle schedules: CPU in {WATCH_S:g} s", _idle_ms(full.pid), "ms", none_ms, "with none"),
            )
            _fire(full, report, queue, first)
    finally:
        shutil.rmtree(data.parent, ignore_errors=True)


def _prepare(platform: Running) -> tuple[str, str]:
    made = platform.client("iam").create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(TRUST))
    sqs = platform.client("sqs")
    url = sqs.create_queue(QueueName="ticks", Attributes={"VisibilityTimeout": "3600"})["QueueUrl"]
    sqs.create_queue(QueueName="load")
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return made["Role"]["Arn"], arn


async def _fill(data: Path, role: str, queue: str, first: int) -> None:
    """All schedules, in a few transactions."""
    clock = SystemClock()
    store = await SqliteStore.open(DataDirectory(data).database, MIGRATED, clock)
    ticker, timing, now = Ticker(store, clock, "schedules", _never), Timing(), clock.now()
    wanted = list(_expressions(first))
    for start in range(0, len(wanted), 2_000):

        def body(tx: Tx, start: int = start) -> None:
            for number, expression in enumerate(wanted[start : start + 2_000], start):
                schedule = _schedule(f"s{number}", expression, role, queue, now)
                catalog.put(tx, ticker, schedule, timing.first(schedule, now))

        await store.write(body)
    await store.close()


def _expressions(first: int) -> Iterator[str]:
    """Of those that fire first, then of all the others."""
    for second in range(2 * PART_S):
        yield from [_at(first + second)] * A_SECOND
    yield from [_at(first + 2 * PART_S + 5)] * AT_ONCE
    for number in range(COUNT - 2 * PART_S * A_SECOND - AT_ONCE):
        yield ("at(2099-01-01T00:00:00)", "cron(0 12 1 1 ? 2099)", "cron(0 0 29 2 ? 2096)")[number % 3]


def _at(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("at(%Y-%m-%dT%H:%M:%S)")


def _schedule(name: str, expression: str, role: str, queue: str, now: float) -> Schedule:
    policy = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
    target = {"Arn": queue, "RoleArn": role, "Input": "<aws.scheduler.scheduled-time>", "RetryPolicy": policy}
    return Schedule("default", name, name, expression, "UTC", "ENABLED", "NONE", target, now, now, now)


def _never(tx: Tx, tick: Tick, now: float) -> Moment | None:
    raise AssertionError("nothing ticks here")


def _fire(platform: Running, report: Report, queue: str, first: int) -> None:
    """How late those fire whose time comes now, the second half of them while somebody sends messages."""
    url = platform.client("sqs").get_queue_url(QueueName="load")["QueueUrl"]
    signer = Signer("sqs", platform.url[7:], platform.variables)
    time.sleep(max(0.0, first - time.time()))
    calm_cpu = _cpu_s(platform.pid)
    time.sleep(max(0.0, first + PART_S - 0.5 - time.time()))
    calm_us = (_cpu_s(platform.pid) - calm_cpu) / (PART_S * A_SECOND) * 1e6
    held = conversations.hold(
        platform.port, platform.pid, [sending(signer, url, 1)], CONNECTIONS, first + 2 * PART_S - time.time()
    )
    late = _lateness(platform, 2 * PART_S * A_SECOND + AT_ONCE)
    calm = [ms for at, ms in late if at < first + PART_S]
    loaded = [ms for at, ms in late if first + PART_S <= at < first + 2 * PART_S]
    burst = [ms for at, ms in late if at >= first + 2 * PART_S]
    rate = len(burst) / (max(burst) / 1000)
    report.add(
        *_rows(f"{A_SECOND}/s", calm),
        *_rows(f"{A_SECOND}/s beside {held.per_second:,.0f} requests/s", loaded),
        Row(f"schedules, {AT_ONCE:,} at the same moment: the last was late by", max(burst), "ms"),
        Row("schedules: fired a second while that many were due", rate, "/s"),
        Row("schedules: the server's processor time for one, fired at its time", calm_us, "µs"),
    )


def _rows(what: str, late: Sequence[float]) -> list[Row]:
    ordered = sorted(late)
    return [
        Row(f"schedules, {what}: late by, median", statistics.median(ordered), "ms"),
        Row(f"schedules, {what}: late by, p99", ordered[len(ordered) * 99 // 100], "ms"),
        Row(f"schedules, {what}: late by, most", ordered[-1], "ms"),
    ]


def _lateness(platform: Running, count: int) -> list[tuple[float, float]]:
    """The time of each event that was to be, and by how many milliseconds its message came later."""
    sqs: Any = platform.client("sqs")
    url = sqs.get_queue_url(QueueName="ticks")["QueueUrl"]
    found: list[tuple[float, float]] = []
    deadline = time.monotonic() + 120
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} schedules fired"
        reply = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5, MessageSystemAttributeNames=["SentTimestamp"]
        )
        for message in reply.get("Messages", []):
            at = datetime.fromisoformat(message["Body"]).timestamp()
            found.append((at, int(message["Attributes"]["SentTimestamp"]) - at * 1000))
    return found


def _idle_ms(pid: int) -> float:
    """Processor time of a server that nobody asks anything."""
    time.sleep(5)
    before = _cpu_s(pid)
    time.sleep(WATCH_S)
    return (_cpu_s(pid) - before) * 1000


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
