"""`mayfly build` of functions with `BuildMethod: esbuild`, by a real esbuild."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
import yaml

from mayfly.cli.bundling import is_source
from mayfly.cli.esbuild import VERSION
from mayfly.cli.templates import local_code
from tests.cli.packages import Build, names, packages
from tests.conftest import PlatformProcess

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Caller:
    Type: AWS::Serverless::Function
    Properties: {Runtime: nodejs24.x, Handler: src/app.handler, CodeUri: caller}
    Metadata:
      BuildMethod: esbuild
      BuildProperties: {Minify: false}
"""
CODE = """interface Event { name: string }

export const handler = async (event: Event): Promise<string> => {
  if (!event.name) throw new Error("nobody");
  return `hello ${event.name}`;
};
"""


@pytest.fixture
def application(tmp_path: Path) -> Path:
    folder = tmp_path / "application"
    (folder / "caller" / "src").mkdir(parents=True)
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "caller" / "src" / "app.ts").write_text(CODE)
    return folder


def depends(application: Path, **more: object) -> None:
    (application / "caller" / "package.json").write_text(
        json.dumps({"name": "caller", "version": "1.0.0", "dependencies": {"greet": "1.0.0"}, **more})
    )
    (application / "caller" / "src" / "app.ts").write_text(
        'import greet from "greet";\nexport const handler = async () => greet;\n'
    )


def from_registry(application: Path, registry: str) -> dict[str, str]:
    return {"npm_config_registry": registry, "npm_config_cache": str(application.parent / "npm")}


def resource(application: Path) -> dict[str, object]:
    made = yaml.safe_load((packages(application) / "template.yaml").read_text())
    return dict(made["Resources"]["Caller"])


def text(application: Path, name: str) -> str:
    with zipfile.ZipFile(packages(application) / "Caller.zip") as archive:
        return archive.read(name).decode()


def test_typescript_becomes_one_file_and_the_handler_leads_there(application: Path, build: Build, esbuild: str) -> None:
    done = build(PATH=esbuild)
    assert done.returncode == 0, done.stderr
    assert names(packages(application) / "Caller.zip") == ["app.js"]
    assert "interface" not in text(application, "app.js")
    made = resource(application)
    assert made["Properties"] == {"Runtime": "nodejs24.x", "Handler": "app.handler", "CodeUri": "Caller.zip"}
    assert "Metadata" not in made


def test_dependencies_are_bundled_the_same_wherever_they_were_installed(
    application: Path, build: Build, registry: str, esbuild: str
) -> None:
    depends(application, devDependencies={"absent": "1.0.0"})
    made = []
    for cache in ("one", "two/deeper"):
        variables = {**from_registry(application, registry), "XDG_CACHE_HOME": str(application.parent / cache)}
        done = build("--json", PATH=esbuild, **variables)
        assert done.returncode == 0, done.stderr
        made.append((packages(application) / "Caller.zip").read_bytes())
    assert made[0] == made[1]
    assert names(packages(application) / "Caller.zip") == ["app.js"]
    assert "// node_modules/greet/index.js" in text(application, "app.js")
    (one,) = json.loads(done.stdout)["packages"]
    assert [each["name"] for each in one["largest"]] == ["greet"]
    assert not (application / "caller" / "node_modules").exists()


def test_external_modules_are_packaged_beside_unless_a_layer_may_have_them(
    application: Path, build: Build, registry: str, esbuild: str
) -> None:
    depends(application)
    external = TEMPLATE.replace("{Minify: false}", "{External: [greet, '@aws-sdk/*']}")
    (application / "template.yaml").write_text(external)
    variables = from_registry(application, registry)
    assert build(PATH=esbuild, **variables).returncode == 0
    assert names(packages(application) / "Caller.zip") == [
        "app.js",
        "node_modules/greet/index.js",
        "node_modules/greet/package.json",
    ]
    (application / "template.yaml").write_text(external.replace("CodeUri: caller", "CodeUri: caller, Layers: [arn]"))
    assert build(PATH=esbuild, **variables).returncode == 0
    assert names(packages(application) / "Caller.zip") == ["app.js"]


