"""Functions from container images on a real server, with boto3, the AWS CLI and the command line."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conftest import PlatformProcess, start_platform
from tests.images import machine
from tests.images import registry as registries
from tests.images.builder import Layer, LayoutBuilder, entry, folder, layer
from tests.images.registry import RunningRegistry

pytestmark = pytest.mark.root

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
APP = b"""\
import os

def handler(event, context):
    try:
        open("/var/task/new", "w")
        wrote = True
    except OSError as error:
        wrote = error.errno
    with open("/tmp/file", "w") as file:
        file.write("x")
    return {
        "event": event,
        "name": context.function_name,
        "cwd": os.getcwd(),
        "root": sorted(os.listdir("/")),
        "wrote": wrote,
        "uid": os.getuid() != 0,
        "variables": [os.environ.get(name) for name in ("FROM_IMAGE", "FROM_BOTH", "_HANDLER", "LAMBDA_TASK_ROOT")],
    }

def other(event, context):
    return "other"
"""
WEB = b"""\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        said = f"{self.command} {self.path} {body.decode()}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = answer

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
# As in the base images of AWS: the handler is the argument, and a client of the Runtime API takes over.
ENTRYPOINT = """\
#!/bin/sh
if [ $# -ne 1 ]; then
  echo "the handler's name has to be the only argument" 1>&2
  exit 142
fi
export _HANDLER="$1"
exec {python} -m awslambdaric "$1"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PlatformProcess, RunningRegistry, Path]]:
    """A server that may take images from a registry of its own, and from a directory."""
    root = tmp_path_factory.mktemp("images")
    (root / "allowed").mkdir()
    with registries.running(root / "registry") as registry:
        options = ("--insecure-registry", registry.host, "--image-directory", str(root / "allowed"))
        process, platform = start_platform(root / "data", *options)
        platform.client("iam").create_role(RoleName="runs", AssumeRolePolicyDocument=json.dumps(TRUST))
        yield platform, registry, root
        process.terminate()
        assert process.wait(60) == 0


@pytest.fixture(scope="module")
def layout(server: tuple[PlatformProcess, RunningRegistry, Path]) -> LayoutBuilder:
    return LayoutBuilder(server[2] / "allowed" / "layout")


@pytest.fixture(scope="module")
def base() -> tuple[list[Layer], str]:
    """Layers like those of AWS's Python base images, and the interpreter's path in them."""
    python, path = machine.python()
    script = layer((entry("lambda-entrypoint.sh", mode=0o755), ENTRYPOINT.format(python=path).encode()))
    return [machine.shell(), python, machine.awslambdaric("/var/runtime"), script], path


@pytest.fixture(scope="module")
def aws_style(layout: LayoutBuilder, base: tuple[list[Layer], str]) -> str:
    """The tag of an image on that base."""
    layers, path = base
    process = {
        "Entrypoint": ["/lambda-entrypoint.sh"],
        "Cmd": ["app.handler"],
        "WorkingDir": "/var/task",
        "Env": [
            "LAMBDA_TASK_ROOT=/var/task",
            "PYTHONPATH=/var/runtime",
            f"PATH={os.path.dirname(path)}:/bin",
            "FROM_IMAGE=image",
            "FROM_BOTH=image",
        ],
    }
    layout.tag("aws", layout.image([*layers, layer(("var/task/app.py", APP))], process))
    return "aws"


def create(platform: PlatformProcess, name: str, uri: str, **params: Any) -> Any:
    client = platform.client("lambda")
    made = client.create_function(
        FunctionName=name,
        Role=f"arn:aws:iam::{platform.account}:role/runs",
        PackageType="Image",
        Code={"ImageUri": uri},
        MemorySize=256,
        Timeout=20,
        **params,
    )
    assert made["State"] == "Pending"
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return client


def invoke(client: Any, name: str, event: object = None, **which: Any) -> Any:
    reply = client.invoke(FunctionName=name, Payload=json.dumps(event), **which)
    payload = json.loads(reply["Payload"].read())
    assert "FunctionError" not in reply, payload
    return payload


def test_an_image_on_a_base_like_those_of_aws_runs(
    server: tuple[PlatformProcess, RunningRegistry, Path], layout: LayoutBuilder, aws_style: str
) -> None:
    platform, registry, _ = server
    uri = registry.push(layout.root, aws_style, "team/app:v1")
    client = create(platform, "aws-style", uri, Environment={"Variables": {"FROM_BOTH": "function"}})
    said = invoke(client, "aws-style", {"a": 1})
    assert said["event"] == {"a": 1}
    assert (said["name"], said["cwd"]) == ("aws-style", "/var/task")
    assert said["variables"] == ["image", "function", "app.handler", "/var/task"]
    assert said["wrote"] == 30  # EROFS
    assert said["uid"]
    assert "lambda-entrypoint.sh" in said["root"]
    assert ".host" not in said["root"]
    client.update_function_configuration(FunctionName="aws-style", ImageConfig={"Command": ["app.other"]})
    assert invoke(client, "aws-style") == "other"


def test_a_moved_tag_changes_nothing_until_the_code_is_updated(
    server: tuple[PlatformProcess, RunningRegistry, Path], layout: LayoutBuilder, base: tuple[list[Layer], str]
) -> None:
    platform, registry, _ = server
    layers, path = base

    def push(answer: str) -> str:
        app = layer(("var/task/app.py", f"def handler(event, context):\n    return {answer!r}\n".encode()))
        process = {
            "Entrypoint": [path, "-m", "awslambdaric"],
            "Cmd": ["app.handler"],
            "WorkingDir": "/var/task",
            "Env": ["PYTHONPATH=/var/runtime"],
        }
        layout.tag("moves", layout.image([*layers, app], process))
        return registry.push(layout.root, "moves", "team/moves:latest")

    uri = push("first")
    client = create(platform, "moves", uri, Publish=True)
    push("second")
    assert invoke(client, "moves") == "first"
    updated = client.update_function_code(FunctionName="moves", ImageUri=uri, Publish=True)
    assert updated["Version"] == "2"
    client.get_waiter("function_updated_v2").wait(FunctionName="moves", WaiterConfig={"Delay": 1})
    client.get_waiter("published_version_active").wait(FunctionName="moves", Qualifier="2", WaiterConfig={"Delay": 1})
    assert invoke(client, "moves") == "second"
    assert invoke(client, "moves", Qualifier="2") == "second"
    assert invoke(client, "moves", Qualifier="1") == "first"


def test_an_image_that_only_listens_on_port_runs(
    server: tuple[PlatformProcess, RunningRegistry, Path], layout: LayoutBuilder, base: tuple[list[Layer], str]
) -> None:
    platform, _, _ = server
    layers, path = base
    process = {"Entrypoint": [path], "Cmd": ["/srv/server.py"]}
    layout.tag("web", layout.image([*layers[1:2], layer(("srv/server.py", WEB))], process))
    client = create(platform, "web-image", f"oci:{layout.root}:web")
    assert invoke(client, "web-image", {"a": 1}) == 'POST /events {"a": 1}'


def test_what_was_pending_when_the_server_was_killed_becomes_active(
    server: tuple[PlatformProcess, RunningRegistry, Path], layout: LayoutBuilder, tmp_path: Path
) -> None:
    """Killed while the layer is being fetched or unpacked, wherever that is just then."""
    many = layer(*((f"files/{number}", bytes([number % 256]) * 20_000) for number in range(3000)))
    layout.tag("killed", layout.image([machine.shell(), many], {"Cmd": ["/bin/sh"]}))
    data = tmp_path / "data"
    options = ("--image-directory", str(layout.root.parent))
    process, platform = start_platform(data, *options)
    platform.client("iam").create_role(RoleName="runs", AssumeRolePolicyDocument=json.dumps(TRUST))
    made = platform.client("lambda").create_function(
        FunctionName="killed",
        Role=f"arn:aws:iam::{platform.account}:role/runs",
        PackageType="Image",
        Code={"ImageUri": f"oci:{layout.root}:killed"},
    )
    process.kill()
    process.wait(60)
    assert made["State"] == "Pending"
    process, platform = start_platform(data, *options)
    try:
        platform.client("lambda").get_waiter("function_active_v2").wait(
            FunctionName="killed", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        (root,) = (data / "images" / "roots").iterdir()
        assert sum(1 for _ in (root / "files").iterdir()) == 3000
        assert len(list((data / "images" / "layers").iterdir())) == 2
        assert list((data / "images" / "incoming").iterdir()) == []
    finally:
        process.terminate()
        assert process.wait(60) == 0


def test_an_image_whose_program_cannot_be_started_says_which_and_why(
    server: tuple[PlatformProcess, RunningRegistry, Path], layout: LayoutBuilder
) -> None:
    platform, _, _ = server
    not_for_here = (entry("other-machine", mode=0o755), b"\x7fELF\x02\x01\x01" + bytes(100))
    layout.tag("broken", layout.image([layer(not_for_here, folder("w"))], {"Cmd": ["/nothing"]}))
    client = create(platform, "broken", f"oci:{layout.root}:broken")
    for command, why in (("/nothing", "no such file or directory"), ("/other-machine", "exec format error")):
        client.update_function_configuration(FunctionName="broken", ImageConfig={"EntryPoint": [command]})
        reply = client.invoke(FunctionName="broken")
        assert reply["FunctionError"] == "Unhandled"
        said = json.loads(reply["Payload"].read())
        assert said["errorType"] == "Runtime.InvalidEntrypoint"
        assert command in said["errorMessage"]
        assert why in said["errorMessage"]
    client.update_function_configuration(FunctionName="broken", ImageConfig={"WorkingDirectory": "/nowhere"})
    said = json.loads(client.invoke(FunctionName="broken")["Payload"].read())
    assert said["errorType"] == "Runtime.InvalidWorkingDir"
    assert said["errorMessage"].endswith("chdir /nowhere: no such file or directory")


def test_an_image_is_imported_and_deployed_with_the_command_line(
    server: tuple[PlatformProcess, RunningRegistry, Path], layout: LayoutBuilder, aws_style: str, tmp_path: Path
) -> None:
    platform, _, _ = server
    archive = tmp_path / "faces.tar"
    subprocess.run(
        ["skopeo", "copy", "-q", f"oci:{layout.root}:{aws_style}", f"docker-archive:{archive}:faces:v1"],
        check=True,
        timeout=60,
    )
    taken = mayfly(platform, "image", "import", str(archive), "--name", "faces:v1")
    assert taken.strip() == "mayfly.local/faces:v1"
    listed = json.loads(mayfly(platform, "image", "ls", "--json"))
    assert [one["name"] for one in listed] == ["faces:v1"]
    template = tmp_path / "template.yaml"
    template.write_text(
        "Transform: AWS::Serverless-2016-10-31\n"
        "Resources:\n"
        "  Faces:\n"
        "    Type: AWS::Serverless::Function\n"
        "    Properties:\n"
        "      FunctionName: faces\n"
        "      PackageType: Image\n"
        "      ImageUri: mayfly.local/faces:v1\n"
        "      ImageConfig: {Command: [app.other]}\n"
        "      MemorySize: 256\n"
    )
    mayfly(platform, "deploy", str(template), "--stack-name", "faces")
    assert json.loads(mayfly(platform, "invoke", "faces")) == "other"
    assert "mayfly.local/faces@sha256:" in mayfly(platform, "function", "faces")
    assert "container image" in mayfly(platform, "status")
    mayfly(platform, "image", "rm", "faces:v1")
    assert json.loads(mayfly(platform, "invoke", "faces")) == "other"
    mayfly(platform, "destroy", "faces", "--yes")


def test_a_stack_whose_image_cannot_be_run_rolls_back_and_says_why(
    server: tuple[PlatformProcess, RunningRegistry, Path], layout: LayoutBuilder
) -> None:
    platform, _, _ = server
    broken = layer(("hello", b"1"))
    broken.stored = b"this is no layer"
    layout.tag("rolls-back", layout.image([broken]))
    template = {
        "Resources": {
            "F": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": "rolls-back",
                    "PackageType": "Image",
                    "Role": f"arn:aws:iam::{platform.account}:role/runs",
                    "Code": {"ImageUri": f"oci:{layout.root}:rolls-back"},
                },
            }
        }
    }
    stacks = platform.client("cloudformation")
    stacks.create_stack(StackName="rolls-back", TemplateBody=json.dumps(template))
    deadline = time.monotonic() + 60
    while (status := stacks.describe_stacks(StackName="rolls-back")["Stacks"][0]["StackStatus"]).endswith("_PROGRESS"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert status == "ROLLBACK_COMPLETE"
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in stacks.describe_stack_events(StackName="rolls-back")["StackEvents"]
    ]
    assert any("UnsupportedImageLayerDetected" in reason for reason in reasons)
    functions = platform.client("lambda").list_functions()["Functions"]
    assert "rolls-back" not in [function["FunctionName"] for function in functions]


def test_the_aws_command_line_creates_and_awaits_a_function(
    server: tuple[PlatformProcess, RunningRegistry, Path], layout: LayoutBuilder, aws_style: str
) -> None:
    platform, _, _ = server
    aws(
        platform,
        *("create-function", "--function-name", "by-aws", "--package-type", "Image"),
        *("--code", f"ImageUri=oci:{layout.root}:{aws_style}", "--image-config", "Command=app.other"),
        *("--role", f"arn:aws:iam::{platform.account}:role/runs", "--memory-size", "256"),
    )
    aws(platform, "wait", "function-active-v2", "--function-name", "by-aws")
    shown = json.loads(aws(platform, "get-function", "--function-name", "by-aws"))
    assert shown["Code"]["RepositoryType"] == "ECR"
    assert shown["Configuration"]["ImageConfigResponse"] == {"ImageConfig": {"Command": ["app.other"]}}


def test_an_upload_that_is_not_the_signed_one_is_refused(
    server: tuple[PlatformProcess, RunningRegistry, Path],
) -> None:
    platform, _, _ = server
    url = f"{platform.url}/_mayfly/images?name=app%3Av1"
    asked = AWSRequest("POST", url, headers={"X-Amz-Content-SHA256": "0" * 64})
    credentials = Credentials(platform.access_key_id, platform.secret_access_key)
    SigV4Auth(credentials, "mayfly", platform.region).add_auth(asked)
    status, said = post(url, b"something else", dict(asked.prepare().headers.items()))
    assert (status, b"not what was signed" in said) == (400, True)
    assert post(url, b"x", {})[0] == 403


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def mayfly(platform: PlatformProcess, *arguments: str) -> str:
    command = [sys.executable, "-m", "mayfly", *arguments]
    environment = {**os.environ, "MAYFLY_DATA": str(platform.data), "COLUMNS": "200"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def aws(platform: PlatformProcess, *arguments: str) -> str:
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": platform.url,
        "AWS_ACCESS_KEY_ID": platform.access_key_id,
        "AWS_SECRET_ACCESS_KEY": platform.secret_access_key,
        "AWS_DEFAULT_REGION": platform.region,
    }
    program = shutil.which("aws", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program is not None
    ended = subprocess.run(
        [program, "lambda", *arguments], env=environment, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
