"""What is measured."""

import json
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks import floors, load
from benchmarks.cold import cold
from benchmarks.platform import Running, descendants, free_port, make_function, pss_mb
from benchmarks.report import Report, Row

HELLO = 'def handler(event, context):\n    return {"statusCode": 200, "body": "hello"}\n'
SECONDS = 4.0


def startup(platform: Running, report: Report) -> None:
    """From the command to ready."""
    report.add(Row("start-up: `mayfly up` to ready", platform.start_s, "s"))


def memory(platform: Running, report: Report) -> None:
    """What runs when nothing does, and what one idle instance adds."""
    below = descendants(platform.pid)
    server, rest = pss_mb(platform.pid), sum(pss_mb(pid) for pid in below)
    report.add(
        Row("memory: server (PSS)", server, "MiB"),
        Row(f"memory: agent and templates, {len(below)} processes (PSS)", rest, "MiB"),
    )
    client = platform.client("lambda")
    name = make_function(platform, "bench-memory", "import time\ndef handler(event, context):\n    time.sleep(0.5)\n")
    count = 10
    _burst(client, name, count)
    instances = [pid for pid in descendants(platform.pid) if pid not in below]
    after = sum(pss_mb(pid) for pid in [*below, *instances] if os.path.exists(f"/proc/{pid}"))
    report.add(Row("memory: one idle instance, hello (PSS)", (after - rest) / count, "MiB"))


def _burst(client: Any, name: str, count: int) -> None:
    """`count` calls at once, so that as many instances live."""
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda _: client.invoke(FunctionName=name)["Payload"].read(), range(count)))


def warm(platform: Running, report: Report) -> None:
    """Calls that find an instance, signed, logged and metered; beside raw uvicorn."""
    client = platform.client("lambda")
    name = make_function(platform, "bench-warm", HELLO, memory_mb=1769)
    grant = {"FunctionName": name, "Principal": "*"}
    client.add_permission(**grant, StatementId="u", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    client.add_permission(**grant, StatementId="i", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    function_url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    port = free_port()
    get = f"GET / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode()
    with floors.raw_uvicorn(port):
        floor_1, floor_16 = load.run(port, get, 1, SECONDS), load.run(port, get, 16, SECONDS)
    invoke = platform.invoke_request(name)
    for what, request in (("Invoke", invoke), ("function URL", platform.url_request(function_url))):
        one, many = load.run(platform.port, request, 1, SECONDS), load.run(platform.port, request, 16, SECONDS)
        if one.errors or many.errors:
            raise RuntimeError(f"warm {what}: {one.errors + many.errors} replies were errors")
        report.add(
            Row(f"warm {what}: latency at 1, median", one.p50_ms, "ms", floor_1.p50_ms, "raw uvicorn"),
            Row(f"warm {what}: latency at 16, p99", many.p99_ms, "ms", floor_16.p99_ms, "raw uvicorn"),
            Row(f"warm {what}: throughput at 16", many.per_second, "/s", floor_16.per_second, "raw uvicorn"),
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


CASES = {"startup": startup, "memory": memory, "cold": cold, "warm": warm, "storage": storage}
