"""`mayfly starts`, `mayfly function` and the pages behind them, against a running platform."""

import io
import json
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from mayfly.cli.connection import connect
from mayfly.errors import PlatformError
from tests.cli.test_commands import TRUST, mayfly
from tests.conftest import PlatformProcess

NAME = "looked-at"
RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
HANDLER = """
import decimal, email.message, xml.dom.minidom
import heavy

def handler(event, context):
    return len(heavy.TABLE)
"""
HEAVY = "import heavy.inner\nTABLE = [hash(str(n)) for n in range(100_000)]\n"


@pytest.fixture(scope="module")
def looked_at(platform: PlatformProcess) -> str:
    """A function that was called once, by a call that waited for its start."""
    iam, functions = platform.client("iam"), platform.client("lambda")
    role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", HANDLER)
        archive.writestr("heavy/__init__.py", HEAVY)
        archive.writestr("heavy/inner.py", "INNER = sorted(range(1000))\n")
    functions.create_function(
        FunctionName=NAME,
        Runtime=RUNTIME,
        Handler="app.handler",
        Role=role,
        Timeout=30,
        MemorySize=256,
        Code={"ZipFile": package.getvalue()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME)
    functions.publish_version(FunctionName=NAME)
    functions.create_alias(FunctionName=NAME, Name="live", FunctionVersion="1")
    functions.create_function_url_config(FunctionName=NAME, AuthType="AWS_IAM")
    functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=7)
    reply = functions.invoke(FunctionName=NAME)
    assert reply["Payload"].read() == b"100000"
    return NAME


def shown(*arguments: str, data: Path) -> Any:
    done = mayfly(*arguments, "--json", data=data)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_start_is_recorded_with_its_breakdown(platform: PlatformProcess, looked_at: str) -> None:
    report = shown("starts", looked_at, data=platform.data)
    (start,) = report["starts"]
    assert report["counts"] == {start["path"]: 1}
    assert start["path"] in ("interpreter", "process")
    steps = ("queue_ms", "sandbox_ms", "runtime_ms", "restore_ms", "init_ms", "handler_ms")
    assert start["total_ms"] == pytest.approx(sum(start[step] for step in steps))
    assert start["init_ms"] > 0
    assert report["percentiles"][start["path"]]["total_ms"] == {"p50": start["total_ms"], "p90": start["total_ms"]}


def test_imports_are_recorded_with_who_imported_them(platform: PlatformProcess, looked_at: str) -> None:
    imports = shown("starts", looked_at, data=platform.data)["imports"]
    depths = {one["module"]: one["depth"] for one in imports["heaviest"]}
    assert depths["app"] < depths["heavy"]
    heavy = next(one for one in imports["heaviest"] if one["module"] == "heavy")
    assert heavy["total_us"] >= heavy["own_us"] > 0
    assert imports["modules"] >= len(imports["heaviest"])


