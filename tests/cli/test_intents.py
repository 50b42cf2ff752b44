"""What a configuration file of SAM's says of builds and deployments, and what comes of it."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mayfly.cli.intents import Intent, intended, name_of, sources_of, template_of
from mayfly.cli.sam_pairs import SamConfigError
from mayfly.cli.samconfig import USUAL
from mayfly.cli.sources import Sources
from mayfly.cli.templates import local_code
from tests.cli.packages import Build, names, wheel
from tests.conftest import PlatformProcess

FUNCTION = "  {name}:\n    Type: AWS::Serverless::Function\n    Properties: {{Handler: app.handler, {more}}}\n"
INLINE = "InlineCode: 'def handler(event, context): return 1', Runtime: python3.11"


def configured(folder: Path, text: str) -> Path:
    """A template, with a configuration file beside it."""
    (folder / "samconfig.toml").write_text(f"version = 0.1\n{text}")
    (folder / "template.yaml").write_text("Resources: {}")
    return folder / "template.yaml"


def template(folder: Path, *functions: str, head: str = "") -> Path:
    (folder / "template.yaml").write_text(
        f"Transform: AWS::Serverless-2016-10-31\n{head}Resources:\n{''.join(functions)}"
    )
    return folder / "template.yaml"


def test_what_is_said_of_a_deployment_is_what_is_meant(tmp_path: Path) -> None:
    place = configured(
        tmp_path,
        '[default.deploy.parameters]\nstack_name = "shop"\nparameter_overrides = {Stage = "a b", Size = 1}\n'
        'role_arn = "arn:aws:iam::1:role/r"\nnotification_arns = "arn:aws:sns:a, arn:aws:sns:b"\n'
        'on_failure = "DELETE"\nfail_on_empty_changeset = true\nregion = "eu-west-1"\nconfirm_changeset = true\n',
    )
    meant = intended(place, overrides=["Size=2 More=3"], parameter=["More=4"], tags=["team=web"])
    assert (meant.name, meant.on_failure, meant.insists) == ("shop", "DELETE", True)
    assert meant.values == {"Stage": "a b", "Size": "2", "More": "4"}
    assert meant.tags == {"team": "web"}
    topics = ["arn:aws:sns:a", "arn:aws:sns:b"]
    assert meant.settings == {"RoleARN": "arn:aws:iam::1:role/r", "NotificationARNs": topics}
    assert intended(place, stack_name="other").name == "other"


def test_nothing_said_is_the_usual_deployment(tmp_path: Path) -> None:
    place = configured(tmp_path, "")
    assert intended(place) == Intent(place, tmp_path.name.replace("_", "-"), sources=Sources(root=tmp_path))


def test_a_session_of_development_has_what_is_said_of_sync_first(tmp_path: Path) -> None:
    place = configured(
        tmp_path,
        '[default.deploy.parameters]\nstack_name = "shop"\nparameter_overrides = "Stage=prod"\n'
        '[default.sync.parameters]\nstack_name = "shop-dev"\nbase_dir = "sources"\n'
        '[default.delete.parameters]\nstack_name = "shop-gone"\n',
    )
    assert intended(place).name == "shop"
    meant = intended(place, syncs=True)
    assert (meant.name, meant.values, meant.sources.base) == ("shop-dev", {"Stage": "prod"}, Path("sources").absolute())
    assert name_of(place) == "shop-gone"


@pytest.mark.parametrize(
    ("command", "told", "reason"),
    [
        ("deploy", 'signing_profiles = "Hello=p"', r"signing_profiles of .* cannot be had here: .*AWS Signer"),
        ("deploy", "no_execute_changeset = true", "no_execute_changeset of .* `mayfly diff`"),
        ("deploy", 'on_failure = "PANIC"', "on_failure of .* one of ROLLBACK, DELETE, DO_NOTHING, not 'PANIC'"),
        ("deploy", 'on_failure = "DELETE"\ndisable_rollback = true', "not both"),
        ("build", 'hook_name = "terraform"', "hook_name of .* not projects of Terraform"),
        ("build", 'container_env_var = ["PIP_INDEX_URL=http://x"]', "container_env_var of .* without containers"),
    ],
)
def test_what_cannot_be_had_is_refused_by_its_name(tmp_path: Path, command: str, told: str, reason: str) -> None:
    place = configured(tmp_path, f"[default.{command}.parameters]\n{told}\n")
    with pytest.raises(SamConfigError, match=reason):
        intended(place)


def test_what_is_refused_may_be_switched_off(tmp_path: Path) -> None:
    place = configured(tmp_path, "[default.deploy.parameters]\nno_execute_changeset = false\nsigning_profiles = ''\n")
    assert intended(place).on_failure == "ROLLBACK"


def test_the_file_may_name_the_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert template_of(None, USUAL, "deploy") == Path("template.yaml")
    configured(tmp_path, '[default.deploy.parameters]\ntemplate_file = "shop.yaml"\n')
    with pytest.raises(SamConfigError, match=r"there is no .*shop.yaml, the template_file of .*samconfig.toml"):
        template_of(None, USUAL, "deploy")
    (tmp_path / "shop.yaml").touch()
    assert template_of(None, USUAL, "deploy") == tmp_path / "shop.yaml"
    assert template_of(None, USUAL, "build") == Path("template.yaml")
    assert template_of(Path("template.yaml"), USUAL, "deploy") == Path("template.yaml")


def test_what_was_built_is_not_built_by_the_file_again(tmp_path: Path) -> None:
    configured(tmp_path, '[default.build.parameters]\nhook_name = "terraform"\nbase_dir = ".."\n')
    assert sources_of(tmp_path / ".aws-sam/build/template.yaml", USUAL, {}) == Sources()


def test_code_counts_from_the_base_and_nested_templates_from_as_far_below_it(tmp_path: Path) -> None:
    place = template(tmp_path, FUNCTION.format(name="Hello", more="CodeUri: code, Runtime: python3.11"))
    body = {"Resources": {"Hello": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "code"}}}}
    sources = Sources(tmp_path / "elsewhere", place.parent)
    (outer,) = local_code(body, tmp_path, sources)
    (inner,) = local_code(body, tmp_path / "nested" / "deep", sources)
    assert outer.path == tmp_path / "elsewhere" / "code"
    assert inner.path == tmp_path / "elsewhere" / "nested" / "deep" / "code"


@pytest.mark.parametrize(
    ("runtime", "expected"),
    [
        ({"Ref": "Python"}, "python3.12"),
        ({"Ref": "Other"}, "python3.13"),
        ({"Fn::Sub": "python${Version}"}, "python3.10"),
        ({"Fn::FindInMap": ["Runtimes", {"Ref": "Stage"}, "Name"]}, "python3.11"),
        ({"Ref": "AWS::Region"}, "{'Ref': 'AWS::Region'}"),
    ],
)
def test_a_runtime_may_be_told_by_parameters(tmp_path: Path, runtime: Any, expected: str) -> None:
    body = {
        "Parameters": {
            "Python": {"Type": "String", "Default": "python3.12"},
            "Other": {"Type": "String"},
            "Version": {"Type": "String", "Default": "3.9"},
            "Stage": {"Type": "String", "Default": "test"},
        },
        "Mappings": {"Runtimes": {"test": {"Name": "python3.11"}}},
        "Globals": {"Function": {"Runtime": runtime}},
        "Resources": {"Hello": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "code"}}},
    }
    (code,) = local_code(body, tmp_path, Sources(values={"Other": "python3.13", "Version": "3.10"}))
    assert code.wanted.runtime == expected


def test_a_build_is_what_the_file_says(tmp_path: Path, build: Build) -> None:
    folder = tmp_path / "application"
    (folder / "sources" / "code").mkdir(parents=True)
    (folder / "sources" / "code" / "app.py").write_text("import greeting\n")
    wheel(tmp_path / "wheels", "parting", "2.0", {"parting/__init__.py": "WORD = 'bye'\n"})
    (folder / "sources" / "code" / "requirements.txt").write_text("parting==2.0\n")
    (folder / "needs.txt").write_text("greeting==1.0\n")
    template(
        folder,
        FUNCTION.format(name="Hello", more="CodeUri: code, Runtime: !Ref Python"),
        FUNCTION.format(name="Large", more="CodeUri: code, Runtime: python3.12"),
        head="Parameters: {Python: {Type: String}}\n",
    )
    (folder / "samconfig.yaml").write_text(
        "version: 0.1\ndefault:\n  build:\n    parameters:\n      cached: true\n      use_container: true\n"
        "      base_dir: sources\n      manifest: needs.txt\n      build_dir: out\n      exclude: [Large]\n"
        "      parameter_overrides: Python=python3.12\n"
        "usual:\n  build:\n    parameters: {base_dir: sources}\n"
    )
    done = build("--json")
    assert done.returncode == 0, done.stderr
    (made,) = json.loads(done.stdout)["packages"]
    assert Path(made["path"]) == folder / "out" / "Hello.zip"
    held = names(folder / "out" / "Hello.zip")
    assert "greeting/__init__.py" in held
    assert "parting/__init__.py" not in held
    assert "CodeUri: ../sources/code" in (folder / "out" / "template.yaml").read_text()
    other = build("--config-env", "usual", "--parameter-overrides", "Python=python3.12")
    assert other.returncode == 0, other.stderr
    with zipfile.ZipFile(folder / ".mayfly" / "build" / "Large.zip") as archive:
        assert "parting/__init__.py" in archive.namelist()
    missing = build("--config-env", "none")
    assert missing.returncode == 1
    assert "has no environment none; it has default, usual" in missing.stderr


@pytest.fixture
def application(tmp_path: Path, platform: PlatformProcess) -> Iterator[Path]:
    folder = tmp_path / "told"
    folder.mkdir()
    template(
        folder,
        FUNCTION.format(name="Hello", more=INLINE),
        "  Wrong:\n    Type: AWS::SQS::Queue\n    Condition: Fails\n    Properties: {QueueName: 'no name'}\n",
        head="Parameters: {Stage: {Type: String}}\nConditions: {Fails: !Equals [!Ref Stage, bad]}\n",
    )
    yield folder
    for name in ("told-good", "told-bad"):
        platform.client("cloudformation").delete_stack(StackName=name)


def mayfly(folder: Path, platform: PlatformProcess, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mayfly", *arguments, "--data", str(platform.data)]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)


def test_a_deployment_is_what_the_file_says(application: Path, platform: PlatformProcess) -> None:
    topic = platform.client("sns").create_topic(Name="told-of-stacks")["TopicArn"]
    (application / "other.yaml").write_text(
        "version: 0.1\nbad:\n  deploy:\n    parameters:\n      stack_name: told-bad\n      disable_rollback: true\n"
        "      parameter_overrides: [Stage=bad]\n"
        "default:\n  deploy:\n    parameters:\n      stack_name: told-good\n      fail_on_empty_changeset: true\n"
        f"      parameter_overrides: {{Stage: good}}\n      notification_arns: ['{topic}']\n"
    )
    done = mayfly(application, platform, "deploy", "--config-file", "other.yaml")
    assert done.returncode == 0, done.stderr
    stacks = platform.client("cloudformation")
    (made,) = stacks.describe_stacks(StackName="told-good")["Stacks"]
    assert made["NotificationARNs"] == [topic]
    again = mayfly(application, platform, "deploy", "--config-file", "other.yaml")
    assert again.returncode == 1
    assert "fail_on_empty_changeset" in again.stderr
    bad = mayfly(application, platform, "deploy", "--config-file", "other.yaml", "--config-env", "bad")
    assert bad.returncode == 1
    assert stacks.describe_stacks(StackName="told-bad")["Stacks"][0]["StackStatus"] == "CREATE_FAILED"
    gone = mayfly(application, platform, "destroy", "--yes", "--config-file", "other.yaml", "--config-env", "bad")
    assert gone.returncode == 0, gone.stderr
    assert "told-bad" in gone.stderr
    platform.client("sns").delete_topic(TopicArn=topic)
