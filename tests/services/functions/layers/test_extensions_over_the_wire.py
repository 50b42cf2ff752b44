"""External extensions that layers bring, beside the managed runtimes, at every level that has a network of its own."""

import base64
import json
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import RUNTIMES, PlatformProcess
from tests.engine.programs import ASK
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import Deploy, deploy, functions, invoke, role
from tests.services.functions.test_node_over_the_wire import CACHED, LARGE

from .test_layers_over_the_wire import EXTENSION, RUNTIME, Publish, archive, heard, publish

__all__ = ["deploy", "functions", "publish", "role"]

pytestmark = pytest.mark.root

CODE = """
import json, os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: print("tidied up", flush=True) or sys.exit(0))
calls = 0
def handler(event, context):
    global calls
    calls += 1
    do = event.get("do")
    if do == "raise": raise LookupError("nowhere")
    if do == "exit": os._exit(5)
    if do == "print": print("said", event["text"])
    if do == "big": return "x" * event["size"]
    if do == "context":
        left = context.get_remaining_time_in_millis()
        return [context.function_name, context.invoked_function_arn.split(":")[-1], left > 0]
    if do == "proc": return [len(os.listdir("/proc/self/fd")), os.environ["AWS_EXECUTION_ENV"], os.getcwd()]
    return [calls, event]
"""
SHUTDOWN = (
    ASK
    + r"""
ask POST /2020-01-01/extension/register '{"events": ["SHUTDOWN"]}' "Lambda-Extension-Name: $(basename "$0")"
extension=$(header lambda-extension-identifier)
ask GET /2020-01-01/extension/event/next '' "Lambda-Extension-Identifier: $extension"
echo "shut down"
"""
)
INIT = "raise RuntimeError('no init')\n"


@pytest.fixture
def python(deploy: Deploy, publish: Publish) -> Callable[..., str]:
    def make(code: str = CODE, extension: str = EXTENSION, **params: Any) -> str:
        layer = publish({"extensions/listener": extension})
        return deploy(Code={"ZipFile": zipped({"app.py": code})}, Layers=[layer], Runtime=RUNTIME, **params)

    return make


def available(level: str) -> None:
    program = {"container": "crun", "gvisor": "runsc"}.get(level)
    if program and shutil.which(program) is None and not os.environ.get("CI"):
        pytest.skip(f"{program} is not installed")


@pytest.mark.parametrize("level", ["namespace", "container", "gvisor"])
def test_a_function_of_python_and_an_extension_hear_of_every_call(
    platform: PlatformProcess, functions: Any, python: Callable[..., str], level: str
) -> None:
    available(level)
    name = python(Tags={"mayfly:level": level})
    # The instance is busy as long as the extension works on a call; then the next one gets another instance.
    assert [invoke(functions, name, {"n": n})["Payload"][1] for n in (1, 2)] == [{"n": 1}, {"n": 2}]
    assert invoke(functions, name, {"do": "big", "size": 1_000_000})["Payload"] == "x" * 1_000_000
    assert heard(platform, name, "listener heard of")


@pytest.mark.parametrize("level", ["namespace", "container"])
def test_a_function_of_node_has_extensions_and_streams_beside_them(
    platform: PlatformProcess, functions: Any, deploy: Deploy, publish: Publish, level: str
) -> None:
    available(level)
    if shutil.which("node") is None and not os.environ.get("CI"):
        pytest.skip("no Node.js here")
    code = (
        "exports.handler = async (event) => ({ event, version: process.version.slice(0, 1) });\n"
        "exports.parts = awslambda.streamifyResponse(async (event, out) => {\n"
        "  out.setContentType('text/plain');\n"
        "  for (let n = 0; n < 3; n++) out.write('part'.repeat(event.times));\n"
        "  if (event.fail) throw new TypeError('half-way');\n"
        "  out.end();\n});\n"
    )
    layer = publish({"extensions/listener": EXTENSION})

    def make(handler: str) -> str:
        return deploy(
            Code={"ZipFile": zipped({"index.js": code})},
            Layers=[layer],
            Runtime="nodejs22.x",
            Handler=f"index.{handler}",
            Tags={"mayfly:level": level},
        )

    assert invoke(functions, make("handler"), {"a": 1})["Payload"] == {"event": {"a": 1}, "version": "v"}
    streams = make("parts")
    for event, complete in (({"times": 200_000}, True), ({"times": 1, "fail": True}, False)):
        reply = functions.invoke_with_response_stream(FunctionName=streams, Payload=json.dumps(event))
        events = list(reply["EventStream"])
        got = b"".join(one["PayloadChunk"]["Payload"] for one in events if "PayloadChunk" in one)
        assert got == b"part" * 3 * event["times"]
        assert ("ErrorCode" not in events[-1]["InvokeComplete"]) == complete


@pytest.mark.parametrize("extended", [True, False])
def test_modules_compiled_for_a_package_and_its_layers_are_found(
    functions: Any, deploy: Deploy, publish: Publish, *, extended: bool
) -> None:
    if not RUNTIMES.is_dir() and not os.environ.get("CI"):
        pytest.skip("no Node.js here that keeps what it compiled")
    layer = publish({"extensions/listener": EXTENSION} if extended else {"nodejs/node_modules/large/index.js": LARGE})
    files: dict[str, str | bytes] = {"index.js": CACHED, "large.js": LARGE}
    name = deploy(
        Code={"ZipFile": zipped(files)}, Layers=[layer], Runtime="nodejs22.x", Handler="index.handler", MemorySize=128
    )
    for memory_mb in (128, 256):
        functions.update_function_configuration(FunctionName=name, MemorySize=memory_mb)
        told = invoke(functions, name, {})["Payload"]
        assert told["answer"] == 42
        assert told["files"] >= 2  # and what the runtime itself looks for layers with
        assert told["at"].startswith("/var/task/.mayfly-node/")
        assert len(told["at"].rpartition(".")[2]) == 64  # the layer's name


