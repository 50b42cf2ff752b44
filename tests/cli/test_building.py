"""`mayfly build`: packages and what they depend on. Wheels and npm packages are of the tests' own."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from mayfly.cli.building import MOST_BYTES, Built, totals
from mayfly.cli.dependencies import Installer, unpinned_requirements
from mayfly.cli.intents import default_name
from mayfly.cli.keeping import Kept
from tests.cli.packages import Build, names, packages, wheel
from tests.conftest import PlatformProcess

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Caller:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.12, Handler: app.handler, CodeUri: caller}
"""


@pytest.fixture
def application(tmp_path: Path) -> Path:
    folder = tmp_path / "application"
    (folder / "caller").mkdir(parents=True)
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "caller" / "app.py").write_text(
        "import greeting\ndef handler(event, context):\n    return greeting.WORD\n"
    )
    return folder


def test_two_builds_of_the_same_source_are_the_same_bytes(application: Path, build: Build) -> None:
    (application / "caller" / "requirements.txt").write_text("greeting==1.0\n")
    made: list[bytes] = []
    for cache in ("one", "two"):
        for age, path in enumerate(sorted(application.rglob("*.py"))):
            os.utime(path, (len(made) * 1000 + age, len(made) * 1000 + age))
        (application / "caller" / "__pycache__").mkdir(exist_ok=True)
        (application / "caller" / "__pycache__" / f"app.{cache}.pyc").write_text(cache)
        done = build(
            XDG_CACHE_HOME=str(application.parent / cache), UV_CACHE_DIR=str(application.parent / f"uv{cache}")
        )
        assert done.returncode == 0, done.stderr
        made.append((packages(application) / "Caller.zip").read_bytes())
    assert made[0] == made[1]
    assert [name for name in names(packages(application) / "Caller.zip") if "dist-info" not in name] == [
        "app.py",
        "greeting/__init__.py",
        "requirements.txt",
    ]


def test_dependencies_are_installed_once_for_a_lock(application: Path, build: Build) -> None:
    (application / "caller" / "requirements.txt").write_text("greeting==1.0\n")
    assert "installing requirements.txt" in build().stderr
    (application / "caller" / "app.py").write_text("def handler(event, context): return 1\n")
    again = build()
    assert again.returncode == 0
    assert "installing" not in again.stderr


def test_a_uv_lock_is_what_is_installed(application: Path, build: Build) -> None:
    (application / "caller" / "pyproject.toml").write_text(
        '[project]\nname = "caller"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["greeting"]\n'
        f'[tool.uv]\nno-index = true\nfind-links = ["{application.parent / "wheels"}"]\n'
    )
    locked = subprocess.run(
        ["uv", "lock", "--python", sys.executable, "--offline"],
        cwd=application / "caller",
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "UV_PYTHON_DOWNLOADS": "never",
        },
    )
    assert locked.returncode == 0, locked.stderr
    done = build()
    assert done.returncode == 0, done.stderr
    assert "greeting/__init__.py" in names(packages(application) / "Caller.zip")
    assert "builds may differ" not in done.stderr


def test_what_has_no_wheel_is_refused_with_the_way_out(application: Path, build: Build) -> None:
    (application / "caller" / "requirements.txt").write_text("nowhere==1.0\n")
    done = build()
    assert done.returncode == 1
    assert "for Python 3.12 could not be installed" in done.stderr
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_makefile_makes_the_package_in_a_copy_of_the_source(application: Path, build: Build) -> None:
    (application / "template.yaml").write_text(TEMPLATE + "    Metadata: {BuildMethod: makefile}\n")
    (application / "caller" / "Makefile").write_text(
        "build-Caller:\n\tcp app.py $(ARTIFACTS_DIR)/\n\techo made > $(ARTIFACTS_DIR)/made.txt\n\ttouch left-behind\n"
    )
    done = build()
    assert done.returncode == 0, done.stderr
    assert names(packages(application) / "Caller.zip") == ["app.py", "made.txt"]
    assert not (application / "caller" / "left-behind").exists()
    assert "Metadata" not in (packages(application) / "template.yaml").read_text()


def test_a_makefile_that_fails_says_what_it_said(application: Path, build: Build) -> None:
    (application / "template.yaml").write_text(TEMPLATE + "    Metadata: {BuildMethod: makefile}\n")
    (application / "caller" / "Makefile").write_text("build-Caller:\n\t@echo no luck today; exit 3\n")
    done = build()
    assert done.returncode == 1
    assert "make build-Caller failed" in done.stderr
    assert "no luck today" in done.stderr


def test_a_makefile_may_lie_elsewhere_and_run_in_another_folder(application: Path, build: Build) -> None:
    told = "    Metadata: {BuildMethod: makefile, ContextPath: tools, WorkingDirectory: shared}\n"
    (application / "template.yaml").write_text(TEMPLATE + told)
    (application / "tools").mkdir()
    (application / "tools" / "Makefile").write_text("build-Caller:\n\tcp *.txt $(ARTIFACTS_DIR)/\n")
    (application / "shared").mkdir()
    for content in ("one", "two"):
        (application / "shared" / "word.txt").write_text(content)
        done = build()
        assert done.returncode == 0, done.stderr
        with zipfile.ZipFile(packages(application) / "Caller.zip") as archive:
            assert archive.read("word.txt").decode() == content


