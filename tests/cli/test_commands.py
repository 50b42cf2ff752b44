"""The command line as a user runs it, against a running platform."""

import io
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from mayfly.cli.environment import write_profile
from mayfly.cli.spans import parse_span
from tests.conftest import PlatformProcess

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ECHO = """
def handler(event, context):
    print("event was", event)
    if event == "fail":
        raise ValueError("as asked")
    return event
"""


def mayfly(
    *arguments: str, data: Path | None, stdin: str = "", columns: int = 120, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command; `data` None: one that is of no platform."""
    where = () if data is None else ("--data", str(data))
    return subprocess.run(
        [sys.executable, "-m", "mayfly", *arguments, *where],
        capture_output=True,
        text=True,
        input=stdin,
        timeout=200,
        env={**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1", **variables},
    )


@pytest.fixture(scope="session")
def echo(platform: PlatformProcess) -> str:
    """The name of a function that returns its event."""
    iam, functions = platform.client("iam"), platform.client("lambda")
    role = iam.create_role(RoleName="commands", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", ECHO)
    functions.create_function(
        FunctionName="cli-echo",
        Runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="cli-echo")
    return "cli-echo"


def test_env_prints_what_aws_tools_read(platform: PlatformProcess) -> None:
    done = mayfly("env", data=platform.data)
    assert done.returncode == 0, done.stderr
    assert f"export AWS_ENDPOINT_URL={platform.url}\n" in done.stdout
    assert f"export AWS_ACCESS_KEY_ID={platform.access_key_id}\n" in done.stdout


def test_a_profile_is_written_beside_other_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    (tmp_path / "config").write_text("[profile other]\nregion = eu-west-1\n")
    variables = {
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "A",
        "AWS_SECRET_ACCESS_KEY": "%S",
    }
    write_profile("mayfly", variables)
    config = (tmp_path / "config").read_text()
    assert "[profile other]\nregion = eu-west-1" in config
    assert "[profile mayfly]" in config
    assert "aws_secret_access_key = %S" in (tmp_path / "credentials").read_text()
    assert (tmp_path / "credentials").stat().st_mode & 0o777 == 0o600


def test_invoke_prints_the_answer_and_the_log_apart(platform: PlatformProcess, echo: str) -> None:
    done = mayfly("invoke", echo, "--payload", "-", "--tail", data=platform.data, stdin='{"a": [1]}')
    assert (done.returncode, json.loads(done.stdout)) == (0, {"a": [1]})
    assert "event was {'a': [1]}" in done.stderr


def test_invoke_ends_with_status_2_when_the_function_fails(platform: PlatformProcess, echo: str) -> None:
    done = mayfly("invoke", echo, "-p", '"fail"', data=platform.data)
    assert done.returncode == 2
    assert json.loads(done.stdout)["errorMessage"] == "as asked"
    assert "cli-echo failed (Unhandled)" in done.stderr


@pytest.mark.parametrize("payload", ["{", "@/nonexistent"])
def test_a_payload_that_cannot_be_used_is_said_before_anything_is_called(
    platform: PlatformProcess, payload: str
) -> None:
    done = mayfly("invoke", "nobody", "-p", payload, data=platform.data)
    assert done.returncode == 1
    assert "payload" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_call_is_made_on_behalf_of_a_tenant(platform: PlatformProcess, echo: str) -> None:
    done = mayfly("invoke", echo, "--tenant", "blue", data=platform.data)
    assert done.returncode == 1
    assert "not enabled with tenancy configuration" in done.stderr.replace("\n", " ")


def test_an_error_of_the_platform_is_one_line(platform: PlatformProcess) -> None:
    done = mayfly("invoke", "nobody", data=platform.data)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "mayfly: ResourceNotFoundException: Function not found: "
        "arn:aws:lambda:us-east-1:000000000000:function:nobody:$LATEST"
    ) or done.stderr.startswith("mayfly: ResourceNotFoundException: Function not found: arn:aws:lambda:")


def test_logs_follow_what_a_function_writes(platform: PlatformProcess, echo: str) -> None:
    command = [sys.executable, "-m", "mayfly", "logs", "-f", echo, "--json", "--since", "1m"]
    with subprocess.Popen([*command, "--data", str(platform.data)], stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        mayfly("invoke", echo, "-p", '"to be followed"', data=platform.data)
        found = any("to be followed" in json.loads(line)["message"] for line in follower.stdout)
        follower.kill()
    assert found


def test_logs_of_a_function_are_in_the_group_that_it_has(platform: PlatformProcess, echo: str) -> None:
    functions = platform.client("lambda")
    kept = functions.get_function_configuration(FunctionName=echo)["LoggingConfig"]["LogGroup"]
    functions.update_function_configuration(FunctionName=echo, LoggingConfig={"LogGroup": "/shop/shared"})
    functions.get_waiter("function_updated_v2").wait(FunctionName=echo)
    stranger = {"logGroupName": "/shop/shared", "logStreamName": "2026/01/31/another[$LATEST]1"}
    try:
        mayfly("invoke", echo, "-p", '"in a group of its own"', data=platform.data)
        logs = platform.client("logs")
        logs.create_log_stream(**stranger)
        event = {"timestamp": int(time.time() * 1000), "message": "of another function"}
        logs.put_log_events(**stranger, logEvents=[event])
        command = [sys.executable, "-m", "mayfly", "logs", "-f", echo, "--json", "--data", str(platform.data)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
            assert follower.stdout is not None
            lines = []
            for line in follower.stdout:
                lines.append(json.loads(line))
                if "in a group of its own" in lines[-1]["message"]:
                    break
            follower.kill()
        printed = mayfly("logs", echo, data=platform.data).stdout
        assert "in a group of its own" in printed
        assert "of another function" not in printed
        assert "of another function" in mayfly("logs", "/shop/shared", data=platform.data).stdout
    finally:
        functions.update_function_configuration(FunctionName=echo, LoggingConfig={"LogGroup": kept})
        functions.get_waiter("function_updated_v2").wait(FunctionName=echo)


def test_logs_of_nobody_say_so(platform: PlatformProcess) -> None:
    done = mayfly("logs", "nobody", data=platform.data)
    assert done.returncode == 1
    assert "there is no log group /aws/lambda/nobody" in done.stderr


def test_usage_counts_invocations(platform: PlatformProcess, echo: str) -> None:
    def requests() -> int:
        report = json.loads(mayfly("usage", "--json", data=platform.data).stdout)
        return sum(line["requests"] for line in report["functions"] if line["function"].startswith(echo))

    before = requests()
    mayfly("invoke", echo, data=platform.data)
    assert requests() == before + 1
    table = mayfly("usage", data=platform.data).stdout
    assert echo in table
    assert "Prices: AWS Lambda list prices" in table


def test_status_shows_functions_and_their_level(platform: PlatformProcess, echo: str) -> None:
    mayfly("invoke", echo, data=platform.data)
    report = json.loads(mayfly("status", "--json", data=platform.data).stdout)
    (function,) = (one for one in report["functions"] if one["name"] == echo)
    assert report["running"] is True
    assert function["isolation"] == report["server"]["isolation"]
    assert sum(function["instances"].values()) >= 1


def test_status_of_nothing_ends_with_status_3(tmp_path: Path) -> None:
    assert mayfly("status", data=tmp_path).returncode == 3
    assert json.loads(mayfly("status", "--json", data=tmp_path).stdout)["running"] is False


def test_a_second_server_on_the_same_data_says_so(platform: PlatformProcess) -> None:
    done = mayfly("up", "--port", "0", data=platform.data)
    assert done.returncode == 1
    assert f"Mayfly already runs on {platform.data} (process {platform.pid}, {platform.url})" in done.stderr


def test_a_port_in_use_says_so(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = mayfly("up", "--port", str(port), data=tmp_path / "data")
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--account", "12", "account is 12 digits"),
        ("--region", "Mars", "region is a name like us-east-1"),
        ("--isolation", "none", "isolation is namespace, container, gvisor or process, not 'none'"),
    ],
)
def test_a_bad_option_is_named(tmp_path: Path, option: str, value: str, complaint: str) -> None:
    done = mayfly("up", option, value, data=tmp_path / "data")
    assert done.returncode != 0
    assert complaint in done.stderr


def test_down_without_a_server_is_no_failure(tmp_path: Path) -> None:
    done = mayfly("down", data=tmp_path)
    assert (done.returncode, "no Mayfly runs" in done.stderr) == (0, True)


def test_a_detached_server_starts_answers_and_stops(tmp_path: Path) -> None:
    data = tmp_path / "data"
    isolation = "namespace" if os.geteuid() == 0 else "process"
    started = mayfly("up", "--detach", "--port", "0", "--isolation", isolation, data=data)
    try:
        assert started.returncode == 0, started.stderr
        assert "is ready at http://127.0.0.1:" in started.stdout
        assert mayfly("status", data=data).returncode == 0
        assert (data / "root-key.json").stat().st_mode & 0o777 == 0o600
    finally:
        stopped = mayfly("down", data=data)
    assert "stopped Mayfly" in stopped.stderr
    assert mayfly("status", data=data).returncode == 3


def test_every_command_teaches_itself() -> None:
    done = subprocess.run([sys.executable, "-m", "mayfly", "--help"], capture_output=True, text=True, check=True)
    for command in (
        "up",
        "down",
        "status",
        "doctor",
        "env",
        "deploy",
        "diff",
        "destroy",
        "delete",
        "invoke",
        "logs",
        "usage",
        "version",
    ):
        assert f" {command} " in done.stdout
        own = [sys.executable, "-m", "mayfly", command, "--help"]
        assert "Usage: " in subprocess.run(own, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("text", "seconds"), [("30", 30), ("30s", 30), ("1.5m", 90), ("2h", 7200), ("7d", 604_800)])
def test_spans_of_time_are_read(text: str, seconds: float) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-3s", "1y", "1 2"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a span of time"):
        parse_span(text)


def test_names_that_are_almost_right_are_told(platform: PlatformProcess, echo: str, tmp_path: Path) -> None:
    def complaint(*arguments: str) -> str:
        done = mayfly(*arguments, data=platform.data)
        assert done.returncode != 0
        return " ".join(done.stderr.split())

    assert "did you mean deploy" in complaint("deplay")
    for command in (("invoke",), ("function",), ("starts",), ("tasks", "ls", "--function")):
        assert f"did you mean {echo}?" in complaint(*command, "cli-ecoh"), command
    (tmp_path / "template.yaml").write_text("Resources: {Jobs: {Type: AWS::SQS::Queue}}")
    done = mayfly("deploy", str(tmp_path / "template.yaml"), "--stack-name", "almost-right", data=platform.data)
    assert done.returncode == 0, done.stderr
    for name in ("stacks", "open", "export", "destroy"):
        told = complaint(name, "almost-rihgt")
        assert "there is no stack almost-rihgt; did you mean almost-right?" in told, name
    assert mayfly("destroy", "almost-right", "--yes", data=platform.data).returncode == 0


def test_a_folder_without_a_template_is_told_what_to_do(
    platform: PlatformProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there is no template.yaml here; `mayfly init`" in mayfly("deploy", data=platform.data).stderr
    assert (
        f"name the template in it: {tmp_path}/template.yaml" in mayfly("diff", str(tmp_path), data=platform.data).stderr
    )
