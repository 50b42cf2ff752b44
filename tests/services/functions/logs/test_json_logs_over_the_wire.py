"""Functions that log JSON, on a running platform, as boto3 reads their logs and the tails of their calls."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import RUNTIMES, PlatformProcess
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import TRUST
from tests.services.functions.test_programs_over_the_wire import package

PYTHON = """
import json, logging
log = logging.getLogger("mine")

def handler(event, context):
    print("printed")
    log.info("hello", extra={"order": 7})
    log.warning({"an": "object"})
    print(json.dumps({"level": "DEBUG", "timestamp": "2026-01-31T00:00:00Z", "message": "of a library"}))
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("caught")
    if event.get("raise"):
        raise KeyError("thing")
"""
NODE = """
exports.handler = async (event) => {
  console.debug('too quiet');
  console.log('hello %s', 'world');
  console.warn({ an: 'object' });
  console.error('caught', new RangeError('far'));
  if (event.throw) throw new TypeError('thing');
};
"""
LOGGING = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}


@pytest.fixture
def functions(client: Callable[..., Any]) -> Any:
    return client("lambda", read_timeout=60)


@pytest.fixture
def make(platform: PlatformProcess, functions: Any) -> Iterator[Callable[..., str]]:
    """Makes functions that go with the test."""
    iam, names = platform.client("iam"), list[str]()
    role = iam.create_role(RoleName=f"logs-{uuid4().hex[:8]}", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]

    def create(files: dict[str, str] | None = None, **params: Any) -> str:
        name = f"logs-{uuid4().hex[:12]}"
        usual = {"Runtime": "python3.11", "Handler": "app.handler", "Role": role["Arn"], "LoggingConfig": LOGGING}
        functions.create_function(
            **{"FunctionName": name, "Code": {"ZipFile": zipped(files)}, "Timeout": 20, **usual, **params}
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=name)
        names.append(name)
        return name

    yield create
    for name in names:
        functions.delete_function(FunctionName=name)
    iam.delete_role(RoleName=role["RoleName"])


def tail(functions: Any, name: str, event: dict[str, Any]) -> tuple[list[Any], str]:
    """The log of one call, lines that are JSON parsed; and the id of its request."""
    reply = functions.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
    lines = base64.b64decode(reply["LogResult"]).decode().splitlines()
    return [json.loads(line) if line.startswith("{") else line for line in lines], reply["ResponseMetadata"][
        "RequestId"
    ]


def test_records_of_python_and_of_the_platform_are_objects_and_what_is_printed_stays_as_it_is(
    functions: Any, make: Callable[..., str]
) -> None:
    (start, printed, hello, warning, caught, report), request_id = tail(functions, make({"app.py": PYTHON}), {})[0:2]
    assert (start["type"], report["type"]) == ("platform.start", "platform.report")
    assert start["record"] == {"requestId": request_id, "version": "$LATEST"}
    assert report["record"]["metrics"]["initDurationMs"] >= 0
    assert printed == "printed"
    assert {**hello, "timestamp": ""} == {
        "timestamp": "",
        "level": "INFO",
        "message": "hello",
        "logger": "mine",
        "requestId": request_id,
        "order": 7,
    }
    assert (warning["level"], warning["message"]) == ("WARNING", {"an": "object"})
    assert (caught["message"], caught["errorType"], caught["errorMessage"]) == (
        "caught",
        "ZeroDivisionError",
        "division by zero",
    )
    assert caught["location"].startswith("/")
    assert caught["location"].rsplit(":", 2)[1] == "handler"
    assert any("1 / 0" in entry for entry in caught["stackTrace"])


def test_an_exception_that_nobody_catches_is_one_object(functions: Any, make: Callable[..., str]) -> None:
    lines, request_id = tail(functions, make({"app.py": PYTHON}), {"raise": True})
    error, done, report = lines[-3:]
    assert done["type"] == "platform.runtimeDone"
    assert (error["level"], error["errorType"], error["errorMessage"]) == ("ERROR", "KeyError", "'thing'")
    assert error["requestId"] == request_id
    assert error["timestamp"].endswith("Z")
    assert (report["record"]["status"], report["record"]["errorType"]) == ("error", "KeyError")


@pytest.mark.skipif(not RUNTIMES.is_dir(), reason="`make test` installs Node.js for functions")
def test_what_node_writes_to_its_console_is_objects(functions: Any, make: Callable[..., str]) -> None:
    name = make({"app.cjs": NODE}, Runtime="nodejs22.x")
    lines, request_id = tail(functions, name, {"throw": True})
    hello, warning, caught, thrown, _, report = lines[-6:]
    assert (hello["level"], hello["message"], hello["requestId"]) == ("INFO", "hello world", request_id)
    assert (warning["level"], warning["message"]) == ("WARN", {"an": "object"})
    assert (caught["level"], caught["errorType"], caught["errorMessage"]) == ("ERROR", "RangeError", "far")
    assert (thrown["level"], thrown["message"]["errorType"]) == ("ERROR", "TypeError")
    assert report["record"]["status"] == "error"
    assert "too quiet" not in json.dumps(lines)


def test_a_program_is_told_and_its_lines_are_kept_by_their_level(functions: Any, make: Callable[..., str]) -> None:
    script = """#!/bin/sh
at="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while :; do
  curl -sS -D /tmp/head -o /tmp/event "$at/next"
  id=$(tr -d '\\r' < /tmp/head | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p')
  echo '{"level":"warn","timestamp":"2026-01-31T00:00:00Z","message":"quiet"}'
  echo '{"level":"error","timestamp":"2026-01-31T00:00:00Z","message":"loud"}'
  curl -sS -o /tmp/out -d "\\"$AWS_LAMBDA_LOG_FORMAT $AWS_LAMBDA_LOG_LEVEL\\"" "$at/$id/response"
done
"""
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "ERROR", "SystemLogLevel": "WARN"}
    code = {"ZipFile": package(script)}
    name = make(Code=code, Runtime="provided.al2023", Handler="any", LoggingConfig=logging)
    reply = functions.invoke(FunctionName=name, LogType="Tail")
    assert json.load(reply["Payload"]) == "JSON ERROR"
    (line,) = base64.b64decode(reply["LogResult"]).decode().splitlines()
    assert json.loads(line)["message"] == "loud"


def test_functions_share_a_group_in_streams_of_their_own(
    platform: PlatformProcess, functions: Any, make: Callable[..., str]
) -> None:
    group = f"shared/{uuid4().hex[:8]}"
    names = [make({"app.py": PYTHON}, LoggingConfig={**LOGGING, "LogGroup": group}) for _ in range(2)]
    for name in names:
        functions.invoke(FunctionName=name, Payload=b"{}")
    logs, deadline = platform.client("logs"), time.monotonic() + 60
    found: list[str] = []
    while len(found) < 2 and time.monotonic() < deadline:
        listed = logs.describe_log_streams(logGroupName=group)["logStreams"]
        found = [stream["logStreamName"] for stream in listed]
    assert sorted(stream.split("/")[3].partition("[$LATEST]")[0] for stream in found) == sorted(names)
