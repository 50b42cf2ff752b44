"""Durable executions: how many a second of three steps, and what a hundred thousand that wait cost.

The function is written on the SDK that AWS publishes, so an execution is a call, its checkpoints by boto3 over the
wire, and an answer. The SDK itself looks ten times a second whether it is to end, so an execution alone takes a tenth
of a second whatever the platform does. Beside it, in the same run: a plain function that makes as many requests.

Those that wait are written by the executions' own code into a data directory of their own, as functions that wait for a
year leave them; a server is started on it, and on one with none.
"""

import asyncio
import io
import json
import shutil
import statistics
import sys
import tempfile
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

from benchmarks import load
from benchmarks.platform import Running, make_function, pss_mb, running
from benchmarks.report import Report, Row
from mayfly.app.foundations import MIGRATED
from mayfly.app.targets import Targets
from mayfly.app.vault import FileVault
from mayfly.clock import SystemClock
from mayfly.services.functions.durable import names, transitions
from mayfly.services.functions.durable.executions import Executions, Starting, fresh_id
from mayfly.services.functions.durable.letters import DeadLetters
from mayfly.services.functions.durable.model import Event
from mayfly.services.functions.durable.turn import Turn
from mayfly.services.functions.durable.updates import Update
from mayfly.services.functions.model import Durable
from mayfly.services.functions.names import Home
from mayfly.services.ports import UNHEARD
from mayfly.store.api import Tx
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore
from mayfly.ticker.ticker import Ticker

WAITING = 100_000
ROUNDS, SECONDS, CONNECTIONS = 3, 2.0, 32
STARTS = 5
SIZE = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
YEAR_S = 366 * 86_400
STEPS = """
from aws_durable_execution_sdk_python import durable_execution, durable_step


@durable_step
def add(step, a, b):
    return a + b


@durable_execution
def handler(event, context):
    return context.step(add(context.step(add(context.step(add(1, 2)), 3)), 4))
"""
REQUESTS = """
import boto3

client = boto3.client("lambda")


def handler(event, context):
    for _ in range(3):
        client.get_account_settings()
    return 10
"""


def durable(platform: Running, report: Report) -> None:
    """See the module."""
    _three_steps(platform, report)
    _waiting(report)


def _package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        sdk = Path(str(resources.files("aws_durable_execution_sdk_python")))
        for path in sorted(sdk.rglob("*.py")):
            archive.write(path, path.relative_to(sdk.parent))
        archive.writestr("app.py", STEPS)
    return buffer.getvalue()


def _three_steps(platform: Running, report: Report) -> None:
    plain = make_function(platform, "bench-requests", REQUESTS, memory_mb=1769)
    role = platform.client("lambda").get_function_configuration(FunctionName=plain)["Role"]
    platform.client("lambda").create_function(
        FunctionName="bench-durable",
        Runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": _package()},
        MemorySize=1769,
        Timeout=30,
        DurableConfig={"ExecutionTimeout": 600},
    )
    subjects = {
        "durable": load.Subject(platform.port, platform.pid, platform.invoke_request("bench-durable:%24LATEST"), b"10"),
        "plain": load.Subject(platform.port, platform.pid, platform.invoke_request(plain), b"10"),
    }
    at_once = load.rounds(subjects, CONNECTIONS, ROUNDS, SECONDS)
    alone = load.rounds(subjects, 1, ROUNDS, SECONDS)
    floor = "a plain function that makes three requests by boto3"
    many, one = at_once["durable"], alone["durable"]
    report.add(
        Row("executions of three steps, at 32", many.per_second, "/s", at_once["plain"].per_second, floor),
        Row("the server's processor time for one of these", many.cpu_us, "µs", at_once["plain"].cpu_us, floor),
        Row("an execution of three steps, alone, median", one.p50_ms, "ms", alone["plain"].p50_ms, floor),
    )


def _waiting(report: Report) -> None:
    empty, full = (Path(tempfile.mkdtemp(prefix="mayfly-bench-")) for _ in range(2))
    try:
        rows, size = asyncio.run(_wait_for_a_year(full / "mayfly.db", WAITING))
        starts: dict[Path, list[float]] = {empty: [], full: []}
        memory: dict[Path, list[float]] = {empty: [], full: []}
        for _ in range(STARTS):
            for data in (empty, full):
                with running("process", kept=data) as started:
                    starts[data].append(started.start_s * 1000)
                    memory[data].append(pss_mb(started.pid))
        none = "with none"
        report.add(
            Row("an execution that waits: rows", rows / WAITING, ""),
            Row("an execution that waits: database", size / WAITING, "B"),
            Row(
                f"start with {WAITING} that wait",
                statistics.median(starts[full]),
                "ms",
                statistics.median(starts[empty]),
                none,
            ),
            Row(
                f"memory of a server with {WAITING} that wait",
                statistics.median(memory[full]),
                "MB",
                statistics.median(memory[empty]),
                none,
            ),
        )
    finally:
        shutil.rmtree(empty)
        shutil.rmtree(full)


class _Nothing:
    def count(self, *_: Any) -> None:
        """Nobody looks."""


async def _wait_for_a_year(database: Path, count: int) -> tuple[int, int]:
    """Write executions that wait into a new database: how many rows, how many bytes."""
    clock, home = SystemClock(), Home("000000000000", "us-east-1")
    store = await SqliteStore.open(database, MIGRATED, clock)
    ticker = Ticker(store, clock, "durable", lambda tx, tick, now: None)
    queue = SqlReadyQueue(store, clock, FileVault(database.with_name("secrets.key")))
    executions = Executions(home, clock, queue, UNHEARD, _Nothing(), ticker.set, DeadLetters(Targets(), _Nothing()))

    def some(tx: Tx) -> None:
        for _ in range(500):
            _one(tx, executions, clock.now())
        tx.run("DELETE FROM queue_items WHERE queue = 'functions.durable'")  # they have been invoked

    for _ in range(count // 500):
        await store.write(some)
    tables = ("durable_executions", "durable_payloads", "durable_operations", "durable_events", "ticker_ticks")
    rows = 0
    for table in tables:
        found = await store.read(lambda reader, table=table: reader.one(f"SELECT count(*) FROM {table}"))  # type: ignore[misc]
        rows += found[0] if found else 0
    pages = await store.read(
        lambda reader: reader.one("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
    )
    await store.close()
    return rows, pages[0] if pages else 0


def _one(tx: Tx, executions: Executions, now: float) -> None:
    """An execution whose function has said that it waits."""
    identifier = fresh_id()
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f:1"
    started = executions.start(
        tx, Starting(identifier, "f", "1", identifier, arn, Durable(YEAR_S), json.dumps({"order": 1}).encode())
    )
    turn = Turn(tx, started, now)
    turn.set(queued=False, invocation=1, checkpoint=2, seen=turn.state.clock + 1)
    update = Update("w1", "WAIT", "START", wait_s=YEAR_S - 86_400)
    operation, event = transitions.updated(identifier, transitions.new(update, turn.number(), now), update, now)
    turn.put(operation, None)
    turn.say(event)
    details = {"StartTimestamp": now, "EndTimestamp": now, "RequestId": names.callback(identifier, 1)}
    turn.say(Event("InvocationCompleted", now, details=details))
    executions.settle(turn)
