"""The SDK for durable functions that AWS publishes for Python, unchanged, in functions of a running platform."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import PlatformProcess

from ..test_functions_over_the_wire import TRUST
from .over_the_wire import Client, begin, callback_of, events, eventually, history, logged, run

SOURCE = Path(__file__).with_name("functions_python.py")


def package() -> bytes:
    """The functions, with the SDK beside them; boto3 is the runtime's."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(SOURCE, "app.py")
        sdk = Path(str(resources.files("aws_durable_execution_sdk_python")))
        for path in sorted(sdk.rglob("*.py")):
            archive.write(path, str(path.relative_to(sdk.parent)))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def functions(platform: PlatformProcess) -> Iterator[str]:
    """A durable function, and one that is not; the name of the former, of the latter with `-plain` behind it."""
    name = f"durable-{uuid4().hex[:8]}"
    role = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    client = platform.client("lambda")
    common = {"Runtime": "python3.11", "Role": role, "MemorySize": 256, "Timeout": 30, "Code": {"ZipFile": package()}}
    client.create_function(FunctionName=name, Handler="app.handler", DurableConfig={"ExecutionTimeout": 120}, **common)
    client.create_function(FunctionName=f"{name}-plain", Handler="app.plain", **common)
    yield name
    client.delete_function(FunctionName=name)
    client.delete_function(FunctionName=f"{name}-plain")