def test_starts_are_a_table_and_a_flame_that_fit_a_terminal(platform: PlatformProcess, looked_at: str) -> None:
    done = mayfly("starts", looked_at, data=platform.data, columns=80)
    assert done.returncode == 0, done.stderr
    titles = next(line.split() for line in done.stdout.splitlines() if line.startswith("Time"))
    assert titles == ["Time", "Path", "Total", "Queue", "Sandbox", "Runtime", "Init", "Handler"]
    assert "p90 of" not in done.stdout  # there was one start only
    flame = done.stdout.partition("Own ms")[2].splitlines()[1:]
    assert 2 <= len(flame) <= 25
    assert any(line.strip().startswith("heavy ") for line in flame)
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_pipe_that_takes_only_ascii_gets_only_ascii(platform: PlatformProcess, looked_at: str) -> None:
    done = mayfly("starts", looked_at, data=platform.data, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "#" in done.stdout


def test_a_function_that_never_started_says_so(platform: PlatformProcess, looked_at: str) -> None:
    platform.client("lambda").create_function(
        FunctionName="never-started",
        Runtime=RUNTIME,
        Handler="app.handler",
        Role=platform.client("lambda").get_function_configuration(FunctionName=looked_at)["Role"],
        Code={"ZipFile": _empty()},
    )
    done = mayfly("starts", "never-started", data=platform.data)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("no call of never-started waited for an instance to start since")


def _empty() -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", "")
    return package.getvalue()


def test_a_function_is_shown_with_all_that_is_known_of_it(platform: PlatformProcess, looked_at: str) -> None:
    view = shown("function", looked_at, data=platform.data)
    level = json.loads((platform.data / "server.json").read_text())["isolation"]
    assert (view["name"], view["runtime"], view["memory_mb"]) == (looked_at, RUNTIME, 256)
    assert view["interpreter"]["version"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert view["isolation"]["level"] == level
    layers = {layer["layer"]: layer["detail"] for layer in view["isolation"]["layers"]}
    if level == "namespace":
        assert "256 MB of memory" in layers["control group"]
    else:
        assert list(layers) == ["none"]
    assert view["refused_calls"] == []
    assert view["concurrency"]["reserved"] == 7
    assert sum(view["instances"].values()) == 1
    assert [one["version"] for one in view["versions"]] == ["$LATEST", "1"]
    assert view["versions"][0]["instances"] == view["instances"]
    assert view["aliases"] == [{"name": "live", "version": "1", "weights": {}}]
    assert view["urls"][0]["url"].startswith(platform.url)
    assert sum(view["starts"]["counts"].values()) == 1


def test_what_was_chosen_for_a_function_is_shown_without_its_secrets(platform: PlatformProcess, looked_at: str) -> None:
    functions = platform.client("lambda")
    role = functions.get_function_configuration(FunctionName=looked_at)["Role"]
    made = functions.create_function(
        FunctionName="chosen",
        Runtime=RUNTIME,
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": _empty()},
        LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "LogGroup": "shop/all"},
        TracingConfig={"Mode": "Active"},
        Environment={"Variables": {"TOKEN": "sesame", "HOST": "db"}},
        DurableConfig={"ExecutionTimeout": 60, "RetentionPeriodInDays": 1},
    )
    publishers = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/abcdefghij"]}
    signing = functions.create_code_signing_config(AllowedPublishers=publishers)["CodeSigningConfig"][
        "CodeSigningConfigArn"
    ]
    functions.put_function_code_signing_config(FunctionName="chosen", CodeSigningConfigArn=signing)
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": role},
        "Action": "lambda:Invoke*",
        "Resource": made["FunctionArn"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    functions.put_resource_policy(ResourceArn=made["FunctionArn"], Policy=policy)
    assert shown("function", "chosen", data=platform.data)["settings"] == {
        "logging": {"format": "JSON", "group": "shop/all", "application_level": "WARN", "system_level": "INFO"},
        "tracing": "Active",
        "variables": {"names": ["HOST", "TOKEN"], "error": None},
        "runtime_updates": "Auto",
        "durable": {"ExecutionTimeout": 60, "RetentionPeriodInDays": 1},
        "tenancy": None,
        "code_signing": signing,
        "policy": {"statements": 1, "denying": 1},
    }
    printed = mayfly("function", "chosen", data=platform.data).stdout
    for line in (
        "Logs         JSON, the function's from WARN, the platform's from INFO, in shop/all",
        "Variables    HOST, TOKEN; encrypted at rest",
        "Durable      an execution lasts at most 60 s, and is kept for 1 day after its end",
        f"Code signing {signing}",
        "Policy       1 statement, 1 of which denies",
    ):
        assert line in printed
    assert "sesame" not in printed


@pytest.mark.root
def test_a_function_runs_at_the_level_of_its_tag_or_not_at_all(platform: PlatformProcess, looked_at: str) -> None:
    functions = platform.client("lambda")
    role = functions.get_function_configuration(FunctionName=looked_at)["Role"]

    def create(level: str) -> None:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("app.py", "def handler(event, context): return open('/proc/self/uid_map').read()")
        functions.create_function(
            FunctionName=f"at-{level}",
            Runtime=RUNTIME,
            Handler="app.handler",
            Role=role,
            MemorySize=256,
            Timeout=30,  # the first container on a busy machine
            Tags={"mayfly:level": level},
            Code={"ZipFile": package.getvalue()},
        )

    create("container")
    assert json.loads(functions.invoke(FunctionName="at-container")["Payload"].read()).split()[0] == "0"
    isolation = shown("function", "at-container", data=platform.data)["isolation"]
    assert (isolation["level"], isolation["refused"]) == ("container", None)
    assert any("user namespace" in layer["detail"] for layer in isolation["layers"])
    rows = {row["name"]: row["isolation"] for row in shown("status", data=platform.data)["functions"]}
    assert (rows["at-container"], rows[looked_at]) == ("container", "namespace")
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="this server knows no level 'kata'"):
        create("kata")


@pytest.mark.root
def test_an_account_requires_a_level(platform: PlatformProcess, looked_at: str) -> None:
    done = mayfly("level", "kata", data=platform.data)
    assert done.returncode == 1
    assert "The level 'kata' cannot be required: this server knows no level 'kata'" in done.stderr
    assert shown("level", "container", data=platform.data) == {"platform": None, "account": "container"}
    assert shown("function", looked_at, data=platform.data)["isolation"]["level"] == "namespace"
    done = mayfly("level", "none", data=platform.data)
    assert done.stdout.split() == ["Platform", "requires", "none", "Account", "requires", "none"]


def test_a_template_that_cannot_be_had_is_shown_with_its_reason(platform: PlatformProcess, looked_at: str) -> None:
    level = json.loads((platform.data / "server.json").read_text())["isolation"]
    template = shown("function", looked_at, data=platform.data)["versions"][0]["template"]
    assert template["kind"] == "packages"
    # One that gets nothing done for seconds, because the machine has other work, is lost.
    possible = ("making", "refused") if level == "process" else ("making", "ready", "refused", "lost")
    assert template["state"] in possible
    assert (template["state"] in {"refused", "lost"}) == bool(template["reason"])


def test_a_function_is_a_compact_page(platform: PlatformProcess, looked_at: str) -> None:
    done = mayfly("function", looked_at, data=platform.data, columns=80)
    assert done.returncode == 0, done.stderr
    for words in ("Isolation", "Concurrency  7 reserved", "live -> 1", "auth AWS_IAM", "$LATEST", "Template"):
        assert words in done.stdout


@pytest.mark.root
def test_why_a_version_failed_is_told_in_full(platform: PlatformProcess, looked_at: str) -> None:
    functions = platform.client("lambda")
    functions.create_function(
        FunctionName="without-handler",
        Runtime=RUNTIME,
        Handler="app.handler",
        Role=functions.get_function_configuration(FunctionName=looked_at)["Role"],
        Code={"ZipFile": _empty()},
        SnapStart={"ApplyOn": "PublishedVersions"},
        Publish=True,
    )
    with pytest.raises(WaiterError):
        functions.get_waiter("published_version_active").wait(FunctionName="without-handler", Qualifier="1")
    printed = mayfly("function", "without-handler", data=platform.data, columns=80).stdout
    reason = functions.get_function_configuration(FunctionName="without-handler", Qualifier="1")["StateReason"]
    assert f"\n1 is Failed: {reason}\n" in printed


def test_an_arn_names_a_function_too(platform: PlatformProcess, looked_at: str) -> None:
    arn = shown("function", looked_at, data=platform.data)["arn"]
    assert shown("function", arn, data=platform.data)["name"] == looked_at
    assert shown("starts", arn, data=platform.data)["function"] == looked_at


@pytest.mark.parametrize("command", ["starts", "function"])
def test_a_function_that_is_not_there_is_one_line(platform: PlatformProcess, command: str) -> None:
    done = mayfly(command, "nobody", data=platform.data)
    assert done.returncode == 1
    assert done.stderr.startswith("mayfly: Function not found: arn:aws:lambda:")
    assert len(done.stderr.splitlines()) == 1


def test_a_version_is_shown_with_its_function_only(platform: PlatformProcess, looked_at: str) -> None:
    done = mayfly("function", f"{looked_at}:live", data=platform.data)
    assert done.returncode == 1
    assert f"all of them are shown under {looked_at}" in done.stderr


@pytest.mark.parametrize("command", ["starts", "function"])
def test_without_a_server_one_line_says_how_to_start_it(tmp_path: Path, command: str) -> None:
    done = mayfly(command, "any", data=tmp_path)
    assert done.returncode == 1
    assert f"no Mayfly runs on {tmp_path}" in done.stderr


@pytest.mark.parametrize("limit", ["0", "101", "x", "9999999999", "%D9%A3", "-1", "1.0"])
def test_a_limit_that_is_none_is_refused(platform: PlatformProcess, looked_at: str, limit: str) -> None:
    with pytest.raises(PlatformError, match="limit is a number from 1 to 100"):
        connect(platform.data).get(f"/_mayfly/starts?function={looked_at}&limit={limit}")


def test_starts_of_all_functions_are_counted(platform: PlatformProcess, looked_at: str) -> None:
    counts = connect(platform.data).get("/_mayfly/starts")["counts"]
    assert sum(counts.values()) >= 1


@pytest.mark.parametrize("page", ["starts?function=looked-at", "functions/looked-at"])
def test_nobody_but_the_root_key_sees_them(platform: PlatformProcess, page: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{platform.url}/_mayfly/{page}", timeout=60)
    assert refused.value.code == 403
    refused.value.close()


def test_versions_whose_instances_run_several_calls_say_how_many(platform: PlatformProcess, looked_at: str) -> None:
    assert "calls at a time in an instance" not in mayfly("function", looked_at, data=platform.data).stdout
    provider = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:mayfly"
    managed = {"CapacityProviderArn": provider, "PerExecutionEnvironmentMaxConcurrency": 12}
    platform.client("lambda").update_function_configuration(
        FunctionName=looked_at, CapacityProviderConfig={"LambdaManagedInstancesCapacityProviderConfig": managed}
    )
    done = mayfly("function", looked_at, data=platform.data)
    assert "calls at a time in an instance, at most: $LATEST: 12\n" in done.stdout
    versions = shown("function", looked_at, data=platform.data)["versions"]
    assert {one["version"]: one["calls_at_a_time"] for one in versions} == {"$LATEST": 12, "1": 1}


def test_starts_of_a_version_are_those_that_its_alias_points_at(looked_at: str, platform: PlatformProcess) -> None:
    assert "version 1 waited" in mayfly("starts", f"{looked_at}:live", data=platform.data).stdout
    platform.client("lambda").invoke(FunctionName=looked_at, Qualifier="live")
    report = shown("starts", f"{looked_at}:live", data=platform.data)
    assert (report["version"], [start["version"] for start in report["starts"]]) == ("1", ["1"])
    assert sum(report["counts"].values()) == 1
    assert shown("starts", f"{looked_at}:1", data=platform.data)["starts"] == report["starts"]
    missing = mayfly("starts", f"{looked_at}:nobody", data=platform.data)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "nobody" in missing.stderr
