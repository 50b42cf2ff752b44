"""An application's life by the command line: compared, deployed, looked at, watched, exported, destroyed."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from mayfly.cli import watching
from mayfly.cli.stacks import ago
from tests.conftest import PlatformProcess

from .test_commands import mayfly

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Description: A small shop
Parameters:
  Stage: {Type: String, Default: dev}
  Password: {Type: String, Default: geheim, NoEcho: true}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: source
      Handler: app.handler
      Runtime: python3.11
      Environment: {Variables: {STAGE: !Ref Stage}}
      FunctionUrlConfig: {AuthType: NONE}
  Photos: {Type: AWS::S3::Bucket}
  Jobs: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: 5}}
Outputs:
  Url: {Value: !GetAtt HelloUrl.FunctionUrl}
"""
CODE = """import os

def handler(event, context):
    return {"stage": os.environ["STAGE"], "says": "SAYS"}
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app" / "source").mkdir(parents=True)
    (tmp_path / "app" / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "app" / "source" / "app.py").write_text(CODE)
    return tmp_path / "app"


@pytest.fixture
def run(platform: PlatformProcess) -> Run:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return mayfly(*arguments, data=platform.data)

    return run


@contextmanager
def deployed(run: Run, folder: Path, name: str, *options: str) -> Iterator[dict[str, Any]]:
    """The outputs of a stack that is there while inside."""
    template = str(folder / "template.yaml")
    done = run("deploy", template, "--stack-name", name, "--json", *options)
    assert done.returncode == 0, done.stderr
    try:
        yield json.loads(done.stdout)["Outputs"]
    finally:
        run("destroy", name, "--yes", "--empty")


def answer(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as reply:
        return json.load(reply)


def test_a_new_application_is_shown_before_it_is_made_and_leaves_nothing(run: Run, folder: Path) -> None:
    template = str(folder / "template.yaml")
    done = run("diff", template, "--stack-name", "app-unmade", "--exit-code")
    assert done.returncode == 1, done.stderr
    assert "+ Photos  AWS::S3::Bucket" in done.stdout
    assert "+ Hello  AWS::Lambda::Function" in done.stdout
    assert "app-unmade" not in run("stacks").stdout


def test_a_deployment_is_compared_with_what_there_is(run: Run, folder: Path) -> None:
    template = str(folder / "template.yaml")
    with deployed(run, folder, "app-compared", "--parameter", "Stage=test"):
        same = run("diff", template, "--stack-name", "app-compared", "--exit-code")
        assert same.returncode == 0, same.stdout
        assert "nothing to change" in same.stderr
        (folder / "template.yaml").write_text(
            TEMPLATE.replace("DelaySeconds: 5", "DelaySeconds: 6").replace("  Photos: {Type: AWS::S3::Bucket}\n", "")
        )
        differs = run("diff", template, "--stack-name", "app-compared", "--exit-code")
        assert differs.returncode == 1
        assert "~ Jobs  AWS::SQS::Queue" in differs.stdout
        assert "DelaySeconds" in differs.stdout
        assert "- Photos  AWS::S3::Bucket" in differs.stdout
        assert "Hello" not in differs.stdout
        found = json.loads(run("diff", template, "--stack-name", "app-compared", "--json").stdout)
        assert {one["ResourceChange"]["LogicalResourceId"] for one in found} == {"Jobs", "Photos"}


def test_parameters_that_are_not_given_again_keep_their_values(run: Run, folder: Path) -> None:
    with deployed(run, folder, "app-kept", "--parameter", "Stage=test") as outputs:
        (folder / "source" / "app.py").write_text(CODE.replace("SAYS", "more"))
        again = run("deploy", str(folder / "template.yaml"), "--stack-name", "app-kept")
        assert again.returncode == 0, again.stderr
        assert answer(outputs["Url"]) == {"stage": "test", "says": "more"}


def test_a_template_larger_than_a_request_may_be_is_deployed(run: Run, folder: Path) -> None:
    large = {f"Fact{number}": {"Note": "x" * 1000} for number in range(60)}
    (folder / "template.yaml").write_text(TEMPLATE + f"Metadata: {json.dumps(large)}\n")
    with deployed(run, folder, "app-large") as outputs:
        assert outputs["Url"].startswith("http")


def test_stacks_are_listed_and_shown(run: Run, folder: Path) -> None:
    with deployed(run, folder, "app-shown", "--parameter", "Stage=test"):
        listed = run("stacks").stdout
        assert "A small shop" in next(line for line in listed.splitlines() if line.startswith("app-shown "))
        shown = run("stacks", "app-shown").stdout
        assert "create complete" in shown
        assert "Stage=test" in shown
        assert "geheim" not in shown
        assert "AWS::SQS::Queue" in shown
        whole = json.loads(run("stacks", "app-shown", "--json").stdout)
        assert {one["LogicalResourceId"] for one in whole["Resources"]} >= {"Hello", "Jobs", "Photos"}
    assert "app-shown" not in run("stacks").stdout
    assert "app-shown" in run("stacks", "--deleted").stdout
    missing = run("stacks", "app-never")
    assert missing.returncode == 1
    assert "there is no stack app-never" in missing.stderr


def test_open_shows_each_address_once(run: Run, folder: Path) -> None:
    with deployed(run, folder, "app-open") as outputs:
        found = json.loads(run("open", "app-open", "--json").stdout)
        assert found == [{"stack": "app-open", "what": "Url", "url": outputs["Url"]}]
        assert outputs["Url"] in run("open").stdout


def test_the_names_that_apis_have_on_aws_are_told_as_they_are_reached(run: Run, folder: Path) -> None:
    (folder / "template.yaml").write_text(
        """
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): return {'statusCode': 200, 'body': '{}'}"
      Handler: index.handler
      Runtime: python3.11
      Events:
        Rest: {Type: Api, Properties: {Path: /hello, Method: get}}
        Http: {Type: HttpApi, Properties: {Path: /hello, Method: get}}
  Orders:
    Type: AWS::SQS::Queue
  Chat:
    Type: AWS::ApiGatewayV2::Api
    Properties: {Name: chat, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}
  Live:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Chat, StageName: live}
