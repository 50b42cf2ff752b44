"""The server is killed with SIGKILL in the middle of executions; they go on with what they had."""

import json
import signal
import time
from pathlib import Path

from tests.conftest import PlatformProcess, start_platform

from ..test_functions_over_the_wire import TRUST
from .over_the_wire import begin, callback_of, eventually, history
from .test_python_sdk import package

EXECUTIONS = 6
WORKERS = ("--workers", "1")


def make(platform: PlatformProcess) -> None:
    """The function `f`, and the table that it leaves marks in."""
    role = platform.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    platform.client("lambda").create_function(
        FunctionName="f",
        Handler="app.handler",
        Runtime="python3.11",
        Role=role,
        MemorySize=256,
        Timeout=60,
        Code={"ZipFile": package()},
        DurableConfig={"ExecutionTimeout": 600},
    )
    platform.client("dynamodb").create_table(
        TableName="marks",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def marks(platform: PlatformProcess) -> dict[str, int]:
    items = platform.client("dynamodb").scan(TableName="marks", ConsistentRead=True)["Items"]
    return {item["id"]["S"]: int(item.get("marks", {"N": "0"})["N"]) for item in items}


def wait_for(platform: PlatformProcess, wanted: set[str]) -> None:
    deadline = time.monotonic() + 60
    while not wanted <= marks(platform).keys():
        assert time.monotonic() < deadline, marks(platform)
        time.sleep(0.1)


def test_executions_go_on_where_they_were_when_the_server_was_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    server, platform = start_platform(data, *WORKERS)
    try:
        make(platform)
        keys = [f"k{at}" for at in range(EXECUTIONS)]
        arns = [begin(platform.client, "f", do="held", table="marks", key=key) for key in keys]
        waiting = begin(platform.client, "f", do="waiting", seconds=4)
        approval = begin(platform.client, "f", do="approval", timeout=300)
        callback = callback_of(platform.client, approval)
        wait_for(platform, {f"{key}-second" for key in keys})
        server.send_signal(signal.SIGKILL)
        server.wait()
        server, platform = start_platform(data, *WORKERS)
        for key in keys:
            platform.client("dynamodb").put_item(TableName="marks", Item={"id": {"S": f"{key}-go"}})
        platform.client("lambda").send_durable_execution_callback_success(CallbackId=callback, Result=b'"yes"')
        for arn in (*arns, waiting, approval):
            assert eventually(platform.client, arn, "SUCCEEDED", "FAILED", "TIMED_OUT")["Status"] == "SUCCEEDED"
        found = marks(platform)
        for key in keys:  # what was checkpointed is not done again; what was under way is
            assert (found[f"{key}-first"], found[f"{key}-third"]) == (1, 1)
            assert found[f"{key}-second"] >= 2
        assert history(platform.client, arns[0]).count("ExecutionSucceeded") == 1
        # A front hands calls of durable functions to the core: the same answer, with the ARN of the execution.
        reply = platform.client("lambda").invoke(
            FunctionName="f:$LATEST", Payload=b'{"do": "three_steps"}', DurableExecutionName="by-a-front"
        )
        assert reply["Payload"].read() == b"10"
        assert "/durable-execution/by-a-front/" in reply["DurableExecutionArn"]
        server.terminate()
        assert server.wait(60) == 0
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
