"""Asynchronous invocations: accepted a second, delivered a second, 100,000 prioritised tasks, and a kill under load.

Accepting is a signed Invoke of the type Event, answered when it is durable, from many connections, while what was
accepted is delivered beside it; its floor is the same request as a dry run, which decides all the same and writes
nothing. Delivering is measured from when nobody sends any more; its floor is the function called synchronously as fast
as it goes.
"""

import json
import os
import shutil
import signal
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import load
from benchmarks.platform import Running, make_function, pss_mb, running
from benchmarks.report import Report, Row
from mayfly.cli.connection import connect

CONNECTIONS = 128
PLACES = 16  # that events have on a machine of four processors: as many calls at a time for the floor
ROUNDS = 3
SECONDS = 2.0
TASKS = 100_000
LEVELS = 201  # of priority
SENT_PER_S = 500
SENDERS = 8
KILL_AFTER_S = 4.0
NOTHING = "def handler(event, context):\n    return None\n"
NOTES = "def handler(event, context):\n    print('ran', context.aws_request_id)\n"
PAGE = "/_mayfly/tasks"


def tasks(platform: Running, report: Report) -> None:
    """See the module."""
    name = make_function(platform, "bench-tasks", NOTHING, memory_mb=1769)
    platform.client("lambda").invoke(FunctionName=name)
    _accepting(platform, report, name)
    for which in ("first", "second"):
        _prioritised(platform, report, name, which)


def _accepting(platform: Running, report: Report, name: str) -> None:
    server = (platform.port, platform.pid)
    event = load.Subject(*server, platform.invoke_request(name, kind="Event"), b"", status=202)
    dry = load.Subject(*server, platform.invoke_request(name, kind="DryRun"), b"", status=204)
    call = load.Subject(*server, platform.invoke_request(name), b"null")
    accepted, dried, called, delivered, cpu_us = [], [], [], [], []
    for _ in range(ROUNDS):
        dried.append(load.run(dry, CONNECTIONS, SECONDS))
        called.append(load.run(call, PLACES, SECONDS))
        accepted.append(load.run(event, CONNECTIONS, SECONDS))
        left, began, cpu_s = _left(platform, name), time.perf_counter(), load.cpu_s(platform.pid)
        while _left(platform, name):
            time.sleep(0.05)
        delivered.append(left / (time.perf_counter() - began))
        cpu_us.append((load.cpu_s(platform.pid) - cpu_s) / left * 1e6)
    taken, floor = load.median(accepted), load.median(dried)
    if taken.errors or floor.errors:
        raise RuntimeError(f"{taken.errors} events and {floor.errors} dry runs were refused")
    report.add(
        Row("asynchronous: events accepted, durable", taken.per_second, "/s", floor.per_second, "dry runs"),
        Row("asynchronous: the same, p99", taken.p99_ms, "ms", floor.p99_ms, "dry runs"),
        Row("asynchronous: the server's processor time for one of these", taken.cpu_us, "µs", floor.cpu_us, "dry runs"),
        Row(
            "asynchronous: events delivered",
            statistics.median(delivered),
            "/s",
            load.median(called).per_second,
            f"synchronous calls, {PLACES} at a time",
        ),
        Row("asynchronous: the server's processor time for one of these", statistics.median(cpu_us), "µs"),
    )


def _prioritised(platform: Running, report: Report, name: str, which: str) -> None:
    connection = connect(platform.data)
    with _batch() as file:
        memory_mb, began = pss_mb(platform.pid), time.perf_counter()
        with connection.open("POST", f"{PAGE}?function={name}", file, content_type="application/x-ndjson") as reply:
            made = json.load(reply)
    accepted_s = time.perf_counter() - began
    while (counts := connection.get(f"{PAGE}/counts?batch={made['batch']}"))["succeeded"] < TASKS:
        if any(counts[state] for state in ("failed", "expired", "cancelled")):
            raise RuntimeError(f"some tasks did not succeed: {counts}")
        time.sleep(0.25)
    total_s = time.perf_counter() - began
    after_mb = pss_mb(platform.pid)
    report.add(
        Row(f"{TASKS:,} prioritised tasks, the {which} batch: accepted in", accepted_s, "s"),
        Row(f"{TASKS:,} prioritised tasks: all of them done in", total_s, "s"),
        Row(f"{TASKS:,} prioritised tasks: pairs begun in the wrong order", _wrong(connection, made["batch"]), ""),
        Row(f"{TASKS:,} prioritised tasks: the server's memory grew by", after_mb - memory_mb, "MB"),
    )