def test_a_project_above_the_code_is_built_where_it_lies_when_it_is_installed(
    application: Path, build: Build, esbuild: str
) -> None:
    installed = application / "node_modules" / "greet"
    installed.mkdir(parents=True)
    (installed / "package.json").write_text('{"name": "greet", "version": "1.0.0"}')
    (installed / "index.js").write_text("module.exports = require('shared');\n")
    shared = application / "shared"
    shared.mkdir()
    (shared / "package.json").write_text('{"name": "shared", "version": "1.0.0"}')
    (shared / "index.js").write_text("module.exports = 'from a workspace';\n")
    (application / "node_modules" / "shared").symlink_to(shared)
    depends(application)
    (application / "caller" / "package.json").rename(application / "package.json")
    done = build(PATH=esbuild)
    assert done.returncode == 0, done.stderr
    assert "installing" not in done.stderr
    assert "from a workspace" in text(application, "app.js")


def test_what_esbuild_says_names_file_and_line(application: Path, build: Build, esbuild: str) -> None:
    (application / "caller" / "src" / "app.ts").write_text("export const handler = async () => 1;\nconst x: = 2;\n")
    done = build(PATH=esbuild)
    assert done.returncode == 1
    assert "src/app.ts:2:9" in done.stderr
    assert "could not be bundled" in done.stderr
    assert "Traceback" not in done.stderr
    (application / "caller" / "src" / "app.ts").write_text('import "nowhere";\nexport const handler = 1;\n')
    done = build(PATH=esbuild)
    assert done.returncode == 1
    assert 'Could not resolve "nowhere"' in done.stderr
    assert "nowhere: name it in the dependencies of the package.json" in done.stderr
    (application / "caller" / "src" / "app.ts").unlink()
    done = build(PATH=esbuild)
    assert done.returncode == 1
    assert "there is no entry point src/app with .ts, .js" in done.stderr


def test_without_an_esbuild_one_is_fetched_in_the_version_of_the_lock(application: Path, build: Build) -> None:
    def fetched() -> str:
        nowhere = {"npm_config_registry": "http://127.0.0.1:9/", "npm_config_fetch_retries": "0"}
        done = build(PATH=str(Path(sys.executable).parent), **nowhere)
        assert done.returncode == 1
        assert "could not be fetched; install it" in done.stderr
        found = re.search(r"fetching esbuild (\S+) from npm", done.stderr)
        return found[1] if found else ""

    assert fetched() == VERSION
    manifest = application / "caller" / "package.json"
    manifest.write_text(json.dumps({"devDependencies": {"esbuild": "0.25.1"}}))
    assert fetched() == "0.25.1"
    manifest.write_text(json.dumps({"devDependencies": {"esbuild": "^0.25.0"}}))
    lock = {"lockfileVersion": 3, "packages": {"node_modules/esbuild": {"version": "0.25.7"}}}
    (application / "caller" / "package-lock.json").write_text(json.dumps(lock))
    assert fetched() == "0.25.7"


def test_modules_of_node_and_several_entry_points_keep_their_folders(
    application: Path, build: Build, esbuild: str
) -> None:
    properties = "{Format: esm, OutExtension: [.js=.mjs], EntryPoints: [src/app.ts, jobs/tidy.ts]}"
    (application / "template.yaml").write_text(TEMPLATE.replace("{Minify: false}", properties))
    (application / "caller" / "jobs").mkdir()
    (application / "caller" / "jobs" / "tidy.ts").write_text("export const handler = () => 1;\n")
    done = build(PATH=esbuild)
    assert done.returncode == 0, done.stderr
    assert names(packages(application) / "Caller.zip") == ["jobs/tidy.mjs", "src/app.mjs"]
    assert resource(application)["Properties"] == {
        "Runtime": "nodejs24.x",
        "Handler": "src/app.handler",
        "CodeUri": "Caller.zip",
    }


