"""Code that is swapped on a running platform."""

import io
import json
import sys
import time
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner

from mayfly.cli.connection import Connection, RefusedError
from mayfly.cli.function import function as function_command
from mayfly.cli.swapping import Swapper
from tests.conftest import PlatformProcess, start_platform

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"


def says(text: str) -> str:
    return f"import words\ndef handler(event, context):\n    return [{text!r}, words.WORDS]\n"


def zipped(root: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(root.rglob("*.py")):
            archive.write(path, path.relative_to(root))
    return buffer.getvalue()


@pytest.fixture
def connection(platform: PlatformProcess) -> Connection:
    return Connection(
        platform.url, platform.region, platform.account, platform.access_key_id, platform.secret_access_key
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "app.py").write_text(says("first"))
    (source / "words.py").write_text("WORDS = 1\n")
    return source


@pytest.fixture
def function(platform: PlatformProcess, root: Path) -> str:
    return made(platform, root)


def made(platform: PlatformProcess, root: Path) -> str:
    """A function of these files."""
    role = platform.client("iam").create_role(
        RoleName=f"dev-{uuid4().hex[:8]}", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    name = f"dev-{uuid4().hex[:8]}"
    functions = platform.client("lambda")
    functions.create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Handler="app.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": zipped(root)},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return name


def call(platform: PlatformProcess, name: str, **more: Any) -> Any:
    return json.load(platform.client("lambda").invoke(FunctionName=name, Payload=b"{}", **more)["Payload"])


def test_the_next_call_runs_what_was_swapped_in(
    platform: PlatformProcess, connection: Connection, function: str, root: Path
) -> None:
    assert call(platform, function) == ["first", 1]
    swapper = Swapper.begin(connection, function, root)
    (root / "app.py").write_text(says("second"))
    assert swapper.swap([root / "app.py"]) == ["app.py"]
    assert call(platform, function) == ["second", 1]
    (root / "words.py").write_text("import other\nWORDS = other.OTHER\n")
    (root / "other.py").write_text("OTHER = 2\n")
    assert swapper.swap([root / "words.py", root / "other.py"]) == ["other.py", "words.py"]
    assert call(platform, function) == ["second", 2]
    (root / "other.py").unlink()
    assert swapper.swap([root / "other.py"]) == ["other.py"]
    assert "No module named 'other'" in call(platform, function)["errorMessage"]


def test_how_a_function_stands_says_that_it_runs_something_else_than_is_deployed(
    platform: PlatformProcess, connection: Connection, function: str, root: Path
) -> None:
    page, command = f"/_mayfly/functions/{function}", typer.Typer()
    command.command()(function_command)
    assert connection.get(page)["development"] is None
    swapper = Swapper.begin(connection, function, root)
    for text in ("second", "third"):
        (root / "app.py").write_text(says(text))
        swapper.swap([root / "app.py"])
    assert connection.get(page)["development"] == {"swaps": 2, "debugged": False}
    shown = CliRunner().invoke(command, [function, "--data", str(platform.data)])
    assert "$LATEST runs 2 changes of `mayfly dev`, not what is deployed" in " ".join(shown.output.split())
    swapper.end()
    assert connection.get(page)["development"] is None


def test_versions_keep_their_code_and_the_function_its_package(
    platform: PlatformProcess, connection: Connection, function: str, root: Path
) -> None:
    functions = platform.client("lambda")
    before = functions.publish_version(FunctionName=function)
    functions.get_waiter("published_version_active").wait(FunctionName=function, Qualifier="1")
    (root / "app.py").write_text(says("second"))
    Swapper.begin(connection, function, root).swap([root / "app.py"])
    assert call(platform, function) == ["second", 1]
    assert call(platform, function, Qualifier="1") == ["first", 1]
    assert functions.get_function_configuration(FunctionName=function)["CodeSha256"] == before["CodeSha256"]


def test_a_deployment_wins_over_what_was_swapped_in(
    platform: PlatformProcess, connection: Connection, function: str, root: Path
) -> None:
    swapper = Swapper.begin(connection, function, root)
    (root / "app.py").write_text(says("swapped"))
    swapper.swap([root / "app.py"])
    (root / "app.py").write_text(says("deployed"))
    platform.client("lambda").update_function_code(FunctionName=function, ZipFile=zipped(root))
    assert call(platform, function) == ["deployed", 1]
    with pytest.raises(RefusedError) as refused:
        swapper.swap([root / "app.py"])
    assert refused.value.status == 409
    assert call(platform, function) == ["deployed", 1]


def test_code_is_not_swapped_into_a_function_that_takes_verified_code_alone(
    platform: PlatformProcess, connection: Connection, function: str, root: Path
) -> None:
    functions = platform.client("lambda")
    made = functions.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": [f"arn:aws:signer:us-east-1:{'0' * 12}:/signing-profiles/p/1"]},
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
    )
    arn = made["CodeSigningConfig"]["CodeSigningConfigArn"]
    functions.put_function_code_signing_config(FunctionName=function, CodeSigningConfigArn=arn)
    swapper = Swapper.begin(connection, function, root)
    (root / "app.py").write_text(says("swapped"))
    with pytest.raises(RefusedError, match="Lambda cannot deploy the function"):
        swapper.swap([root / "app.py"])
    assert call(platform, function) == ["first", 1]
    functions.delete_function_code_signing_config(FunctionName=function)
    functions.delete_code_signing_config(CodeSigningConfigArn=arn)