def _wrong(connection: Any, batch: str) -> int:
    """Priorities of which a task was begun after one of the next lower priority."""
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    after = ""
    while True:
        page = connection.get(f"{PAGE}?batch={batch}&limit=1000{after}")
        for task in page["tasks"]:
            priority, at = task["priority"], task["startedAt"]
            first[priority] = min(at, first.get(priority, at))
            last[priority] = max(at, last.get(priority, at))
        if "next" not in page:
            break
        after = f"&after={page['next']}"
    return sum(last[priority] > first[priority - 1] for priority in first if priority - 1 in first)


@contextmanager
def _batch() -> Iterator[Path]:
    with tempfile.NamedTemporaryFile("w", prefix="mayfly-bench-tasks-") as file:
        for number in range(TASKS):
            file.write(f'{{"payload": {number}, "priority": {number * 7919 % LEVELS - 100}}}\n')
        file.flush()
        yield Path(file.name)


def _left(platform: Running, name: str) -> int:
    counts = platform.page(f"{PAGE}/counts?function={name}")
    return int(counts["queued"] + counts["running"])


def tasks_killed(platform: Running, report: Report) -> None:
    """Kill a server with SIGKILL under `SENT_PER_S` events a second; what became of each is asked of the logs, where
    the function wrote its id, and of its task. `platform` is not used: it has a data directory of its own."""
    del platform
    isolation = "namespace" if os.geteuid() == 0 else "process"
    data = Path(tempfile.mkdtemp(prefix="mayfly-bench-killed-")) / "data"
    try:
        accepted: list[str] = []
        with running(isolation, kept=data) as first:
            name = make_function(first, "bench-killed", NOTES)
            began = time.perf_counter()
            senders = [threading.Thread(target=_send, args=(first, name, accepted)) for _ in range(SENDERS)]
            for sender in senders:
                sender.start()
            time.sleep(KILL_AFTER_S)
            os.kill(first.pid, signal.SIGKILL)
            took_s = time.perf_counter() - began
            for sender in senders:
                sender.join()
        with running(isolation, kept=data) as second:
            while _left(second, name):
                time.sleep(0.1)
            ran = _ran(second, name)
            connection = connect(data)
            ended = sum(connection.get(f"{PAGE}/{each}")["state"] == "succeeded" for each in accepted)
        report.add(
            Row("killed under load: events accepted", len(accepted) / took_s, "/s"),
            Row("killed under load: of them, run", len(set(accepted) & ran), "", len(accepted), "accepted"),
            Row("killed under load: of them, ended", ended, "", len(accepted), "accepted"),
        )
        if not set(accepted) <= ran or ended < len(accepted):
            raise RuntimeError("events were lost")
    finally:
        shutil.rmtree(data.parent, ignore_errors=True)


def _send(platform: Running, name: str, accepted: list[str]) -> None:
    """Events at this sender's share of the rate, until the server is gone."""
    request, due = platform.invoke_request(name, kind="Event"), time.perf_counter()
    with socket.create_connection(("127.0.0.1", platform.port)) as connection:
        while True:
            due += SENDERS / SENT_PER_S
            time.sleep(max(0.0, due - time.perf_counter()))
            try:
                connection.sendall(request)
                head = connection.recv(65536).lower()  # a reply without a body comes whole
            except OSError:
                return
            if not head.startswith(b"http/1.1 202 "):
                return
            accepted.append(head.partition(b"x-amzn-requestid: ")[2].partition(b"\r\n")[0].decode())


def _ran(platform: Running, name: str) -> set[str]:
    """The ids that the function printed."""
    pages = platform.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
    lines = (event["message"] for page in pages for event in page["events"])
    return {line.split()[1] for line in lines if line.startswith("ran ")}