def test_errors_ends_and_output_are_the_functions_own(functions: Any, python: Callable[..., str]) -> None:
    name = python()
    failed = invoke(functions, name, {"do": "raise"})
    assert (failed["FunctionError"], failed["Payload"]["errorType"]) == ("Unhandled", "LookupError")
    said = invoke(functions, name, {"do": "print", "text": "hello"}, LogType="Tail")
    assert "said hello" in base64.b64decode(said["LogResult"]).decode()
    ended = invoke(functions, name, {"do": "exit"})
    assert ended["Payload"]["errorType"] == "Runtime.ExitError"
    assert "exit status 5" in ended["Payload"]["errorMessage"]
    assert invoke(functions, name, {"n": 1})["Payload"][1] == {"n": 1}
    assert invoke(functions, name, {"do": "context"})["Payload"] == [name, name, True]


def test_a_runtime_beside_extensions_holds_no_descriptor_of_the_platforms_but_its_own(
    functions: Any, python: Callable[..., str]
) -> None:
    # The standard ones, the runtime's socket, and the listing's own.
    descriptors, environment, directory = invoke(functions, python(), {"do": "proc"})["Payload"]
    assert (descriptors, environment, directory) == (
        5,
        f"AWS_Lambda_{RUNTIME}",
        "/var/task",
    )


def test_an_init_that_fails_is_told_as_ever(functions: Any, python: Callable[..., str]) -> None:
    failed = invoke(functions, python(INIT), {})
    assert failed["Payload"]["errorType"] == "RuntimeError"
    assert failed["Payload"]["errorMessage"] == "no init"


def test_a_function_with_an_extension_is_told_to_end_and_may_tidy_up(
    platform: PlatformProcess, functions: Any, python: Callable[..., str]
) -> None:
    name = python(extension=SHUTDOWN)
    invoke(functions, name, {})
    functions.update_function_configuration(FunctionName=name, Timeout=21)  # its instance ends
    assert heard(platform, name, "shut down")
    assert heard(platform, name, "tidied up")


def test_a_call_that_takes_too_long_ends_the_instance(functions: Any, python: Callable[..., str]) -> None:
    name = python("import time\ndef handler(event, context): time.sleep(60)\n", Timeout=1)
    began = time.monotonic()
    assert "Task timed out after 1.00 seconds" in invoke(functions, name, {})["Payload"]["errorMessage"]
    assert time.monotonic() - began < 50


WRAPPER = """#!/bin/bash
[ "$MODE" = refuse ] && { echo "not today"; exit 9; }
export WRAPPED="by $0" _HANDLER=inner.handler PYTHONPATH=/opt/added:$PYTHONPATH
exec "$@"
"""
INNER = (
    "import os, sys, added, boto3\n"
    "def handler(event, context):\n"
    "    return [os.environ['WRAPPED'], added.WHO, event, sys.argv, 'mayfly' in sys.modules, os.getcwd()]\n"
)


@pytest.mark.parametrize("level", ["namespace", "container"])
def test_a_wrapper_in_a_layer_starts_the_runtime_of_python_and_has_the_last_word_on_its_variables(
    platform: PlatformProcess, functions: Any, deploy: Deploy, publish: Publish, level: str
) -> None:
    available(level)
    files = {"wrap": WRAPPER, "added/added.py": "WHO = 'added'\n", "extensions/listener": EXTENSION}
    layer = publish(files)
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}
    name = deploy(
        Code={"ZipFile": zipped({"inner.py": INNER})},
        Handler="outer.handler",
        Layers=[layer],
        Runtime=RUNTIME,
        Environment={"Variables": variables},
        Tags={"mayfly:level": level},
    )
    for event in (1, 2):  # of one instance, or of two
        said = invoke(functions, name, event)["Payload"]
        assert said == ["by /opt/wrap", "added", event, [""], False, "/var/task"]
    assert heard(platform, name, "listener heard of")


@pytest.mark.parametrize(
    ("wrapper", "mode", "words"),
    [
        ("/opt/wrap", "refuse", "exit status 9"),
        ("/opt/none", "", "exit status 127"),
        ("/opt/added/added.py", "", "exit status 126"),
    ],
)
def test_a_wrapper_that_starts_nothing_is_why_the_runtime_ended(
    functions: Any, deploy: Deploy, publish: Publish, wrapper: str, mode: str, words: str
) -> None:
    layer = publish(archive({"added/added.py": ""}, 0o644) if "added" in wrapper else {"wrap": WRAPPER})
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": wrapper, "MODE": mode}
    name = deploy(Layers=[layer], Runtime=RUNTIME, Environment={"Variables": variables})
    failed = invoke(functions, name, {})
    assert failed["Payload"]["errorType"] == "Runtime.ExitError"
    assert words in failed["Payload"]["errorMessage"]
