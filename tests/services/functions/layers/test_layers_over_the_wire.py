"""Functions with layers on a running platform, as boto3 sees them."""

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cli.test_commands import mayfly
from tests.conftest import PlatformProcess, start_platform
from tests.engine.programs import ASK, ECHO
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import TRUST, Deploy, deploy, functions, invoke, role

__all__ = ["deploy", "functions", "role"]

RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
Publish = Callable[..., str]


def archive(files: dict[str, str], mode: int = 0o755) -> bytes:
    """A zip of executable files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFREG | mode) << 16
            made.writestr(info, text)
    return buffer.getvalue()


@pytest.fixture
def publish(functions: Any) -> Iterator[Publish]:
    """`publish(files)`: the ARN of a layer with them, which goes after the test."""
    made = []

    def make(content: dict[str, str] | bytes, **params: Any) -> str:
        name = f"layer-{uuid4().hex[:12]}"
        zip_file = content if isinstance(content, bytes) else archive(content)
        reply = functions.publish_layer_version(LayerName=name, Content={"ZipFile": zip_file}, **params)
        made.append((name, reply["Version"]))
        arn: str = reply["LayerVersionArn"]
        return arn

    yield make
    for name, version in made:
        functions.delete_layer_version(LayerName=name, VersionNumber=version)


def distribution(name: str, below: str) -> bytes:
    """A zip of what is installed here of a distribution, `below` a directory."""
    site = Path(sysconfig.get_paths()["platlib"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for top in [one for one in site.iterdir() if one.name.split("-")[0].split(".")[0] == name]:
            for path in sorted(top.rglob("*")):
                part = path.relative_to(site).as_posix()
                if path.is_file() and "/tests/" not in part and path.suffix != ".pyc":
                    made.write(path, f"{below}/{part}")
    return buffer.getvalue()


def test_what_is_published_can_be_fetched_again(functions: Any, publish: Publish) -> None:
    content = archive({"python/shared.py": "WHO = 1\n"})
    arn = publish(content, CompatibleRuntimes=["python3.12"], Description="d")
    found = functions.get_layer_version_by_arn(Arn=arn)
    assert found["LayerVersionArn"] == arn
    with urllib.request.urlopen(found["Content"]["Location"]) as reply:
        assert reply.read() == content
    listed = functions.get_paginator("list_layers").paginate(
        CompatibleRuntime="python3.12", PaginationConfig={"PageSize": 1}
    )
    names = [one["LatestMatchingVersion"]["LayerVersionArn"] for page in listed for one in page["Layers"]]
    assert arn in names


def test_a_function_imports_from_its_layers_in_the_order_of_aws(
    functions: Any, deploy: Deploy, publish: Publish
) -> None:
    code = (
        "import sys, os, first, second, both\n"
        "def handler(event, context):\n"
        "    return [first.__file__, second.__file__, both.WHO, os.environ['PATH'].split(':')[-1],\n"
        "            [p for p in sys.path if p.startswith(('/opt', '/var/task'))],\n"
        "            [os.path.exists(m.__cached__) for m in (first, second, both)]]\n"
    )
    site = f"python/lib/{RUNTIME}/site-packages"
    one = publish({"python/first.py": "", f"{site}/second.py": "", "python/both.py": "WHO = 'plain'\n"})
    two = publish({f"{site}/both.py": "WHO = 'site'\n"})
    name = deploy(Code={"ZipFile": zipped({"app.py": code})}, Layers=[one, two], Runtime=RUNTIME)
    first, second, both, last, path, compiled = invoke(functions, name, {})["Payload"]
    if os.geteuid() == 0:  # else the machine's own file system is in sight
        assert (first, second, last) == ("/opt/python/first.py", f"/opt/{site}/second.py", "/opt/bin")
        assert path == ["/var/task", f"/opt/{site}", "/opt/python"]
    assert (both, compiled) == ("site", [True, True, True])


@pytest.mark.root
def test_packages_of_a_layer_are_imported_ahead_in_a_template(
    platform: PlatformProcess, functions: Any, deploy: Deploy, publish: Publish
) -> None:
    code = "import numpy\ndef handler(event, context): return [int(numpy.arange(5).sum()), numpy.__file__]\n"
    site = f"python/lib/{RUNTIME}/site-packages"
    layer = publish(distribution("numpy", site), CompatibleRuntimes=[RUNTIME])
    name = deploy(Code={"ZipFile": zipped({"app.py": code})}, Layers=[layer], Runtime=RUNTIME, MemorySize=512)
    assert invoke(functions, name, {})["Payload"] == [10, f"/opt/{site}/numpy/__init__.py"]
    deadline = time.monotonic() + 60
    while True:
        shown = json.loads(mayfly("function", name, "--json", data=platform.data).stdout)
        (template,) = [one["template"] for one in shown["versions"] if one["version"] == "$LATEST"]
        if template["state"] not in {"making", "none"}:
            break
        assert time.monotonic() < deadline
    assert (template["kind"], template["state"]) == ("packages", "ready")
    assert [one["arn"] for one in shown["layers"]] == [layer]
    assert f"Layers {layer}, " in " ".join(mayfly("function", name, data=platform.data, columns=300).stdout.split())
    functions.update_function_configuration(FunctionName=name, Timeout=21)
    assert invoke(functions, name, {})["Payload"][0] == 10


def test_five_layers_are_laid_over_one_another(functions: Any, deploy: Deploy, publish: Publish) -> None:
    code = (
        "import os, sys\n"
        "def handler(event, context):\n"
        "    root = next(p for p in sys.path if p.endswith('/python'))\n"
        "    return [open(f'{root}/who').read(), sorted(os.listdir(root))]\n"
    )
    layers = [publish({"python/who": str(n), f"python/only{n}": ""}) for n in range(5)]
    name = deploy(Code={"ZipFile": zipped({"app.py": code})}, Layers=layers, Runtime=RUNTIME)
    assert invoke(functions, name, {})["Payload"] == ["4", [*(f"only{n}" for n in range(5)), "who"]]
    functions.update_function_configuration(FunctionName=name, Layers=[layers[1], layers[0]])
    assert invoke(functions, name, {})["Payload"] == ["0", ["only0", "only1", "who"]]
    functions.update_function_configuration(FunctionName=name, Layers=[])
    assert invoke(functions, name, {})["FunctionError"] == "Unhandled"


@pytest.mark.root
@pytest.mark.parametrize("level", ["namespace", "container", "gvisor"])
def test_layers_are_seen_and_cannot_be_written_at_every_level(
    functions: Any, deploy: Deploy, publish: Publish, level: str
) -> None:
    if (
        level != "namespace"
        and not os.environ.get("CI")
        and shutil.which({"container": "crun", "gvisor": "runsc"}[level]) is None
    ):
        pytest.skip("its runtime is not installed")
    code = (
        "import mine, subprocess\n"
        "def handler(event, context):\n"
        "    try:\n        open('/opt/new', 'w')\n"
        "    except OSError as error: why = error.errno\n"
        "    return [mine.WHO, subprocess.check_output(['told'], text=True), why]\n"
    )
    layers = [
        publish({"python/mine.py": "WHO = 'first'\n", "bin/told": "#!/bin/sh\nprintf told\n"}),
        publish({"python/mine.py": "WHO = 'second'\n"}),
    ]
    for used, who in ((layers, "second"), (layers[:1], "first")):
        name = deploy(
            Code={"ZipFile": zipped({"app.py": code})}, Layers=used, Runtime=RUNTIME, Tags={"mayfly:level": level}
        )
        said, told, why = invoke(functions, name, {})["Payload"]
        assert (said, told) == (who, "told")
        assert why in (30, 13)  # EROFS; what is not the function's to write comes first where it is checked first


def test_a_runtime_in_a_layer_runs_packages_without_one(functions: Any, deploy: Deploy, publish: Publish) -> None:
    name = deploy(
        Runtime="provided.al2023", Code={"ZipFile": zipped({"x": "1"})}, Layers=[publish({"bootstrap": ECHO})]
    )
    assert invoke(functions, name, {"a": 1})["Payload"] == {"you said": {"a": 1}}


EXTENSION = (
    ASK
    + r"""
