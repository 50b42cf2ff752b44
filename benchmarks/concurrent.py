"""An instance that runs several calls at a time: throughput, beside a bare gateway that queues at its workers.

Measured with one server process, and with `--workers 2`, where fronts have places on the one instance. The servers run
side by side, each loaded in its turn.
"""

import os
from contextlib import ExitStack

from benchmarks import floors, load
from benchmarks.platform import Running, make_function
from benchmarks.report import Report, Row
from benchmarks.workers import Server, with_workers

HELLO = 'async def handler(event, context):\n    return {"statusCode": 200, "body": "hello"}\n'
REPLY = b'{"statusCode": 200, "body": "hello"}'
# What the floor is asked: as small as a request can be that carries the same payload.
FORWARDED = b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\n{}"
CALLS_AT_A_TIME = 64
WORKERS = 2
CONNECTIONS = (16, 64)
ROUNDS = 5
SECONDS = 1.0


def concurrent(platform: Running, report: Report) -> None:
    """Calls of one `async` function on one instance, signed or by URL, logged and metered each."""
    isolation = "namespace" if os.geteuid() == 0 else "process"
    with ExitStack() as stack:
        floor = load.Subject(*stack.enter_context(floors.forwarding(2, 4)), FORWARDED, REPLY)
        crowd = stack.enter_context(with_workers(isolation, WORKERS))
        servers = {"": _server(platform), f", {WORKERS} workers": _server(crowd)}
        for connections in CONNECTIONS:
            found: dict[str, list[load.Load]] = {}
            for _ in range(ROUNDS):
                found.setdefault("queued", []).append(load.run(floor, connections, SECONDS))
                for name, server in servers.items():
                    for what in server.requests:
                        found.setdefault(what + name, []).append(server.measure(what, connections, SECONDS))
            _report(report, connections, servers, {name: load.median(runs) for name, runs in found.items()})


def _report(report: Report, connections: int, servers: dict[str, Server], found: dict[str, load.Load]) -> None:
    floor, queued = found["queued"], "queued at a busy worker"
    for name, server in servers.items():
        for what in server.requests:
            run, spent = found[what + name], server.spent[what, connections]
            title = f"concurrent {what} at {connections}{name}"
            used_us = spent.each_us("core") + spent.each_us("fronts")
            report.add(
                Row(f"{title}: throughput", run.per_second, "/s", floor.per_second, queued),
                Row(f"{title}: latency, median", run.p50_ms, "ms", floor.p50_ms, queued),
                Row(f"{title}: processor time of the server", used_us, "µs", floor.cpu_us, queued),
            )


def _server(platform: Running) -> Server:
    client = platform.client("lambda")
    name = make_function(platform, "bench-concurrent", HELLO, memory_mb=1769)
    provider = client.get_function_configuration(FunctionName=name)["FunctionArn"].split(":function:")[0]
    client.update_function_configuration(
        FunctionName=name,
        CapacityProviderConfig={
            "LambdaManagedInstancesCapacityProviderConfig": {
                "CapacityProviderArn": f"{provider}:capacity-provider:mayfly",
                "PerExecutionEnvironmentMaxConcurrency": CALLS_AT_A_TIME,
            }
        },
    )
    grant = {"FunctionName": name, "Principal": "*"}
    client.add_permission(**grant, StatementId="u", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    client.add_permission(**grant, StatementId="i", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    function_url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    subjects = {
        "Invoke": load.Subject(platform.port, platform.pid, platform.invoke_request(name), REPLY),
        "function URL": load.Subject(platform.port, platform.pid, platform.url_request(function_url), b"hello"),
    }
    for subject in subjects.values():
        load.run(subject, max(CONNECTIONS), 0.5)
    return Server(platform, subjects)
