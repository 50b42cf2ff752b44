"""Functions of Node.js on a running platform, as boto3 sees them; each on a process that had waited, or was started."""

import base64
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from mayfly.cli.connection import connect
from mayfly.sandbox import nodes
from tests.conftest import RUNTIMES, PlatformProcess, start_platform
from tests.services.functions.stage import zipped

from .test_functions_over_the_wire import TRUST

IDENTIFIERS = ("nodejs20.x", "nodejs22.x", "nodejs24.x")
CODE = """
const http = require('node:http');
let calls = 0;
exports.handler = async (event, context) => {
  calls += 1;
  if (event.do === 'throw') throw new RangeError(event.text);
  if (event.do === 'exit') process.exit(3);
  if (event.do === 'sleep') await new Promise((go) => setTimeout(go, 60000));
  if (event.do === 'spin') for (;;);
  if (event.do === 'heap') { const held = []; for (;;) held.push(new Array(1e5).fill().map(() => ({ calls }))); }
  if (event.do === 'native') { const held = []; for (;;) held.push(Buffer.alloc(8 << 20, 1)); }
  if (event.do === 'log') console.log(event.text);
  if (event.do === 'environment') return process.env;
  if (event.do === 'big') return 'x'.repeat(event.size);
  if (event.do === 'identity') return [process.pid, process.version, calls, context.logStreamName];
  return event;
};
"""


@pytest.fixture(scope="module")
def role(platform: PlatformProcess) -> str:
    name = f"node-{uuid4().hex[:8]}"
    made = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    arn: str = made["Role"]["Arn"]
    return arn


Make = Callable[..., str]


@pytest.fixture
def make(platform: PlatformProcess, role: str) -> Iterator[Make]:
    """Makes functions, which go with the test."""
    client = platform.client("lambda")
    made: list[str] = []

    def create(files: dict[str, str] | None = None, **changes: Any) -> str:
        name = f"node-{uuid4().hex[:8]}"
        parameters = {"Runtime": "nodejs22.x", "Handler": "index.handler", "MemorySize": 128, "Timeout": 20, **changes}
        client.create_function(
            FunctionName=name, Role=role, Code={"ZipFile": zipped(files or {"index.js": CODE})}, **parameters
        )
        made.append(name)
        return name

    yield create
    for name in made:
        client.delete_function(FunctionName=name)