name=$(basename "$0")
ask POST /2020-01-01/extension/register '{"events": ["INVOKE"]}' "Lambda-Extension-Name: $name"
extension=$(header lambda-extension-identifier)
while ask GET /2020-01-01/extension/event/next '' "Lambda-Extension-Identifier: $extension"; do
  echo "$name heard of $(grep -o '"eventType":"[A-Z]*"' <<<"$body")"
done
"""
)


def test_an_extension_in_a_layer_is_started_beside_the_runtime(
    platform: PlatformProcess, functions: Any, deploy: Deploy, publish: Publish
) -> None:
    layer = publish({"extensions/listener": EXTENSION})
    name = deploy(Runtime="provided.al2023", Code={"ZipFile": archive({"bootstrap": ECHO})}, Layers=[layer])
    assert invoke(functions, name, 1)["Payload"] == {"you said": 1}
    assert heard(platform, name, "listener heard of")


def heard(platform: PlatformProcess, name: str, text: str) -> bool:
    """Whether the function's log says so, soon."""
    logs, deadline = platform.client("logs"), time.monotonic() + 20
    while time.monotonic() < deadline:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern=f'"{text}"')["events"]
        if found:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def node() -> None:
    if shutil.which("node") is None and not os.environ.get("CI"):
        pytest.skip("no Node.js here")


