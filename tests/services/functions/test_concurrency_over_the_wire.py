"""Several calls at a time in one instance, with boto3 against a running platform."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import PlatformProcess
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import TRUST

CODE = """
import asyncio, logging, os

logging.getLogger().setLevel("INFO")
arrived = 0
everybody = asyncio.Event()

async def handler(event, context):
    '''Answers when as many calls are there as the event says.'''
    global arrived
    event = event if "n" in event else event["queryStringParameters"]
    n, calls = int(event["n"]), int(event["calls"])
    print("arrived", n)
    if event.get("do") == "raise":
        raise LookupError(f"call {n}")
    if event.get("do") == "hang":
        try:
            await asyncio.sleep(3600)
        finally:
            print("given up", n)
    arrived += 1
    if arrived >= calls:
        everybody.set()
    await everybody.wait()
    logging.info("leaves %s", n)
    left_ms = context.get_remaining_time_in_millis()
    traced = os.environ.get("_X_AMZN_TRACE_ID")
    return {"n": n, "pid": os.getpid(), "id": context.aws_request_id, "left_ms": left_ms, "traced": traced}
"""
SIZE = 8


@pytest.fixture
def functions(client: Callable[..., Any]) -> Any:
    return client("lambda", read_timeout=60, max_pool_connections=SIZE * 2)


@pytest.fixture
def function(platform: PlatformProcess, functions: Any) -> Iterator[str]:
    name = f"c-{uuid4().hex[:12]}"
    role = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    made = functions.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": zipped({"app.py": CODE})},
        Timeout=20,
    )
    machine = made["FunctionArn"].rpartition(":function:")[0] + ":capacity-provider:mayfly"
    asked = {
        "LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": machine,
            "PerExecutionEnvironmentMaxConcurrency": SIZE,
        }
    }
    changed = functions.update_function_configuration(FunctionName=name, CapacityProviderConfig=asked)
    assert changed["CapacityProviderConfig"] == asked
    yield name
    functions.delete_function(FunctionName=name)


def all_at_once(ask: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(SIZE) as pool:
        return list(pool.map(ask, range(SIZE)))


def test_calls_meet_in_one_instance_each_with_its_own_context_log_trace_and_record(
    functions: Any, function: str, client: Callable[..., Any]
) -> None:
    def ask(n: int) -> Any:
        reply = functions.invoke(
            FunctionName=function, Payload=json.dumps({"n": n, "calls": SIZE}).encode(), LogType="Tail"
        )
        return reply["ResponseMetadata"]["RequestId"], json.loads(reply["Payload"].read())

    replies = all_at_once(ask)
    assert [reply["n"] for _, reply in replies] == list(range(SIZE))
    assert len({reply["pid"] for _, reply in replies}) == 1
    assert all(reply["id"] == request_id for request_id, reply in replies)
    assert all(0 < reply["left_ms"] <= 20_000 for _, reply in replies)
    assert len({reply["traced"] for _, reply in replies}) == SIZE
    assert all(reply["traced"].startswith("Root=1-") for _, reply in replies)
    logs = client("logs")
    lines: list[str] = []
    deadline = time.monotonic() + 60
    while sum(line.startswith("REPORT") for line in lines) < SIZE and time.monotonic() < deadline:
        page = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")
        lines = [event["message"] for event in page["events"]]
    assert len({event["logStreamName"] for event in page["events"]}) == 1
    for request_id, reply in replies:
        assert sum(request_id in line for line in lines if line.startswith(("START", "END", "REPORT"))) == 3
        assert any(request_id in line and line.endswith(f"leaves {reply['n']}\n") for line in lines)


def test_a_function_url_runs_requests_at_a_time_too(functions: Any, function: str) -> None:
    grant = {"FunctionName": function, "Principal": "*"}
    functions.add_permission(**grant, StatementId="u", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    functions.add_permission(**grant, StatementId="i", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    url = functions.create_function_url_config(FunctionName=function, AuthType="NONE")["FunctionUrl"]

    def ask(n: int) -> Any:
        with urllib.request.urlopen(f"{url}?n={n}&calls={SIZE}", timeout=60) as reply:
            return json.loads(reply.read())

    replies = all_at_once(ask)
    assert [reply["n"] for reply in replies] == list(range(SIZE))
    assert len({reply["pid"] for reply in replies}) == 1


def test_what_one_call_raises_and_one_that_takes_too_long_touch_no_other(functions: Any, function: str) -> None:
    functions.update_function_configuration(FunctionName=function, Timeout=3)

    def ask(n: int) -> Any:
        event = {"n": n, "calls": SIZE - 2, "do": {0: "raise", 1: "hang"}.get(n)}
        reply = functions.invoke(FunctionName=function, Payload=json.dumps(event).encode(), LogType="Tail")
        return reply.get("FunctionError"), json.loads(reply["Payload"].read())

    replies = all_at_once(ask)
    assert replies[0][0] == "Unhandled"
    assert (replies[0][1]["errorType"], replies[0][1]["errorMessage"]) == ("LookupError", "call 0")
    assert replies[1][0] == "Unhandled"
    assert "Task timed out after 3.00 seconds" in replies[1][1]["errorMessage"]
    assert [error for error, _ in replies[2:]] == [None] * (SIZE - 2)
    before = {reply["pid"] for _, reply in replies[2:]}
    assert len(before) == 1
    again = functions.invoke(FunctionName=function, Payload=json.dumps({"n": 9, "calls": 1}).encode())
    assert json.loads(again["Payload"].read())["pid"] in before
