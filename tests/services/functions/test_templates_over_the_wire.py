"""What is said of templates that were refused, with boto3 and `mayfly function`; and that their functions run."""

import json
import os
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.cli.test_commands import mayfly
from tests.conftest import PlatformProcess
from tests.services.functions.stage import zipped
from tests.services.functions.test_versions_over_the_wire import TRUST

pytestmark = pytest.mark.root

THREAD = (
    "import threading\nSTOP = threading.Event()\n"
    "THREAD = threading.Thread(target=STOP.wait, name='pump', daemon=True)\nTHREAD.start()\n"
)
UNDONE = "STOP.set(); THREAD.join()\n"
HANDLER = "import os\ndef handler(event, context): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n"
HOOK = "import snapshot_restore_py as hooks\n@hooks.register_{}\ndef hook(): raise LookupError('no such thing')\n"


@pytest.fixture
def functions(client: Callable[..., Any]) -> Any:
    if os.geteuid() != 0:
        pytest.skip("only namespaces have templates")
    return client("lambda", read_timeout=60)


def create(platform: PlatformProcess, package: str = "", init: str = "", **params: Any) -> str:
    """A function whose module begins with `init` and which brings a distribution with `package` in it."""
    name = f"t-{uuid4().hex[:12]}"
    role = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    files: dict[str, str | bytes] = {
        "app.py": f"import heavy\n{init}\n{HANDLER}",
        "heavy.py": f"import time\ntime.sleep(0.01)\n{package}",
        "heavy-1.0.dist-info/RECORD": "heavy.py,,\n",
    }
    platform.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": zipped(files)},
        Timeout=20,
        **params,
    )
    return name


def template(platform: PlatformProcess, name: str, version: str) -> dict[str, Any]:
    """As `mayfly function` tells, once it is known."""
    deadline = time.monotonic() + 60
    while True:
        done = mayfly("function", name, "--json", data=platform.data)
        assert done.returncode == 0, done.stderr
        (found,) = [one["template"] for one in json.loads(done.stdout)["versions"] if one["version"] == version]
        if found["state"] not in {"making", "none"}:
            return dict(found)
        assert time.monotonic() < deadline, found


def run(functions: Any, name: str, qualifier: str) -> Any:
    return json.load(functions.invoke(FunctionName=name, Qualifier=qualifier)["Payload"])


@pytest.mark.parametrize(("source", "state"), [(THREAD, "refused"), (THREAD + UNDONE, "ready")])
def test_the_reason_that_packages_are_not_shared_is_shown_and_the_function_runs(
    functions: Any, platform: PlatformProcess, source: str, state: str
) -> None:
    name = create(platform, package=source)
    assert run(functions, name, "$LATEST") == "on-demand"
    reason = "a thread is alive: pump" if state == "refused" else None
    assert template(platform, name, "$LATEST") == {"kind": "packages", "state": state, "reason": reason}
    shown = mayfly("function", name, data=platform.data).stdout
    assert f"packages {state}" in " ".join(shown.split())
    functions.update_function_configuration(FunctionName=name, MemorySize=256)  # so that another instance starts
    assert run(functions, name, "$LATEST") == "on-demand"
    functions.delete_function(FunctionName=name)


@pytest.mark.parametrize(("source", "status"), [(THREAD, "Off"), (THREAD + UNDONE, "On")])
def test_a_version_with_snap_start_tells_whether_and_why_not(
    functions: Any, platform: PlatformProcess, source: str, status: str
) -> None:
    name = create(platform, init=source, SnapStart={"ApplyOn": "PublishedVersions"})
    assert functions.publish_version(FunctionName=name)["State"] == "Pending"
    functions.get_waiter("published_version_active").wait(FunctionName=name, Qualifier="1", WaiterConfig={"Delay": 1})
    shown = functions.get_function_configuration(FunctionName=name, Qualifier="1")
    assert (shown["State"], shown["SnapStart"]["OptimizationStatus"]) == ("Active", status)
    state, reason = ("ready", None) if status == "On" else ("refused", "a thread is alive: pump")
    assert template(platform, name, "1") == {"kind": "function", "state": state, "reason": reason}
    assert run(functions, name, "1") == "snap-start"
    functions.delete_function(FunctionName=name)


def test_a_hook_that_fails_before_the_snapshot_fails_the_version(functions: Any, platform: PlatformProcess) -> None:
    name = create(platform, init=HOOK.format("before_snapshot"), SnapStart={"ApplyOn": "PublishedVersions"})
    functions.publish_version(FunctionName=name)
    deadline = time.monotonic() + 60
    while (found := functions.get_function_configuration(FunctionName=name, Qualifier="1"))["State"] == "Pending":
        assert time.monotonic() < deadline
    assert (found["State"], found["StateReasonCode"]) == ("Failed", "FunctionError.RuntimeInitError")
    assert "no such thing" in found["StateReason"]
    assert run(functions, name, "$LATEST") == "on-demand", "hooks are for versions"
    functions.delete_function(FunctionName=name)


def test_a_hook_that_fails_after_the_restore_refuses_calls(functions: Any, platform: PlatformProcess) -> None:
    name = create(platform, init=HOOK.format("after_restore"), SnapStart={"ApplyOn": "PublishedVersions"})
    functions.publish_version(FunctionName=name)
    functions.get_waiter("published_version_active").wait(FunctionName=name, Qualifier="1", WaiterConfig={"Delay": 1})
    with pytest.raises(ClientError) as refused:
        functions.invoke(FunctionName=name, Qualifier="1")
    error: Any = refused.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == ("SnapStartException", 400)
    functions.delete_function(FunctionName=name)