@pytest.mark.usefixtures("node")
def test_a_function_of_node_finds_modules_of_layers_both_ways(functions: Any, deploy: Deploy, publish: Publish) -> None:
    layer = publish(
        {
            "nodejs/node_modules/plain/index.js": "module.exports = 'plain';",
            "nodejs/node22/node_modules/newer/index.js": "module.exports = 'of 22';",
            "nodejs/node_modules/newer/index.js": "module.exports = 'of any';",
            "nodejs/node_modules/es/package.json": '{"type": "module", "exports": "./index.js"}',
            "nodejs/node_modules/es/index.js": "export default 'es';",
        }
    )
    common = "exports.handler = async () => [require('plain'), require('newer')];"
    module = "import es from 'es'; import plain from 'plain'; export const handler = async () => [es, plain];"
    for files, expected in (({"index.js": common}, ["plain", "of 22"]), ({"index.mjs": module}, ["es", "plain"])):
        code = {"ZipFile": zipped(files)}
        name = deploy(Runtime="nodejs22.x", Handler="index.handler", Code=code, Layers=[layer])
        assert invoke(functions, name, {})["Payload"] == expected


@pytest.mark.usefixtures("node")
def test_a_wrapper_in_a_layer_starts_the_runtime(functions: Any, deploy: Deploy, publish: Publish) -> None:
    layer = publish({"wrap": '#!/bin/sh\nexport WRAPPED="by $0"\nexec "$@"\n'})
    name = deploy(
        Runtime="nodejs22.x",
        Handler="index.handler",
        Code={"ZipFile": zipped({"index.js": "exports.handler = async () => process.env.WRAPPED;"})},
        Layers=[layer],
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}},
    )
    if os.geteuid() == 0:
        assert invoke(functions, name, {})["Payload"] == "by /opt/wrap"


def test_functions_keep_their_layers_over_a_kill_and_a_restart(tmp_path: Path) -> None:
    server, platform = start_platform(tmp_path / "data")
    code = {"ZipFile": zipped({"app.py": "import mine\ndef handler(event, context): return mine.WHO\n"})}
    try:
        arn = platform.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"][
            "Arn"
        ]
        client = platform.client("lambda", read_timeout=60)
        layers = [
            client.publish_layer_version(
                LayerName=name, Content={"ZipFile": archive({"python/mine.py": f"WHO = {name!r}\n"})}
            )
            for name in ("one", "two")
        ]
        arns = [one["LayerVersionArn"] for one in layers]
        client.create_function(
            FunctionName="f", Runtime=RUNTIME, Handler="app.handler", Role=arn, Code=code, Layers=arns
        )
        for name in ("one", "two"):
            client.delete_layer_version(LayerName=name, VersionNumber=1)
        server.kill()
        server.wait()
        shutil.rmtree(tmp_path / "data" / "layers")
        server, platform = start_platform(tmp_path / "data")
        client = platform.client("lambda", read_timeout=60)
        assert invoke(client, "f", {})["Payload"] == "two"
        assert [one["Arn"] for one in client.get_function_configuration(FunctionName="f")["Layers"]] == arns
        assert client.list_layers()["Layers"] == []
        published = client.publish_layer_version(LayerName="one", Content={"ZipFile": archive({"x": ""})})
        assert published["Version"] == 2
    finally:
        server.terminate()
        server.wait(60)


@pytest.mark.usefixtures("role")
def test_the_command_line_publishes_and_lists_layers(platform: PlatformProcess, tmp_path: Path) -> None:
    program = str(Path(sys.executable).with_name("aws"))
    (tmp_path / "layer.zip").write_bytes(archive({"python/x.py": ""}))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": platform.url,
        "AWS_ACCESS_KEY_ID": platform.access_key_id,
        "AWS_SECRET_ACCESS_KEY": platform.secret_access_key,
        "AWS_DEFAULT_REGION": platform.region,
    }

    def aws(*arguments: str) -> Any:
        done = subprocess.run(
            [program, "lambda", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")

    name = f"cli-{uuid4().hex[:8]}"
    made = aws("publish-layer-version", "--layer-name", name, "--zip-file", f"fileb://{tmp_path}/layer.zip")
    listed = aws("list-layer-versions", "--layer-name", name)
    assert [one["LayerVersionArn"] for one in listed["LayerVersions"]] == [made["LayerVersionArn"]]
    aws("delete-layer-version", "--layer-name", name, "--version-number", "1")


def test_without_isolation_layers_are_found_where_they_lie(tmp_path: Path) -> None:
    server, platform = start_platform(tmp_path / "data", "--isolation", "process")
    try:
        role = platform.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
        client = platform.client("lambda", read_timeout=60)
        contents = (
            {"python/mine.py": "WHO = 1\n"},
            {"python/mine.py": "WHO = 2\n", "bin/told": "#!/bin/sh\nprintf told\n"},
        )
        arns = [
            client.publish_layer_version(LayerName=f"l{n}", Content={"ZipFile": archive(one)})["LayerVersionArn"]
            for n, one in enumerate(contents)
        ]
        code = (
            "import mine, subprocess\n"
            "def handler(event, context): return [mine.WHO, subprocess.check_output(['told'], text=True)]\n"
        )
        client.create_function(
            FunctionName="f",
            Runtime=RUNTIME,
            Handler="app.handler",
            Role=role["Role"]["Arn"],
            Code={"ZipFile": zipped({"app.py": code})},
            Layers=arns,
        )
        assert invoke(client, "f", {})["Payload"] == [2, "told"]
    finally:
        server.terminate()
        server.wait(60)
