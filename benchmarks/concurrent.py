"""An instance that runs several calls at a time: throughput, beside a bare gateway that queues at its workers."""

from contextlib import ExitStack

from benchmarks import floors, load
from benchmarks.platform import Running, make_function
from benchmarks.report import Report, Row

HELLO = 'async def handler(event, context):\n    return {"statusCode": 200, "body": "hello"}\n'
REPLY = b'{"statusCode": 200, "body": "hello"}'
# What the floor is asked: as small as a request can be that carries the same payload.
FORWARDED = b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\n{}"
CALLS_AT_A_TIME = 64
ROUNDS = 5
SECONDS = 1.0


def concurrent(platform: Running, report: Report) -> None:
    """Calls of one `async` function on one instance, signed or by URL, logged and metered each."""
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
    for connections in (16, 64):
        with ExitStack() as stack:
            subjects = {
                "queued": load.Subject(*stack.enter_context(floors.forwarding(2, 4)), FORWARDED, REPLY),
                "Invoke": load.Subject(platform.port, platform.pid, platform.invoke_request(name), REPLY),
                "function URL": load.Subject(platform.port, platform.pid, platform.url_request(function_url), b"hello"),
            }
            found = load.rounds(subjects, connections, ROUNDS, SECONDS)
        floor, queued = found["queued"], "queued at a busy worker"
        for what in ("Invoke", "function URL"):
            run = found[what]
            if run.errors:
                raise RuntimeError(f"concurrent {what}: {run.errors} replies were errors")
            title = f"concurrent {what} at {connections}"
            report.add(
                Row(f"{title}: throughput", run.per_second, "/s", floor.per_second, queued),
                Row(f"{title}: latency, median", run.p50_ms, "ms", floor.p50_ms, queued),
                Row(f"{title}: processor time of the server", run.cpu_us, "µs", floor.cpu_us, queued),
            )
