"""How logs begin: with init, or with a restore; and what is logged of an init that is run ahead. Read with boto3."""

import os
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess
from tests.services.functions.test_templates_over_the_wire import HOOK, THREAD, create, run

pytestmark = pytest.mark.root

HOOKS = """
import snapshot_restore_py as hooks
print("in init")
hooks.register_before_snapshot(print, "before the snapshot")
hooks.register_after_restore(print, "restored")
"""
SNAP_START: dict[str, Any] = {"SnapStart": {"ApplyOn": "PublishedVersions"}}
VERSION = r"Runtime Version: python3\.11\tRuntime Version ARN: arn:aws:lambda:\S+\n"


@pytest.fixture
def functions(client: Callable[..., Any]) -> Any:
    if os.geteuid() != 0:
        pytest.skip("only namespaces have templates")
    return client("lambda", read_timeout=60)


def published(functions: Any, name: str) -> str:
    """The state in which version 1 ends up."""
    functions.publish_version(FunctionName=name)
    deadline = time.monotonic() + 60
    while (state := functions.get_function_configuration(FunctionName=name, Qualifier="1")["State"]) == "Pending":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return str(state)


def streams(platform: PlatformProcess, name: str, count: int) -> list[list[dict[str, Any]]]:
    """The events of each of a function's log streams, which are `count`, the oldest stream first.

    What no call is acknowledged for is written a moment after it happened.
    """
    logs, group = platform.client("logs"), f"/aws/lambda/{name}"
    deadline = time.monotonic() + 60
    while True:
        try:
            found = logs.describe_log_streams(logGroupName=group)["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            found = []
        if len(found) >= count or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    assert len(found) == count
    read = [
        logs.get_log_events(logGroupName=group, logStreamName=one["logStreamName"], startFromHead=True)["events"]
        for one in found
    ]
    return sorted(read, key=lambda events: int(events[0]["timestamp"]))


def messages(events: list[dict[str, Any]]) -> list[str]:
    return [event["message"] for event in events]


def test_a_log_begins_when_init_does(functions: Any, platform: PlatformProcess) -> None:
    name = create(platform, init="import time\nprint('in init')\ntime.sleep(0.2)")
    run(functions, name, "$LATEST")
    ((begin, printed, start, *_),) = streams(platform, name, 1)
    assert re.fullmatch(f"INIT_START {VERSION}", begin["message"])
    assert (printed["message"], start["message"].split()[0]) == ("in init\n", "START")
    assert start["timestamp"] - begin["timestamp"] >= 10, "init takes 200 ms, and is heard of soon after it began"
    functions.delete_function(FunctionName=name)


def test_init_ahead_and_restores_are_logged_as_on_aws(functions: Any, platform: PlatformProcess) -> None:
    name = create(platform, init=HOOKS, **SNAP_START)
    assert published(functions, name) == "Active"
    run(functions, name, "1")
    made, restored = (messages(events) for events in streams(platform, name, 2))
    assert re.fullmatch(f"INIT_START {VERSION}", made[0])
    assert made[1:3] == ["in init\n", "before the snapshot\n"]
    assert re.fullmatch(r"INIT_REPORT Init Duration: \d+\.\d\d ms\n", made[3])
    assert len(made) == 4

    assert re.fullmatch(f"RESTORE_START {VERSION}", restored[0])
    assert restored[1] == "restored\n"
    took = re.fullmatch(r"RESTORE_REPORT Restore Duration: (\d+\.\d\d) ms\n", restored[2])
    assert took is not None
    assert [line.split()[0] for line in restored[3:]] == ["START", "END", "REPORT"]
    assert f"Restore Duration: {took[1]} ms" in restored[5]
    functions.delete_function(FunctionName=name)


def test_an_init_ahead_that_fails_is_logged_with_its_error(functions: Any, platform: PlatformProcess) -> None:
    name = create(platform, init=HOOK.format("before_snapshot"), **SNAP_START)
    assert published(functions, name) == "Failed"
    ((begin, error, report),) = (messages(events) for events in streams(platform, name, 1))
    assert begin.startswith("INIT_START ")
    assert error.startswith("[ERROR] LookupError: no such thing\rTraceback")
    ending = r"Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: error\tError Type: LookupError\n"
    assert re.fullmatch(f"INIT_REPORT {ending}", report)
    functions.delete_function(FunctionName=name)


def test_a_restore_that_fails_is_reported_with_its_error(functions: Any, platform: PlatformProcess) -> None:
    name = create(platform, init=HOOK.format("after_restore"), **SNAP_START)
    assert published(functions, name) == "Active"
    with pytest.raises(ClientError):
        functions.invoke(FunctionName=name, Qualifier="1")
    _, restored = (messages(events) for events in streams(platform, name, 2))
    assert restored[0].startswith("RESTORE_START ")
    ending = r"Restore Duration: \d+\.\d\d ms\tStatus: error\tError Type: LookupError\n"
    assert [line for line in restored if re.fullmatch(f"RESTORE_REPORT {ending}", line)]
    functions.delete_function(FunctionName=name)


def test_an_instance_that_could_not_be_restored_logs_its_init(functions: Any, platform: PlatformProcess) -> None:
    name = create(platform, init=THREAD + "print('in init')", **SNAP_START)
    assert published(functions, name) == "Active"
    run(functions, name, "1")
    made, ran = (messages(events) for events in streams(platform, name, 2))
    assert [line.split()[0] for line in made] == ["INIT_START", "in", "INIT_REPORT"]
    assert [line.split()[0] for line in ran] == ["INIT_START", "in", "START", "END", "REPORT"]
    functions.delete_function(FunctionName=name)
