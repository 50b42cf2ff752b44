"""`mayfly dev` as somebody uses it who works on an application."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from mayfly.cli.dev_stack import at_once
from tests.conftest import PlatformProcess

RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Speaker:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: {name}
      Runtime: {runtime}
      Handler: app.handler
      CodeUri: src
      Timeout: {timeout}
      FunctionUrlConfig: {{AuthType: NONE}}
"""
PATIENCE_S = 60.0


def says(text: str) -> str:
    return f"def handler(event, context):\n    print('spoken', {text!r})\n    return {text!r}\n"


@dataclass
class Running:
    process: "subprocess.Popen[str]"
    lines: "queue.Queue[str]"
    reader: threading.Thread

    def until(self, wanted: str) -> str:
        """Everything printed up to the line that has this."""
        text = ""
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE_S)
            except queue.Empty:
                line = ""
            text += line
            if wanted in line:
                return text
            if not line:
                raise AssertionError(f"{wanted!r} was not printed:\n{text}")

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        text = ""
        while line := self.lines.get(timeout=PATIENCE_S):
            text += line
        assert self.process.wait(PATIENCE_S) == 0, text
        return text


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    begun: list[Running] = []

    def read(stream: IO[str], into: "queue.Queue[str]") -> None:
        for line in stream:
            into.put(line)
        into.put("")

    def start(*arguments: str) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-m", "mayfly", "dev", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "HOME": str(tmp_path / "home")},
            cwd=tmp_path,
        )
        assert process.stdout is not None
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=read, args=(process.stdout, lines))
        reader.start()
        begun.append(Running(process, lines, reader))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        one.reader.join()
        assert one.process.stdout is not None
        one.process.stdout.close()


@pytest.fixture
def application(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(says("first"))
    write_template(tmp_path)
    return tmp_path


def write_template(folder: Path, timeout: int = 5) -> None:
    name = f"speaker-{folder.name.replace('_', '-')[:40]}"
    (folder / "template.yaml").write_text(TEMPLATE.format(name=name, runtime=RUNTIME, timeout=timeout))


def name_of(application: Path) -> str:
    return f"speaker-{application.name.replace('_', '-')[:40]}"


def call(platform: PlatformProcess, name: str) -> Any:
    return json.load(platform.client("lambda").invoke(FunctionName=name)["Payload"])


def test_what_is_saved_runs_with_the_next_call_and_stays_deployed_at_the_end(
    platform: PlatformProcess, application: Path, start: Callable[..., Running]
) -> None:
    name = name_of(application)
    running = start(str(application), "--data", str(platform.data))
    introduced = running.until("watching 1 folder")
    assert "Speaker" in introduced
    assert f"{platform.url}/_mayfly/url/" in introduced
    assert call(platform, name) == "first"
    running.until("spoken first")

    (application / "src" / "app.py").write_text(says("second"))
    running.until("app.py swapped in")
    assert call(platform, name) == "second"
    running.until("spoken second")
    functions = platform.client("lambda")
    assert functions.get_function_configuration(FunctionName=name)["Timeout"] == 5

    (application / "src" / "app.py").write_text("def handler(event, context):\n    raise ValueError('as asked')\n")
    running.until("app.py swapped in")
    assert call(platform, name)["errorMessage"] == "as asked"
    told = running.until(">    2 |     raise ValueError('as asked')")
    assert "ValueError: as asked" in told
    assert "src/app.py:2 in handler" in told
    assert "/var/task" not in told

    (application / "src" / "app.py").write_text("def handler(:\n")
    told = running.until(">    1 | def handler(:")
    assert "SyntaxError" in told

    (application / "src" / "app.py").write_text(says("third"))
    running.until("app.py swapped in")
    write_template(application, timeout=7)
    running.until("is deployed")
    assert functions.get_function_configuration(FunctionName=name)["Timeout"] == 7
    assert call(platform, name) == "third"

    (application / "src" / "app.py").write_text(says("fourth"))
    running.until("app.py swapped in")
    before = functions.get_function_configuration(FunctionName=name)["CodeSha256"]
    assert "is deployed" in running.stop()
    assert functions.get_function_configuration(FunctionName=name)["CodeSha256"] != before
    assert call(platform, name) == "fourth"


def test_a_template_that_is_broken_is_told_and_mended(
    platform: PlatformProcess, application: Path, start: Callable[..., Running]
) -> None:
    running = start(str(application), "--data", str(platform.data))
    running.until("watching 1 folder")
    (application / "template.yaml").write_text("Resources: [")
    running.until("template.yaml changed")
    write_template(application, timeout=8)
    running.until("is deployed")
    assert platform.client("lambda").get_function_configuration(FunctionName=name_of(application))["Timeout"] == 8
    running.stop()


def test_an_alias_that_deployments_move_leads_to_what_is_worked_on_and_back_to_a_version(
    platform: PlatformProcess, application: Path, start: Callable[..., Running]
) -> None:
    name, functions = name_of(application), platform.client("lambda")
    more = "      AutoPublishAlias: live\n      DeploymentPreference: {Type: Canary10Percent30Minutes}\n"
    (application / "template.yaml").write_text((application / "template.yaml").read_text().rstrip() + f"\n{more}")
    running = start(str(application), "--data", str(platform.data))
    running.until("watching 1 folder")
    (application / "src" / "app.py").write_text(says("second"))
    running.until("app.py swapped in")
    assert call(platform, f"{name}:live") == "second"
    running.stop()
    alias = functions.get_alias(FunctionName=name, Name="live")
    assert alias["FunctionVersion"] == "2"
    assert not alias.get("RoutingConfig", {}).get("AdditionalVersionWeights")
    assert call(platform, f"{name}:live") == "second"


def test_steps_of_a_deployment_are_taken_at_once_and_nothing_else_is_changed() -> None:
    preference = {"Type": "Canary10Percent5Minutes", "Alarms": ["A"]}
    body = {
        "Globals": {"Function": {"Timeout": 3, "DeploymentPreference": preference}, "Api": {"Cors": "*"}},
        "Resources": {
            "F": {"Type": "AWS::Serverless::Function", "Properties": {"DeploymentPreference": preference}},
            "G": {"Type": "AWS::Serverless::Function"},
        },
    }
    made = at_once(body)
    now = {"Type": "AllAtOnce", "Alarms": ["A"]}
    assert made["Globals"] == {"Function": {"Timeout": 3, "DeploymentPreference": now}, "Api": {"Cors": "*"}}
    assert made["Resources"]["F"]["Properties"] == {"DeploymentPreference": now}
    assert made["Resources"]["G"] == body["Resources"]["G"]
    assert at_once({"Resources": {}}) == {"Resources": {}}


def test_without_a_template_it_says_where_it_looked(tmp_path: Path, start: Callable[..., Running]) -> None:
    running = start(str(tmp_path))
    assert "looked for template.yaml" in running.until("there is no template")
    assert running.process.wait(PATIENCE_S) == 1


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="a server of its own isolates functions")
def test_where_no_platform_runs_one_is_started_and_goes_with_it(
    application: Path, start: Callable[..., Running]
) -> None:
    running = start(str(application))
    told = running.until("started Mayfly at")
    assert "a directory that goes with it" in told
    running.until("watching 1 folder")
    running.stop()