def invoke(client: Any, name: str, event: Any = None, **parameters: Any) -> tuple[Any, dict[str, Any]]:
    reply = client("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}), **parameters)
    return json.loads(reply["Payload"].read() or b"null"), reply


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_a_function_of_each_identifier_answers_with_its_variables(client: Any, make: Make, identifier: str) -> None:
    name = make(Runtime=identifier, Environment={"Variables": {"COLOUR": "red"}})
    variables, _ = invoke(client, name, {"do": "environment"})
    assert variables["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{identifier}"
    assert variables["COLOUR"] == "red"
    assert variables["_HANDLER"] == "index.handler"
    assert "AWS_SESSION_TOKEN" in variables
    assert "PYTHONPATH" not in variables


def test_an_instance_answers_one_call_after_the_other_and_logs_them(client: Any, make: Make) -> None:
    name = make()
    first, _ = invoke(client, name, {"do": "identity"})
    second, reply = invoke(client, name, {"do": "identity"})
    assert second[2] == 2
    assert first[3] == second[3]
    _, reply = invoke(client, name, {"do": "log", "text": "hello\nthere"}, LogType="Tail")
    tail = base64.b64decode(reply["LogResult"]).decode()
    request = reply["ResponseMetadata"]["RequestId"]
    assert f"START RequestId: {request}" in tail
    assert f"\t{request}\tINFO\thello\rthere\n" in tail
    assert f"END RequestId: {request}" in tail
    assert "REPORT RequestId" in tail


def test_what_a_function_throws_is_the_callers_error(client: Any, make: Make) -> None:
    error, reply = invoke(client, make(), {"do": "throw", "text": "so"})
    assert reply["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("RangeError", "so")
    assert error["trace"][0] == "RangeError: so"
    assert "index.js:6" in error["trace"][1]


@pytest.mark.parametrize("how", ["sleep", "spin"])
def test_a_function_that_takes_too_long_is_ended(client: Any, make: Make, how: str) -> None:
    name = make(Timeout=1)
    error, _reply = invoke(client, name, {"do": how})
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert invoke(client, name, {"a": 1})[0] == {"a": 1}


def test_a_function_that_exits_or_eats_its_memory_is_replaced(client: Any, make: Make) -> None:
    name = make()
    error, _ = invoke(client, name, {"do": "exit"})
    assert error["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in error["errorMessage"]
    for how in ("heap", "native"):
        error, _ = invoke(client, name, {"do": how})
        assert error["errorType"] in {"Runtime.ExitError", "Runtime.OutOfMemory"}
        assert invoke(client, name, {"a": 1})[0] == {"a": 1}


def test_a_function_that_cannot_be_loaded_says_why(client: Any, make: Make) -> None:
    error, reply = invoke(client, make({"index.js": "require('absent')"}))
    assert reply["FunctionError"] == "Unhandled"
    assert error["errorType"] == "Runtime.ImportModuleError"
    error, _ = invoke(client, make({"index.mjs": "export const handler = async () => (1"}))
    assert error["errorType"] == "Runtime.UserCodeSyntaxError"


def test_answers_up_to_six_megabytes_arrive_and_larger_ones_are_refused(client: Any, make: Make) -> None:
    name = make(MemorySize=256)
    text, _ = invoke(client, name, {"do": "big", "size": 6 * 1024 * 1024 - 2})
    assert len(text) == 6 * 1024 * 1024 - 2
    error, _ = invoke(client, name, {"do": "big", "size": 7 * 1024 * 1024})
    assert error["errorType"] == "Function.ResponseSizeTooLarge"


def test_es_modules_and_streams_work_on_the_platform(client: Any, make: Make) -> None:
    text = (
        "import { setTimeout } from 'node:timers/promises'\nconst word = await Promise.resolve('late')\n"
        "export const handler = async () => word\n"
        "export const stream = awslambda.streamifyResponse(async (event, out) => {\n"
        "  out.write('one '); await setTimeout(5); out.write('two'); out.end() })\n"
    )
    assert invoke(client, make({"index.mjs": text}))[0] == "late"
    name = make({"index.mjs": text}, Handler="index.stream")
    events = client("lambda").invoke_with_response_stream(FunctionName=name, Payload=b"{}")["EventStream"]
    parts = [event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event]
    assert b"".join(parts) == b"one two"


def test_calls_at_once_have_an_instance_each(client: Any, make: Make) -> None:
    answer = "[process.env.AWS_LAMBDA_LOG_STREAM_NAME, began, Date.now()]"
    wait = "await new Promise((go) => setTimeout(go, 500))"
    name = make({"index.js": f"exports.handler = async () => {{ const began = Date.now(); {wait}; return {answer} }}"})
    with ThreadPoolExecutor(5) as threads:
        answers = sorted(threads.map(lambda _: invoke(client, name)[0], range(5)))
    for (stream, _, ended), (other, began, _) in pairwise(answers):
        assert stream != other or began >= ended, answers
    assert len({stream for stream, _, _ in answers}) > 1


def test_a_variable_that_counts_from_the_start_is_heeded(client: Any, make: Make) -> None:
    name = make(
        {"index.js": "exports.handler = async () => require('v8').getHeapStatistics().heap_size_limit >> 20"},
        Environment={"Variables": {"NODE_OPTIONS": "--max-old-space-size=200 --enable-source-maps"}},
        MemorySize=512,
    )
    assert 200 <= invoke(client, name)[0] < 400


@pytest.mark.skipif(os.geteuid() != 0, reason="processes wait for functions where they are isolated")
@pytest.mark.root
def test_a_process_that_waited_serves_one_function_and_is_replaced(
    platform: PlatformProcess, client: Any, make: Make
) -> None:
    def waiting_was_used() -> bool:
        name = make({"index.js": "exports.handler = async () => [globalThis.left, globalThis.left = 1]"})
        assert invoke(client, name)[0] == [None, 1]
        counts = connect(platform.data).get(f"/_mayfly/starts?function={name}&limit=1")["counts"]
        assert sum(counts.values()) == 1
        return "pool" in counts

    deadline = time.monotonic() + 60
    while not waiting_was_used():
        assert time.monotonic() < deadline, "no process ever waited"


def test_a_runtime_that_the_machine_does_not_have_is_substituted_with_a_warning(client: Any, make: Make) -> None:
    name = make(Runtime="nodejs18.x")
    assert invoke(client, name, {"a": 1})[0] == {"a": 1}
    events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    assert any("nodejs18.x is not installed on this machine" in event["message"] for event in events)


@pytest.mark.skipif(not (RUNTIMES / nodes.SDK).is_dir() and "CI" not in os.environ, reason="`make test` installs it")
@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_the_sdk_is_there_for_both_kinds_of_modules_and_speaks_to_the_platform(
    client: Any, make: Make, role: str, identifier: str
) -> None:
    ask = "const who = async () => (await new STSClient({}).send(new GetCallerIdentityCommand({}))).Arn\n"
    files = {
        "index.mjs": f"import {{ STSClient, GetCallerIdentityCommand }} from '@aws-sdk/client-sts'\n{ask}"
        "export const handler = who",
        "old.js": f"const {{ STSClient, GetCallerIdentityCommand }} = require('@aws-sdk/client-sts')\n{ask}"
        "exports.handler = who",
    }
    for handler in ("index.handler", "old.handler"):
        name = make(files, Handler=handler, Runtime=identifier, MemorySize=256)
        assert invoke(client, name)[0].endswith(f"assumed-role/{role.rpartition('/')[2]}/{name}")


def test_snapshots_are_not_for_node(client: Any, make: Make) -> None:
    with pytest.raises(ClientError, match="is not supported for SnapStart enabled functions"):
        make(SnapStart={"ApplyOn": "PublishedVersions"})


def test_without_substitution_a_runtime_that_is_not_installed_is_refused_with_what_to_install(tmp_path: Path) -> None:
    server, strict = start_platform(tmp_path / "data", "--no-runtime-substitution")
    try:
        role = strict.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        parameters = {"Handler": "index.handler", "Role": role, "Code": {"ZipFile": zipped({"index.js": CODE})}}
        for runtime, cure in (
            ("nodejs18.x", "install it with `mayfly runtime install nodejs18.x`"),
            ("python3.14", "`uv python install 3.14`"),
        ):
            with pytest.raises(ClientError) as refused:
                strict.client("lambda").create_function(FunctionName="f", Runtime=runtime, **parameters)
            assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
            assert cure in refused.value.response["Error"]["Message"]
        own = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        strict.client("lambda").create_function(FunctionName="f", Runtime=own, **parameters)
    finally:
        server.terminate()
        assert server.wait(60) == 0


LARGE = "exports.answer = () => 42;\n" + "".join(
    f"exports.f{n} = function () {{ return {n}; }};\n" for n in range(2000)
)
CACHED = """
const large = require('./large.js');
const fs = require('node:fs');
exports.handler = async () => {
  const place = require('node:module').getCompileCacheDir();
  return { answer: large.answer(), files: fs.readdirSync(place).length, at: fs.realpathSync(place) };
};
"""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="the level process keeps none")
@pytest.mark.parametrize("identifier", ["nodejs22.x", "nodejs24.x"])
def test_modules_are_compiled_once_when_they_arrive_and_when_the_memory_is_another(
    client: Any, make: Make, identifier: str
) -> None:
    name = make({"index.js": CACHED, "large.js": LARGE}, Runtime=identifier)
    for memory_mb in (128, 256):
        client("lambda").update_function_configuration(FunctionName=name, MemorySize=memory_mb)
        told, _ = invoke(client, name)
        assert (told["answer"], told["files"]) == (42, 2)
        assert told["at"].startswith("/var/task/.mayfly-node/")