def test_an_error_of_a_deployed_function_names_the_line_of_its_source(
    platform: PlatformProcess, application: Path, esbuild: str
) -> None:
    (application / "template.yaml").write_text(TEMPLATE.replace("Minify: false", "Sourcemap: true"))
    home = application.rename(application.with_name("bundled-application"))
    command = [sys.executable, "-m", "mayfly", "deploy", str(home / "template.yaml"), "--data", str(platform.data)]
    environment = {**os.environ, "PATH": esbuild, "XDG_CACHE_HOME": str(home.parent / "cache")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)
    assert "stack bundled-application is deployed" in done.stderr, done.stderr
    assert "so NODE_OPTIONS has --enable-source-maps" in done.stderr
    stack = platform.client("cloudformation").describe_stack_resources(StackName="bundled-application")
    (name,) = [
        one["PhysicalResourceId"] for one in stack["StackResources"] if one["ResourceType"] == "AWS::Lambda::Function"
    ]
    functions = platform.client("lambda")
    reply = functions.invoke(FunctionName=name, Payload=json.dumps({"name": "you"}))
    assert json.load(reply["Payload"]) == "hello you"
    failed = json.load(functions.invoke(FunctionName=name, Payload="{}")["Payload"])
    assert failed["errorMessage"] == "nobody"
    assert any("/var/task/src/app.ts:4:" in line for line in failed["trace"]), failed["trace"]
    again = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)
    assert "is up to date" in again.stderr


def test_what_is_saved_beside_the_code_is_bundled_and_deployed_by_dev(
    platform: PlatformProcess, application: Path, esbuild: str
) -> None:
    home = application.rename(application.with_name("dev-bundled"))
    (home / "caller" / "src").rename(home / "src")
    (home / "template.yaml").write_text(
        TEMPLATE.replace("CodeUri: caller", "FunctionName: dev-bundled, CodeUri: src").replace("src/app", "app")
    )
    (home / "package.json").write_text("{}")
    (home / "words.ts").write_text("export const word = 'first';\n")
    (home / "src" / "app.ts").write_text("import { word } from '../words';\nexport const handler = async () => word;\n")
    working = subprocess.Popen(
        [sys.executable, "-m", "mayfly", "dev", str(home), "--data", str(platform.data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            "PATH": esbuild,
            "XDG_CACHE_HOME": str(home.parent / "cache"),
            "COLUMNS": "200",
            "NO_COLOR": "1",
        },
    )

    def until(words: str) -> None:
        assert working.stdout is not None
        seen = []
        for line in working.stdout:
            seen.append(line)
            if words in line:
                return
        raise AssertionError(f"it ended without {words!r}: {''.join(seen)}")

    def answer() -> object:
        return json.load(platform.client("lambda").invoke(FunctionName="dev-bundled")["Payload"])

    stop = threading.Timer(60, working.kill)
    stop.start()
    try:
        until("is deployed when it changes: esbuild makes its package")
        until("watching")
        assert answer() == "first"
        (home / "words.ts").write_text("export const word = 'second';\n")
        until("words.ts changed: deploying")
        until("is deployed")
        assert answer() == "second"
        (home / "src" / "app.ts").write_text("export const handler = async () => {;\n")
        until("app.ts:2:")
        (home / "src" / "app.ts").write_text("export const handler = async () => 'third';\n")
        until("is deployed")
        assert answer() == "third"
        working.send_signal(signal.SIGINT)
        until("is deployed")
        assert working.wait(30) == 0
    finally:
        stop.cancel()
        working.kill()
        working.communicate()


def test_sources_above_the_code_are_watched_and_nothing_else_there(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "src").mkdir()
    body = yaml.safe_load(TEMPLATE.replace("CodeUri: caller", "CodeUri: src"))
    (code,) = local_code(body, tmp_path)
    assert code.project == tmp_path
    assert is_source(tmp_path / "shared" / "words.ts", tmp_path)
    assert is_source(tmp_path / "tsconfig.json", tmp_path)
    assert not is_source(tmp_path / "README.md", tmp_path)
    assert not is_source(tmp_path / "node_modules" / "greet" / "index.js", tmp_path)
    (tmp_path / "src" / "package.json").write_text("{}")
    (code,) = local_code(body, tmp_path)
    assert code.project is None
