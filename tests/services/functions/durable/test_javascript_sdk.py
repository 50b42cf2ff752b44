"""The SDK for durable functions that AWS publishes for JavaScript, unchanged, in functions of a running platform."""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import RUNTIMES, PlatformProcess

from ..test_functions_over_the_wire import TRUST
from .over_the_wire import Client, begin, callback_of, eventually, history, logged, run

HERE = Path(__file__).parent
SDK = Path(__file__).parents[3] / "javascript" / "node_modules" / "@aws" / "durable-execution-sdk-js"
pytestmark = pytest.mark.skipif(
    not (SDK.is_dir() and (RUNTIMES / "node_modules").is_dir()) and os.environ.get("CI") != "true",
    reason="`make test` installs the SDK and Node.js",
)


def package() -> bytes:
    """The functions, with the SDK beside them; the AWS SDK is the runtime's."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(HERE / "functions_javascript.mjs", "index.mjs")
        for name in ("package.json", "dist/index.mjs"):
            archive.write(SDK / name, f"node_modules/@aws/durable-execution-sdk-js/{name}")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def function(platform: PlatformProcess) -> Iterator[str]:
    name = f"durable-js-{uuid4().hex[:8]}"
    role = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    client = platform.client("lambda")
    client.create_function(
        FunctionName=name,
        Handler="index.handler",
        Runtime="nodejs22.x",
        Role=role,
        MemorySize=256,
        Timeout=30,
        Code={"ZipFile": package()},
        DurableConfig={"ExecutionTimeout": 120},
    )
    yield name
    client.delete_function(FunctionName=name)


def test_steps_run_once_each_and_their_results_come_back(client: Client, function: str) -> None:
    result, reply = run(client, function, do="steps", last=40)
    assert result == 42, result
    assert history(client, reply["DurableExecutionArn"]).count("StepSucceeded") == 3


def test_a_step_that_fails_is_tried_again_after_its_delay(client: Client, function: str) -> None:
    result, reply = run(client, function, do="flaky")
    assert result == 3, result
    assert history(client, reply["DurableExecutionArn"]).count("StepFailed") == 2


def test_a_wait_suspends_the_function_and_what_is_logged_is_logged_once(client: Client, function: str) -> None:
    mark = uuid4().hex
    result, reply = run(client, function, do="wait", mark=mark)
    assert result == "rested", result
    assert "WaitSucceeded" in history(client, reply["DurableExecutionArn"])
    lines = logged(client, function, mark, "after")
    assert len(lines) == 2, lines


def test_a_callback_is_succeeded_from_outside(client: Client, function: str) -> None:
    arn = begin(client, function, do="approval")
    client("lambda").send_durable_execution_callback_success(CallbackId=callback_of(client, arn), Result=b"yes")
    assert json.loads(eventually(client, arn, "SUCCEEDED", "FAILED")["Result"]) == "yes"


def test_a_callback_is_failed_from_outside(client: Client, function: str) -> None:
    arn = begin(client, function, do="approval")
    client("lambda").send_durable_execution_callback_failure(
        CallbackId=callback_of(client, arn), Error={"ErrorType": "Denied", "ErrorMessage": "not today"}
    )
    found = eventually(client, arn, "SUCCEEDED", "FAILED")
    assert "not today" in json.dumps(found["Error"]), found


def test_a_condition_is_polled_until_it_holds(client: Client, function: str) -> None:
    result, _ = run(client, function, do="poll")
    assert result == 3, result


def test_branches_run_in_parallel(client: Client, function: str) -> None:
    result, _ = run(client, function, do="parallel")
    assert result == ["slow", "quick"], result


def test_a_map_is_as_many_branches_as_there_are_items(client: Client, function: str) -> None:
    result, _ = run(client, function, do="map", values=list(range(12)))
    assert result == [value * value for value in range(12)], result


def test_child_contexts_have_operations_of_their_own(client: Client, function: str) -> None:
    result, _ = run(client, function, do="child")
    assert result == 42, result


def test_a_durable_function_can_be_invoked_from_an_execution(client: Client, function: str) -> None:
    payload = {"do": "steps", "last": 5}
    result, _ = run(client, function, do="invoke", function=f"{function}:$LATEST", payload=payload)
    assert result == 7, result


def test_an_error_outside_of_steps_fails_the_execution(client: Client, function: str) -> None:
    result, reply = run(client, function, do="raise")
    assert reply["FunctionError"] == "Unhandled"
    assert (result["errorType"], result["errorMessage"]) == ("RangeError", "nothing here"), result