@pytest.fixture(scope="module")
def table(platform: PlatformProcess, functions: str) -> str:
    """Where functions leave marks that outlive their instances; called like the function."""
    platform.client("dynamodb").create_table(
        TableName=functions,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return functions


def test_steps_run_once_each_and_their_results_come_back(client: Client, functions: str) -> None:
    result, reply = run(client, functions, do="three_steps")
    assert result == 10, result
    arn = reply["DurableExecutionArn"]
    assert f":function:{functions}:$LATEST/durable-execution/" in arn
    assert history(client, arn) == [
        "ExecutionStarted",
        *["StepStarted", "StepSucceeded"] * 3,
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


def test_a_step_that_fails_is_tried_again_after_its_delay(client: Client, functions: str, table: str) -> None:
    result, reply = run(client, functions, do="flaky", table=table, key="flaky", until=3)
    assert result == 3, result
    arn = reply["DurableExecutionArn"]
    assert [kind for kind in history(client, arn) if kind.startswith("Step")] == [
        *["StepStarted", "StepFailed"] * 2,
        "StepStarted",
        "StepSucceeded",
    ]


def test_a_step_out_of_attempts_fails_the_execution(client: Client, functions: str, table: str) -> None:
    result, reply = run(client, functions, do="flaky", table=table, key="never", until=99)
    assert reply["FunctionError"] == "Unhandled"
    assert "attempt 3" in result["errorMessage"], result
    assert (
        client("lambda").get_durable_execution(DurableExecutionArn=reply["DurableExecutionArn"])["Status"] == "FAILED"
    )


def test_a_wait_suspends_the_function_and_replay_goes_on_behind_it(client: Client, functions: str) -> None:
    result, reply = run(client, functions, do="waiting", seconds=1)
    assert result == "rested", result
    arn = reply["DurableExecutionArn"]
    assert history(client, arn) == [
        "ExecutionStarted",
        "WaitStarted",
        "InvocationCompleted",
        "WaitSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


def test_a_wait_of_a_year_holds_nothing(client: Client, functions: str) -> None:
    name = f"{functions}-year"
    lambdas = client("lambda")
    role = lambdas.get_function_configuration(FunctionName=functions)["Role"]
    lambdas.create_function(
        FunctionName=name,
        Handler="app.handler",
        Runtime="python3.11",
        Role=role,
        Timeout=30,
        MemorySize=256,
        Code={"ZipFile": package()},
        DurableConfig={"ExecutionTimeout": 31_622_400},
    )
    arn = begin(client, name, do="waiting", seconds=31_536_000)
    deadline = time.monotonic() + 60
    while "InvocationCompleted" not in history(client, arn):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    found = lambdas.get_durable_execution(DurableExecutionArn=arn)
    assert found["Status"] == "RUNNING"
    stopped = lambdas.stop_durable_execution(DurableExecutionArn=arn, Error={"ErrorMessage": "enough"})
    found = lambdas.get_durable_execution(DurableExecutionArn=arn)
    assert (found["Status"], found["Error"]) == ("STOPPED", {"ErrorMessage": "enough"})
    assert found["EndTimestamp"] == stopped["StopTimestamp"]
    lambdas.delete_function(FunctionName=name)


def test_a_callback_is_succeeded_from_outside(client: Client, functions: str) -> None:
    arn = begin(client, functions, do="approval")
    callback = callback_of(client, arn)
    lambdas = client("lambda")
    lambdas.send_durable_execution_callback_heartbeat(CallbackId=callback)
    lambdas.send_durable_execution_callback_success(CallbackId=callback, Result=b'{"approved": true}')
    found = eventually(client, arn, "SUCCEEDED", "FAILED")
    assert json.loads(json.loads(found["Result"])) == {"approved": True}, found
    with pytest.raises(lambdas.exceptions.CallbackTimeoutException):
        lambdas.send_durable_execution_callback_success(CallbackId=callback, Result=b"again")


def test_a_callback_is_failed_from_outside(client: Client, functions: str) -> None:
    arn = begin(client, functions, do="approval")
    client("lambda").send_durable_execution_callback_failure(
        CallbackId=callback_of(client, arn), Error={"ErrorType": "Denied", "ErrorMessage": "not today"}
    )
    found = eventually(client, arn, "SUCCEEDED", "FAILED")
    assert found["Status"] == "FAILED"
    assert "not today" in found["Error"]["ErrorMessage"], found


def test_a_callback_that_nobody_answers_times_out(client: Client, functions: str) -> None:
    arn = begin(client, functions, do="approval", timeout=1)
    found = eventually(client, arn, "SUCCEEDED", "FAILED")
    assert found["Status"] == "FAILED"
    assert "CallbackTimedOut" in history(client, arn)


def test_a_condition_is_polled_until_it_holds(client: Client, functions: str) -> None:
    result, reply = run(client, functions, do="polling")
    assert result == 3, result
    assert reply["DurableExecutionArn"]


def test_branches_run_in_parallel_each_in_a_context_of_its_own(client: Client, functions: str) -> None:
    result, reply = run(client, functions, do="branches")
    assert result == ["slow", "quick"], result
    found = events(client, reply["DurableExecutionArn"])
    contexts = {event["Id"] for event in found if event["EventType"] == "ContextStarted"}
    assert {event["ParentId"] for event in found if event["EventType"] == "StepStarted"} <= contexts


def test_a_map_is_as_many_branches_as_there_are_items(client: Client, functions: str) -> None:
    result, _ = run(client, functions, do="mapping", values=list(range(12)))
    assert result == [value * value for value in range(12)], result


def test_child_contexts_nest(client: Client, functions: str) -> None:
    result, _ = run(client, functions, do="nested")
    assert result == 42, result


def test_a_function_that_is_not_durable_can_be_invoked_from_an_execution(client: Client, functions: str) -> None:
    result, reply = run(client, functions, do="chained", function=f"{functions}-plain", payload={"a": 1})
    assert result == {"got": {"a": 1}}, result
    assert "ChainedInvokeSucceeded" in history(client, reply["DurableExecutionArn"])


def test_what_an_invoked_function_raises_is_raised_by_who_invoked_it(client: Client, functions: str) -> None:
    result, _ = run(client, functions, do="chained", function=f"{functions}-plain", payload={"raise": "no"})
    assert "no" in result["errorMessage"], result


def test_a_durable_function_can_be_invoked_from_an_execution(client: Client, functions: str) -> None:
    result, reply = run(client, functions, do="chained", function=f"{functions}:$LATEST", payload={"do": "three_steps"})
    assert result == 10, result
    happened = events(client, reply["DurableExecutionArn"])
    [child] = [
        event["ChainedInvokeStartedDetails"] for event in happened if event["EventType"] == "ChainedInvokeStarted"
    ]
    found = client("lambda").get_durable_execution(DurableExecutionArn=child["DurableExecutionArn"])
    assert found["Status"] == "SUCCEEDED"


def test_a_function_that_cannot_be_invoked_fails_at_once(client: Client, functions: str) -> None:
    result, _ = run(client, functions, do="chained", function="no-such-function", payload={})
    assert "Function not found" in result["errorMessage"], result


def test_an_error_outside_of_steps_fails_the_execution(client: Client, functions: str) -> None:
    result, reply = run(client, functions, do="raising")
    assert reply["FunctionError"] == "Unhandled"
    assert (result["errorType"], result["errorMessage"]) == ("KeyError", "'nothing here'"), result


def test_an_instance_that_dies_is_replaced_until_it_has_died_too_often(client: Client, functions: str) -> None:
    arn = begin(client, functions, do="crashing")
    found = eventually(client, arn, "SUCCEEDED", "FAILED")
    assert found["Error"]["ErrorType"] == "Runtime.ExitError", found
    kinds = history(client, arn)
    assert kinds.count("InvocationCompleted") == 5
    assert kinds.count("StepStarted") == 1  # replay gave what it had


def test_more_state_than_an_invocation_is_given_comes_in_pages(client: Client, functions: str) -> None:
    result, _ = run(client, functions, do="large", steps=9)
    assert result == 9 * 700_000, result


def test_what_is_logged_is_logged_once_however_often_it_is_replayed(client: Client, functions: str) -> None:
    mark = uuid4().hex
    result, _ = run(client, functions, do="waiting", seconds=1, mark=mark)
    assert result == "rested"
    own = logged(client, functions, mark, "after the wait")
    assert sum("before the wait" in line for line in own) == 1, own
    assert sum("after the wait" in line for line in own) == 1, own
