"""What is measured."""

import json
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks import floors, load
from benchmarks.apis import apis
from benchmarks.cold import cold
from benchmarks.concurrent import concurrent
from benchmarks.durable import durable
from benchmarks.events import events
from benchmarks.hostile import hostile
from benchmarks.idle import idle, memory
from benchmarks.layers import layers
from benchmarks.levels import levels
from benchmarks.long_queue import long_queue
from benchmarks.many import many
from benchmarks.mappings import mappings
from benchmarks.matching import matching
from benchmarks.node import node
from benchmarks.platform import Running, make_function
from benchmarks.programs import programs
from benchmarks.queues import queues
from benchmarks.report import Report, Row
from benchmarks.schedules import schedules
from benchmarks.stacks import stacks
from benchmarks.swaps import swaps
from benchmarks.tasks import tasks, tasks_killed
from benchmarks.topics import topics
from benchmarks.wasm import wasm
from benchmarks.workers import workers

HELLO = 'def handler(event, context):\n    return {"statusCode": 200, "body": "hello"}\n'
REPLY = b'{"statusCode": 200, "body": "hello"}'
# What the floor is asked: as small as a request can be that carries the same payload.
FORWARDED = b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\n{}"
ROUNDS = 5
SECONDS = 1.0


def startup(platform: Running, report: Report) -> None:
    """From the command to ready."""
    report.add(Row("start-up: `mayfly up` to ready", platform.start_s, "s"))


def warm(platform: Running, report: Report) -> None:
    """Calls that find an instance, signed, logged and metered; beside a bare gateway that forwards to a worker."""
    client = platform.client("lambda")
    name = make_function(platform, "bench-warm", HELLO, memory_mb=1769)
    grant = {"FunctionName": name, "Principal": "*"}
    client.add_permission(**grant, StatementId="u", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    client.add_permission(**grant, StatementId="i", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    function_url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    with ExitStack() as stack:
        one = load.Subject(*stack.enter_context(floors.forwarding(1, 1)), FORWARDED, REPLY)
        two = load.Subject(*stack.enter_context(floors.forwarding(2, 1)), FORWARDED, REPLY)
        queued = load.Subject(*stack.enter_context(floors.forwarding(2, 4)), FORWARDED, REPLY)
        invoke = load.Subject(platform.port, platform.pid, platform.invoke_request(name), REPLY)
        url = load.Subject(platform.port, platform.pid, platform.url_request(function_url), b"hello")
        subjects = {"floor": one, "two": two, "queued": queued, "Invoke": invoke, "function URL": url}
        single = load.rounds({what: subjects[what] for what in ("floor", "Invoke", "function URL")}, 1, ROUNDS, SECONDS)
        many = load.rounds(subjects, 16, ROUNDS, SECONDS)
    floor = "one worker"
    for what in ("Invoke", "function URL"):
        at_1, at_16, floor_1, floor_16 = single[what], many[what], single["floor"], many["floor"]
        if at_1.errors or at_16.errors:
            raise RuntimeError(f"warm {what}: {at_1.errors + at_16.errors} replies were errors")
        report.add(
            Row(f"warm {what}: latency at 1, median", at_1.p50_ms, "ms", floor_1.p50_ms, floor),
            Row(f"warm {what}: latency at 16, p99", at_16.p99_ms, "ms", floor_16.p99_ms, floor),
            Row(f"warm {what}: throughput at 16", at_16.per_second, "/s", floor_16.per_second, floor),
            Row(f"warm {what}: processor time of the server, at 16", at_16.cpu_us, "µs", floor_16.cpu_us, floor),
        )
    report.add(
        Row("floor: forwarding to two workers, at 16", many["two"].per_second, "/s"),
        Row("floor: the same, with requests queued at a busy worker", many["queued"].per_second, "/s"),
    )


def storage(platform: Running, report: Report) -> None:
    """Objects and items, through boto3, one client: mostly the client's own cost, but a regression shows."""
    s3, tables = platform.client("s3"), platform.client("dynamodb")
    s3.create_bucket(Bucket="bench")
    tables.create_table(
        TableName="bench",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    tables.get_waiter("table_exists").wait(TableName="bench")
    body, item = bytes(100_000), {"id": {"S": "x"}, "payload": {"S": json.dumps(list(range(100)))}}
    calls: list[tuple[str, Callable[[], object]]] = [
        ("put 100 kB object", lambda: s3.put_object(Bucket="bench", Key="k", Body=body)),
        ("get 100 kB object", lambda: len(s3.get_object(Bucket="bench", Key="k")["Body"].read())),
        ("put item", lambda: tables.put_item(TableName="bench", Item=item)),
        ("get item", lambda: tables.get_item(TableName="bench", Key={"id": {"S": "x"}})),
    ]
    for what, call in calls:
        samples = []
        for _ in range(100):
            began = time.perf_counter()
            call()
            samples.append((time.perf_counter() - began) * 1000)
        report.add(Row(f"{what}, boto3, median", statistics.median(samples), "ms"))


CASES = {
    "startup": startup,
    "memory": memory,
    "cold": cold,
    "layers": layers,
    "levels": levels,
    "node": node,
    "idle": idle,
    "warm": warm,
    "concurrent": concurrent,
    "apis": apis,
    "programs": programs,
    "wasm": wasm,
    "workers": workers,
    "events": events,
    "matching": matching,
    "hostile": hostile,
    "storage": storage,
    "topics": topics,
    "schedules": schedules,
    "queues": queues,
    "mappings": mappings,
    "stacks": stacks,
    "swaps": swaps,
    "tasks": tasks,
    "tasks-killed": tasks_killed,
    "durable": durable,
    "long-queue": long_queue,
    "many": many,
}