def test_go_builds_what_the_runtime_starts(application: Path, build: Build) -> None:
    go = application.parent / "bin" / "go"
    go.parent.mkdir()
    go.write_text('#!/bin/sh\nset -e\n[ -f app.py ]\necho "$GOOS $GOARCH $1 $4" > "$3"\nchmod +x "$3"\n')
    go.chmod(0o755)
    (application / "template.yaml").write_text(
        TEMPLATE.replace("python3.12", "provided.al2023").replace("CodeUri", "Architectures: [arm64], CodeUri")
        + "    Metadata: {BuildMethod: go1.x}\n"
    )
    done = build(PATH=f"{go.parent}{os.pathsep}{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(packages(application) / "Caller.zip") as archive:
        assert archive.read("bootstrap").decode() == "linux arm64 build .\n"
    done = build(PATH=str(Path(sys.executable).parent))
    assert done.returncode == 1
    assert "go, which is to build" in done.stderr


@pytest.mark.parametrize("method", ["rust-cargolambda", "dotnet8", "java21"])
def test_build_methods_that_need_what_mayfly_does_not_run_are_refused(
    application: Path, build: Build, method: str
) -> None:
    (application / "template.yaml").write_text(TEMPLATE + f"    Metadata: {{BuildMethod: {method}}}\n")
    done = build()
    assert done.returncode == 1
    assert f"Caller has the BuildMethod {method}, which Mayfly does not carry out" in done.stderr


def test_what_sam_built_is_taken_as_it_is_under_the_name_of_its_application(application: Path, build: Build) -> None:
    made = application / ".aws-sam" / "build"
    (made / "Caller").mkdir(parents=True)
    (made / "template.yaml").write_text(
        TEMPLATE.replace("CodeUri: caller", "CodeUri: Caller") + "    Metadata: {BuildMethod: makefile}\n"
    )
    (made / "Caller" / "app.py").write_text("")
    (made / "Caller" / "requirements.txt").write_text("nowhere==1.0\n")
    done = build(str(made / "template.yaml"))
    assert done.returncode == 0, done.stderr
    assert names(made / ".mayfly" / "build" / "Caller.zip") == ["app.py", "requirements.txt"]
    assert default_name(made / "template.yaml") == "application"


def test_several_packages_with_the_same_dependencies_install_them_once(application: Path, build: Build) -> None:
    (application / "caller" / "requirements.txt").write_text("greeting==1.0\n")
    function = TEMPLATE[TEMPLATE.index("  Caller:") :]
    more = "".join(function.replace("Caller", name) for name in ("Second", "Third", "Fourth", "Fifth"))
    (application / "template.yaml").write_text(TEMPLATE + more)
    done = build("--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("installing requirements.txt") == 1
    made = json.loads(done.stdout)["packages"]
    assert [one["name"] for one in made] == ["Caller", "Second", "Third", "Fourth", "Fifth"]
    assert len({one["sha256"] for one in made}) == 1


def test_layers_are_built_where_their_language_looks(application: Path, build: Build) -> None:
    layer = """  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: shared}
    Metadata: {BuildMethod: python3.12}
"""
    (application / "template.yaml").write_text(TEMPLATE + layer)
    (application / "shared").mkdir()
    (application / "shared" / "requirements.txt").write_text("greeting==1.0\n")
    (application / "shared" / "mine.py").write_text("")
    done = build()
    assert done.returncode == 0, done.stderr
    found = names(packages(application) / "Shared.zip")
    assert {"python/greeting/__init__.py", "python/mine.py"} <= set(found)


def test_the_report_names_what_is_large(application: Path, build: Build) -> None:
    wheel(application.parent / "wheels", "heavy", "1.0", {"heavy/data.py": "#" * 500_000})
    (application / "caller" / "requirements.txt").write_text("heavy==1.0\ngreeting\n")
    done = build("--json")
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)["packages"]
    assert one["largest"][0] == {"name": "heavy", "bytes": 500_000}
    assert one["warnings"] == ["requirements.txt pins no version of greeting: builds may differ"]
    assert one["sha256"] == hashlib.sha256((packages(application) / "Caller.zip").read_bytes()).hexdigest()
    table = build()
    assert "heavy 500 kB" in table.stdout
    assert "next: mayfly deploy .mayfly/build/template.yaml" in table.stderr


def test_a_built_template_is_deployed_under_the_name_of_its_application(
    platform: PlatformProcess, application: Path, build: Build
) -> None:
    runtime = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (application / "template.yaml").write_text(TEMPLATE.replace("python3.12", runtime))
    (application / "caller" / "requirements.txt").write_text("greeting==1.0\n")
    home = application.rename(application.with_name("built-application"))
    home.with_name("application").symlink_to(home.name)
    assert build().returncode == 0
    done = subprocess.run(
        [sys.executable, "-m", "mayfly", "deploy", str(packages(home) / "template.yaml"), "--data", str(platform.data)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "stack built-application is deployed" in done.stderr
    (resource,) = [
        one
        for one in platform.client("cloudformation").describe_stack_resources(StackName="built-application")[
            "StackResources"
        ]
        if one["ResourceType"] == "AWS::Lambda::Function"
    ]
    reply = platform.client("lambda").invoke(FunctionName=resource["PhysicalResourceId"])
    assert json.load(reply["Payload"]) == "hello"


def test_packages_of_node_are_those_of_the_lock_without_what_is_for_development(
    application: Path, build: Build, registry: str
) -> None:
    (application / "template.yaml").write_text(
        TEMPLATE.replace("python3.12", "nodejs22.x").replace("app.handler", "index.handler")
    )
    (application / "caller" / "index.js").write_text("exports.handler = async () => require('greet');\n")
    (application / "caller" / "package.json").write_text(
        json.dumps({"name": "caller", "dependencies": {"greet": "^1.0.0"}, "devDependencies": {"absent": "1.0.0"}})
    )
    variables = {"npm_config_registry": registry, "npm_config_cache": str(application.parent / "npm")}
    first = build(**variables)
    assert first.returncode == 0, first.stderr
    assert "package.json has no package-lock.json beside it: builds may differ" in first.stderr
    found = names(packages(application) / "Caller.zip")
    assert found == [
        "app.py",
        "index.js",
        "node_modules/greet/index.js",
        "node_modules/greet/package.json",
        "package.json",
    ]
    assert "installing" not in build(**variables).stderr


def test_a_lock_of_other_dependencies_is_not_insisted_on(application: Path, build: Build, registry: str) -> None:
    (application / "template.yaml").write_text(TEMPLATE.replace("python3.12", "nodejs22.x"))
    (application / "caller" / "package.json").write_text(json.dumps({"dependencies": {"greet": "^1.0.0"}}))
    (application / "caller" / "package-lock.json").write_text(
        json.dumps({"lockfileVersion": 3, "packages": {"": {"dependencies": {"other": "^1.0.0"}}}})
    )
    done = build(npm_config_registry=registry, npm_config_cache=str(application.parent / "npm"))
    assert done.returncode == 0, done.stderr
    assert "package-lock.json is not that of package.json, write it anew with npm install" in done.stderr
    assert "node_modules/greet/index.js" in names(packages(application) / "Caller.zip")


def test_a_package_that_is_named_by_its_place_is_refused(application: Path, build: Build) -> None:
    (application / "template.yaml").write_text(TEMPLATE.replace("python3.12", "nodejs22.x"))
    (application / "caller" / "package.json").write_text('{"dependencies": {"mine": "file:../mine"}}')
    done = build()
    assert done.returncode == 1
    assert "depends on mine by its place on this machine" in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# nothing\n\nrequests==2.0 # pinned\n", []),
        ("requests>=2\nboto3\n", ["requests>=2", "boto3"]),
        ("a==1 \\\n    --hash=sha256:0\n-r other.txt\nb @ https://example.org/b.whl\n", []),
        ("c~=1.0 ; python_version > '3'\n", ["c~=1.0"]),
    ],
)
def test_requirements_that_pin_no_version_are_found(text: str, expected: list[str]) -> None:
    assert unpinned_requirements(text) == expected


def test_layers_count_against_the_limit_of_their_function() -> None:
    def built(name: str, size: int) -> Built:
        return Built(name, Path(name), "", 1, size, 1, (), ())

    body = {
        "Globals": {"Function": {"Layers": [{"Ref": "Everybodys"}]}},
        "Resources": {
            "F": {"Type": "AWS::Serverless::Function", "Properties": {"Layers": [{"Ref": "L"}, "arn:aws:x"]}},
            "L": {"Type": "AWS::Serverless::LayerVersion"},
            "Everybodys": {"Type": "AWS::Serverless::LayerVersion"},
        },
    }
    found = dict(totals(body, [built("F", 1), built("L", MOST_BYTES), built("Everybodys", 3)]))
    assert found["F"] == MOST_BYTES + 4


def test_distributions_are_for_the_python_that_serves_a_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("311", "314"):
        wheel(tmp_path / "wheels", "native", "1.0", {"native.py": f"BUILT_FOR = '{version}'\n"}, f"cp{version}")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    source = tmp_path / "source"
    source.mkdir()
    (source / "requirements.txt").write_text("native==1.0\n")

    def installed(served: Mapping[str, str]) -> str:
        made = Installer(Kept(tmp_path / "cache"), tmp_path, lambda _: None, served=served)
        found = made.install(source, "python3.14", "x86_64")
        assert found is not None
        return (found.root / "native.py").read_text()

    assert installed({}) == "BUILT_FOR = '314'\n"
    assert installed({"python3.14": "3.11"}) == "BUILT_FOR = '311'\n"