Outputs:
  Url: {Value: !Sub "https://${ServerlessRestApi}.execute-api.${AWS::Region}.amazonaws.com/Prod/hello"}
  Queue: {Value: !Ref Orders}
"""
    )
    with deployed(run, folder, "app-names") as outputs:
        assert ".execute-api.us-east-1.amazonaws.com/Prod/hello" in outputs["Url"]
        found = json.loads(run("open", "app-names", "--json").stdout)
        urls = {(one["what"], one["url"].rpartition("/")[2]) for one in found}
        assert urls >= {("Url", "hello"), ("ServerlessRestApi", "Prod"), ("Chat", "live")}
        assert outputs["Queue"] not in [one["url"] for one in found]  # an address for SDKs, not for browsers
        for one in found:
            if one["what"] in ("Url", "ServerlessHttpApi"):
                assert answer(one["url"].removesuffix("/hello") + "/hello") == {}
        again = run("deploy", str(folder / "template.yaml"), "--stack-name", "app-names")
        assert "from here: http://127.0.0.1:" in again.stdout


def test_what_is_exported_can_be_deployed_again(run: Run, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "taken"
    with deployed(run, folder, "app-exported", "--parameter", "Stage=test"):
        done = run("export", "app-exported", "--out", str(target))
        assert done.returncode == 0, done.stderr
        assert "the values of Password are secret" in done.stderr
        again = run("export", "app-exported", "--out", str(target))
        assert again.returncode == 1
        assert "is there already" in again.stderr
    assert (target / "Hello" / "app.py").read_text() == CODE
    configuration = (target / "samconfig.toml").read_text()
    assert "Stage=" in configuration
    assert "geheim" not in configuration
    with deployed(run, target, "app-imported", "--parameter", "Stage=again") as outputs:
        assert answer(outputs["Url"]) == {"stage": "again", "says": "SAYS"}


def test_a_bucket_that_holds_objects_is_emptied_only_if_that_is_wished(
    run: Run, folder: Path, platform: PlatformProcess
) -> None:
    with deployed(run, folder, "app-full"):
        stack = json.loads(run("stacks", "app-full", "--json").stdout)
        bucket = next(one["PhysicalResourceId"] for one in stack["Resources"] if one["LogicalResourceId"] == "Photos")
        s3 = platform.client("s3")
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for body in (b"1", b"2"):
            s3.put_object(Bucket=bucket, Key="a", Body=body)
        s3.delete_object(Bucket=bucket, Key="a")
        refused = run("destroy", "app-full", "--yes")
        assert refused.returncode == 1
        assert "nothing was deleted" in refused.stderr
        assert "app-full" in run("stacks").stdout
        done = run("destroy", "app-full", "--yes", "--empty")
        assert done.returncode == 0, done.stderr
        assert "3 objects" in done.stderr
    assert "app-full" not in run("stacks").stdout


def test_what_could_not_be_deleted_is_left_where_that_is_wished(
    run: Run, folder: Path, platform: PlatformProcess
) -> None:
    with deployed(run, folder, "app-stuck"):
        early = run("destroy", "app-stuck", "--yes", "--retain", "Photos")
        assert early.returncode == 1
        assert "--retain is for stacks whose deletion failed" in early.stderr
        stack = json.loads(run("stacks", "app-stuck", "--json").stdout)
        bucket = next(one["PhysicalResourceId"] for one in stack["Resources"] if one["LogicalResourceId"] == "Photos")
        platform.client("s3").put_object(Bucket=bucket, Key="a", Body=b"1")
        stacks = platform.client("cloudformation")
        stacks.delete_stack(StackName="app-stuck")
        with pytest.raises(WaiterError):
            stacks.get_waiter("stack_delete_complete").wait(StackName="app-stuck", WaiterConfig={"Delay": 1})
        wrong = run("destroy", "app-stuck", "--yes", "--retain", "Fotos")
        assert wrong.returncode == 1
        assert "app-stuck has no resource Fotos; it has " in wrong.stderr
        done = run("destroy", "app-stuck", "--yes", "--retain", "Photos")
        assert done.returncode == 0, done.stderr
        assert platform.client("s3").get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"
    assert "app-stuck" not in run("stacks").stdout


def test_what_samconfig_names_is_destroyed_by_that_name(
    run: Run, folder: Path, platform: PlatformProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "samconfig.toml").write_text('version = 0.1\n[default.deploy.parameters]\nstack_name = "app-told"\n')
    monkeypatch.chdir(folder)
    done = run("deploy")
    assert done.returncode == 0, done.stderr
    assert "app-told" in run("stacks").stdout
    gone = run("destroy", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert "app-told" not in run("stacks").stdout


def test_destroy_asks_and_takes_no_for_an_answer(run: Run, folder: Path, platform: PlatformProcess) -> None:
    with deployed(run, folder, "app-asked"):
        refused = mayfly("destroy", "app-asked", data=platform.data, stdin="n\n")
        assert refused.returncode == 1
        assert "app-asked" in run("stacks").stdout


def test_watch_deploys_what_is_saved_and_outlives_a_mistake(folder: Path, platform: PlatformProcess, run: Run) -> None:
    command = [sys.executable, "-m", "mayfly", "deploy", str(folder / "template.yaml"), "-n", "app-watched", "--watch"]
    watching = subprocess.Popen(
        [*command, "--data", str(platform.data)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    try:
        seen: list[str] = []
        _read_until(watching, "watching template.yaml", seen)
        (url,) = [one["url"] for one in json.loads(run("open", "app-watched", "--json").stdout)]
        (folder / "source" / "app.py").write_text(CODE.replace("SAYS", "saved"))
        _read_until(watching, "watching template.yaml", seen)
        assert answer(url)["says"] == "saved"
        (folder / "template.yaml").write_text("Resources: [")
        _read_until(watching, "mayfly:", seen)
        _read_until(watching, "watching template.yaml", seen)
        (folder / "template.yaml").write_text(TEMPLATE.replace("small", "smaller"))
        _read_until(watching, "is deployed", seen)
        assert "A smaller shop" in run("stacks", "app-watched").stdout
    finally:
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=30)
        run("destroy", "app-watched", "--yes", "--empty")
    assert watching.returncode == 0


def _read_until(process: "subprocess.Popen[str]", words: str, seen: list[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"it ended without {words!r}: {''.join(seen)}")


def test_all_that_a_deployment_takes_along_is_watched(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "code").mkdir()
    (tmp_path / "api.yaml").write_text("openapi: 3.0.1")
    (tmp_path / "inner" / "template.yaml").write_text(
        "Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: code, Runtime: python3.11}}}"
    )
    (tmp_path / "template.yaml").write_text(
        "Resources:\n"
        "  Inner: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: inner/template.yaml}}\n"
        "  Api: {Type: 'AWS::Serverless::HttpApi', Properties: {DefinitionUri: api.yaml}}\n"
    )
    places, _ = watching._places(tmp_path / "template.yaml")
    found = {path.relative_to(tmp_path.resolve()).as_posix() for path in places}
    assert found == {"template.yaml", "api.yaml", "inner/template.yaml", "inner/code"}


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "just now"), (60, "1 minute ago"), (7200, "2 hours ago"), (200_000, "2 days ago")]
)
def test_times_are_told_in_their_largest_unit(seconds: int, words: str) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    assert ago(now - timedelta(seconds=seconds), now) == words
