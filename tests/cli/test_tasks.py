"""`mayfly tasks` against a running platform."""

import json
from pathlib import Path

from tests.cli.test_commands import mayfly
from tests.conftest import PlatformProcess
from tests.services.functions.tasks.test_tasks_over_the_wire import create


def tasks(platform: PlatformProcess, *arguments: str, code: int = 0) -> str:
    """What `mayfly tasks` prints."""
    ended = mayfly("tasks", *arguments, data=platform.data)
    assert ended.returncode == code, ended.stderr
    return ended.stdout


def test_a_batch_is_submitted_watched_listed_shown_and_run_again(platform: PlatformProcess, tmp_path: Path) -> None:
    name = create(platform)
    platform.client("lambda").put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    file = tmp_path / "tasks.ndjson"
    file.write_text('{"payload": {"n": 1}, "priority": 7}\n{"payload": {"fail": true}, "tenant": "acme"}\n')
    made = tasks(platform, "submit", str(file), "--function", name, "--deadline", "1h", "--watch", code=1)
    batch = made.splitlines()[0]
    assert tasks(platform, "watch", batch, code=1) == ""
    assert tasks(platform, "watch", "no-such-batch", code=1) == ""
    listed = json.loads(tasks(platform, "ls", "--batch", batch, "--json"))
    assert sorted((task["state"], task["priority"]) for task in listed) == [("failed", 0), ("succeeded", 7)]
    assert all(task["deadline"] > task["acceptedAt"] + 3599 for task in listed)
    wanted = ("--function", name, "--state", "failed", "--tenant", "acme", "--since", "1h")
    failed = next(task["id"] for task in listed if task["state"] == "failed")
    piped = mayfly("tasks", "ls", *wanted, data=platform.data, columns=40).stdout.splitlines()
    assert [line.split()[0] for line in piped] == ["Task", failed], "no id is broken in two"
    assert "RetriesExhausted" in piped[1]
    assert "Priority" not in piped[0], "nothing had one"
    assert "as asked" in json.loads(tasks(platform, "show", failed))["failedAttempts"][0]["error"]
    tasks(platform, "redrive", "--function", name)
    tasks(platform, "watch", "--function", name, code=1)
    assert len(json.loads(tasks(platform, "show", failed))["failedAttempts"]) == 2
    tasks(platform, "stop", failed, code=1)
    tasks(platform, "stop", "--batch", batch)


def test_shares_are_set_and_shown(platform: PlatformProcess) -> None:
    assert json.loads(tasks(platform, "share", "acme/eu", "2.5", "--json"))["acme/eu"] == 2.5
    assert "acme/eu  2.5" in tasks(platform, "share")
    assert "acme/eu" not in tasks(platform, "share", "acme/eu", "1")


def test_what_cannot_be_is_said_in_a_line(platform: PlatformProcess, tmp_path: Path) -> None:
    file = tmp_path / "tasks"
    file.write_text('{"priority": 1000}\n')
    tasks(platform, "submit", str(file), "--function", "nope", code=1)
    tasks(platform, "stop", code=1)
    tasks(platform, "show", "nope", code=1)


def test_a_function_that_does_not_exist_is_no_function_without_tasks(platform: PlatformProcess) -> None:
    name = create(platform)
    assert tasks(platform, "ls", "--function", name) == "there are none\n"
    for command in ("ls", "stop", "redrive", "watch"):
        ended = mayfly("tasks", command, "--function", "nope", data=platform.data)
        assert (ended.returncode, ended.stdout) == (1, ""), command
        assert "nope" in ended.stderr, command
        assert "ot found" in ended.stderr, command