def test_at_the_end_it_runs_its_package_again(
    platform: PlatformProcess, connection: Connection, function: str, root: Path
) -> None:
    swapper = Swapper.begin(connection, function, root)
    (root / "app.py").write_text(says("swapped"))
    swapper.swap([root / "app.py"])
    assert call(platform, function) == ["swapped", 1]
    swapper.end()
    assert call(platform, function) == ["first", 1]
    swapper.end()


def test_a_configuration_that_changes_meanwhile_goes_with_the_swapped_code(
    platform: PlatformProcess, connection: Connection, function: str, root: Path
) -> None:
    (root / "app.py").write_text("import os\ndef handler(event, context):\n    return os.environ['COLOUR']\n")
    Swapper.begin(connection, function, root).swap([root / "app.py"])
    platform.client("lambda").update_function_configuration(
        FunctionName=function, Environment={"Variables": {"COLOUR": "green"}}
    )
    assert call(platform, function) == "green"


def test_trees_of_former_swaps_do_not_pile_up(
    platform: PlatformProcess, connection: Connection, function: str, root: Path
) -> None:
    def trees() -> int:
        return sum(1 for path in (platform.data / "code").iterdir() if path.name.startswith("dev-"))

    swapper = Swapper.begin(connection, function, root)
    before = trees()
    for number in range(6):
        (root / "app.py").write_text(says(str(number)))
        swapper.swap([root / "app.py"])
        assert call(platform, function)[0] == str(number)
    deadline = time.monotonic() + 30
    while trees() - before > 3:  # one that runs, one that ends, one whose end was not seen yet
        assert time.monotonic() < deadline
        (root / "app.py").write_text(says(f"at {time.monotonic()}"))
        swapper.swap([root / "app.py"])


def test_no_front_process_runs_the_former_code_after_a_swap(tmp_path: Path, root: Path) -> None:
    server, running = start_platform(tmp_path / "data", "--workers", "2")
    try:
        name = made(running, root)
        to = Connection(running.url, running.region, running.account, running.access_key_id, running.secret_access_key)
        swapper = Swapper.begin(to, name, root)
        for number in range(3):
            for _ in range(20):  # enough for fronts to have leases
                call(running, name)
            (root / "app.py").write_text(says(str(number)))
            swapper.swap([root / "app.py"])
            assert {call(running, name)[0] for _ in range(20)} == {str(number)}
    finally:
        server.terminate()
        assert server.wait(60) == 0


def test_code_of_nobody_cannot_be_swapped(connection: Connection, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="Function not found") as refused:
        Swapper.begin(connection, "nobody", tmp_path)
    assert refused.value.status == 404


def test_only_the_root_key_may_swap(platform: PlatformProcess, function: str, root: Path) -> None:
    iam = platform.client("iam")
    user = f"dev-{uuid4().hex[:8]}"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    other = Connection(platform.url, platform.region, platform.account, key["AccessKeyId"], key["SecretAccessKey"])
    with pytest.raises(RefusedError, match="Access denied") as refused:
        Swapper.begin(other, function, root)
    assert refused.value.status == 403


def test_what_is_no_zip_is_refused_and_nothing_changes(
    platform: PlatformProcess, connection: Connection, function: str, root: Path
) -> None:
    base = connection.get(f"/_mayfly/dev/{function}")["base"]
    body = json.dumps({"base": base, "archive": "bm8gemlw"}).encode()
    with (
        pytest.raises(RefusedError, match="Could not unzip"),
        connection.open("POST", f"/_mayfly/dev/{function}", body),
    ):
        pass
    assert call(platform, function) == ["first", 1]
