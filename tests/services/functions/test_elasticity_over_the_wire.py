"""Limits and kept instances with boto3 against a running platform."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from mayfly.cli.connection import connect
from tests.cli.test_commands import mayfly
from tests.conftest import PlatformProcess, start_platform
from tests.services.functions.stage import zipped
from tests.services.functions.test_versions_over_the_wire import create, ready

CODE = """
import os, time
import boto3

s3 = boto3.client("s3")

def handler(event, context):
    if event:
        s3.put_object(Bucket=event["bucket"], Key="arrived/" + context.aws_request_id)
        while "Contents" not in s3.list_objects_v2(Bucket=event["bucket"], Prefix="door"):
            time.sleep(0.01)
    return {"instance": context.log_stream_name, "started": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]}
"""


def until(condition: Callable[[], Any]) -> Any:
    """What `condition` returns once that is true."""
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


class Stay:
    """Calls of CODE that run at the same time, until they are let go."""

    def __init__(self, running: PlatformProcess, name: str) -> None:
        self._name = name
        self._bucket = f"stay-{uuid4().hex[:12]}"
        self._s3 = running.client("s3")
        self._functions = running.client("lambda", read_timeout=60, max_pool_connections=20)
        self._threads = ThreadPoolExecutor(20)
        self._calls: list[Future[Any]] = []
        self._s3.create_bucket(Bucket=self._bucket)

    def call(self, qualifier: str, number: int = 1) -> None:
        """Return once they all run."""
        event = json.dumps({"bucket": self._bucket})
        for _ in range(number):
            arguments = {"FunctionName": self._name, "Qualifier": qualifier, "Payload": event}
            self._calls.append(self._threads.submit(self._functions.invoke, **arguments))
        until(self._all_here)

    def _all_here(self) -> bool:
        for each in self._calls:
            assert not each.done(), each.result()
        found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix="arrived/")
        return int(found["KeyCount"]) == len(self._calls)

    def end(self) -> list[Any]:
        """Let them go; what they answered."""
        self._s3.put_object(Bucket=self._bucket, Key="door")
        answers = [json.loads(each.result(60)["Payload"].read()) for each in self._calls]
        self._threads.shutdown()
        return answers


@pytest.fixture
def function(platform: PlatformProcess) -> Iterator[str]:
    name = create(platform, Code={"ZipFile": zipped({"app.py": CODE})})
    yield name
    platform.client("lambda").delete_function(FunctionName=name)


@pytest.fixture
def functions(platform: PlatformProcess) -> Any:
    return platform.client("lambda", read_timeout=60)


def throttled(functions: Any, name: str, qualifier: str = "$LATEST") -> Any:
    with pytest.raises(ClientError) as refused:
        functions.invoke(FunctionName=name, Qualifier=qualifier)
    answer: Any = refused.value.response
    assert answer["Error"]["Code"] == "TooManyRequestsException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    return answer


def answer(functions: Any, name: str, qualifier: str) -> Any:
    return json.loads(functions.invoke(FunctionName=name, Qualifier=qualifier)["Payload"].read())


def scale(functions: Any, name: str, qualifier: str, **config: int) -> str:
    reply = functions.put_function_scaling_config(FunctionName=name, Qualifier=qualifier, FunctionScalingConfig=config)
    return str(reply["FunctionState"])


def applied(functions: Any, name: str, qualifier: str) -> Any:
    """What applies, once that is what was requested."""

    def both() -> Any:
        found = functions.get_function_scaling_config(FunctionName=name, Qualifier=qualifier)
        same = found["AppliedFunctionScalingConfig"] == found["RequestedFunctionScalingConfig"]
        return found["AppliedFunctionScalingConfig"] if same else None

    return until(both)


def test_a_version_has_between_so_many_and_so_many_instances(
    functions: Any, function: str, platform: PlatformProcess
) -> None:
    bounds = {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 2}
    assert scale(functions, function, "1", **bounds) == "Active"
    assert applied(functions, function, "1") == bounds
    stay = Stay(platform, function)
    stay.call("1", 2)
    refused = throttled(functions, function, "1")
    assert refused["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert "limit of 2 instances" in refused["Error"]["Message"]
    answer(functions, function, "2")
    seen = stay.end()
    assert len({each["instance"] for each in seen}) == 2
    assert sorted(each["started"] for each in seen) == ["on-demand", "provisioned-concurrency"]

    assert scale(functions, function, "1", MaxExecutionEnvironments=0) == "Deactivated"
    with pytest.raises(ClientError, match="Deactivated"):
        functions.invoke(FunctionName=function, Qualifier="1")
    assert scale(functions, function, "1") == "Active"
    assert answer(functions, function, "1")["started"] == "on-demand"


def test_scaling_configurations_survive_the_servers_sudden_death(tmp_path: Path) -> None:
    server, running = start_platform(tmp_path / "data")
    name = create(running, Code={"ZipFile": zipped({"app.py": CODE})})
    scale(running.client("lambda"), name, "1", MinExecutionEnvironments=1, MaxExecutionEnvironments=1)
    os.kill(server.pid, signal.SIGKILL)
    server.wait(60)

    server, running = start_platform(tmp_path / "data")
    try:
        functions = running.client("lambda", read_timeout=60)
        applied(functions, name, "1")
        stay = Stay(running, name)
        stay.call("1")
        throttled(functions, name, "1")
        assert [each["started"] for each in stay.end()] == ["provisioned-concurrency"]
    finally:
        server.terminate()
        assert server.wait(60) == 0


def view(running: PlatformProcess, name: str) -> Any:
    """What `mayfly function` shows."""
    return connect(running.data).get(f"/_mayfly/functions/{name}")


def test_calls_beyond_the_provisioned_instances_spill_over_and_are_counted(
    functions: Any, function: str, platform: PlatformProcess
) -> None:
    functions.put_provisioned_concurrency_config(
        FunctionName=function, Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    ready(functions, function, "1")
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=2)
    scale(functions, function, "2", MaxExecutionEnvironments=7)
    stay = Stay(platform, function)
    stay.call("1", 2)
    refused = throttled(functions, function, "1")
    assert refused["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert sorted(each["started"] for each in stay.end()) == ["on-demand", "provisioned-concurrency"]

    shown = view(platform, function)
    assert shown["calls"] == {
        "provisioned": 1,
        "spilled_over": 1,
        "refused": {"function": 1},
        "waited": 0,
        "waited_ms": 0.0,
        "evicted_instances": 0,
        "yielded_instances": 0,
    }
    assert shown["concurrency"]["scaling"] == [{"version": "2", "least": None, "most": 7, "available": 0}]
    printed = mayfly("function", function, data=platform.data).stdout
    assert "1 on provisioned instances, 1 beyond them; refused: 1 function since the server started" in printed
    assert "2: at most 7 instances" in printed
    for metric in ("ProvisionedConcurrencyInvocations", "ProvisionedConcurrencySpilloverInvocations"):
        statistics = platform.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": function}],
            StartTime=time.time() - 3600,
            EndTime=time.time() + 60,
            Period=3600,
            Statistics=["Sum"],
        )
        assert sum(point["Sum"] for point in statistics["Datapoints"]) == 1


def test_what_is_reserved_and_what_the_account_has_left_add_up(functions: Any, function: str) -> None:
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=300)
    limits = functions.get_account_settings()["AccountLimit"]
    assert limits["ConcurrentExecutions"] == 1000
    left = limits["UnreservedConcurrentExecutions"]
    assert left <= 700
    with pytest.raises(ClientError) as refused:
        functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=300 + left - 100 + 1)
    assert refused.value.response["Error"]["Message"] == (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
        "its minimum value of [100]."
    )
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=300 + left - 100)
    assert functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 100
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    for qualifier in ("$LATEST", "1"):
        refusal = throttled(functions, function, qualifier)
        assert refusal["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        assert refusal["Error"]["Message"] == "Rate Exceeded."
    functions.delete_function_concurrency(FunctionName=function)
    answer(functions, function, "$LATEST")


def in_small(tmp_path: Path, *options: str) -> "tuple[subprocess.Popen[bytes], PlatformProcess, str]":
    """A server with these limits, and a function of 128 MB on it."""
    server, running = start_platform(tmp_path / "data", *options)
    return server, running, create(running, Code={"ZipFile": zipped({"app.py": CODE})})


def test_a_machine_that_is_short_lets_calls_wait_and_then_refuses_them(tmp_path: Path) -> None:
    server, running, name = in_small(tmp_path, "--memory", "256", "--queue-s", "0.5")
    try:
        functions = running.client("lambda", read_timeout=60)
        stay = Stay(running, name)
        stay.call("1", 2)
        refused = throttled(functions, name, "1")
        assert refused["Reason"] == "ConcurrentInvocationLimitExceeded"
        assert "no memory for one more instance; all of it is enough for 2" in refused["Error"]["Message"]
        assert view(running, name)["calls"]["refused"] == {"memory": 1}
        stay.end()
        # Idle instances of one version make room for another.
        answer(functions, name, "2")
        seen = view(running, name)["calls"]
        assert (seen["waited"], seen["evicted_instances"]) == (1, 1)
        assert seen["waited_ms"] > 0
    finally:
        server.terminate()
        assert server.wait(60) == 0


def until_refused(functions: Any, name: str) -> Any:
    """Call as fast as one can; the refusal."""
    for _ in range(200):
        try:
            answer(functions, name, "1")
        except ClientError as error:
            return error.response
    raise AssertionError("all calls were taken")


def test_limits_that_the_server_was_started_with_are_answered_as_on_aws(tmp_path: Path) -> None:
    options = ["--account-concurrency", "3", "--scaling", "2:0.01", "--calls-per-concurrency", "2"]
    server, running, name = in_small(tmp_path, *options)
    try:
        functions = running.client("lambda", read_timeout=60)
        assert functions.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 3
        stay = Stay(running, name)
        stay.call("1", 2)
        growing = throttled(functions, name, "1")
        assert growing["Reason"] == "ConcurrentInvocationLimitExceeded"
        assert 1 <= int(growing["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) <= 100
        stay.end()
        other = create(running, Code={"ZipFile": zipped({"app.py": CODE})})
        both = Stay(running, name), Stay(running, other)
        both[0].call("1", 2)
        both[1].call("1")
        account = throttled(functions, other, "1")
        assert account["Reason"] == "ConcurrentInvocationLimitExceeded"
        for each in both:
            each.end()
        response = until_refused(functions, name)
        assert response["Reason"] == "FunctionInvocationRateLimitExceeded"
        assert response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    finally:
        server.terminate()
        assert server.wait(60) == 0


@pytest.mark.root
def test_a_template_for_which_there_is_no_memory_is_given_up_and_the_function_runs_on(tmp_path: Path) -> None:
    server, running = start_platform(tmp_path / "data", "--memory", "512")
    try:
        package = {
            "app.py": "import heavy\ndef handler(event, context): return len(heavy.TABLE)",
            "heavy/__init__.py": "import time\nTABLE = bytearray(80 << 20)\ntime.sleep(0.05)\n",
            "heavy-1.0.dist-info/RECORD": "heavy/__init__.py,,\n",
        }
        name = create(running, Code={"ZipFile": zipped(package)}, MemorySize=256)
        functions = running.client("lambda", read_timeout=60)
        assert answer(functions, name, "1") == 80 << 20
        dropped = until(
            lambda: [one for one in view(running, name)["versions"] if one["template"]["state"] == "dropped"]
        )
        assert [one["version"] for one in dropped] == ["1"]
        assert "worth more to others" in dropped[0]["template"]["reason"]
        assert answer(functions, name, "1") == 80 << 20
    finally:
        server.terminate()
        assert server.wait(60) == 0
